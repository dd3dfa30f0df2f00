"""The text of `hwprof tune`, and the report's rows of tuned runs. Reads records and evidence only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hwprof.printable import plural
from hwprof.records import Kind, Run
from hwprof.records.agreement import mark
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import columns, wrap

if TYPE_CHECKING:
    from hwprof.plan.winner import Winner
    from hwprof.studies.tuning.tuner import TuningResult

SHOWN = 12
CANDIDATES = (
    GridColumn("search", right=True),
    GridColumn("final", right=True),
    GridColumn("rounds", right=True),
    GridColumn("candidate", flows=True),
)
HEADER = ("case", "tuned to", "FPS over default", "rounds", "search", "of")
NOTE = (
    "Launch parameters come from `hwprof tune` on this machine: the ratio is that of the search's final, measured anew "
    "after the winner was chosen."
)


def ratio(final: Mapping[str, Any]) -> str:
    """`1.32x [1.25, 1.40]`; a dash where nothing was compared."""
    if "ratio" not in final:
        return "-"
    bounds = "" if final["low"] is None else f" [{final['low']:.3f}, {final['high']:.3f}]"
    return f"{final['ratio']:.3f}x{bounds}"


def changes(winner: Mapping[str, Any]) -> str:
    """`threads=2 cpus=0,1 spin=False`."""
    options = "".join(f" {name}={value}" for name, value in winner["options"].items())
    return f"threads={winner['threads']} cpus={','.join(map(str, winner['cpus']))}{options}"


def text(tuned: TuningResult, everything: bool = False, width: int | None = None) -> str:
    """Text of one tuning: the candidates, failures, the final comparison, the winner.

    `everything`: also the slower candidates; `width`: of the longest line, None: as wide as stdout takes.
    """
    width = columns() if width is None else width
    evidence, winner = tuned.kept.evidence, tuned.kept.parameters()
    default = " ".join(f"{k}={v}" for k, v in evidence["default"].items())
    spent = f"{evidence['spent_s']:g} s of {evidence['budget_s']:g} s; default: {default}"
    head = [tuned.subject.title, f"{plural(evidence['measurements'], 'measurement')}, {spent}"]
    lines = [part for line in head for part in wrap(line, width, "", "  ")]
    good = [c for c in evidence["candidates"] if not c["failure"]]
    shown = good if everything else good[:SHOWN]
    rows = [(_fps(c["fps_search"]), _fps(c["fps_final"]), str(c["rounds"]), c["changes"]) for c in shown]
    if len(good) > len(shown):
        rows.append(("...", "", "", f"{len(good) - len(shown)} slower ones (-v shows them, --json has all)"))
    rows += [
        ("failed", "", str(c["rounds"]), f"{c['changes']}: {c['failure']}")
        for c in evidence["candidates"]
        if c["failure"]
    ]
    lines += ["", *grid.lines(CANDIDATES, rows, width)]
    struck = [s for s in evidence["struck"] if s["why"].startswith("not tried")]
    remarks = [f"dropped: {s['factor']}={s['value']}" for s in struck]
    if evidence["untried"]:
        reach = f"--budget {evidence['enough_s']}s would be about enough"
        untried = plural(len(evidence["untried"]), "combination")
        remarks.append(f"not tried, the budget did not reach: {untried} ({reach})")
    remarks.append("")
    for c in evidence["comparisons"]:
        share = f"{100 * c['confidence']:.3g} % interval, {c['rounds']} paired rounds"
        remarks.append(f"{c['candidate']} / {c['against']}: {ratio(c)}  {share}")
    verdict = "the default stays" if not evidence["changes"] else "winner"
    remarks += [f"{verdict}: {evidence['why']}", changes(winner)]
    lines += [part for remark in remarks for part in (wrap(remark, width, "  ", "    ") if remark else [""])]
    return "\n".join(lines)


def result_line(tuned: TuningResult) -> str:
    """One line: the case, its best parameters, and their FPS over that of the default."""
    evidence = tuned.kept.evidence
    against = [ratio(c) for c in evidence["comparisons"]]
    verdict = f"{against[-1]} FPS over the default" if evidence["changes"] and against else "the default stays"
    return f"{tuned.subject.title}: {changes(tuned.kept.parameters())}: {verdict}"


def document(kept: Iterable[Winner]) -> dict[str, Any]:
    """Each winner with its evidence."""
    return {"format": 1, "tunings": [{"winner": k.parameters(), "evidence": k.evidence} for k in kept]}


def _fps(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def rows(runs: Iterable[Run]) -> tuple[tuple[str, ...], ...]:
    """A row per tuned case of a report: its parameters and their evidence."""
    found: dict[tuple[str, ...], None] = {}
    for run in runs:
        facts = run.facts.get("tuned")
        if run.kind is not Kind.NATIVE or not facts:
            continue
        case = run.case
        name = f"{case.framework} {case.network} {case.side} b{case.batch} {case.precision}"
        kept = "" if facts.get("changes") else " (the default stayed)"
        rounds = str(facts.get("rounds", "-"))
        row = (
            name,
            changes(facts["winner"]) + kept,
            " ".join(filter(None, (ratio(facts), mark(run.fidelity)))),
            rounds,
            str(facts["experiment"]),
            str(facts["at_utc"]),
        )
        found[row] = None
    return tuple(sorted(found))
