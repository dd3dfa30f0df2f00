"""Top-down slots of Intel since Ice Lake: the kernel counts them only in a group that `slots` leads."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import Attr
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Parser
from hwprof.collectors.protocol import Available, Target
from hwprof.programs import perfstat
from hwprof.records import Snapshot
from tests import recorded_machines
from tests.collectors.perf.fake import HARDWARE, SOFTWARE, FakeKernel, Key, error

# As arch/x86/events/intel/core.c names and codes them.
SHARES = {
    "topdown-retiring": 0x8000,
    "topdown-bad-spec": 0x8100,
    "topdown-fe-bound": 0x8200,
    "topdown-be-bound": 0x8300,
}
SLOTS = 0x400
COUNTS: dict[Key, int] = {(4, SLOTS): 10_000} | {(4, config): 2_500 for config in SHARES.values()}


@dataclass
class IceLake(FakeKernel):
    """Refuses a share of the slots that `slots` does not lead, as intel_pmu_hw_config does."""

    counters: int = 16

    def __post_init__(self) -> None:
        self.events = SOFTWARE | HARDWARE | COUNTS

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        led = group_fd >= 0 and self.opened[group_fd].key == (4, SLOTS)
        if attr.type == 4 and attr.config in SHARES.values() and not led:
            raise error(errno.EINVAL)
        return super().open(attr, pid, cpu, group_fd, flags)


def ice_lake(root: Path) -> Path:
    """A machine whose one PMU shows slots and the four shares of them, below `root`."""
    cpu = root / "sys/bus/event_source/devices/cpu"
    files = {"type": "4", "format/event": "config:0-7", "format/umask": "config:8-15"}
    files |= {
        f"events/{name}": f"event=0x00,umask={code >> 8:#x}" for name, code in (("slots", SLOTS), *SHARES.items())
    }
    for name, text in files.items():
        (cpu / name).parent.mkdir(parents=True, exist_ok=True)
        (cpu / name).write_text(f"{text}\n")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return ice_lake(tmp_path)


@pytest.mark.parametrize("asked", [tuple(SHARES), ("cycles,instructions", f"{{slots,{','.join(SHARES)}}}")])
def test_the_four_shares_are_counted_in_one_group_that_slots_leads(root: Path, asked: tuple[str, ...]) -> None:
    kernel = IceLake()
    with PerfCollector(root, kernel).open(Target(), asked) as session:
        assert not session.unavailable
        (core,) = (g for g in session.groups if any(c.metric in SHARES for c in g.counters))
        assert core.counters[0].metric == "slots"
        assert {*SHARES, "cycles", "instructions"} <= {c.metric for c in core.counters}
        session.select(session.passes[0])
        kernel.spin()
        values = dict(zip((c.metric for g in session.groups for c in g.counters), _raw(session.read()), strict=True))
        assert {values[name] for name in SHARES} == {2_500}
        assert (values["slots"], values["cycles"]) == (10_000, 2_000_000)


def _raw(snapshots: Sequence[Snapshot]) -> list[int | None]:
    return [value for snapshot in snapshots for value in snapshot.raw]


@pytest.mark.parametrize("name", ["topdown-retiring", "topdown-be-bound:u", "cpu/topdown-fe-bound/"])
def test_a_share_that_is_probed_alone_is_opened_behind_slots(root: Path, name: str) -> None:
    kernel = IceLake()
    states = PerfCollector(root, kernel).probe([name])
    assert name in states
    assert all(isinstance(state, Available) for state in states.values())
    assert not kernel.opened


def test_rotated_groups_keep_slots_in_front_too(root: Path) -> None:
    with PerfCollector(root, IceLake(), multiplex=True).open(Target(), ["cycles", *SHARES]) as session:
        assert not session.unavailable


def test_shares_of_other_modes_are_led_by_slots_of_those_modes(root: Path) -> None:
    units = Parser(Catalog(root)).parse(["topdown-retiring:u", "topdown-retiring", "topdown-be-bound:u"])
    assert [[e.metric for e in unit] for unit in units] == [
        ["slots:u", "topdown-retiring:u", "topdown-be-bound:u"],
        ["slots", "topdown-retiring"],
    ]


def test_perf_stat_is_given_the_group_in_braces(root: Path) -> None:
    units = Parser(Catalog(root)).parse(["cycles", *SHARES])
    asked = {perfstat.perf_name(e): e for unit in units for e in unit}
    assert perfstat.event_list(asked) == "{r400,r8000,r8100,r8200,r8300},cycles"


def test_only_the_large_cores_of_a_hybrid_need_slots_in_front() -> None:
    (large, small) = Parser(Catalog(recorded_machines.root("alderlake"))).events("topdown-retiring")
    assert large.leader is not None
    assert (large.leader.metric, large.leader.type, large.leader.config) == ("slots@cpu_core", 4, SLOTS)
    assert small.leader is None
