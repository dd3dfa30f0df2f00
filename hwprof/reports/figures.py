"""Figures of a report by matplotlib, each as SVG and PNG with its data as CSV beside it.

No global state (no pyplot), no dates and a fixed hash salt: the same results give the same files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hwprof.analysis.findings import Analysis, Correlation
from hwprof.analysis.partial import MIN_TESTED
from hwprof.analysis.strata import NETWORK, VARIANT
from hwprof.reports import labels

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
SCATTERS = 4
MOST = 40  # metrics in a heat map: more can't be read, and the CSV beside it has all


@dataclass(frozen=True, slots=True)
class Job:
    """One figure to be drawn: `draw` is a function of this module, `what` its argument, `data` goes beside it.

    `work`: how long it takes, beside others; a cell of a heat map is 2.
    """

    caption: str
    name: str
    draw: str
    what: Any
    data: pd.DataFrame
    work: int


def jobs(fps: pd.DataFrame, analyses: Sequence[Analysis]) -> list[Job]:
    """Every figure that the results allow, in reading order."""
    out: list[Job] = []
    if len(fps):
        work = 10 * (fps["batch"].nunique() * fps[VARIANT].nunique() + fps[NETWORK].nunique())
        out.append(Job("FPS per network and framework", "fps", "dots", fps, fps, work))
    known = fps[fps["macs"].notna()] if len(fps) else fps
    if len(known) and known[NETWORK].nunique() > 1:
        work = 7 * known[NETWORK].nunique()
        out.append(Job("FPS against the size of the network", "fps-macs", "against_macs", known, known, work))
    for analysis in analyses:
        alike = [a for a in analyses if a.target == analysis.target]
        suffix = "" if len(alike) == 1 else f"-{next(i for i, a in enumerate(alike) if a is analysis) + 1}"
        where = "" if len(alike) == 1 else f" ({analysis.stratum.title})"
        of = "" if analysis.target == "FPS" else f" with {analysis.target}"
        suffix += "" if analysis.target == "FPS" else f"-{analysis.target.replace(' ', '-')}"
        table = coefficients(analysis)
        if len(table):
            shown = most(table)
            more = "" if len(shown) == len(table) else f", the {MOST} metrics with the largest |r|"
            caption = f"Correlation with {analysis.target}, given the size of the network{where}{more}"
            out.append(Job(caption, f"correlations{suffix}", "heat_map", shown, table, 2 * len(shown)))
        chosen = strongest(analysis)
        if chosen:
            points = pd.concat([_points(c) for c in chosen])
            caption = f"Behind the strongest coefficients{of}{where}"
            out.append(Job(caption, f"scatters{suffix}", "scatters", chosen, points, 3 * len(points)))
    return out


def draw(job: Job, folder: Path) -> None:
    """The figure of a job as SVG and PNG, and its data as CSV, into `folder`."""
    functions: dict[str, Any] = {f.__name__: f for f in (dots, against_macs, heat_map, scatters)}
    with mpl.rc_context(STYLE):
        _save(functions[job.draw](job.what), job.data, folder, job.name)


def _save(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    # "tight" would draw it once more for each file
    canvas: Any = figure.canvas
    box = figure.get_tightbbox(canvas.get_renderer()).padded(mpl.rcParams["savefig.pad_inches"])
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches=box)
    figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": None}, bbox_inches=box)
    data.to_csv(folder / f"{name}.csv", index=False)


def _styles(variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        v: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]} for i, v in enumerate(variants)
    }


def dots(fps: pd.DataFrame) -> Figure:
    """FPS with 95 % intervals between rounds: one panel per batch, a row per network, log axis."""
    batches = sorted(fps["batch"].unique())
    order = fps.groupby(NETWORK)["fps"].median().sort_values().index.tolist()
    variants = sorted(fps[VARIANT].unique())
    styles = _styles(variants)
    figure = Figure(figsize=(4.2 * len(batches) + 1.5, 0.42 * len(order) + 1.6))
    panels = figure.subplots(1, len(batches), sharey=True, sharex=True, squeeze=False)[0]
    for panel, batch in zip(panels, batches, strict=True):
        for offset, variant in enumerate(variants):
            part = fps[(fps["batch"] == batch) & (fps[VARIANT] == variant)]
            if part.empty:
                continue
            shift = 0.6 * ((offset + 0.5) / len(variants) - 0.5)
            y = np.array([order.index(n) for n in part[NETWORK]]) + shift
            x = part["fps"].to_numpy(float)
            # no interval (one round): no bar, which is not the same as a bar of no length
            low = np.nan_to_num(x - part["low"].astype(float).to_numpy())
            high = np.nan_to_num(part["high"].astype(float).to_numpy() - x)
            panel.errorbar(
                x,
                y,
                xerr=[np.maximum(low, 0), np.maximum(high, 0)],
                fmt="none",
                ecolor=styles[variant]["color"],
                lw=1.2,
            )
            faces = [styles[variant]["color"] if faithful else "white" for faithful in part["faithful"]]
            panel.scatter(
                x, y, s=26, c=faces, edgecolors=styles[variant]["color"], marker=styles[variant]["marker"], zorder=3
            )
            panel.scatter([], [], label=variant, **styles[variant])
        panel.set_xscale("log")
        panel.set_title(f"batch {batch}")
        panel.set_xlabel("frames per second (log)")
        panel.set_yticks(range(len(order)), order)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=min(4, len(variants)))
    labels.settle(figure)
    return figure


def against_macs(fps: pd.DataFrame) -> Figure:
    """FPS against MACs per frame, both logarithmic, the smallest batch, labelled by network."""
    batch = int(fps["batch"].min())
    part = fps[fps["batch"] == batch]
    variants = sorted(part[VARIANT].unique())
    styles = _styles(variants)
    figure = Figure(figsize=(7.2, 4.6))
    axes = figure.subplots()
    for variant in variants:
        rows = part[part[VARIANT] == variant]
        axes.scatter(rows["macs"].astype(float) / 1e6, rows["fps"], label=variant, s=30, zorder=3, **styles[variant])
    top = part.groupby(NETWORK).agg(macs=("macs", "first"), fps=("fps", "max")).sort_values("macs")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.12)
    axes.set_xlabel("million multiply-accumulates per frame (log)")
    axes.set_ylabel(f"frames per second, batch {batch} (log)")
    axes.legend(loc="lower left")
    labels.settle(figure)
    labels.place(
        axes,
        [(str(n), float(r["macs"]) / 1e6, float(r["fps"])) for n, r in top.iterrows()],
        [(float(m) / 1e6, float(f)) for m, f in zip(part["macs"], part["fps"], strict=True)],
    )
    return figure


def coefficients(analysis: Analysis) -> pd.DataFrame:
    """What the heat map shows, one row per metric and framework: r, low, high, n, status; metrics that vary only."""
    shown = {c.metric.name for c in analysis.correlations if c.given.r is not None}
    return pd.DataFrame(
        [
            {
                "framework": c.framework,
                "metric": c.metric.label,
                "r": c.given.r,
                "low": c.given.low,
                "high": c.given.high,
                "n": c.given.n,
                "status": c.status,
                "why": c.given.why,
            }
            for c in analysis.correlations
            if c.metric.name in shown
        ]
    )


def most(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the MOST metrics with the largest |r| in any framework."""
    strength = table["r"].astype(float).abs().groupby(table["metric"]).max()
    kept = strength.sort_values(ascending=False, kind="stable").index[:MOST]
    return table[table["metric"].isin(kept)]


