"""Every test of a report is of one family, and what is picked from it has intervals that allow for that."""

from __future__ import annotations

import dataclasses

import pytest

from hwprof.analysis.correlation import metrics
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import Analysis, Correlation, LeftOut, PooledSlope
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.statistics.partial import Partial

STRATUM = Stratum("m", "1", "", "fp32", "224 px")
HOLDS = LeftOut(-0.95, -0.9, "net0", 0.001)


def correlation(p: float | None, n: int = 10) -> Correlation:
    found = Partial(n, 2, -0.93, -0.99, -0.6, p, -0.5)
    return Correlation("f", metrics.metric_of("x", {}), found, found, found, leave_out=HOLDS)


def pooled_slope(p: float | None, n: int = 10) -> PooledSlope:
    of = metrics.metric_of("x", {})
    return PooledSlope(of, n, 4, ("instructions",), -0.5, -0.8, -0.2, p, se=0.13, p_family=0.01, leave_out=HOLDS)


def analysis(*correlations: Correlation, pooled: tuple[PooledSlope, ...] = ()) -> Analysis:
    return Analysis(STRATUM, ("f",), correlations, pooled)


def test_strata_share_one_family() -> None:
    found = joint([analysis(correlation(0.01)), *(analysis(correlation(0.5)) for _ in range(5))])
    assert [c.q for a in found for c in a.correlations] == pytest.approx([0.06, *([0.5] * 5)])
    assert {c.family for a in found for c in a.correlations} == {6}
    (alone,) = joint([analysis(correlation(0.01))])
    assert alone.correlations[0].q == pytest.approx(0.01)


def test_slopes_over_all_frameworks_have_half_of_the_weight() -> None:
    (found,) = joint([analysis(*(correlation(0.5) for _ in range(9)), pooled=(pooled_slope(0.01),))])
    assert found.pooled[0].q == pytest.approx(0.01 * 10 / 5)  # ten tests, and a weight of five


def test_what_is_not_tested_is_in_no_family() -> None:
    few, untested = correlation(0.001, n=6), correlation(None)
    (found,) = joint([analysis(few, untested, pooled=(pooled_slope(None), pooled_slope(0.001, n=6)))])
    assert {(c.q, c.family) for c in found.correlations} == {(None, 0)}
    assert {(s.q, s.family) for s in found.pooled} == {(None, 0)}


def test_the_interval_of_what_is_picked_is_wider() -> None:
    """One of twenty: 1 - .05 / 20 (Benjamini and Yekutieli 2005)."""
    (found,) = joint([analysis(correlation(1e-6), *(correlation(0.5) for _ in range(19)))])
    first, *others = found.correlations
    assert first.level == pytest.approx(1 - 0.05 / 20)
    assert {c.level for c in others} == {None}
    wide = first.partial.interval(first.level or 0.95)
    assert wide is not None
    assert wide[0] < -0.99 < -0.6 < wide[1]


@pytest.mark.parametrize(
    ("change", "found"),
    [({}, True), ({"q": 0.06}, False), ({"leave_out": None}, False),
     ({"leave_out": LeftOut(-0.95, 0.1, "net0", 1.0)}, False)],
)  # fmt: skip
def test_a_sentence_needs_q_interval_and_every_network_left_out(change: dict[str, object], found: bool) -> None:
    one = dataclasses.replace(correlation(0.001), q=0.01)
    assert dataclasses.replace(one, **change).is_found is found  # type: ignore[arg-type]
    slope = dataclasses.replace(pooled_slope(0.001), q=0.01)
    assert dataclasses.replace(slope, **change).is_found is found  # type: ignore[arg-type]


def test_a_sentence_needs_an_interval_without_zero() -> None:
    wide = dataclasses.replace(correlation(0.001), q=0.01, partial=Partial(10, 2, -0.6, -0.9, 0.1, 0.04, -0.5))
    assert not wide.is_found
    assert not dataclasses.replace(pooled_slope(0.001), q=0.01, high=0.1).is_found


def test_a_pooled_sentence_needs_permuted_networks_to_agree() -> None:
    assert dataclasses.replace(pooled_slope(0.001), q=0.01).is_found
    assert not dataclasses.replace(pooled_slope(0.001), q=0.01, p_family=0.2).is_found


def test_a_second_call_changes_nothing() -> None:
    once = joint([analysis(correlation(0.01), correlation(0.5))])
    assert joint(once) == once
