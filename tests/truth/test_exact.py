"""Static programs count what arithmetic says, on two kinds of kernel and PMU, whichever way they are observed."""

from __future__ import annotations

import pytest

from tests.truth.conftest import Guest
from tests.truth.readings import more, readings, values

pytestmark = [pytest.mark.board, pytest.mark.timeout(3000)]

MORE = 40_000  # units of work between the two amounts
PAGES = 4000
CHAIN, REST = 102, 10  # instructions of a unit of `chain`, and of any other loop
THREADS = 5


def test_every_loop_counts_its_instructions_to_the_last_one(guest: Guest) -> None:
    counted = guest["programs"]
    added = {name: more(c, "instructions:u") for name, c in counted.items()}
    assert added == {name: MORE * (CHAIN if name == "chain 0" else REST) for name in counted}
    assert len(added) == (21 if guest.arch == "riscv64" else 9)


def test_the_same_work_counts_the_same(guest: Guest) -> None:
    for name, counted in guest["programs"].items():
        first, _, again = values(counted, "instructions:u")
        assert first == again, name


def test_counts_of_a_guest_are_exact_and_of_an_emulator(guest: Guest) -> None:
    found = readings(guest["programs"]["chain 0"], "instructions:u")
    assert {(r["exactness"], r["origin"], r["domain"], r["running"]) for r in found} == {
        ("exact", "emulated", "user", 1.0)
    }


def test_a_group_counts_all_of_it_with_the_kernels_share_on_top(guest: Guest) -> None:
    for event in ("cycles", "instructions"):
        small, large = values(guest["group"], event)
        assert large - small == pytest.approx(MORE * CHAIN, rel=0.02)
        assert large > guest["group"]["amounts"][1] * CHAIN


def test_user_mode_counts_only_that(guest: Guest) -> None:
    for mode in ("instructions", "cycles"):  # an instruction takes a cycle there
        counted = guest["user"][mode]
        assert more(counted, f"{mode}:u") == MORE * CHAIN
        assert values(counted, f"{mode}:u")[0] < values(counted, mode)[0], "the kernel's share is not in it"


def test_threads_from_before_and_after_are_counted(guest: Guest) -> None:
    found = guest["threads"]
    assert more(found["page-faults"], "page-faults") == THREADS * PAGES
    touching = more(found["alone"], "instructions:u")
    expected = THREADS * (PAGES * CHAIN + touching)
    # waiting for each other takes a few instructions more or less
    assert more(found["instructions:u"], "instructions:u") == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("way", ["fork", "exec_"])
def test_children_and_what_a_process_becomes_are_counted(guest: Guest, way: str) -> None:
    found = guest[way]
    expected = PAGES * CHAIN + more(found["alone"], "instructions:u")
    assert more(found["instructions:u"], "instructions:u") == expected
    # a new program's own start faults once more or less, as its stack lies
    assert more(found["page-faults"], "page-faults") == pytest.approx(PAGES, abs=3)


@pytest.mark.parametrize("way", ["profile", "own"])
def test_what_is_open_on_this_process_counts_its_child(guest: Guest, way: str) -> None:
    few, many = (r["value"] for r in guest[way]["instructions:u"])
    assert many - few == pytest.approx(1_000_000 * CHAIN, rel=0.01)
    few, many = (r["value"] for r in guest[way]["page-faults"])
    assert many - few == pytest.approx(PAGES, abs=20)


def test_translations_missed_by_loads_stores_and_calls(riscv64: Guest) -> None:
    events = {"tlb": "dTLB-load-misses", "tlbstore": "dTLB-store-misses", "itlb": "iTLB-load-misses"}
    for mode, moved in events.items():
        for event in events.values():
            expected = 400 if event == moved else 0
            # QEMU's translation buffer grows and is emptied by the host's clock: some more or less on a busy host
            assert more(riscv64["tlb"][mode], event) == pytest.approx(expected, abs=150), (mode, event)


def test_raw_codes_count_what_their_names_do(arm64: Guest) -> None:
    for code in ("r8", "r11"):  # INST_RETIRED, CPU_CYCLES
        assert more(arm64["raw"][f"{code}:u"], f"{code}:u") == MORE * CHAIN
        found = arm64["raw"][code]
        assert values(found, code) == values(found, "instructions"), "counted in one group"


def test_firmware_counts_the_traps_it_saw(riscv64: Guest) -> None:
    assert values(riscv64["firmware"], "r8000000000000004") == riscv64["firmware"]["amounts"]


def test_threads_and_processes_on_two_cpus_are_counted_whole(two_cpus: Guest) -> None:
    # one CPU may fault once more on what the other has just mapped
    assert more(two_cpus["threads"]["page-faults"], "page-faults") == pytest.approx(THREADS * PAGES, abs=100)
    for way in ("fork", "exec_"):
        assert more(two_cpus[way]["page-faults"], "page-faults") == pytest.approx(PAGES, abs=100)
    instructions = readings(two_cpus["threads"]["instructions:u"], "instructions:u")[0]
    assert (instructions["origin"], instructions["exactness"]) == ("emulated", "suspect"), "ticks of the host"
