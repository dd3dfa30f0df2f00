"""Cases under a roof whose figures are round."""

from __future__ import annotations

import dataclasses
import math

import pytest

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.roofline import (
    ABOVE_THE_ROOF,
    ABOVE_UNSHOWN,
    LOWERED,
    NEAR_RIDGE,
    Placement,
    Roof,
    RooflinePoint,
    UnplacedCase,
    latencies,
    level_of,
    mean_rate,
    nearest_roof,
    place,
    rate_bounds,
    rate_estimator,
    roofs,
)
from hwprof.records import Ceiling
from hwprof.speed import Speed

ROOF = Roof(
    "a board",
    (2,),
    {"fp32": 100e9},
    {"fp32": "avx2"},
    {"L1": 200e9, "L2": 50e9, "DRAM": 10e9},
    {"L1": 32 << 10, "L2": 512 << 10},
    bounds={"fp32": (95e9, 105e9), "L1": (190e9, 210e9), "L2": (48e9, 52e9), "DRAM": (9.5e9, 10.5e9)},
)


def point(macs: float, moved: float, fps: float = 10, footprint: float | None = 1e9) -> RooflinePoint:
    return RooflinePoint("case", fps, macs, "fp32", moved, footprint=footprint)


def placed(one: RooflinePoint) -> Placement:
    found = place(one, ROOF)
    assert isinstance(found, Placement)
    return found


def test_many_operations_per_byte_are_bound_by_arithmetic() -> None:
    found = placed(point(1e9, 1e7))
    assert (found.performance, found.intensity) == (2e10, 200)
    assert (found.side, found.attainable, found.level) == ("compute", 100e9, "DRAM")
    assert found.share == pytest.approx(0.2)


def test_few_operations_per_byte_are_bound_by_memory() -> None:
    found = placed(point(1e8, 4e8))
    assert found.side == "memory"
    assert found.attainable == pytest.approx(5e9)
    assert found.share == pytest.approx(0.4)


def test_the_level_is_the_smallest_cache_that_holds_the_footprint() -> None:
    assert placed(point(1e6, 1e6, footprint=20 << 10)).level == "L1"
    assert placed(point(1e6, 1e6, footprint=100 << 10)).level == "L2"
    assert placed(point(1e6, 1e6, footprint=None)).level == "DRAM"
    assert level_of(1, {"L3": 1 << 30}, {"DRAM": 1.0}) == "DRAM"  # no bandwidth of that cache was measured


def test_above_the_roof_is_said_where_the_intervals_show_it() -> None:
    high = point(1e9, 1e7, fps=60)
    assert placed(high).notes == (ABOVE_UNSHOWN,)  # one round
    assert placed(dataclasses.replace(high, bounds=(50, 72))).notes == (ABOVE_UNSHOWN,)
    shown = placed(dataclasses.replace(high, bounds=(58, 62)))
    assert shown.notes == (ABOVE_THE_ROOF,)
    assert shown.bounds == pytest.approx((116 / 105, 124 / 95))
    assert placed(point(1e9, 1e7, fps=40)).notes == ()


def test_near_the_ridge_no_side_is_taken() -> None:
    # the ridge is at 10 FLOP per byte, between 95 / 10.5 = 9.05 and 105 / 9.5 = 11.05
    sides = {intensity: placed(point(1e9, 2e9 / intensity)).side for intensity in (9, 9.1, 11, 11.1)}
    assert sides == {9: "memory", 9.1: "undecided", 11: "undecided", 11.1: "compute"}
    assert placed(point(1e9, 2e8)).notes == (NEAR_RIDGE,)
    unbounded = place(point(1e9, 1e7), dataclasses.replace(ROOF, bounds={}))
    assert isinstance(unbounded, Placement)
    assert (unbounded.side, unbounded.bounds) == ("undecided", None)


def test_what_has_no_ceiling_is_not_placed() -> None:
    found = place(RooflinePoint("case", 1, 1, "int4", 1), ROOF)
    assert isinstance(found, UnplacedCase)
    assert "no ceiling for int4" in found.why
    bare = Roof("a board", (2,), {"fp32": 1.0}, {"fp32": "x"}, {}, {})
    assert isinstance(place(point(1, 1), bare), UnplacedCase)
    assert isinstance(place(point(0, 1), ROOF), UnplacedCase)


