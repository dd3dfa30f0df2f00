"""Charts of correlations: the map of coefficients, the scatter of each, pooled slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwprof.analysis.correlation.findings import Analysis, Correlation, PooledSlope
from hwprof.printable import plural
from hwprof.reports.html.model import Figure, Scatter
from hwprof.reports.html.speed import place
from hwprof.reports.html.svg import LETTER, Svg, axis, point
from hwprof.reports.page import groups
from hwprof.reports.page.groups import rank

MOST = 40  # metrics in a map, and slopes in a chart: the rest is in the tables


def key_of(stratum: int, index: int) -> str:
    """The key of one scatter in the map, the table and the script."""
    return f"{stratum}-{index}"


def describe(c: Correlation) -> str:
    """A coefficient in words."""
    if c.partial.r is None:
        return f"{c.framework}, {c.metric.label}: no coefficient: {c.why}"
    bounds = (
        "" if c.partial.low is None or c.partial.high is None else f" [{c.partial.low:+.2f}, {c.partial.high:+.2f}]"
    )
    q = "" if c.q is None else f", q {c.q:.3f} ({'significant' if c.is_found else 'not significant'})"
    control = f"controlling for {', '.join(c.covariates) or 'nothing'}"
    return f"{c.framework}, {c.metric.label}: r {c.partial.r:+.2f}{bounds} {control}, N {c.partial.n}{q}, {c.status}"


def scatters(analysis: Analysis, stratum: int) -> list[Scatter]:
    """The points of every coefficient that has any."""
    out = []
    for index, c in enumerate(analysis.correlations):
        if c.points is None:
            continue
        p = c.points
        x, y, rx, ry = (tuple(float(v) for v in values) for values in (p.rx, p.ry, p.x, p.y))
        key, slope = key_of(stratum, index), c.partial.slope
        out.append(Scatter(key, c.framework, c.metric.label, describe(c), p.networks, x, y, rx, ry, slope, c.target))
    return out


def heat_map(analysis: Analysis, stratum: int, where: str) -> Figure | None:
    """Partial r with N in each cell, a row for each group of metrics. Solid: `is_found`, of which the text may speak.

    A cell with points opens its scatter.
    """
    found = groups.map_rows(analysis.correlations)
    if not found:
        return None
    shown = sorted(found[:MOST], key=lambda row: row.label)
    names = [row.label + (f" +{len(row.others)}" if row.others else "") for row in shown]
    frameworks = list(analysis.frameworks)
    left = 12 + LETTER * max(map(len, names))
    cell, high = max(74.0, 12 + LETTER * max(map(len, frameworks))), 36.0
    draw = Svg(left + cell * len(frameworks) + 8, 0, f"Correlation with {analysis.target} controlling for size {where}")
    for j, name in enumerate(frameworks):
        draw.text(left + cell * (j + 0.5), 16, name, "t", "middle")
    top = 24.0
    for i, (name, row) in enumerate(zip(names, shown, strict=True)):
        draw.text(left - 8, top + high * i + 22, name, "t", "end")
        for index, c in row.cells:
            others = "" if not row.others else f". Not separable: {', '.join((row.label, *row.others))}"
            x, y = left + cell * frameworks.index(c.framework), top + high * i
            draw.parts.append(_cell(c, x, y, cell, high, key_of(stratum, index), others))
    draw.height = top + high * len(shown) + 8
    rows = tuple(
        (
            c.framework,
            c.metric.label,
            c.group + 1 if c.group >= 0 else None,
            c.raw.r,
            c.sized.r,
            c.partial.r,
            c.partial.low,
            c.partial.high,
            c.partial.n,
            c.q,
            c.is_found,
            c.status,
            c.why,
        )
        for c in analysis.correlations
    )
    header = (
        *("framework", "metric", "group", "r raw", "r controlling for MACs", "r controlling for all", "low", "high"),
        *("networks", "q", "significant", "status", "why not"),
    )
    more = f" The {MOST} rows with the largest |r| of {len(found)}. The tables have all." if len(found) > MOST else ""
    joined = (
        " +1, +2: so many other metrics are not separable from this one. A cell is of the one with the smallest q in "
        "its framework."
        if any(row.others for row in shown)
        else ""
    )
    solid = sum(c.is_found for row in shown for _, c in row.cells)
    of = sum(c.partial.r is not None for row in shown for _, c in row.cells)
    note = (
        f"r controlling for size, N networks below it. Solid: significant, as the text says it ({solid} of {of}): "
        "q < 0.05, the 95 % interval excludes 0, and both hold without any one network. Hatched and pale: not "
        f"significant, or not tested. No colour: no coefficient.{joined}{more}"
    )
    return Figure(f"map-{stratum}", f"Correlation with {analysis.target}{where}", draw.render(), header, rows, note)


def _cell(c: Correlation, x: float, y: float, width: float, height: float, key: str, others: str) -> str:
    inner = Svg(0, 0, "")
    box: dict[str, Any] = {"x": x + 1, "y": y + 1, "width": width - 2, "height": height - 2, "rx": 3}
    r = c.partial.r
    if r is None:
        inner.add("rect", class_="none", **box)
        inner.text(x + width / 2, y + 22, f"N {c.partial.n}", "m", "middle")
    else:
        inner.add(
            "rect",
            class_="cell plus" if r > 0 else "cell minus",
            fill_opacity=(0.06 + 0.74 * abs(r)) * (1 if c.is_found else 0.45),
            **box,
        )
        if not c.is_found:
            inner.add("rect", class_="hatch", **box)
        inner.text(x + width / 2, y + 16, f"{r:+.2f}", "t on", "middle")
        inner.text(x + width / 2, y + 29, f"N {c.partial.n}", "m on", "middle")
    title = describe(c) + others + ("" if c.points is None else ". Enter: the scatter behind it")
    more = {} if c.points is None else {"data_scatter": key}
    shape = point("".join(inner.parts), title, **more)
    return shape.replace('role="img"', 'role="button"') if c.points is not None else shape


def added_variable(c: Correlation, key: str) -> Figure:
    """Residuals of log FPS against residuals of the log metric, controlling for size, each point with its network."""
    assert c.points is not None
    xs, ys = [float(v) for v in c.points.rx], [float(v) for v in c.points.ry]
    draw = Svg(420, 312, describe(c))
    x, y = axis(xs, 56, 410), axis(ys, 262, 34)
    draw.y_axis(y, 56, 410, f"log {c.target}, controlling for size")
    draw.x_axis(x, 262, 34, "log metric per frame, controlling for size", 5)
    if c.partial.slope is not None:
        ends = (min(xs), max(xs))
        draw.line(
            x.at(ends[0]), y.at(c.partial.slope * ends[0]), x.at(ends[1]), y.at(c.partial.slope * ends[1]), "bar s1"
        )
    at = [(x.at(a), y.at(b)) for a, b in zip(xs, ys, strict=True)]
    for name, a, b in place([(n, *p) for n, p in zip(c.points.networks, at, strict=True)], at, 410):
        draw.text(a, b, name, "m")
    for name, (a, b), vx, vy in zip(c.points.networks, at, xs, ys, strict=True):
        draw.marker(a, b, 0, f"{name}: metric {vx:+.3f}, {c.target} {vy:+.3f} (logs, controlling for size)")
    rows = tuple(zip(c.points.networks, xs, ys, map(float, c.points.x), map(float, c.points.y), strict=True))
    header = (
        *("network", "log metric controlling for size", f"log {c.target} controlling for size", "log metric"),
        f"log {c.target}",
    )
    return Figure(key, f"{c.metric.label} in {c.framework}", draw.render(), header, rows, describe(c))


def select(found: Sequence[Correlation], most: int) -> list[Correlation]:
    """The `most` correlations with points to draw: lowest q first, one per framework and group of metrics."""
    out: list[Correlation] = []
    for c in sorted((c for c in found if c.points is not None), key=rank):
        if c.group < 0 or all((c.framework, c.group) != (o.framework, o.group) for o in out):
            out.append(c)
    return out[:most]


def slopes(shared: Sequence[PooledSlope], stratum: int, where: str) -> Figure | None:
    """Pooled slopes as elasticities with leave-one-network-out intervals."""
    known = [s for s in shared if s.slope is not None]
    known.sort(key=lambda s: (s.p if s.p is not None else 2.0, s.metric.name))
    grouped = groups.slopes(known)[:MOST]
    shown = [s for s, _ in grouped]
    names = [s.metric.label + (f" +{len(others)}" if others else "") for s, others in grouped]
    if not shown:
        return None
    left = 12 + LETTER * max(map(len, names))
    draw = Svg(left + 470, 0, f"Pooled slopes {where}")
    x = axis([v for s in shown for v in (s.slope, s.low, s.high) if v is not None], left, left + 450, zero=True)
    top, bottom = 12.0, 12.0 + 22 * len(shown)
    draw.x_axis(x, bottom, top, f"elasticity: % {shown[0].target} for +1 % of the metric per frame")
    draw.line(x.at(0), top, x.at(0), bottom, "zero")
    for index, (s, name) in enumerate(zip(shown, names, strict=True)):
        y = top + 22 * index + 11
        draw.text(left - 8, y + 4, name, "t", "end")
        assert s.slope is not None
        text = f"{s.metric.label}: {s.slope:+.2f}"
        if s.low is not None and s.high is not None:
            draw.line(x.at(s.low), y, x.at(s.high), y, "bar s0")
            text += f" [{s.low:+.2f}, {s.high:+.2f}]"
        family = "" if s.p_family is None else f", family-wise p {s.p_family:.3f}"
        draw.marker(
            x.at(s.slope),
            y,
            0,
            f"{text}, {plural(s.n, 'network')}, {plural(s.frameworks, 'framework')}{family}",
            not s.is_found,
        )
    draw.height = bottom + 38
    rows = tuple(
        (
            s.metric.label,
            s.slope,
            s.low,
            s.high,
            s.n,
            s.frameworks,
            s.q,
            s.p_family,
            s.is_found,
            ", ".join(s.covariates),
        )
        for s in known
    )
    header = (
        *("metric", "slope", "low", "high", "networks", "frameworks", "q", "p family-wise", "significant"),
        "controlling for",
    )
    note = (
        f"Slope of log {shown[0].target} on the log metric after two-way centring: only what differs between "
        "frameworks on the same network. 95 % t interval from leaving out one network at a time. Solid: significant, "
        "as the text says it. Hollow: not significant, or not tested."
    )
    return Figure(f"slopes-{stratum}", f"Over all frameworks{where}", draw.render(), header, rows, note)
