"""PMUs that can't be kinds of core: a CPU has one PMU of its core, and the counts of two are never added."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.protocol import Available, Target, Unavailable
from tests.collectors.perf.scheduled import CYCLES, INSTRUCTIONS, MISSES, FakePmu, ScheduledKernel

RATES = {CYCLES: 2_000_000, INSTRUCTIONS: 3_000_000, MISSES: 1_000}
CPU = FakePmu("cpu", 4, 8, RATES)
BIG, LITTLE = FakePmu("pmu_big", 12, 8, RATES, (0, 1)), FakePmu("pmu_little", 13, 8, RATES, (2, 3))
SAME = FakePmu("pmu_other", 14, 8, RATES, (1, 2, 3))


@pytest.mark.parametrize(
    ("pmus", "claim"),
    [
        ((BIG, LITTLE, CPU), "cpu and pmu_big both claim CPUs 0 to 1"),
        ((BIG, SAME), "pmu_big and pmu_other both claim CPU 1"),
    ],
)
def test_pmus_that_claim_one_cpu_count_nothing_and_say_why(
    tmp_path: Path, pmus: tuple[FakePmu, ...], claim: str
) -> None:
    kernel = ScheduledKernel(pmus=pmus)
    with kernel.collector(tmp_path).open(Target(), ["cycles", "page-faults", "pmu_big/cache-misses/"]) as session:
        for name in ("cycles", "cycles@pmu_big", "pmu_big/cache-misses/"):
            assert claim in session.unavailable[name].reason
            assert "unload the module" in session.unavailable[name].remedy
        assert [p.metrics for p in session.passes] == [("task-clock", "page-faults")]
    assert not [attr for attr in kernel.attrs if attr.type != 1], "nothing was counted that could be added"
    found = kernel.collector(tmp_path).probe(["cache-misses"])
    assert isinstance(found["cache-misses"], Unavailable)


def test_kinds_with_cpus_of_their_own_are_counted(tmp_path: Path) -> None:
    found = ScheduledKernel(pmus=(BIG, LITTLE)).collector(tmp_path).probe(["cycles"])
    assert isinstance(found["cycles"], Available)


def test_a_kind_whose_cores_are_all_off_leaves_one_that_is_alone(tmp_path: Path) -> None:
    """As on a hybrid whose small cores are switched off: there is nothing to be added."""
    off = FakePmu("pmu_little", 13, 8, RATES, ())
    collector = ScheduledKernel(pmus=(BIG, off)).collector(tmp_path)
    assert [kind.name for kind in collector.catalog.kinds] == ["pmu_big"]
    assert list(collector.probe(["cycles"])) == ["cycles"]
