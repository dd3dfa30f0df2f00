"""Metrics that are not separable are shown once: the first of a group, with the names of the others in small print.

The groups are those of the correlation analysis (hwprof.analysis.correlation.likeness).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hwprof.analysis.correlation.findings import Correlation, PooledSlope

ALSO = " (also "
NAMED = 6  # of the other metrics of a group; the table of groups has all
T = TypeVar("T")
NOTE = "Metrics that are not separable have one row: the first has the smallest q, the others stand behind 'also'."


@dataclass(frozen=True, slots=True)
class MapRow:
    """A row of the map: `label`, the labels of the other metrics in it, and the coefficient of each framework.

    A coefficient is that of the metric with the smallest q in its framework; `index`: its place in the analysis.
    """

    label: str
    others: tuple[str, ...]
    cells: tuple[tuple[int, Correlation], ...]

    @property
    def strength(self) -> float:
        """The largest |r|."""
        return max(abs(c.partial.r or 0.0) for _, c in self.cells)


def rank(c: Correlation) -> tuple[float, float, str]:
    """The order of correlations: the smallest q first, then the largest |r|."""
    return c.q if c.q is not None else 2.0, -abs(c.partial.r or 0.0), c.metric.name


def named(label: str, others: Sequence[str]) -> str:
    """`page-faults (also minor-faults, ...)`: what the page shows in small print; of many the first NAMED."""
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return f"{label}{ALSO}{', '.join(others[:NAMED])}{more})" if others else label


def coefficients(found: Sequence[Correlation]) -> list[tuple[Correlation, tuple[str, ...]]]:
    """Correlations of one framework in their order, the first of each group with the labels of the others.

    They stand together only with one sign. Simulated counts stand for nothing that this machine counted.
    """

    def key(c: Correlation) -> Hashable:
        return None if c.group < 0 or c.partial.r is None else (c.group, c.metric.simulated, c.partial.r > 0)

    return _once(found, key, lambda c: c.metric.label)


def slopes(found: Sequence[PooledSlope]) -> list[tuple[PooledSlope, tuple[str, ...]]]:
    """As `coefficients`, of the slopes over all frameworks."""

    def key(s: PooledSlope) -> Hashable:
        return None if s.group < 0 or s.slope is None else (s.group, s.metric.simulated, s.slope > 0)

    return _once(found, key, lambda s: s.metric.label)


def _once(
    found: Sequence[T], key: Callable[[T], Hashable], label: Callable[[T], str]
) -> list[tuple[T, tuple[str, ...]]]:
    firsts: dict[Hashable, tuple[T, list[str]]] = {}
    for place, one in enumerate(found):
        group = key(one)
        if group is None:
            firsts["alone", place] = one, []
        elif group in firsts:
            firsts[group][1].append(label(one))
        else:
            firsts[group] = one, []
    return [(one, tuple(others)) for one, others in firsts.values()]


def map_rows(found: Sequence[Correlation]) -> list[MapRow]:
    """The rows of a map, the strongest first; metrics without a coefficient in any framework have none.

    Metrics share a row where they have the same sign in every framework.
    """
    by_metric: dict[str, list[tuple[int, Correlation]]] = {}
    for index, c in enumerate(found):
        by_metric.setdefault(c.metric.name, []).append((index, c))
    rows: dict[Hashable, list[list[tuple[int, Correlation]]]] = {}
    for name, cells in by_metric.items():
        if all(c.partial.r is None for _, c in cells):
            continue
        signs = tuple((c.framework, (c.partial.r or 0.0) > 0) for _, c in cells)
        group = cells[0][1].group
        own = (group, cells[0][1].metric.simulated, signs) if group >= 0 else name
        rows.setdefault(own, []).append(cells)
    return sorted((_row(metrics) for metrics in rows.values()), key=lambda row: (-row.strength, row.label))


def _row(metrics: Sequence[Sequence[tuple[int, Correlation]]]) -> MapRow:
    """One row of all cells of its metrics."""
    best: dict[str, tuple[int, Correlation]] = {}
    for index, c in (cell for cells in metrics for cell in cells):
        if c.framework not in best or rank(c) < rank(best[c.framework][1]):
            best[c.framework] = index, c
    first, *others = sorted(metrics, key=lambda cells: min(rank(c) for _, c in cells))
    return MapRow(first[0][1].metric.label, tuple(cells[0][1].metric.label for cells in others), tuple(best.values()))
