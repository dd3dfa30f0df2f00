"""Charts of what the hardware did: top-down slots, roofline, and the gauges over the time of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hwprof.analysis.roofline import COMPULSORY, Placement, Roof
from hwprof.analysis.strata import NETWORK, VARIANT
from hwprof.calibration.measure import SHARE
from hwprof.records import Role, Run, Series
from hwprof.reports.html.model import Cell, Figure
from hwprof.reports.html.svg import LETTER, Drawing, axis
from hwprof.reports.numbers import number

LEVEL1 = {
    "retiring": "retir",
    "bad speculation": "bad.?spec",
    "front end": r"fe.?bound|front",
    "back end": r"be.?bound|back",
}
MOST = 40  # bars
POINTS = 400  # per line of a timeline


def topdown_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Level 1 of the top-down method -> its column; empty unless all four are there."""
    names = [n for n in frame.attrs.get("metrics", ()) if re.match(r"top.?down|td-", n.lower())]
    found = {}
    for slot, pattern in LEVEL1.items():
        fitting = sorted((n for n in names if re.search(pattern, n.lower()) and frame[n].notna().any()), key=len)
        if not fitting:
            return {}
        found[slot] = fitting[0]
    return found


def topdown(frame: pd.DataFrame, columns: Mapping[str, str], key: str) -> Figure:
    """Shares of the pipeline's slots, one bar per framework, network and batch (means over rounds)."""
    cells = frame.groupby([NETWORK, "batch", "threads", VARIANT])[list(columns.values())].mean().dropna()
    cells = cells.div(cells.sum(axis=1), axis=0).head(MOST)
    names = [f"{n} b{b} t{t} · {v}" for n, b, t, v in cells.index]
    left = 12 + LETTER * max(map(len, names))
    draw = Drawing(left + 480, 0, "Top-down level 1")
    top = draw.legend(list(columns), left, 14, 470) + 4
    x = axis([0, 1], left, left + 450, zero=True)
    for index, (name, shares) in enumerate(zip(names, cells.to_numpy(float), strict=True)):
        y, at = top + 20 * index, left
        draw.text(left - 8, y + 14, name, "t", "end")
        for series, (slot, share) in enumerate(zip(columns, shares, strict=True)):
            width = 450 * float(share)
            draw.add(
                "rect",
                title=f"{name}: {slot} {share:.1%}",
                x=at,
                y=y + 2,
                width=width,
                height=15,
                class_=f"solid s{series}",
            )
            at += width
    draw.x_axis(x, top + 20 * len(names), top, "share of slots")
    draw.height = top + 20 * len(names) + 38
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (n, *map(float, r)) for n, r in zip(names, cells.to_numpy(float), strict=True)
    )
    return Figure(key, "Top-down, level 1", draw.render(), ("case", *columns), rows)


def roofline(placed: Sequence[tuple[Placement, Roof]], roof: Roof, variants: Sequence[str], key: str) -> Figure:
    """Operations/s against operations per byte under one roof; hollow: bytes by the model, not counted."""
    mine = [p for p, under in placed if under is roof]
    draw = Drawing(720, 0, "Roofline")
    top = draw.legend(variants, 60, 14, 640) + 18
    peak = max(roof.compute.values())
    x = axis([*(p.intensity for p in mine), *(peak / b for b in roof.bandwidth.values())], 60, 706, log=True)
    y = axis([*(p.performance for p in mine), *roof.compute.values()], top + 330, top, log=True)
    draw.y_axis(y, 60, 706, "operations per second (2 x MACs x FPS, log)")
    draw.x_axis(x, top + 330, top, "operations per byte moved (log)")
    for name, value in roof.compute.items():
        draw.line(60, y.at(value), 706, y.at(value), "roof")
        draw.text(700, y.at(value) - 5, f"{name} {roof.isa[name]} {number(value / 1e9)} Gop/s", "m", "end")
    for level, bandwidth in roof.bandwidth.items():
        start, end = max(x.low, y.low / bandwidth), min(x.high, peak / bandwidth)
        if start < end:
            a, b = (x.at(start), y.at(start * bandwidth)), (x.at(end), y.at(end * bandwidth))
            draw.line(*a, *b, "roof")
            draw.text(a[0] + 4, a[1] - 6, f"{level} {number(bandwidth / 1e9)} GB/s", "m")
    for p in mine:
        said = f"{p.point.title}: {number(p.performance / 1e9)} Gop/s at {number(p.intensity)} per byte, {p.share:.0%}"
        series = next((i for i, name in enumerate(variants) if p.point.title.startswith(f"{name} ")), 0)
        draw.marker(x.at(p.intensity), y.at(p.performance), series, said, hollow=p.point.origin == COMPULSORY)
    draw.height = top + 370
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (p.point.title, p.intensity, p.performance, p.share, p.side, p.level, p.point.bytes, p.point.origin)
        for p in mine
    )
    notes = [f"{roof.machine}, CPUs {','.join(map(str, roof.cpus))}."]
    if any(p.point.origin == COMPULSORY for p in mine):
        notes.append(
            "Hollow: bytes by the model, the least that moves (compulsory traffic): the truth lies further left."
        )
    if roof.share < SHARE:
        notes.append(f"The ceilings were measured with {roof.share:.0%} of the CPU: a busy machine.")
    notes += dict.fromkeys(f"{note}." for p in mine for note in p.notes)
    columns = ("case", "op/byte", "op/s", "share of attainable", "side", "level", "bytes per frame", "bytes")
    return Figure(key, "Roofline", draw.render(), columns, rows, " ".join(notes))


