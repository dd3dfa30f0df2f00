"""Charts of the hardware: top-down slots, roofline, and the gauges over the time of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwprof.analysis.over_time import rates, throughput
from hwprof.analysis.roofline import SHARE, Placement, Roof
from hwprof.analysis.topdown import Bar
from hwprof.collectors.vocabulary import LEVEL1, Name
from hwprof.printable import plural
from hwprof.records import Origin, Role, Run, Series
from hwprof.reports.html.model import Cell, Figure
from hwprof.reports.html.speed import place
from hwprof.reports.html.svg import LETTER, Axis, Svg, axis
from hwprof.reports.page.topdown import NOTE
from hwprof.reports.page.words import number

MOST = 40  # bars
POINTS = 400  # per line of a timeline
THROUGHPUT = "throughput (frames/s)"


def topdown(bars: Sequence[Bar], key: str) -> Figure:
    """Shares of the pipeline's slots, one bar per case and source (means over rounds); pale: EMULATED or SIMULATED."""
    shown = bars[:MOST]
    left = 12 + LETTER * max(len(bar.title) for bar in shown)
    draw = Svg(left + 480, 0, "Top-down level 1")
    top = draw.legend(list(LEVEL1), left, 14, 470) + 4
    x = axis([0, 1], left, left + 450, zero=True)
    for index, bar in enumerate(shown):
        y, at = top + 20 * index, left
        draw.text(left - 8, y + 14, bar.title, "t", "end")
        unreal = any(mark in ("EMULATED", "SIMULATED") for mark in bar.marks)
        for series, (slot, share) in enumerate(zip(LEVEL1, bar.shares, strict=True)):
            width = 450 * share
            draw.add(
                "rect",
                title=f"{bar.title}: {slot} {share:.1%}",
                x=at,
                y=y + 2,
                width=width,
                height=15,
                class_=f"solid s{series}",
                fill_opacity=0.45 if unreal else 1,
            )
            at += width
    draw.x_axis(x, top + 20 * len(shown), top, "share of slots")
    draw.height = top + 20 * len(shown) + 38
    rows: tuple[tuple[Cell, ...], ...] = tuple((bar.name, *bar.shares, " ".join(bar.marks)) for bar in bars)
    more = f" The first {MOST} of {len(bars)}; the data have all." if len(bars) > MOST else ""
    return Figure(key, "Top-down, level 1", draw.render(), ("case", *LEVEL1, "marks"), rows, f"{NOTE}{more}")


