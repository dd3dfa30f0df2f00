"""Figures drawn by matplotlib, each as SVG and PNG with its data as CSV beside it.

No global state (no pyplot), no dates and a fixed hash salt: the same results give the same files.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hwprof.printable import ESCAPE
from hwprof.reports import labels
from hwprof.reports.jobs import Added, Coefficient, Job, Speed

# Okabe and Ito's palette: told apart by colour-blind readers too; markers differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
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
DPI = 130
# a rectangle of 2 x 0.48 half marker sizes, for what a cell of the heat map says
BEHIND = [(-1, -0.24), (1, -0.24), (1, 0.24), (-1, 0.24), (-1, -0.24)]


def draw(job: Job, folder: Path) -> None:
    """The figure of a job as SVG and PNG, and its data as CSV, into `folder`."""
    functions: dict[str, Any] = {f.__name__: f for f in (dots, against_macs, heat_map, scatters)}
    with mpl.rc_context(STYLE):
        _save(functions[job.draw]([literal(record) for record in job.what]), folder / job.name)
    (folder / f"{job.name}.csv").write_text(job.data, encoding="utf-8", errors=ESCAPE)


def literal(record: Any) -> Any:
    """A record whose texts stand for themselves: two dollar signs in a name would begin and end a formula."""
    if isinstance(record, str):
        return record.replace("$", r"\$")
    if isinstance(record, tuple):
        texts = map(literal, record)
        return record._make(texts) if hasattr(record, "_make") else tuple(texts)
    return record


def _save(figure: Figure, path: Path) -> None:
    # "tight" would draw it once more for each file
    canvas: Any = FigureCanvasAgg(figure)
    box = figure.get_tightbbox(canvas.get_renderer()).padded(mpl.rcParams["savefig.pad_inches"])
    figure.savefig(f"{path}.svg", metadata={"Date": None}, bbox_inches=box)
    figure.savefig(f"{path}.png", dpi=DPI, metadata={"Software": None}, bbox_inches=box)


def _panels(
    rows: int,
    columns: int,
    size: tuple[float, float],
    margins: tuple[float, float, float, float],
    gap: tuple[float, float] = (0.0, 0.0),
    **share: Any,
) -> tuple[Figure, Any]:
    """A figure of panels of one `size`, and its axes (rows, columns); inches; margins left, right, below, above.

    Nothing looks for room: a layout engine draws every text twice to see how large it is, which takes longer than the
    figure. What sticks out is not cut off: a file is as large as what is drawn.
    """
    left, right, below, above = margins
    width = left + right + columns * size[0] + (columns - 1) * gap[0]
    height = below + above + rows * size[1] + (rows - 1) * gap[1]
    # at the resolution of the PNG, whose texts are measured already then
    figure = Figure(figsize=(width, height), dpi=DPI)
    place = {
        "left": left / width,
        "right": 1 - right / width,
        "bottom": below / height,
        "top": 1 - above / height,
        "wspace": gap[0] / size[0],
        "hspace": gap[1] / size[1],
    }
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=place, **share)


def _long(texts: Iterable[str]) -> float:
    """About how wide the longest of these is as a label, in inches: .62 of its height a character, on average."""
    return 0.62 * float(STYLE["font.size"]) / 72 * max(map(len, texts))


def _styles(variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        v: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]} for i, v in enumerate(variants)
    }


def _handles(styles: dict[str, dict[str, Any]]) -> list[Any]:
    return [mpl.lines.Line2D([], [], ls="none", ms=6, label=v, **style) for v, style in styles.items()]


def dots(fps: Sequence[Speed]) -> Figure:
    """FPS with 95 % intervals between rounds: one panel per batch, a row per network, log axis; a caret: it goes on.

    Hollow: unfaithful to the reference, or emulated.
    """
    batches, variants = sorted({s.batch for s in fps}), sorted({s.variant for s in fps})
    of: dict[str, list[float]] = defaultdict(list)
    for s in fps:
        of[s.network].append(s.fps)
    order = sorted(of, key=lambda n: statistics.median(of[n]))
    row = {name: i for i, name in enumerate(order)}
    # an interval of two rounds may span orders of magnitude
    lowest, highest = min(s.fps for s in fps) / 3, max(s.fps for s in fps) * 3
    styles = _styles(variants)
    across = min(4, len(variants))
    legend = 0.1 + 0.18 * -(-len(variants) // across)
    margins = _long(order) + 0.2, 0.1, 0.5, 0.4 + legend
    size = 3.9, 0.42 * len(order)
    figure, axes = _panels(1, len(batches), size, margins, (0.15, 0.0), sharey=True, sharex=True)
    for panel, batch in zip(axes[0], batches, strict=True):
        for offset, variant in enumerate(variants):
            part = [s for s in fps if (s.batch, s.variant) == (batch, variant)]
            shift = 0.6 * ((offset + 0.5) / len(variants) - 0.5)
            # no interval (one round): no bar, which is not the same as a bar of no length
            bars = [s for s in part if s.low == s.low]
            ends = [x for s in bars for x in (max(s.low, lowest), min(s.high, highest), np.nan)]
            y = [row[s.network] + shift for s in bars for _ in range(3)]
            panel.plot(ends, y, color=styles[variant]["color"], lw=1.2)
            for end, caret, cut in (
                (lowest, mpl.markers.CARETLEFTBASE, [s for s in bars if s.low < lowest]),
                (highest, mpl.markers.CARETRIGHTBASE, [s for s in bars if s.high > highest]),
            ):
                if cut:
                    y = [row[s.network] + shift for s in cut]
                    panel.plot([end] * len(cut), y, ls="none", marker=caret, ms=4, color=styles[variant]["color"])
            for solid, face in ((True, None), (False, "white")):
                shown = [s for s in part if s.solid is solid]
                y = [row[s.network] + shift for s in shown]
                panel.plot([s.fps for s in shown], y, ls="none", ms=5, mfc=face, **styles[variant])
        panel.set_xscale("log")
        panel.set_title(f"batch {batch}")
        panel.set_xlabel("frames per second (log)")
        panel.set_yticks(range(len(order)), order)
        panel.set_ylim(-0.5, len(order) - 0.5)
    figure.legend(handles=_handles(styles), loc="upper center", ncols=across)
    return figure


def against_macs(fps: Sequence[Speed]) -> Figure:
    """FPS against MACs per frame, both logarithmic, the smallest batch, labelled by network."""
    batch = min(s.batch for s in fps)
    part = [s for s in fps if s.batch == batch]
    variants = sorted({s.variant for s in part})
    styles = _styles(variants)
    figure, panels = _panels(1, 1, (6.5, 4.0), (0.7, 0.1, 0.5, 0.1))
    axes = panels[0, 0]
    for variant in variants:
        for solid, face in ((True, None), (False, "white")):
            own = [s for s in part if s.variant == variant and s.solid is solid]
            x, y = [s.macs / 1e6 for s in own], [s.fps for s in own]
            axes.plot(x, y, ls="none", ms=5.5, mfc=face, zorder=3, **styles[variant])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.12)
    axes.set_xlabel("million multiply-accumulates per frame (log)")
    axes.set_ylabel(f"frames per second, batch {batch} (log)")
    axes.legend(handles=_handles(styles), loc="lower left")
    top: dict[str, Speed] = {}
    for s in part:
        if s.network not in top or s.fps > top[s.network].fps:
            top[s.network] = s
    named = sorted(top.values(), key=lambda s: (s.macs, s.network))
    others = [(s.macs / 1e6, s.fps) for s in part]
    labels.place(axes, [(s.network, s.macs / 1e6, s.fps) for s in named], others)
    return figure


def heat_map(cells: Sequence[Coefficient]) -> Figure:
    """Partial r with N in each cell; hatched: interval includes 0, or too few networks; grey: none, N tells why."""
    metrics, frameworks = sorted({c.metric for c in cells}), sorted({c.framework for c in cells})
    wide = max(0.9, _long(frameworks) + 0.1) * len(frameworks)
    figure, panels = _panels(1, 1, (wide, 0.27 * len(metrics)), (_long(metrics) + 0.2, 1.0, 0.6, 0.1))
    axes = panels[0, 0]
    axes.grid(visible=False)
    grid = np.full((len(metrics), len(frameworks)), np.nan)
    hatched: list[Any] = []
    for c in cells:
        i, j = metrics.index(c.metric), frameworks.index(c.framework)
        if c.r is not None:
            grid[i, j] = c.r
            if not c.sure:
                hatched.append(mpl.patches.Rectangle((j - 0.5, i - 0.5), 1, 1))
        text = f"N {c.n}" if c.r is None else f"{c.r:+.2f}  N {c.n}"
        # inside its cell, so that nothing need ask how large it is
        axes.text(j, i, text, ha="center", va="center", fontsize=7.5, zorder=5, in_layout=False)
    # one artist, where a box of its own for each text would be hundreds
    below: Any = np.argwhere(~np.isnan(grid))[:, ::-1].T
    axes.plot(*below, ls="none", marker=BEHIND, ms=50, mfc="white", mec="none", alpha=0.75, zorder=4)
    style: Any = {"facecolor": "none", "hatch": "////", "edgecolor": "#666666", "lw": 0}
    axes.add_collection(mpl.collections.PatchCollection(hatched, zorder=1, **style), autolim=False)
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad="#d9d9d9")
    image = axes.imshow(np.ma.masked_invalid(grid), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    axes.set_xticks(range(len(frameworks)), frameworks)
    axes.set_yticks(range(len(metrics)), metrics)
    axes.set_xlabel(
        "hatched: the 95 % interval includes 0, or fewer than 7 networks; grey: no coefficient", fontsize=7.5
    )
    at, width = axes.get_position(), figure.get_figwidth()
    scale = figure.add_axes((at.x1 + 0.15 / width, at.y0 + 0.1 * at.height, 0.18 / width, 0.8 * at.height))
    figure.colorbar(image, cax=scale, label="r given size")
    return figure


def scatters(chosen: Sequence[Added]) -> Figure:
    """Added-variable plots: what is left of the log target against what is left of the log metric, given covariates."""
    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, axes = _panels(rows, columns, (3.9, 2.85), (0.65, 0.1, 0.5, 0.45), (0.75, 0.9))
    panels = axes.ravel()
    for panel in panels[len(chosen) :]:
        panel.set_visible(False)
    for panel, c in zip(panels, chosen, strict=False):
        panel.axhline(0, color="#999999", lw=0.6)
        panel.axvline(0, color="#999999", lw=0.6)
        panel.plot(c.x, c.y, "o", color=COLOURS[0], ms=5, zorder=3)
        if c.slope is not None:
            ends = np.array([min(c.x), max(c.x)])
            panel.plot(ends, c.slope * ends, color=COLOURS[1], lw=1)
        panel.margins(0.18)
        panel.set_title(c.title, fontsize=8.5)
        panel.set_xlabel("log metric per frame, given size", fontsize=8)
        panel.set_ylabel(f"log {c.target}, given size", fontsize=8)
        labels.place(panel, list(zip(c.networks, c.x, c.y, strict=True)), size=7)
    return figure
