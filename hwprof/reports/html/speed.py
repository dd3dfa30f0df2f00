"""Charts of speed: FPS with intervals, against batch and threads, against MACs and against energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from hwprof.analysis.correlation.strata import NETWORK, SIDE, VARIANT, named_networks, thread_title
from hwprof.analysis.estimator import is_disturbed
from hwprof.analysis.speeds import PLACE, groups, speed_of
from hwprof.networks.blocks import PREFIX
from hwprof.networks.inputs import side_title
from hwprof.printable import plural
from hwprof.reports.html.model import Cell, Figure
from hwprof.reports.html.svg import LETTER, Svg, axis
from hwprof.reports.page.speeds import outputs_mark
from hwprof.reports.page.words import number

LABEL = "label"  # column that charts add: the network, with its input where it has several
MARKS = ("off", "faithful", "emulated", "incomparable")
COLUMNS = (NETWORK, *SIDE, "batch", VARIANT, "fps", "low", "high", "throughput", "cpu_ms", "rounds")
DATA = ("network", *SIDE, "batch", "framework", "fps", "low", "high", "throughput", "cpu_ms", "rounds", *MARKS)
CROWD = 20  # names at points, from which on some are left out
SEEN = 0.02  # share of the time in the run queue from which on it is shown
OFF = "Hollow, off: FPS and throughput differ, or others took the CPU, by more than 10 %. It is not ranked."
UPRIGHT = " The upright line of its colour is the throughput."


def is_off(row: Any) -> bool:
    """Whether FPS of a row of `speeds` is no figure to rank it by."""
    return any(is_disturbed(one) for _, one in speed_of(row))


def is_hollow(row: Any) -> bool:
    """Whether the marker of a row is empty: its FPS is not to be compared."""
    return not row["faithful"] or bool(row["emulated"]) or is_off(row)


def describe(row: Any) -> str:
    """One speed in words, for a point."""
    bounds = f" [{number(row['low'])}, {number(row['high'])}]" if pd.notna(row["low"]) else ""
    outputs = outputs_mark(row).strip()
    marks = (f", {outputs}" if outputs else "") + (", EMULATED" if row["emulated"] else "")
    marks += ", FPS is off" if is_off(row) else ""
    threads = thread_title(row["threads"])
    where = f"{row[NETWORK]} {side_title(row['size'], row['shape'], ' px')}, batch {row['batch']}, {threads}"
    others = "" if pd.isna(row["throughput"]) else f", {number(row['throughput'])} frames/s"
    others += "" if pd.isna(row["cpu_ms"]) else f", {number(row['cpu_ms'])} CPU ms per frame"
    others += f", {100 * row['waiting']:.0f} % of the time in the run queue" if row["waiting"] >= SEEN else ""
    return f"{row[VARIANT]}, {where}: {number(row['fps'])} FPS{bounds}{others}, {plural(row['rounds'], 'round')}{marks}"


def _data(part: pd.DataFrame) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (*(row[c] for c in COLUMNS), is_off(row), *(row[c] for c in MARKS[1:])) for row in part.to_dict("records")
    )


def _notes(part: pd.DataFrame, *sentences: str) -> str:
    """Sentences, and what hollow markers stand for where there are any."""
    rows = part.to_dict("records")
    found = list(sentences)
    if any(not row["faithful"] or row["emulated"] for row in rows):
        found.append("Hollow: unfaithful to the reference, or emulated.")
    if any(is_off(row) for row in rows):
        found.append(OFF)
    return " ".join(found)


def dot_plot(part: pd.DataFrame, variants: Sequence[str], key: str, where: str) -> Figure:
    """FPS with 95 % intervals between rounds: a panel per batch, a row per network, logarithmic."""
    batches = sorted(int(b) for b in part["batch"].unique())
    part = part.assign(**{LABEL: named_networks(part)})
    order = part.groupby(LABEL)["fps"].median().sort_values(ascending=False).index.tolist()
    height = max(16, 11 * len(variants) + 5)
    left = 12 + LETTER * max(len(str(n)) for n in order)
    panel = max(190.0, min(420.0, 720.0 / len(batches)))
    draw = Svg(left + len(batches) * (panel + 14) + 8, 0, f"FPS per network and framework {where}".strip())
    top = draw.legend(variants, left, 14, len(batches) * (panel + 14)) + 16
    bottom = top + height * len(order)
    middle = part["fps"].astype(float)
    # an interval of two rounds may span orders of magnitude: its bar is cut, the text has it in full
    lowest, highest = middle.min() / 3, middle.max() * 3
    ends = [min(max(float(v), lowest), highest) for c in ("fps", "low", "high") for v in part[c].dropna()]
    ends += [float(row["throughput"]) for row in part.to_dict("records") if is_off(row)]
    cells: dict[tuple[str, int], list[Any]] = {}
    for row in part.to_dict("records"):
        cells.setdefault((row[LABEL], row["batch"]), []).append(row)
    for index, batch in enumerate(batches):
        start = left + index * (panel + 14)
        x = axis(ends, start, start + panel, log=True)
        draw.text(start, top - 6, f"batch {batch}", "m")
        draw.x_axis(x, bottom, top, "frames per second (log)", 5)
        for number_, network in enumerate(order):
            y0 = top + height * number_
            if index == 0:
                draw.text(left - 8, y0 + height / 2 + 4, str(network), "t", "end")
            draw.line(start, y0, start + panel, y0, "rule")
            for row in cells.get((network, batch), ()):
                series = variants.index(row[VARIANT])
                y = y0 + 8 + 11 * series
                if pd.notna(row["low"]):
                    low, high = max(row["low"], x.low), min(row["high"], x.high)
                    draw.line(x.at(low), y, x.at(high), y, f"bar s{series % 8}")
                    if (low, high) != (row["low"], row["high"]):
                        cut = start if low != row["low"] else start + panel
                        draw.text(
                            cut, y + 4, "‹" if low != row["low"] else "›", "t", "end" if low != row["low"] else "start"
                        )
                if is_off(row):
                    at = x.at(row["throughput"])
                    draw.line(at, y - 5, at, y + 5, f"bar s{series % 8}")
                draw.marker(x.at(row["fps"]), y, series, describe(row), hollow=is_hollow(row))
    draw.height = bottom + 38
    title = f"FPS per network and framework{f' · {where}' if where else ''}"
    note = _notes(part, "95 % t interval between rounds. No bar: one round. ‹ ›: the interval goes on.")
    note += UPRIGHT if OFF in note else ""
    return Figure(key, title, draw.render(), DATA, _data(part), note)


def scaling_chart(fps: pd.DataFrame, column: str, variants: Sequence[str], key: str, where: str = "") -> Figure | None:
    """FPS against `column` (batch or threads), a panel per network; None where no framework has several values.

    More threads have more CPUs: affinity may differ along a line over threads, and nothing else.
    """
    fps = fps.assign(**{LABEL: named_networks(fps)})
    others = [c for c in (*PLACE, "batch", *SIDE) if c != column and (c, column) != ("cpus", "threads")]
    lines: dict[str, list[tuple[str, list[Any]]]] = {}
    for group in groups(fps, [NETWORK, VARIANT, *others]):
        if len({row[column] for row in group}) > 1:
            group.sort(key=lambda row: row[column])
            lines.setdefault(str(group[0][LABEL]), []).append((str(group[0][VARIANT]), group))
    if not lines:
        return None
    used = pd.DataFrame([row for several in lines.values() for _, group in several for row in group])
    shown = [v for v in variants if v in set(used[VARIANT])]
    columns, wide, high = min(4, len(lines)), 196.0, 130.0
    rows = -(-len(lines) // columns)
    draw = Svg(columns * (wide + 50) + 10, 0, f"FPS against {column}")
    top = 4.0
    for index, name in enumerate(variants):
        if name in shown:
            draw.marker(50, top + 10, index)
            draw.text(60, top + 14, name)
            top += 17
    top += 38
    ticks = sorted({int(v) for v in used[column]})
    for index, (network, several) in enumerate(sorted(lines.items())):
        x0, y0 = 44 + (index % columns) * (wide + 50), top + (index // columns) * (high + 62)
        x = axis([float(t) for t in ticks], x0, x0 + wide, log=True)
        y = axis([float(r["fps"]) for _, g in several for r in g], y0 + high, y0, zero=True)
        draw.y_axis(y, x0, x0 + wide, "", 4)
        draw.text(x0, y0 - 8, network)
        for tick in ticks:
            draw.text(x.at(tick), y0 + high + 14, str(tick), "m", "middle")
        draw.text(x0 + wide, y0 + high + 28, column, "m", "end")
        for variant, group in several:
            series = variants.index(variant)
            at = [(x.at(float(r[column])), y.at(float(r["fps"]))) for r in group]
            draw.add("path", d="M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in at), class_=f"path s{series % 8}")
            for (a, b), r in zip(at, group, strict=True):
                draw.marker(a, b, series, describe(r), hollow=is_hollow(r))
    draw.height = top + rows * (high + 62)
    header = (*DATA, "threads")
    data = tuple((*a, b) for a, b in zip(_data(used), used["threads"], strict=True))
    note = _notes(
        used, "Each line: one framework on one network, everything else equal. FPS from 0, so that heights compare."
    )
    return Figure(key, f"FPS against {column}{f' · {where}' if where else ''}", draw.render(), header, data, note)


def cloud(
    part: pd.DataFrame,
    column: str,
    label: str,
    scale: float,
    variants: Sequence[str],
    key: str,
    title: str,
    note: str = "",
) -> Figure:
    """FPS against another positive column, both logarithmic; each network is named next to its best point."""
    draw = Svg(720, 0, title)
    top = draw.legend(variants, 52, 14, 640) + 18
    bottom = top + 330
    x = axis([float(v) * scale for v in part[column]], 52, 706, log=True)
    y = axis([float(v) for v in part["fps"]], bottom, top, log=True)
    draw.y_axis(y, 52, 706, "frames per second (log)")
    draw.x_axis(x, bottom, top, f"{label} (log)")
    part = part.assign(**{LABEL: named_networks(part)})
    best = part.loc[part.groupby(LABEL)["fps"].idxmax()]
    names = [(str(r[LABEL]), x.at(float(r[column]) * scale), y.at(float(r["fps"]))) for r in best.to_dict("records")]
    points = [(x.at(float(r[column]) * scale), y.at(float(r["fps"]))) for r in part.to_dict("records")]
    for name, a, b in place(names, points, 706):
        draw.text(a, b, name, "m")
    for row, (a, b) in zip(part.to_dict("records"), points, strict=True):
        text = f"{describe(row)}; {number(row[column] * scale)} {label}"
        draw.marker(a, b, variants.index(row[VARIANT]), text, is_hollow(row))
    draw.height = bottom + 40
    data = tuple((*a, float(b)) for a, b in zip(_data(part), part[column], strict=True))
    return Figure(key, title, draw.render(), (*DATA, column), data, _notes(part, *([note] if note else [])))


def size_chart(fps: pd.DataFrame, variants: Sequence[str], key: str, where: str = "") -> Figure | None:
    """FPS against MACs per frame at the smallest batch and number of threads; None with fewer than two networks."""
    known = fps[fps["macs"].notna() & (fps["macs"].astype(float) > 0)]
    if known["net"].nunique() < 2:
        return None
    least = known[(known["batch"] == known["batch"].min()) & (known["threads"] == known["threads"].min())]
    batch, threads = int(least["batch"].iloc[0]), int(least["threads"].iloc[0])
    title = f"FPS against the size of the network, batch {batch}"
    title += "" if "thread" in where else f", {thread_title(threads)}"
    title += f" · {where}" if where else ""
    return cloud(least, "macs", "million MACs per frame", 1e-6, variants, key, title)


def place(
    names: Sequence[tuple[str, float, float]], points: Sequence[tuple[float, float]], right: float
) -> list[tuple[str, float, float]]:
    """Positions of names next to points: the first of a few that covers no point and no other name.

    Of more than CROWD names the outer ones come first, and those that would cover something, or stand apart from their
    point, are left out: each point shows its name when hovered. A block goes without the word.
    """
    crowded = len(names) > CROWD
    if crowded:
        middle = [sum(values) / len(names) for values in zip(*((a, b) for _, a, b in names), strict=True)]
        names = sorted(names, key=lambda name: -math.dist(name[1:], middle))
    boxes_used = [(a - 5, b - 5, a + 5, b + 5) for a, b in points]
    out = []
    for full, x, y in names:
        name = full.removeprefix(PREFIX)
        width = 5.7 * len(name)
        spots = [(x + 8, y + 4), (x - width - 8, y + 4), (x - width / 2, y - 9), (x - width / 2, y + 18)]
        if not crowded:
            spots += [(x + 8, y + d) for d in (-12, 20, -26, 34)] + [(x - width - 8, y + d) for d in (-12, 20, -26, 34)]
        boxes = [(a, b - 10, a + width, b + 2) for a, b in spots]
        costs = [
            sum(1 for t in boxes_used if box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3])
            + 10 * (box[2] > right or box[0] < 50)
            for box in boxes
        ]
        best = costs.index(min(costs))
        if crowded and costs[best]:
            continue
        boxes_used.append(boxes[best])
        out.append((name, *spots[best]))
    return out
