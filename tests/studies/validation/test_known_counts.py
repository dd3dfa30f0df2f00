from __future__ import annotations

import re

import pytest

from hwprof.collectors.perf.names import HARDWARE
from hwprof.collectors.perf.tables import CANONICAL
from hwprof.studies.validation.build import sources
from hwprof.studies.validation.known_counts import MOST_CHASE, MachineFacts, ProgramRun, has_answer, trials

KIB = 1 << 10
CACHES = tuple(
    {"level": level, "type": kind, "kib": kib}
    for level, kind, kib in ((1, "Data", 32), (1, "Instruction", 64), (2, "Unified", 512), (3, "Unified", 8192))
)
BOARD = MachineFacts(CACHES)


def chases(name: str, machine: MachineFacts = BOARD) -> list[tuple[int, float | None]]:
    return [(t.argument // KIB, t.known.slope) for t in trials(name, machine) if t.program == "chase"]


def test_a_cache_is_missed_by_four_times_its_size_and_not_by_half_the_first() -> None:
    assert chases("L1-dcache-load-misses") == [(128, 1.0), (16, 0.0)]
    assert chases("l2-misses") == [(2048, 1.0), (16, 0.0)]
    assert chases("llc-misses") == [(32768, 1.0), (16, 0.0)]


def test_without_sizes_no_walk_is_believed() -> None:
    assert chases("l2-misses", MachineFacts()) == []
    assert chases("llc-misses", MachineFacts(({"level": 3, "type": "Unified", "kib": MOST_CHASE >> 10},))) == []


@pytest.mark.parametrize(
    ("architecture", "widths"), [("x86_64", [128, 256, 512]), ("riscv64", [1, 2, 4, 8]), ("aarch64", [128])]
)
def test_vectors_come_in_the_widths_of_the_architecture(architecture: str, widths: list[int]) -> None:
    machine = MachineFacts(architecture=architecture)
    assert [t.argument for t in trials("vector-loads", machine) if t.program == "vectorload"] == widths
    assert all(t.lanes for t in trials("fp-operations", machine) if t.program == "vectorfp")


def test_every_trial_names_a_mode_of_the_program_and_two_amounts() -> None:
    (program,) = (p for p in sources() if p.name == "truth.c")
    modes = set(re.findall(r'\{"(\w+)", ', program.read_text()))
    found: list[ProgramRun] = []
    for architecture in ("x86_64", "riscv64", "aarch64"):
        machine = MachineFacts(CACHES, architecture=architecture)
        found += [t for name in (*HARDWARE, *CANONICAL, "page-faults", "r1b") for t in trials(name, machine)]
    assert {t.program for t in found} <= modes
    assert all(0 < t.amounts[0] < t.amounts[1] for t in found)


def test_every_canonical_name_has_an_answer_or_a_bound() -> None:
    assert [name for name in CANONICAL if not has_answer(name)] == []


def test_a_code_has_no_answer_but_programs_that_may_move_it() -> None:
    assert not has_answer("r1b")
    assert {t.known.slope for t in trials("r1b", BOARD)} == {None}
