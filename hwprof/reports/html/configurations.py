"""The sections of the best configurations and of a need, and their charts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from hwprof.analysis import energy
from hwprof.analysis.configurations.model import Configuration, ConfigurationGroup, Rank
from hwprof.printable import plural
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Figure, Section
from hwprof.reports.html.speed import describe, is_hollow
from hwprof.reports.html.svg import LETTER, SERIES, Axis, Svg, axis
from hwprof.reports.page import configurations as words
from hwprof.reports.page import need as needs
from hwprof.reports.page.words import number, place
from hwprof.reports.tables import Table
from hwprof.speed import Interval

KEY = "configurations"
MOST, IN_DOCUMENT = 24, 6  # frameworks and networks with a chart of batches: the tables have the others
WIDE, PANEL = 350.0, 300.0  # CSS pixels: both fit on a phone
HIGH = 150.0
ALIKE = ("machine", "threads", "cpus", "variant")  # what the lines of one chart have in common
BARS = "Bars: 95 % t interval between rounds, cut where it exceeds three times the value."
BATCHES = f"Each line is one precision at the same threads and options. {BARS}"
BEST_DATA = ("machine", "network", "framework", "precision", "threads", "batch", "options", "fps", "low", "high")
LINE_DATA = ("network", "framework", "precision", "threads", "batch", "value", "low", "high")
Value = Callable[[Configuration], Interval | None]


def need_sections(material: Material) -> list[Section]:
    """What meets the need of the reader; nothing where none was asked for."""
    need = material.report.need
    if need is None:
        return []
    rows = tuple((c.command, c.shows) for c in need.commands)
    commands = [Table("Commands that measure more", ("command", "what for"), rows)] if rows else []
    title = f"What meets {need.text}"
    return [Section("need", title, tuple(needs.sentences(need)), tables=(needs.table(need), *commands))]


def best_sections(material: Material) -> list[Section]:
    """The best configuration of each framework and network, FPS and energy per frame against batch and precision."""
    groups = material.report.best
    if not groups:
        return []
    title = "Best configuration"
    if not words.has_choice(groups):
        return [Section(KEY, title, absent=(words.ONE,))]
    figures = [*best_charts(groups), *batch_charts(groups)]
    absent = []
    batches = sum(bool(batch_lines(group)) for group in groups)
    if batches > MOST:
        absent.append(f"No chart of batches for {plural(batches - MOST, 'more pair')} of framework and network.")
    if not any(one.configuration.energy_j for group in groups for one in group.ranked):
        absent.append(f"No energy per frame: {energy.absence_reason(material.frame)}.")
    tables = (words.best_table(groups), words.every_table(groups))
    return [Section(KEY, title, tuple(words.sentences(groups)), tuple(figures), tables, tuple(absent))]


def figures_of(groups: Sequence[ConfigurationGroup]) -> list[Figure]:
    """The figures of a document: those of the page, of fewer networks."""
    return [*best_charts(groups), *batch_charts(groups, IN_DOCUMENT)] if words.has_choice(groups) else []


def best_charts(groups: Sequence[ConfigurationGroup]) -> list[Figure]:
    """The best FPS of each framework on each network with its interval and its configuration, a chart per machine."""
    found = []
    machines = list(dict.fromkeys(group.machine for group in groups))
    for index, machine in enumerate(machines):
        own = [group for group in groups if group.machine == machine and group.best is not None]
        if own:
            where = f" · {machine}" if len(machines) > 1 else ""
            found.append(_best_chart(own, f"best{f'-{index + 1}' if len(machines) > 1 else ''}", where))
    return found


def _best_chart(groups: Sequence[ConfigurationGroup], key: str, where: str) -> Figure:
    """One scale for all networks, logarithmic; the configuration stands above its point."""
    frameworks = sorted({group.framework for group in groups})
    draw = Svg(WIDE, 0, f"Best FPS per framework and network{where}")
    top = draw.legend(frameworks, 4, 14, WIDE - 8) + 6
    ends = [v for group in groups if group.best is not None for v in _clipped(group.best.interval)]
    x = axis(ends, 10, WIDE - 12, log=True)
    networks = list(dict.fromkeys(group.network for group in groups))
    bottom = top + 20 * len(networks) + 30 * len(groups)
    draw.x_axis(x, bottom, top, "frames per second (log)", 5)
    y = top
    for network in networks:
        draw.text(4, y + 14, network, "t strong")
        y += 20
        for group in groups:
            one = group.best
            if group.network != network or one is None:
                continue
            series = frameworks.index(group.framework)
            tied = len(group.of(Rank.TIED))
            label = f"{number(one.interval.value)} FPS: {one.title}" + (f" (tied: {tied})" if tied else "")
            draw.text(12, y + 10, label, "on")
            _interval(draw, x, one.interval, y + 20, series)
            draw.marker(x.at(one.interval.value), y + 20, series, describe(one.speed), is_hollow(one.speed))
            y += 30
    draw.height = bottom + 38
    rows = tuple(
        (g.machine, g.network, g.framework, b.precision, b.threads, b.batch, b.options, *b.interval)
        for g in groups
        if (b := g.best) is not None
    )
    note = f"{BARS} Tied: how many others are not distinguishable. Hollow: a round was disturbed."
    return Figure(key, f"Best FPS per framework and network{where}", draw.render(), BEST_DATA, rows, note)


def _clipped(found: Interval) -> list[float]:
    """The value and its bounds, within a factor of 3: of two rounds they may span orders of magnitude."""
    bounds = [v for v in (found.low, found.high) if v is not None]
    return [found.value, *(min(max(v, found.value / 3), found.value * 3) for v in bounds)]


def _interval(draw: Svg, x: Axis, found: Interval, y: float, series: int) -> None:
    if found.low is not None and found.high is not None:
        draw.line(x.at(max(found.low, x.low)), y, x.at(min(found.high, x.high)), y, f"bar s{series % SERIES}")


def batch_charts(groups: Sequence[ConfigurationGroup], most: int = MOST) -> list[Figure]:
    """FPS against batch, a line per precision, a chart per framework and network; beside it J per frame if known."""
    found: list[Figure] = []
    with_lines = [(group, lines) for group in groups if (lines := batch_lines(group))]
    for index, (group, lines) in enumerate(with_lines[:most]):
        first = next(iter(lines.values()))[0]
        where = place({"threads": first.threads})
        where += f", {first.options}" if first.options else ""
        name = f"{group.network} in {group.framework}, {where}"
        title = f"FPS against batch: {name}"
        found.append(
            _lines(lines, lambda one: one.interval, "FPS", f"batch-{index}", title, BATCHES if not found else "")
        )
        if all(one.energy_j for several in lines.values() for one in several):
            title = f"Energy per frame against batch: {name}"
            found.append(_lines(lines, lambda one: one.energy_j, "J per frame", f"batch-energy-{index}", title))
    return found


def batch_lines(group: ConfigurationGroup) -> Mapping[str, Sequence[Configuration]]:
    """Precision -> configurations by batch, at the threads, CPUs and options that have most; that of the best first.

    Empty where no precision has two batches.
    """
    places: dict[tuple[str, ...], list[Configuration]] = {}
    for ranked in group.ranked:
        one = ranked.configuration
        places.setdefault(tuple(str(one.speed[name]) for name in ALIKE), []).append(one)
    lines: dict[str, list[Configuration]] = {}
    for one in max(places.values(), key=len):  # the first of several as large: the best leads the group
        lines.setdefault(one.precision, []).append(one)
    if max(len(several) for several in lines.values()) < 2:
        return {}
    return {name: sorted(lines[name], key=lambda one: one.batch) for name in sorted(lines)}


def _lines(
    lines: Mapping[str, Sequence[Configuration]], value: Value, unit: str, key: str, title: str, note: str = ""
) -> Figure:
    left, right, top = 48.0, PANEL - 12, 34.0
    draw = Svg(PANEL, 0, title)
    draw.legend(list(lines), left, 12, PANEL - left)
    points = [(name, one, found) for name in lines for one in lines[name] if (found := value(one)) is not None]
    ticks = sorted({one.batch for _, one, _ in points})
    x = axis([float(tick) for tick in ticks], left + 10, right - 10, log=True)
    y = axis([v for _, _, found in points for v in _clipped(found)], top + HIGH, top, zero=True)
    draw.y_axis(y, left, right, unit, 4)
    for tick in _sparse(ticks, x):
        draw.text(x.at(tick), top + HIGH + 14, str(tick), "m", "middle")
    draw.text((left + right) / 2, top + HIGH + 28, "batch", "m", "middle")
    for series, name in enumerate(lines):
        own = [(x.at(one.batch), found, one) for label, one, found in points if label == name]
        path = "M" + "L".join(f"{a:.1f} {y.at(found.value):.1f}" for a, found, _ in own)
        draw.add("path", d=path, class_=f"path s{series % SERIES}")
        for a, found, one in own:
            if found.low is not None and found.high is not None:
                ends = (y.at(min(max(v, y.low), y.high)) for v in (found.low, found.high))
                low, high = ends
                draw.line(a, low, a, high, f"bar s{series % SERIES}")
            text = f"{number(found.value)} {unit}; {describe(one.speed)}"
            draw.marker(a, y.at(found.value), series, text, is_hollow(one.speed))
    draw.height = top + HIGH + 36
    rows = tuple(
        (one.network, one.framework, name, one.threads, one.batch, found.value, found.low, found.high)
        for name, one, found in points
    )
    hollow = any(is_hollow(one.speed) for _, one, _ in points)
    note = " ".join(filter(None, (note, "Hollow: a round was disturbed, UNFAITHFUL or EMULATED." if hollow else "")))
    return Figure(key, title, draw.render(), LINE_DATA, rows, note)


def _sparse(ticks: Sequence[int], x: Axis) -> list[int]:
    """The ticks whose labels do not overlap."""
    shown: list[int] = []
    reached = -math.inf
    for tick in ticks:
        width = LETTER * len(str(tick)) + 4
        if x.at(tick) - width / 2 >= reached:
            shown.append(tick)
            reached = x.at(tick) + width / 2
    return shown
