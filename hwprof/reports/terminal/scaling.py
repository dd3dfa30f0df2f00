"""Text and figure of `hwprof tune --scaling`: FPS, speed-up and efficiency against threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hwprof.analysis.estimator import EstimatorChoice
from hwprof.analysis.factors.scaling import ScalingLaw, ScalingPoint
from hwprof.printable import plural
from hwprof.records import Fidelity, Run
from hwprof.records.agreement import mark, worst
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import columns, wrap
from hwprof.speed import Interval

# Okabe and Ito's palette, distinguishable by colour-blind readers; markers differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
COLUMNS = (
    GridColumn("threads", right=True, is_key=True),
    GridColumn("over", right=True, drop=3),
    GridColumn("FPS", right=True),
    GridColumn("throughput", right=True, drop=4),
    GridColumn("CPU ms", right=True, drop=5),
    GridColumn("waiting", right=True, drop=6),
    GridColumn("speed-up", right=True),
    GridColumn("efficiency", right=True, drop=2),
    GridColumn("serial fraction", drop=1),
    GridColumn("", flows=True),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "svg.hashsalt": "hwprof",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def text(
    title: str,
    choice: EstimatorChoice,
    points: Sequence[ScalingPoint],
    fits: Sequence[ScalingLaw],
    marks: Mapping[int, str] = MappingProxyType({}),
    width: int | None = None,
) -> str:
    """The text table, and under it the fitted laws. `marks`: threads -> what has to stand beside a ratio.

    `width`: of the longest line; None: as wide as stdout takes.
    """
    width = columns() if width is None else width
    lines = [*wrap(title, width, "", "  "), *wrap(f"speed-up {choice.words}", width, "", "  "), ""]
    rows = [
        (
            str(p.threads),
            plural(p.sets, "set") if p.sets else plural(p.rounds, "round"),
            "-" if p.fps is None else span(p.fps, 1),
            figure_of(p.throughput),
            figure_of(p.cpu_s, 1e3),
            share(p.waiting),
            span(p.speedup, 3),
            span(p.efficiency, 3),
            "-" if p.serial is None else span(p.serial, 3),
            marks.get(p.threads, ""),
        )
        for p in points
    ]
    lines += [*grid.lines(COLUMNS, rows, width), ""]
    remarks = [
        f"{plural(p.threads, 'thread')}: speed-up {span(p.speedup, 3)} by slices, {span(p.alone, 3)} "
        f"by bare stretches: "
        "they contradict each other, and nothing is concluded"
        for p in points
        if p.conflict
    ]
    for fit in fits:
        values = ", ".join(f"{name} {span(value, 4)}" for name, value in fit.parameters.items()) or f"no fit: {fit.why}"
        remarks.append(f"{fit.law}: {values}")
    remarks.append("95 % between sets or rounds. Serial fraction by Karp and Flatt, each number of threads by itself.")
    remarks.append("CPU ms: CPU time per frame. Waiting: time in which threads were ready and others had their CPU.")
    return "\n".join([*lines, *(line for remark in remarks for line in wrap(remark, width, "  ", "    "))])


def figure_of(value: float | None, scale: float = 1.0) -> str:
    """`641.7`; `-` where it is not known."""
    return "-" if value is None else f"{scale * value:.4g}"


def share(value: float | None) -> str:
    """`3 %`; `-` where it is not known."""
    return "-" if value is None else f"{100 * value:.0f} %"


def span(value: Interval, digits: int) -> str:
    """`1.32 [1.25, 1.40]`."""
    bounds = "" if value.low is None or value.high is None else f" [{value.low:.{digits}f}, {value.high:.{digits}f}]"
    return f"{value.value:.{digits}f}{bounds}"


def outputs(runs: Iterable[Run]) -> dict[int, str]:
    """Threads -> `UNFAITHFUL`, or `not comparable: WHY`, of the runs of a case; none of those that are faithful."""
    found: dict[int, list[Fidelity | None]] = {}
    for run in runs:
        found.setdefault(run.case.threads, []).append(run.fidelity)
    return {threads: words for threads, several in found.items() if (words := mark(worst(several)))}


def document(
    choice: EstimatorChoice,
    points: Sequence[ScalingPoint],
    fits: Sequence[ScalingLaw],
    marks: Mapping[int, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Plain JSON; `marks` as of `text`."""

    def plain(value: Interval | None) -> Any:
        return None if value is None else value._asdict()

    return {
        "format": 1,
        "by": choice.estimator.value,
        "why": choice.why,
        "points": [
            {
                "threads": p.threads,
                "rounds": p.rounds,
                "outputs": marks.get(p.threads, ""),
                **{n: plain(getattr(p, n)) for n in ("fps", "speedup", "efficiency", "serial", "alone")},
                **{n: getattr(p, n) for n in ("throughput", "cpu_s", "waiting", "sets", "conflict")},
            }
            for p in points
        ],
        "fits": [{"law": f.law, "why": f.why, **{n: plain(v) for n, v in f.parameters.items()}} for f in fits],
    }


def figure(curves: Mapping[str, Sequence[ScalingPoint]]) -> Any:
    """Speed-up (left, with the ideal) and efficiency (right) against threads, one line per name, with intervals."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(8.4, 3.6), layout="constrained")
        left, right = drawn.subplots(1, 2)
        counts = sorted({p.threads for points in curves.values() for p in points})
        left.plot(counts, counts, color="#999999", lw=0.8, ls="--", label="ideal")
        right.axhline(1.0, color="#999999", lw=0.8, ls="--")
        for index, (name, points) in enumerate(curves.items()):
            style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
            x = [p.threads for p in points]
            for panel, values in ((left, [p.speedup for p in points]), (right, [p.efficiency for p in points])):
                # no interval (one round): no bar
                low = [0.0 if v.low is None else v.value - v.low for v in values]
                high = [0.0 if v.high is None else v.high - v.value for v in values]
                label = name.replace("$", r"\$") if panel is left else None
                panel.errorbar(x, [v.value for v in values], yerr=[low, high], label=label, capsize=2, **style)
        for panel, label in ((left, "speed-up over one thread"), (right, "parallel efficiency")):
            panel.set_xlabel("threads")
            panel.set_ylabel(label)
            panel.set_xticks(counts)
            panel.set_ylim(bottom=0)
        left.legend(fontsize=8)
        return drawn


def save(curves: Mapping[str, Sequence[ScalingPoint]], path: Path) -> None:
    """The figure as SVG and PNG: `path` without a suffix, or with either."""
    import matplotlib as mpl

    drawn = figure(curves)
    with mpl.rc_context(STYLE):
        drawn.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        drawn.savefig(path.with_suffix(".png"), dpi=130, metadata={"Software": None})
