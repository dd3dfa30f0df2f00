"""Trees of what deviates alike controlling for size: metrics with their groups, and networks."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hwprof.analysis.correlation.findings import Analysis, Tree
from hwprof.analysis.correlation.likeness import SAME
from hwprof.reports.html.model import Figure
from hwprof.reports.html.svg import LETTER, Axis, Svg

MOST = 40  # leaves: more are not legible
ROW = 18.0
WIDE = 300.0
Part = tuple[float, float]  # x and y of where a part of the tree goes on


def figures(analysis: Analysis, stratum: int, where: str) -> Iterator[Figure]:
    """Of metrics where some are not separable, and of networks."""
    several = {name: i + 1 for i, names in enumerate(analysis.groups) if len(names) > 1 for name in names}
    if analysis.metric_tree is not None and several:
        strength: dict[str, float] = {}
        for c in analysis.correlations:
            strength[c.metric.name] = max(strength.get(c.metric.name, 0.0), abs(c.partial.r or 0.0))
        kept = sorted(analysis.metric_tree.leaves, key=lambda name: -strength.get(name, 0.0))[:MOST]
        labels = {c.metric.name: c.metric.label for c in analysis.correlations}
        names = {name: labels[name] + (f" ({several[name]})" if name in several else "") for name in kept}
        note = (
            f"Average linkage of what is left controlling for size. Metrics that join at |r| above {SAME} (left of the "
            "line) are one group, its number in brackets. What is said of one may be due to another."
        )
        if len(kept) < len(analysis.metric_tree.leaves):
            note += f" The {MOST} metrics with the largest |r|; the table has all groups."
        title = f"Metrics that vary together{where}"
        yield _figure(f"metric-tree-{stratum}", title, analysis.metric_tree, names, 0.0, "|r|", note, SAME)
    tree = analysis.network_tree
    if tree is not None and len(tree.leaves) <= MOST:
        note = (
            "Average linkage of what is left of all metrics controlling for size, over frameworks. Networks that join "
            "at a large r deviate alike, and add less to a coefficient than others."
        )
        names = {name: name for name in tree.leaves}
        yield _figure(f"network-tree-{stratum}", f"Networks that deviate alike{where}", tree, names, -1.0, "r", note)


def _figure(
    key: str,
    title: str,
    tree: Tree,
    names: dict[str, str],
    least: float,
    axis: str,
    note: str,
    cut: float | None = None,
) -> Figure:
    """`names`: of the leaves that are drawn. `least`: r at the right end of the axis."""
    left = 12 + LETTER * max(map(len, names.values()))
    draw = Svg(left + WIDE + 20, 0, title)
    scale = Axis(1.0, least, left, left + WIDE)
    order = [name for name in _order(tree) if name in names]
    bottom = 12 + ROW * len(order)
    for value in (1.0, 0.5, 0.0, -0.5, -1.0):
        if value >= scale.high:
            draw.line(scale.at(value), 8, scale.at(value), bottom, "grid")
            draw.text(scale.at(value), bottom + 14, f"{value:g}", "m", "middle")
    draw.text(left + WIDE / 2, bottom + 30, f"{axis} at which parts join", "m", "middle")
    if cut is not None:
        draw.line(scale.at(cut), 8, scale.at(cut), bottom, "zero")
    for i, name in enumerate(order):
        draw.text(left - 6, 12 + ROW * (i + 0.5) + 4, names[name], "t", "end")
    at: list[Part | None] = [
        (left, 12 + ROW * (order.index(name) + 0.5)) if name in names else None for name in tree.leaves
    ]
    rows: list[tuple[str, str, float]] = []
    members = [[name] for name in tree.leaves]
    for first, second, distance in tree.merges:
        members.append(members[first] + members[second])
        a, b = at[first], at[second]
        if a is None or b is None:
            at.append(a or b)
            continue
        x = scale.at(max(1 - distance, scale.high))
        draw.line(a[0], a[1], x, a[1], "bar s0")
        draw.line(b[0], b[1], x, b[1], "bar s0")
        draw.line(x, a[1], x, b[1], "bar s0")
        at.append((x, (a[1] + b[1]) / 2))
        rows.append((", ".join(_kept(members[first], names)), ", ".join(_kept(members[second], names)), 1 - distance))
    draw.height = bottom + 38
    return Figure(key, title, draw.render(), ("part", "joins", axis), tuple(rows), note)


def _kept(members: list[str], names: Collection[str]) -> list[str]:
    return [name for name in members if name in names]


def _order(tree: Tree) -> list[str]:
    """The leaves such that no two branches cross."""
    parts: list[list[str]] = [[name] for name in tree.leaves]
    for first, second, _ in tree.merges:
        parts.append(parts[first] + parts[second])
    return parts[-1]