def heat_map(table: pd.DataFrame) -> Figure:
    """Partial r with N in each cell; hatched: interval includes 0, or too few networks; grey: none, N tells why."""
    metrics, frameworks = sorted(table["metric"].unique()), sorted(table["framework"].unique())
    figure = Figure(figsize=(1.5 * len(frameworks) + 4.6, 0.38 * len(metrics) + 1.8))
    axes = figure.subplots()
    axes.grid(visible=False)
    grid = np.full((len(metrics), len(frameworks)), np.nan)
    hatched: list[Any] = []
    for row in table.to_dict("records"):
        i, j = metrics.index(row["metric"]), frameworks.index(row["framework"])
        if row["r"] is not None and row["r"] == row["r"]:
            grid[i, j] = row["r"]
        sure = row["low"] is not None and row["low"] == row["low"] and (row["low"] > 0 or row["high"] < 0)
        if grid[i, j] == grid[i, j] and (not sure or row["n"] < MIN_TESTED):
            hatched.append(mpl.patches.Rectangle((j - 0.5, i - 0.5), 1, 1))
        text = f"{grid[i, j]:+.2f}\nN {row['n']}" if grid[i, j] == grid[i, j] else f"N {row['n']}"
        # inside its cell, so that no layout need ask how large it is
        axes.text(
            j, i, text, ha="center", va="center", fontsize=7.5, zorder=5, in_layout=False,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    style: Any = {"facecolor": "none", "hatch": "////", "edgecolor": "#666666", "lw": 0}
    axes.add_collection(mpl.collections.PatchCollection(hatched, zorder=1, **style), autolim=False)
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad="#d9d9d9")
    image = axes.imshow(np.ma.masked_invalid(grid), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    axes.set_xticks(range(len(frameworks)), frameworks)
    axes.set_yticks(range(len(metrics)), metrics)
    axes.set_xlabel(
        "hatched: the 95 % interval includes 0, or fewer than 7 networks; grey: no coefficient", fontsize=7.5
    )
    figure.colorbar(image, ax=axes, label="r given size", shrink=0.8, use_gridspec=False)
    labels.settle(figure)
    return figure


def strongest(analysis: Analysis) -> list[Correlation]:
    """The few with points to show, lowest q first; one per group of metrics that can't be told apart."""
    found = [c for c in analysis.correlations if c.points is not None]
    found.sort(key=lambda c: (c.q if c.q is not None else 2.0, -abs(c.given.r or 0.0), c.metric.name))
    chosen: list[Correlation] = []
    for c in found:
        if len(chosen) == SCATTERS:
            break
        if all((c.framework, c.group) != (o.framework, o.group) or c.group < 0 for o in chosen):
            chosen.append(c)
    return chosen


def _points(c: Correlation) -> pd.DataFrame:
    assert c.points is not None
    return pd.DataFrame(
        {
            "framework": c.framework,
            "metric": c.metric.label,
            "network": c.points.networks,
            "log_metric": c.points.x,
            f"log_{_column(c)}": c.points.y,
            "metric_given": c.points.rx,
            f"{_column(c)}_given": c.points.ry,
        }
    )


def _column(c: Correlation) -> str:
    return c.target.lower().replace(" ", "_")


def scatters(chosen: Sequence[Correlation]) -> Figure:
    """Added-variable plots: what is left of log FPS against what is left of the log metric, given the covariates."""
    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.7 * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(chosen) :]:
        panel.set_visible(False)
    for panel, c in zip(panels, chosen, strict=False):
        assert c.points is not None
        panel.axhline(0, color="#999999", lw=0.6)
        panel.axvline(0, color="#999999", lw=0.6)
        panel.scatter(c.points.rx, c.points.ry, color=COLOURS[0], s=26, zorder=3)
        if c.given.slope is not None:
            ends = np.array([c.points.rx.min(), c.points.rx.max()])
            panel.plot(ends, c.given.slope * ends, color=COLOURS[1], lw=1)
        panel.margins(0.18)
        panel.set_title(f"{c.framework}: {c.metric.label}\nr {c.given.r:+.2f}, N {c.given.n}, {c.status}", fontsize=8.5)
        panel.set_xlabel("log metric per frame, given size", fontsize=8)
        panel.set_ylabel(f"log {c.target}, given size", fontsize=8)
    labels.settle(figure)
    for panel, c in zip(panels, chosen, strict=False):
        assert c.points is not None
        named = zip(c.points.networks, c.points.rx, c.points.ry, strict=True)
        labels.place(panel, [(name, float(x), float(y)) for name, x, y in named], size=7)
    return figure
