"""`hwprof events --validate` in guests, with the program compiled at home, finds what is known of their PMUs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.truth.conftest import Guest

pytestmark = [pytest.mark.board, pytest.mark.timeout(3000)]


def verdicts(guest: Guest) -> dict[str, Any]:
    return {e["metric"]: e for e in guest["validate"]["events"]}


@pytest.mark.parametrize("arch", ["riscv64", "arm64"])
def test_what_counts_is_right(arch: str, request: pytest.FixtureRequest) -> None:
    found = verdicts(request.getfixturevalue(arch))
    names = {"cycles", "instructions", "cycles:u", "instructions:u", "page-faults", "context-switches", "task-clock"}
    if arch == "riscv64":
        names |= {"dTLB-load-misses", "dTLB-store-misses", "iTLB-load-misses"}
    assert {name for name, e in found.items() if e["verdict"] == "right"} == names
    assert found["instructions"]["origin"] == "emulated"


def test_stalls_that_arm64_opens_and_never_counts_are_dead(arm64: Guest) -> None:
    found = verdicts(arm64)
    for name in ("stalled-cycles-frontend", "stalled-cycles-backend", "r3b"):
        assert found[name]["verdict"] == "dead"
        assert "read 0" in found[name]["why"]
    assert found["r8"]["verdict"] == "unproven", "a code is no name: nobody says what it is to count"
    assert found["branches"]["verdict"] == "missing"


def test_raw_events_of_riscv64_never_run(riscv64: Guest) -> None:
    found = verdicts(riscv64)
    assert (found["r3b"]["verdict"], found["r3b"]["why"]) == ("dead", "opened, but the kernel never ran it")


def test_a_second_event_for_cycles_reads_zero_on_riscv64_only(riscv64: Guest, arm64: Guest) -> None:
    assert "alone only" in verdicts(riscv64)["cycles:u"]["why"]
    assert verdicts(arm64)["cycles:u"]["why"] == ""
