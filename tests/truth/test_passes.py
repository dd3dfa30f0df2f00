"""More events than counters: in passes each is counted all the time, by turns each comes out within a hundredth."""

from __future__ import annotations

import pytest

from tests.truth.conftest import Guest
from tests.truth.parts import MANY
from tests.truth.readings import values

pytestmark = [pytest.mark.board, pytest.mark.timeout(3000)]

COUNTERS = 7  # of QEMU's armv8_pmuv3
CHAIN = 102


def of_user(event: str) -> bool:
    return event.endswith(":u")


def of_kernel(event: str) -> bool:
    return event.endswith(":k")


def test_six_more_events_than_counters_are_all_exact(arm64: Guest) -> None:
    found = arm64["passes"]
    assert len(MANY) >= COUNTERS + 6
    assert found["unavailable"] == {}
    passes = found["counts"][0]
    assert len(passes) > 1
    counted = {event: r for p in passes for event, r in p.items()}
    assert set(counted) >= set(MANY)
    assert {(r["exactness"], r["running"]) for r in counted.values()} == {("exact", 1.0)}


def test_anchors_of_all_passes_agree(arm64: Guest) -> None:
    passes = arm64["passes"]["counts"][0]
    for anchor in ("cycles", "instructions"):
        counts = [p[anchor]["value"] for p in passes]
        assert max(counts) / min(counts) < 1.005


def test_passes_count_the_arithmetic(arm64: Guest) -> None:
    amount = arm64["passes"]["amounts"][0]
    for event in MANY:
        count = values(arm64["passes"], event)[0]
        if not of_kernel(event):
            assert count == pytest.approx(amount * CHAIN, rel=1e-4 if of_user(event) else 5e-3), event


def test_counted_by_turns_is_scaled_and_within_a_hundredth(arm64: Guest) -> None:
    found = arm64["multiplexed"]
    amount = found["amounts"][0]
    (counted,) = found["counts"][0]
    for event in MANY:
        reading = counted[event]
        assert reading["exactness"] == "scaled"
        assert reading["running"] < 0.9
        if not of_kernel(event):
            assert reading["value"] == pytest.approx(amount * CHAIN, rel=0.01), event


def test_an_event_that_never_runs_is_missing_and_spoils_nothing(riscv64: Guest) -> None:
    for asked in ("alone", "group"):
        found = riscv64["never"][asked]
        assert "never ran it" in found["unavailable"]["r3b"]
        small, large = values(found, "instructions")
        assert large - small == pytest.approx(40_000 * CHAIN, rel=0.02)


def test_a_second_event_for_the_only_counter_gets_a_pass_of_its_own(riscv64: Guest) -> None:
    found = riscv64["second"]
    assert found["unavailable"] == {}
    assert all("cycles:u" not in p or "cycles" not in p for passes in found["counts"] for p in passes)
    small, large = values(found, "cycles:u")
    assert large - small == 40_000 * CHAIN


def test_what_an_emulator_does_not_model_is_suspect(arm64: Guest) -> None:
    reading = arm64["raw"]["r3"]["counts"][0][0]["r3"]
    assert (reading["value"], reading["exactness"]) == (0, "suspect")