def one(cpus: tuple[int, ...], latency: float = 1e-7) -> Roof:
    """On a board of two little cores, 0 and 1, and two big ones, 2 and 3."""
    kinds = {0: 1, 1: 1, 2: 0, 3: 0}
    return Roof("big.LITTLE", cpus, {"fp32": 1e9}, {}, {}, {}, latency={"DRAM": latency}, kinds=kinds)


def test_ceilings_of_other_cpus_are_used_only_with_a_word() -> None:
    assert nearest_roof([ROOF], (2,), 1) == (ROOF, "")
    roof, doubt = nearest_roof([ROOF], (3,), 1)
    assert roof is ROOF
    assert "of CPUs 2, the case ran on 3" in doubt
    assert nearest_roof([ROOF], (0, 1), 2) == (None, "no ceilings for CPUs 0,1: hwprof roofline --measure --cpus 0,1")


def test_ceilings_of_another_kind_of_core_are_not_used() -> None:
    big, little, both = one((2,)), one((0,)), one((1, 2))
    assert nearest_roof([big, little], (0,), 1) == (little, "")
    assert nearest_roof([big, little], (1,), 1)[0] is little
    assert nearest_roof([big], (0,), 1)[0] is None
    assert nearest_roof([big, little, both], (0, 3), 2)[0] is both
    assert nearest_roof([both], (2, 3), 2)[0] is None


def test_a_case_has_the_ceilings_of_as_many_cores_as_it_has_threads() -> None:
    single, four = one((2,)), Roof("a board", (0, 1, 2, 3), {}, {}, {}, {})
    assert nearest_roof([single, four], (), 4)[0] is four  # not pinned
    assert nearest_roof([four, single], (0, 1, 2, 3), 1)[0] is single
    roof, doubt = nearest_roof([four], (0, 1, 2, 3), 1)
    assert roof is four
    assert "of CPUs 0,1,2,3 together, the case had 1 of them at a time" in doubt
    assert nearest_roof([four], (0, 1, 2, 3), 8) == (four, "")


def test_ceilings_whose_cpus_were_not_recorded_are_the_last_choice() -> None:
    silent = one(())
    assert nearest_roof([silent, one((2,))], (), 1)[0] is not silent
    roof, doubt = nearest_roof([silent, one((2, 3))], (2,), 1)
    assert roof is silent
    assert "not recorded" in doubt


def test_a_latency_is_that_of_the_cores_that_the_case_ran_on() -> None:
    fast, slow = one((2, 3), 1e-7), one((0,), 3e-7)
    for several in ([fast, slow], [slow, fast]):
        assert latencies(several, (0,), 1e9) == {"llc-misses": pytest.approx(300)}
        assert latencies(several, (1,), 1e9) == {"llc-misses": pytest.approx(300)}
        assert latencies(several, (3,), 1e9) == {"llc-misses": pytest.approx(100)}
    assert latencies([fast], (0,), 1e9) == {}
    assert latencies([fast], (2,), None) == {}
    assert latencies([one(())], (0,), 1e9) == {"llc-misses": pytest.approx(100)}


def test_a_roof_is_the_ceilings_of_one_set_of_cpus_in_known_units() -> None:
    found = [
        Ceiling("fp32", "sse2", (2,), 4e10, "op/s", {"share": 0.5}, machine_id="m", machine="a board"),
        Ceiling("fp32", "avx2", (2,), 8e10, "op/s", machine_id="m", machine="a board"),
        Ceiling("fp32", "avx2", (0,), 2e10, "op/s", machine_id="m", machine="a board"),
        Ceiling("bandwidth", "DRAM", (2,), 9.0, "GB/s", machine_id="m", machine="a board"),
        Ceiling("bandwidth", "L2", (2,), 0.0, "B/s", machine_id="m", machine="a board"),
        Ceiling("latency", "DRAM", (2,), 1e-7, "s", machine_id="m", machine="a board"),
    ]
    facts = {"m": {"kinds": [{"model": "big", "cpus": [2]}, {"model": "little", "cpus": [0]}]}}
    big, little = roofs(found, facts)["m"]
    assert big == Roof("a board", (2,), {"fp32": 8e10}, {"fp32": "avx2"}, {}, {}, 0.5, {"DRAM": 1e-7}, {2: 0, 0: 1})
    assert (little.cpus, little.compute, little.share) == ((0,), {"fp32": 2e10}, 1.0)


