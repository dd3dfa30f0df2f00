"""The bench finds out what a PMU does, here one made of a dictionary whose events obey or disobey the programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import Type
from hwprof.studies.validation.bench import Bench, Result, Unsupported
from hwprof.studies.validation.known_counts import MachineFacts
from hwprof.studies.validation.verdicts import EventVerdict
from tests import recorded_machines
from tests.collectors.perf.fake import HARDWARE, SOFTWARE, FakeKernel, Key

CYCLES, INSTRUCTIONS, BRANCHES = (0, 0), (0, 1), (0, 4)
STALLS = (int(Type.HARDWARE), 8)
Count = Callable[[str, int], int]  # mode, amount

WORK: Mapping[str, int] = {"chain": 102, "loads": 10, "branches": 10}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sys/bus/event_source/devices/cpu").mkdir(parents=True)
    (tmp_path / "sys/bus/event_source/devices/cpu/type").write_text("4\n")
    return tmp_path


class Working:
    """A program that moves the fake kernel's events as `counts` says, 1000 more each time for starting and stopping."""

    pid = 100

    def __init__(self, kernel: FakeKernel, counts: Mapping[Key, Count], mode: str) -> None:
        if mode in ("tlb", "chase"):
            raise Unsupported("too small a machine")
        self._kernel, self._counts, self._mode = kernel, counts, mode
        self.cpus: tuple[int, ...] = ()

    def pin(self, cpus: Sequence[int]) -> None:
        self.cpus = tuple(cpus)

    def go(self, amount: int) -> Mapping[str, Any]:
        for key, count in self._counts.items():
            self._kernel.events[key] = count(self._mode, amount)
        self._kernel.spin()
        return {}

    def __enter__(self) -> Working:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def validated(root: Path, counts: Mapping[Key, Count], *names: str, kernel: FakeKernel | None = None) -> list[Result]:
    kernel = kernel or FakeKernel(events=dict(SOFTWARE | HARDWARE) | {STALLS: 0})
    collector = PerfCollector(root, kernel)
    bench = Bench(collector, MachineFacts(), lambda mode, argument: Working(kernel, counts, mode), 3)
    return list(bench.validate([collector.parser.event(name) for name in names]))


def honest(mode: str, amount: int) -> int:
    return 1000 + WORK[mode] * amount


def test_an_honest_event_is_right_alone_and_beside_the_anchors(root: Path) -> None:
    (result,) = validated(root, {INSTRUCTIONS: honest, CYCLES: honest}, "instructions")
    assert result.assessment.verdict is EventVerdict.RIGHT
    programs = [f.program for f in result.assessment.findings]
    assert programs == ["chain", "loads", "branches", "chain, beside cycles"]
    assert result.counter is not None
    assert result.counter.source == "perf:instructions"


def test_one_that_counts_double_is_off_by_a_factor(root: Path) -> None:
    (result,) = validated(root, {INSTRUCTIONS: lambda m, n: 2 * honest(m, n)}, "instructions")
    assert (result.assessment.verdict, result.assessment.factor) == (EventVerdict.FACTOR, 2.0)


def test_one_that_counts_something_else_lies(root: Path) -> None:
    (result,) = validated(root, {INSTRUCTIONS: lambda m, n: 1000 + 102 * n}, "instructions")
    assert result.assessment.verdict is EventVerdict.MISCOUNTS


def test_one_that_reads_zero_is_dead(root: Path) -> None:
    (result,) = validated(root, {BRANCHES: lambda m, n: 0}, "branches")
    assert (result.assessment.verdict, result.assessment.why) == (EventVerdict.DEAD, "read 0 whatever was done")


def test_one_that_never_runs_is_dead(root: Path) -> None:
    kernel = FakeKernel(behave=lambda keys: (0.0, True) if BRANCHES in keys else (1.0, True))
    (result,) = validated(root, {}, "branches", kernel=kernel)
    assert (result.assessment.verdict, result.assessment.why) == (
        EventVerdict.DEAD,
        "opened, but the kernel never ran it",
    )


def test_one_that_cannot_be_opened_is_missing_with_its_reason(root: Path) -> None:
    right, absent = validated(root, {INSTRUCTIONS: honest}, "instructions", "bus-cycles")
    assert (right.assessment.verdict, absent.assessment.verdict) == (EventVerdict.RIGHT, EventVerdict.MISSING)
    assert absent.counter is None
    assert "do not count this event" in absent.assessment.why


def test_what_no_program_can_do_here_leaves_an_event_unproven(root: Path) -> None:
    (result,) = validated(root, {}, "stalled-cycles-backend")
    assert (result.assessment.verdict, result.assessment.why) == (EventVerdict.UNPROVEN, "too small a machine")


def test_counting_alone_only_is_said_and_is_no_failure(root: Path) -> None:
    kernel = FakeKernel(behave=lambda keys: (1.0, len(keys) == 1))
    (result,) = validated(root, {INSTRUCTIONS: honest}, "instructions", kernel=kernel)
    assert result.assessment.verdict is EventVerdict.RIGHT
    assert result.assessment.why == "alone only: in one group with cycles it read 0 whatever was done"


def test_every_file_is_closed(root: Path) -> None:
    kernel = FakeKernel()
    validated(root, {INSTRUCTIONS: honest}, "instructions", "branches", kernel=kernel)
    assert kernel.opened == {}


def test_a_program_runs_on_the_kind_of_core_whose_event_is_counted() -> None:
    root = recorded_machines.root("alderlake")
    kernel = FakeKernel(refuse=lambda attr, pid: 0)
    collector = PerfCollector(root, kernel)
    events = collector.parser.events("instructions")
    assert len(events) == 2
    kernel.events |= {
        (e.type, e.config): 1 for name in ("cycles", "instructions") for e in collector.parser.events(name)
    }
    counts = {(e.type, e.config): honest for e in events}
    started: list[Working] = []

    def start(mode: str, argument: int) -> Working:
        started.append(Working(kernel, counts, mode))
        return started[-1]

    results = list(Bench(collector, MachineFacts(), start, 2).validate(events))
    assert [r.assessment.verdict for r in results] == [EventVerdict.RIGHT, EventVerdict.RIGHT]
    kinds = {kind.cpus for kind in collector.catalog.kinds}
    assert {program.cpus for program in started} == kinds
    assert all(kinds)