def _levels(series: Series) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
    """Times in s, values in the unit that comes back; a running total becomes its rate."""
    at = np.array(series.at_ns, dtype=float) / 1e9
    values = np.array([np.nan if v is None else v for v in series.values], dtype=float)
    unit = series.unit
    if series.cumulative and len(at) > 1:
        steps = np.diff(at)
        values = np.where(steps > 0, np.diff(values) / np.where(steps > 0, steps, 1), np.nan)
        at = (at[1:] + at[:-1]) / 2
        unit = {"s": "CPUs", "J": "W"}.get(unit, f"{unit}/s" if unit else "per s")
    if unit == "B":
        return at, values / 2**20, "MiB"
    if unit == "Hz":
        return at, values / 1e9, "GHz"
    return at, values, unit


def timeline(run: Run, variant: str, key: str) -> Figure | None:
    """Gauges over one run, a band per metric, the windows of the run behind them; None without any."""
    bands: dict[str, list[tuple[str, Any, Any, str]]] = {}
    for series in run.series:
        if len(series.at_ns) < 3 or _says_nothing(series, run):
            continue
        at, values, unit = _levels(series)
        if len(at) and np.isfinite(values).any() and (not series.cumulative or np.nanmax(values) > 0):
            bands.setdefault(f"{series.metric} ({unit})" if unit else series.metric, []).append(
                (series.label, at, values, unit)
            )
    if not bands:
        return None
    left, right, high = 64.0, 706.0, 74.0
    starts = [float(a[0]) for lines in bands.values() for _, a, _, _ in lines]
    ends = [float(a[-1]) for lines in bands.values() for _, a, _, _ in lines]
    zero, end = min(starts), max(ends)
    x = axis([0.0, end - zero], left, right, zero=True)
    where = f"{variant} {run.case.network} b{run.case.batch} t{run.case.threads}"
    draw, top = Drawing(720, 0, f"Timeline of {where}"), 26.0
    bottom = top + (high + 26) * len(bands)
    for window in run.windows:
        a, b = window.t0_ns / 1e9 - zero, window.t1_ns / 1e9 - zero
        if b > 0 and a < end - zero:
            a, b = x.at(max(0.0, a)), x.at(min(end - zero, b))
            kind = "bare" if window.role is Role.BARE else "counted"
            said = f"{window.role.value} window, {len(window.latencies_ns)} iterations"
            draw.add(
                "rect", title=said, x=a, y=top, width=max(1, b - a), height=bottom - top - 24, class_=f"window {kind}"
            )
    rows: list[tuple[str, str, float, float | None]] = []
    for index, (name, lines) in enumerate(sorted(bands.items())):
        y0 = top + (high + 26) * index + 14
        y = axis([float(v) for _, _, values, _ in lines for v in values if v == v], y0 + high - 14, y0, zero=True)
        draw.text(left, y0 - 5, name)
        draw.y_axis(y, left, right, "", 2)
        for number_, (label, at, values, unit) in enumerate(lines):
            step = -(-len(at) // POINTS)
            points = [(float(a) - zero, float(v)) for a, v in zip(at[::step], values[::step], strict=True)]
            rows += [(name, label, a, v if v == v else None) for a, v in points]
            draw.parts.append(
                _path(points, x, y, number_, f"{name} {label}: at most {number(float(np.nanmax(values)))} {unit}")
            )
            if len(lines) > 1 and number_ < 8:
                draw.text(left + 150 + 62 * number_, y0 - 5, label, f"m s{number_} own")
    draw.x_axis(x, bottom - 22, top, "seconds since the first sample")
    draw.height = bottom + 14
    note = (
        "Shaded: measured windows (dark: bare, light: counted). Totals (CPU time, energy) as rates "
        "between samples; gauges that stayed at 0 are left out."
    )
    title = f"{where}, round {run.round + 1}"
    return Figure(key, title, draw.render(), ("gauge", "label", "seconds", "value"), tuple(rows), note)


def _says_nothing(series: Series, run: Run) -> bool:
    """Totals that stood still, what stayed 0, and the peak where the level itself is there."""
    values = [v for v in series.values if v is not None]
    still = not values or (max(values) == min(values) and (series.cumulative or values[0] == 0))
    return still or (series.metric == "peak-rss" and any(s.metric == "rss" for s in run.series))


def _path(points: Sequence[tuple[float, float]], x: Any, y: Any, series: int, said: str) -> str:
    inner = Drawing(0, 0, "")
    pen, d = "M", []
    for a, v in points:
        if v != v:  # a sensor that did not answer leaves a gap
            pen = "M"
            continue
        d.append(f"{pen}{x.at(a):.1f} {y.at(v):.1f}")
        pen = "L"
    inner.add("path", title=said, d="".join(d), class_=f"path s{series % 8}")
    return "".join(inner.parts)
