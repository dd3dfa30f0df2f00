"""Cases under a roof whose figures are round."""

from __future__ import annotations

import pytest

from hwprof.analysis.roofline import (
    COMPULSORY,
    COUNTED,
    Placement,
    Point,
    Roof,
    Unplaced,
    counted_bytes,
    level_of,
    nearest,
    place,
)

ROOF = Roof(
    "a board",
    (2,),
    {"fp32": 100e9},
    {"fp32": "avx2"},
    {"L1": 200e9, "L2": 50e9, "DRAM": 10e9},
    {"L1": 32 << 10, "L2": 512 << 10},
)


def point(macs: float, moved: float, fps: float = 10, origin: str = COMPULSORY, footprint: float | None = 1e9) -> Point:
    return Point("case", fps, macs, "fp32", moved, origin, footprint)


def placed(one: Point) -> Placement:
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


def test_counted_bytes_are_of_memory_whatever_fits_into_a_cache() -> None:
    assert placed(point(1e6, 1e6, origin=COUNTED, footprint=20 << 10)).level == "DRAM"
    assert counted_bytes({"uncore_imc/cas_count_read/": 1e6, "dram-write-bytes": 5.0, "llc-misses": 9e9}) == 64e6 + 5
    assert counted_bytes({"llc-misses": 1e6}) is None  # a prefetcher's lines are not in it
    assert counted_bytes({"dram-bytes": float("nan")}) is None


def test_above_the_roof_is_said() -> None:
    assert "above the roof" in placed(point(1e9, 1e7, fps=60)).notes[0]
    assert placed(point(1e9, 1e7, fps=40)).notes == ()


def test_what_has_no_ceiling_is_not_placed() -> None:
    found = place(Point("case", 1, 1, "int4", 1, COMPULSORY), ROOF)
    assert isinstance(found, Unplaced)
    assert "no ceiling for int4" in found.why
    bare = Roof("a board", (2,), {"fp32": 1.0}, {"fp32": "x"}, {}, {})
    assert isinstance(place(point(1, 1), bare), Unplaced)
    assert isinstance(place(point(0, 1), ROOF), Unplaced)


def test_ceilings_of_other_cpus_are_used_only_with_a_word() -> None:
    assert nearest([ROOF], (2,)) == (ROOF, "")
    roof, doubt = nearest([ROOF], (3,))
    assert roof is ROOF
    assert "of CPUs 2, the case ran on 3" in doubt
    assert nearest([ROOF], (0, 1)) == (None, "no ceilings for CPUs 0,1: hwprof calibrate --cpus 0,1")
