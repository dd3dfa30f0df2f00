"""One metric under several names has one row: that of the smallest q, with the other names beside it."""

from __future__ import annotations

import dataclasses

from hwprof.analysis.correlation.findings import Correlation
from hwprof.analysis.correlation.metrics import Metric, MetricKind
from hwprof.analysis.statistics.partial import Partial
from hwprof.reports.page import groups


def one(name: str, r: float | None, q: float | None = None, group: int = 0, framework: str = "a") -> Correlation:
    metric = Metric(name, MetricKind.EXPLANATORY, {})
    found = Partial(8, 1, r, p=0.5 if r is not None else None)
    return Correlation(framework, metric, found, found, found, q=q, group=group)


def names(found: list[tuple[Correlation, tuple[str, ...]]]) -> list[str]:
    return [groups.named(c.metric.label, others) for c, others in found]


def test_names_of_one_group_share_a_row_of_the_first() -> None:
    found = [one("minor-faults", 0.9, 0.01), one("page-faults", 0.9, 0.02), one("branches", 0.2, 0.3, group=1)]
    assert names(groups.coefficients(found)) == ["minor-faults (also page-faults)", "branches"]


def test_another_sign_a_simulation_and_no_coefficient_stand_alone() -> None:
    simulated = one("loads", 0.8)
    simulated = dataclasses.replace(simulated, metric=dataclasses.replace(simulated.metric, origins=("simulated",)))
    found = [one("x", 0.9), one("minus", -0.9), simulated, one("silent", None), one("alone", 0.5, group=-1),
             one("single", 0.5, group=-1)]  # fmt: skip
    assert all(others == () for _, others in groups.coefficients(found))
    assert len(groups.coefficients(found)) == len(found)


def test_many_names_are_counted() -> None:
    found = [one(f"m{i}", 0.9, i / 100) for i in range(12)]
    (text,) = names(groups.coefficients(found))
    assert text == "m0 (also m1, m2, m3, m4, m5, m6 and 5 more)"


def test_a_row_of_the_map_shows_of_each_framework_the_smallest_q() -> None:
    found = [
        one("page-faults", 0.7, 0.2, framework="a"),
        one("minor-faults", 0.8, 0.01, framework="a"),
        one("page-faults", 0.9, 0.001, framework="b"),
        one("minor-faults", 0.6, 0.5, framework="b"),
        one("nothing", None, group=-1, framework="a"),
    ]
    (row,) = groups.map_rows(found)
    assert {(c.framework, c.metric.name, index) for index, c in row.cells} == {
        ("a", "minor-faults", 1),
        ("b", "page-faults", 2),
    }
    assert (row.label, row.others) == ("page-faults", ("minor-faults",))


def test_metrics_of_unlike_signs_in_one_framework_are_two_rows_of_the_map() -> None:
    found = [one("x", 0.7, framework="a"), one("y", 0.8, framework="a"), one("x", 0.7, framework="b"),
             one("y", -0.3, framework="b")]  # fmt: skip
    assert [row.label for row in groups.map_rows(found)] == ["y", "x"]
