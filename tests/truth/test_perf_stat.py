"""hwprof and `perf stat` agree about the same process: exactly where it counts exactly."""

from __future__ import annotations

import pytest

from tests.truth.conftest import Guest

pytestmark = [pytest.mark.board, pytest.mark.timeout(3000)]

WORK = {"chain": 50_000 * 102, "branches": 500_000 * 10}


def test_both_at_once_count_the_same(arm64: Guest) -> None:
    for mode, found in arm64["perf_together"].items():
        assert found["perf"] == {event: found["ours"][event] for event in found["perf"]}, mode
        assert len(found["perf"]) == 4
        if mode in WORK:
            assert found["perf"]["instructions:u"] == pytest.approx(WORK[mode], abs=5000)
    assert arm64["perf_together"]["faults"]["perf"]["page-faults"] == 5000


def test_one_after_the_other_counts_the_same_of_the_same_work(riscv64: Guest) -> None:
    for mode, found in riscv64["perf_in_turn"].items():
        assert found["perf"] == found["ours"], mode
        assert found["perf"]["page-faults"] == (5000 if mode == "faults" else 0)
        if mode in WORK:
            assert found["perf"]["instructions:u"] == pytest.approx(WORK[mode], abs=5000)