def test_ceilings_have_the_interval_of_six_repetitions_and_disturbed_bandwidths_no_upper_end() -> None:
    def measured(what: str, of: str, value: float, **evidence: float) -> Ceiling:
        unit, spread = ("B/s" if what == "bandwidth" else "op/s"), {"low": 0.9 * value, "high": 1.1 * value}
        return Ceiling(what, of, (2,), value, unit, {**spread, **evidence}, machine_id="m", machine="a board")

    found = [
        measured("fp32", "avx2", 100.0, repetitions=7, share=0.5),
        measured("fp32", "sse2", 50.0, repetitions=7, share=1.0),
        measured("int8", "avx2", 100.0, repetitions=5, share=1.0),
        measured("bandwidth", "L2", 100.0, repetitions=6, share=0.96),
        measured("bandwidth", "DRAM", 10.0, repetitions=7, share=0.5),
    ]
    (roof,) = roofs(found, {})["m"]
    assert set(roof.bounds) == {"fp32", "L2", "DRAM"}
    assert roof.bounds["fp32"] == roof.bounds["L2"] == pytest.approx((90.0, 110.0))
    assert roof.bounds["DRAM"] == pytest.approx((9.0, math.inf))
    # memory may be faster than it seemed, so that nothing is called bound by it
    low = place(dataclasses.replace(point(1e9, 2e9), footprint=1e12), roof)
    assert isinstance(low, Placement)
    assert low.side == "undecided"


def test_a_rate_has_the_interval_of_its_rounds() -> None:
    speeds = [Speed(fps=v) for v in (9.0, 10.0, 11.0)]
    low, high = rate_bounds(speeds, Estimator.FPS) or (0.0, 0.0)
    assert 0 < low < 9.97 < high
    assert rate_bounds(speeds[:1], Estimator.FPS) is None
    assert rate_bounds(speeds, Estimator.CPU_TIME) is None


ON_THE_CPU, PREEMPTED = Speed(fps=100.0, throughput=98.0, cpu_s=0.0099, waiting=0.01), {"waiting": 0.5, "stolen": 0.0}


def test_one_thread_is_placed_by_cpu_time_as_the_ceilings_are() -> None:
    # a long inference has its preemptions within: FPS and throughput agree, and both are half of what they should be
    shared = Speed(fps=50.0, throughput=49.0, cpu_s=0.01, **PREEMPTED)
    assert rate_estimator(1, [shared]) is Estimator.CPU_TIME
    assert mean_rate([shared], Estimator.CPU_TIME) == pytest.approx(100)
    assert rate_estimator(1, [ON_THE_CPU]) is Estimator.CPU_TIME
    fps, cpu = (mean_rate([ON_THE_CPU], e) for e in (Estimator.FPS, Estimator.CPU_TIME))
    assert cpu == pytest.approx(fps, rel=0.02)


def test_what_sleeps_or_has_several_threads_is_placed_by_fps_and_by_throughput_where_that_is_off() -> None:
    asleep = Speed(fps=100.0, throughput=98.0, cpu_s=0.001, waiting=0.01)
    assert rate_estimator(1, [asleep]) is Estimator.FPS
    assert rate_estimator(1, [asleep._replace(fps=150.0)]) is Estimator.THROUGHPUT
    helped = Speed(fps=100.0, throughput=98.0, cpu_s=0.02, waiting=0.01)
    assert rate_estimator(1, [helped]) is Estimator.FPS
    assert rate_estimator(2, [ON_THE_CPU]) is Estimator.FPS
    assert rate_estimator(2, [ON_THE_CPU, ON_THE_CPU._replace(fps=150.0)]) is Estimator.THROUGHPUT
    assert rate_estimator(1, []) is Estimator.FPS


def test_without_cpu_time_fps_is_taken() -> None:
    assert rate_estimator(1, [Speed(fps=100.0, throughput=98.0)]) is Estimator.FPS


def test_a_case_of_several_threads_that_others_lowered_is_marked() -> None:
    one = point(1e9, 1e7)
    assert placed(one).notes == ()
    assert placed(dataclasses.replace(one, share_lost=0.5)).notes == (LOWERED,)
    assert placed(dataclasses.replace(one, by=Estimator.THROUGHPUT)).notes == (LOWERED,)
    assert placed(dataclasses.replace(one, share_lost=0.5, by=Estimator.CPU_TIME)).notes == ()
