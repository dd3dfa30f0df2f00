"""What a kernel refuses is said with its reason, for each level of kernel.perf_event_paranoid and kind of PMU."""

from __future__ import annotations

from typing import Any

import pytest

from tests.truth.conftest import Guest
from tests.truth.readings import readings

pytestmark = [pytest.mark.board, pytest.mark.timeout(3000)]

HARDWARE = "cycles"


def events(guest: Guest, who: str) -> dict[str, Any]:
    said = guest["rights"][who]
    assert "error" not in said, said
    found: dict[str, Any] = said["events"]
    return found


def test_debian_lets_nobody_count(guest: Guest) -> None:
    assert guest["rights"]["default"] == 3
    for said in events(guest, "nobody 3").values():
        reason, remedy = said
        assert "perf_event_paranoid is 3" in reason
        assert "perf_event_paranoid=2" in remedy


def test_at_level_2_nobody_counts_user_code(guest: Guest) -> None:
    found = events(guest, "nobody 2")
    assert found[HARDWARE] == found["cycles:u"] == found["page-faults"] == "user"
    assert "would read 0" in found["context-switches"][0]
    assert found["task-clock"] == "user+kernel", "the clocks pay no heed to exclusion"


def test_at_level_1_nobody_counts_the_kernel_too(guest: Guest) -> None:
    found = events(guest, "nobody 1")
    assert found[HARDWARE] == found["context-switches"] == "user+kernel"
    assert found["cycles:u"] == "user"


def test_cap_perfmon_is_enough_at_level_2_and_not_at_3(guest: Guest) -> None:
    assert events(guest, "perfmon 2") == events(guest, "root 2")
    assert guest["rights"]["perfmon 3"]["rights"] == [3, False]
    for said in events(guest, "perfmon 3").values():
        assert "perf_event_paranoid=2" in said[1], "the capability does not help: the level must go down"
    assert events(guest, "root 3")[HARDWARE] == "user+kernel"


def test_sampling_works_with_overflow_interrupts(guest: Guest) -> None:
    assert guest["sampling"]["errno"] == ""


def test_without_sscofpmf_there_is_no_sampling(riscv64_plain: Guest) -> None:
    said = riscv64_plain["sampling"]
    assert said["errno"] in ("EOPNOTSUPP", "ENOTSUP")  # one number
    assert "does not support" in said["why"]


def test_without_sscofpmf_user_code_is_not_told_from_the_kernels(riscv64_plain: Guest) -> None:
    nobody = events(riscv64_plain, "nobody 2")
    assert "can't count user code alone" in nobody[HARDWARE][0]
    assert "does not separate user from kernel" in nobody["cycles:u"][0]
    assert events(riscv64_plain, "root 3")["cycles:u"] == "user+kernel"


def test_without_sscofpmf_who_may_count_the_kernel_gets_both_and_is_told(riscv64_plain: Guest) -> None:
    reading = readings(riscv64_plain["user"]["instructions"], "instructions:u")[0]
    assert reading["domain"] == "user+kernel"
    assert "can't exclude" in reading["meaning"]
    assert reading["value"] > 20_000 * 102
