"""Every test of a report is of one family, and what is picked from it has intervals that allow for that."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from hwprof.analysis.correlation import metrics
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import Analysis, Correlation, LeftOut, PooledSlope
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.statistics.partial import Partial

STRATUM = Stratum("m", "1", "", "fp32", "224 px")
HOLDS = LeftOut(-0.95, -0.9, "net0", 0.001, 0.001)


def correlation(p: float | None, n: int = 10, rest: float = 0.001) -> Correlation:
    """`rest`: p without the network that matters most."""
    found = Partial(n, 2, -0.93, -0.99, -0.6, p, -0.5)
    left = dataclasses.replace(HOLDS, p=rest)
    return Correlation("f", metrics.metric_of("x", {}), found, found, found, leave_out=left)


def pooled_slope(family: float | None, n: int = 10, **more: Any) -> PooledSlope:
    """`family`: p of its stratum, family-wise."""
    of = metrics.metric_of("x", {})
    one = PooledSlope(of, n, 4, ("instructions",), -0.5, -0.8, -0.2, 0.003, se=0.13, r=-0.7, leave_out=HOLDS)
    return dataclasses.replace(one, p_family=family, **more)


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
    assert found.pooled[0].q == pytest.approx(0.02)
    assert {c.q for c in found.correlations} == {1.0}
    (alone,) = joint([analysis(pooled=(pooled_slope(0.01),))])
    assert alone.pooled[0].q == pytest.approx(0.01)


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
     ({"leave_out": LeftOut(-0.95, 0.1, "net0", 1.0, 1.0)}, False)],
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


def test_strata_share_the_level_of_the_slopes_and_those_with_a_finding_what_the_others_leave() -> None:
    """Benjamini and Bogomolov 2014: two of four strata chosen, so that each has half of the level."""
    strata = [analysis(pooled=(pooled_slope(p), pooled_slope(max(p, 0.02)))) for p in (0.001, 0.002, 0.3, 0.5)]
    found = joint(strata)
    assert [[s.q for s in a.pooled] for a in found[:2]] == [
        [pytest.approx(0.002), pytest.approx(0.04)],
        [pytest.approx(0.004), pytest.approx(0.04)],
    ]
    assert all(s.q is not None and s.q >= 0.04 for a in found[2:] for s in a.pooled)
    (_, second) = joint([strata[0], analysis(pooled=(pooled_slope(0.02), pooled_slope(0.3)))])
    assert second.pooled[0].q == pytest.approx(0.02)


def test_a_slope_is_found_exactly_where_its_simultaneous_interval_excludes_zero() -> None:
    chance = np.linspace(0.2, 0.75, 1999)
    for r in (-0.6, -0.72, -0.735, -0.74, -0.8):
        p = float((1 + (chance >= abs(r)).sum()) / 2000)
        data = dataclasses.replace(analysis(pooled=(pooled_slope(p, r=r),)), chance=chance)
        (found,) = joint([data])
        (one,) = found.pooled
        assert found.critical is not None
        bounds = one.simultaneous(found.critical)
        assert bounds is not None
        assert (bounds[1] < 0) == (one.q is not None and one.q <= 0.05)
        assert one.bounds == (bounds if one.q is not None and one.q < 0.05 else None)


def test_slopes_over_blocks_are_judged_by_their_error_between_parents() -> None:
    own = [pooled_slope(0.02, p=p, clusters=8, r=None) for p in (0.001, 0.4, 0.5, 0.6)]
    (found,) = joint([analysis(pooled=tuple(own))])
    assert found.pooled[0].q == pytest.approx(0.004)
    assert found.pooled[0].bounds == own[0].interval(1 - 0.05 / 4)
    assert found.critical is None


def test_what_hangs_on_one_odd_network_has_as_many_chances_as_there_are_findings() -> None:
    """One of four that is left without the network at p = .03 is what chance gives; the only test at .03 is a finding.

    However few of the four are found with the network: those are where the others happen to agree.
    """
    odd = [correlation(1e-6, rest=p) for p in (0.03, 0.4, 0.7, 1.0)]
    (found,) = joint([analysis(*odd)])
    assert not found.found
    assert found.correlations[0].leave_out is not None
    assert found.correlations[0].leave_out.q == pytest.approx(0.12)
    (some,) = joint([analysis(odd[0], *(correlation(0.5, rest=0.6) for _ in range(3)))])
    assert [c.q is not None and c.q < 0.05 for c in some.correlations] == [True, False, False, False]
    assert not some.found
    (alone,) = joint([analysis(odd[0])])
    assert alone.found


def test_what_is_left_of_slopes_is_judged_among_those_found() -> None:
    left = [dataclasses.replace(HOLDS, p=p) for p in (0.02, 0.03, 0.9)]
    own = [pooled_slope(p, leave_out=rest) for p, rest in zip((0.001, 0.002, 0.3), left, strict=True)]
    (found,) = joint([analysis(pooled=tuple(own))])
    assert [s.leave_out.q for s in found.pooled if s.leave_out is not None] == [
        pytest.approx(0.03),
        pytest.approx(0.03),
        None,
    ]
    assert [s.is_found for s in found.pooled] == [True, True, False]