def roofline(placed: Sequence[tuple[Placement, Roof]], roof: Roof, variants: Sequence[str], key: str) -> Figure:
    """Operations/s against operations per byte under one roof. Hollow: bytes by the model.

    A network's name stands beside its fastest case.
    """
    mine = [p for p, under in placed if under is roof]
    draw = Svg(720, 0, "Roofline")
    top = draw.legend(variants, 60, 14, 640) + 18
    peak = max(roof.compute.values())
    x = axis([*(p.intensity for p in mine), *(peak / b for b in roof.bandwidth.values())], 60, 706, log=True)
    y = axis([*(p.performance for p in mine), *roof.compute.values()], top + 330, top, log=True)
    draw.y_axis(y, 60, 706, "operations per second (2 x MACs x frames per second, log)")
    draw.x_axis(x, top + 330, top, "operations per byte moved (log)")
    where = f"{roof.machine}, CPUs {','.join(map(str, roof.cpus))}"
    draw.text(706, top - 8, f"{where} · hollow: bytes by the model", "m", "end")
    for name, value in roof.compute.items():
        draw.line(60, y.at(value), 706, y.at(value), "roof")
        draw.text(700, y.at(value) - 5, f"{name} {roof.isa[name]} {number(value / 1e9)} Gop/s", "m", "end")
    for level, bandwidth in roof.bandwidth.items():
        start, end = max(x.low, y.low / bandwidth), min(x.high, peak / bandwidth)
        if start < end:
            a, b = (x.at(start), y.at(start * bandwidth)), (x.at(end), y.at(end * bandwidth))
            draw.line(*a, *b, "roof")
            draw.text(a[0] + 4, a[1] - 6, f"{level} {number(bandwidth / 1e9)} GB/s", "m")
    at = {id(p): (x.at(p.intensity), y.at(p.performance)) for p in mine}
    best: dict[str, Placement] = {}
    for p in sorted(mine, key=lambda p: p.performance):
        best[p.point.title.split(" ")[-4]] = p
    for name, left, above in place([(network, *at[id(p)]) for network, p in best.items()], [*at.values()], 706):
        draw.text(left, above, name, "m")
    for p in mine:
        text = (
            f"{p.point.title}: {number(p.performance / 1e9)} Gop/s by {p.point.by.value} at {number(p.intensity)} per "
            f"byte, {p.share:.0%}"
        )
        series = next((i for i, name in enumerate(variants) if p.point.title.startswith(f"{name} ")), 0)
        draw.marker(*at[id(p)], series, text, hollow=True)
    draw.height = top + 370
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            *(p.point.title, p.intensity, p.performance, p.point.by.value, p.share, p.side, p.level),
            *(p.point.bytes, p.point.origin),
        )
        for p in mine
    )
    notes = [f"{where}."]
    notes.append(
        "Hollow: bytes by the model, the least that moves (compulsory traffic). The true point is further left."
    )
    notes.append("Frames per second of CPU time where a case has one thread, as the ceilings are; else of time.")
    if roof.share < SHARE:
        notes.append(f"The ceilings were measured with {roof.share:.0%} of the CPU: a busy machine.")
    notes += dict.fromkeys(f"{note}." for p in mine for note in p.notes)
    columns = ("case", "op/byte", "op/s", "by", "share of attainable", "side", "level", "bytes per frame", "bytes")
    return Figure(key, "Roofline", draw.render(), columns, rows, " ".join(notes))


def _levels(series: Series) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
    """Times in s, values in the unit that comes back; a running total becomes its rate, at both ends of a step."""
    unit = series.unit
    if series.cumulative:
        steps = rates.rates(series, POINTS // 2)
        at, values = np.column_stack([steps.start_s, steps.end_s]).ravel(), np.repeat(steps.rates, 2)
        unit = {"s": "CPUs", "J": "W"}.get(unit, f"{unit}/s" if unit else "per s")
    else:
        at = np.array(series.at_ns, dtype=float) / 1e9
        values = np.array([np.nan if v is None else v for v in series.values], dtype=float)
    if unit == "B":
        return at, values / 2**20, "MiB"
    if unit == "Hz":
        return at, values / 1e9, "GHz"
    return at, values, unit


def timeline(run: Run, variant: str, key: str) -> Figure | None:
    """Gauges over one run, a band per metric, with the windows of the run as background; None without any."""
    bands: dict[str, list[tuple[str, Any, Any, str]]] = {}
    for series in run.series:
        if len(series.at_ns) < 3 or _is_constant(series, run):
            continue
        at, values, unit = _levels(series)
        if len(at) and np.isfinite(values).any() and (not series.cumulative or np.nanmax(values) > 0):
            bands.setdefault(_band(series, unit), []).append((series.label, at, values, unit))
    if not bands:
        return None
    if moments := _throughput(run):
        bands[THROUGHPUT] = moments
    left, right, high = 64.0, 706.0, 74.0
    starts = [float(a[0]) for lines in bands.values() for _, a, _, _ in lines]
    ends = [float(a[-1]) for lines in bands.values() for _, a, _, _ in lines]
    zero, end = min(starts), max(ends)
    x = axis([0.0, end - zero], left, right, zero=True)
    where = f"{variant} {run.case.network} {run.case.side} b{run.case.batch} t{run.case.threads}"
    draw, top = Svg(720, 0, f"Timeline of {where}"), 26.0
    bottom = top + (high + 26) * len(bands)
    for window in run.windows:
        a, b = window.t0_ns / 1e9 - zero, window.t1_ns / 1e9 - zero
        if b > 0 and a < end - zero:
            a, b = x.at(max(0.0, a)), x.at(min(end - zero, b))
            kind = "bare" if window.role is Role.BARE else "counted"
            text = f"{window.role.value} window, {plural(len(window.latencies_ns), 'iteration')}"
            draw.add(
                "rect", title=text, x=a, y=top, width=max(1, b - a), height=bottom - top - 24, class_=f"window {kind}"
            )
    rows: list[tuple[str, str, float, float | None]] = []
    ordered = sorted(bands.items(), key=lambda band: (band[0] != THROUGHPUT, band[0]))
    for index, (name, lines) in enumerate(ordered):
        y0 = top + (high + 26) * index + 14
        y = axis([float(v) for _, _, values, _ in lines for v in values if v == v], y0 + high - 14, y0, zero=True)
        draw.text(left, y0 - 5, name)
        draw.y_axis(y, left, right, "", 2)
        for number_, (label, at, values, unit) in enumerate(lines):
            step = -(-len(at) // POINTS)
            points = [(float(a) - zero, float(v)) for a, v in zip(at[::step], values[::step], strict=True)]
            rows += [(name, label, a, v if v == v else None) for a, v in points]
            title = f"{name} {label}: at most {number(float(np.nanmax(values)))} {unit}"
            draw.add("path", title=title, d=_outline(points, x, y), class_=f"path s{number_ % 8}")
            if len(lines) > 1 and number_ < 8:
                draw.text(left + 150 + 62 * number_, y0 - 5, label, f"m s{number_} own")
    draw.x_axis(x, bottom - 22, top, "seconds since the first sample")
    draw.height = bottom + 14
    note = (
        "Shaded: measured windows (dark: bare, light: counted). Totals (CPU time, energy) as rates over steps of at "
        "least 20 intervals of their counter. Gauges that stayed at 0 are omitted."
    )
    title = f"{where}, round {run.round + 1}{_mark(run)}"
    return Figure(key, title, draw.render(), ("gauge", "label", "seconds", "value"), tuple(rows), note)


def _throughput(run: Run) -> list[tuple[str, Any, Any, str]]:
    """Frames per second of bare slices and of the bare stretch, as lines of a band; none without latencies."""
    first = min((w.t0_ns for w in run.windows if w.role in throughput.ROLES and w.latencies_ns), default=0)
    traces = [(label, throughput.bare(run, sliced)) for label, sliced in (("slices", True), ("bare", False))]
    return [
        (label, first / 1e9 + trace.at_s + trace.seconds / 2, trace.fps, "frames/s")
        for label, trace in traces
        if trace is not None and np.isfinite(trace.fps).any()
    ]


def _band(series: Series, unit: str) -> str:
    """The name of a panel of a timeline: gauges of unlike origin are never drawn in one."""
    mark = f" {series.origin.value.upper()}" if series.origin in (Origin.EMULATED, Origin.SIMULATED) else ""
    return (f"{series.metric} ({unit})" if unit else series.metric) + mark


def _mark(run: Run) -> str:
    """EMULATED, where the time on the axis is an emulator's; SIMULATED where a gauge's values are a model's."""
    origins = {r.origin for w in run.windows for r in w.readings} | {s.origin for s in run.series}
    marks = ["EMULATED"] if run.host_state.get("emulated") or Origin.EMULATED in origins else []
    marks += ["SIMULATED"] if any(s.origin is Origin.SIMULATED for s in run.series) else []
    return "".join(f" · {mark}" for mark in marks)


def _is_constant(series: Series, run: Run) -> bool:
    """Totals that did not change, gauges that stayed 0, and the peak where the level itself is recorded."""
    values = [v for v in series.values if v is not None]
    still = not values or (max(values) == min(values) and (series.cumulative or values[0] == 0))
    return still or (series.metric == Name.PEAK_RSS and any(s.metric == Name.RSS for s in run.series))


def _outline(points: Sequence[tuple[float, float]], x: Axis, y: Axis) -> str:
    pen, d = "M", []
    for a, v in points:
        if v != v:  # a sensor without an answer leaves a gap
            pen = "M"
            continue
        d.append(f"{pen}{x.at(a):.1f} {y.at(v):.1f}")
        pen = "L"
    return "".join(d)
