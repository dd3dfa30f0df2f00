"""What doctor and events say of cores of several kinds, their clusters, and cores behind a door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.cli.events import document, listing, table
from hwprof.collectors.perf import PerfCollector
from hwprof.doctor import host as doctor_host
from hwprof.doctor.counters import LIMITED, OK, Finding
from hwprof.machine.kinds import select_cpus
from tests import recorded_machines
from tests.collectors.perf.fake import FakeKernel
from tests.doctor.test_host import found_on, only
from tests.machine.test_kinds import inside_the_door

BOARDS = {
    "k3": "kind=x100",
    "bpi-f3": "cluster0",
    "k230": "kind=c908",
    "th1520": "kind=c910",
    "sg2044": "kind=c920",
    "c930": "cluster1",
    "c950": "kind=c950",
    "p550": "kind=p550",
    "orangepi5": "little",
}


def examined(name: str) -> list[Finding]:
    return doctor_host.examine(found_on(name))


@pytest.mark.parametrize(("name", "kind"), BOARDS.items())
def test_every_board_is_examined_and_its_events_are_listed(name: str, kind: str) -> None:
    assert any(f.what == "event table" for f in examined(name))
    root = recorded_machines.root(name)
    collector = PerfCollector(root, FakeKernel(), cpus=select_cpus(kind, root))
    rows = list(listing(collector))
    assert {row.name for row in rows if row.available} >= {"cycles", "instructions"}
    assert all(row.reason for row in rows if not row.available)
    assert collector.catalog.table_name in table(collector, rows)
    assert document(collector, rows)["tables"]


def test_kinds_behind_one_pmu_have_a_table_each_and_the_door_is_said() -> None:
    findings = examined("k3")
    tables = [f.detail.split(" (from")[0] for f in findings if f.what == "event table"]
    assert tables == ["SpacemiT X100", "SpacemiT A100"]
    kinds = only(findings, "kinds of core")
    assert "SpacemiT X100 on 0-7, SpacemiT A100 on 8-15: one PMU for all" in kinds.detail
    assert kinds.status == OK
    door = only(findings, "door")
    assert (door.status, "cores 8-15 are behind /proc/set_ai_thread" in door.detail) == (LIMITED, True)
    assert "echo $$ > /proc/set_ai_thread" in door.remedy


def test_a_process_behind_the_door_is_told_so(tmp_path: Path) -> None:
    findings = doctor_host.examine(replace(found_on("k3"), root=inside_the_door(tmp_path)))
    door = only(findings, "door")
    assert (door.status, door.remedy) == (OK, "")
    assert "this process may use SpacemiT A100 alone" in only(findings, "kinds of core").detail


def test_big_and_little_cores_behind_one_pmu_are_told_apart() -> None:
    kinds = only(examined("orangepi5"), "kinds of core")
    assert kinds.status == LIMITED
    assert "Cortex-A76 on 4-7, Cortex-A55 on 0-3" in kinds.detail
    assert "--cpus kind=cortex-a76" in kinds.remedy


def test_clusters_of_cores_that_are_alike_are_listed() -> None:
    assert "cluster0: 0-3, cluster1: 4-7" in only(examined("bpi-f3"), "clusters").detail
    assert not [f for f in examined("p550") if f.what == "clusters"]


def test_a_core_without_published_events_says_so() -> None:
    finding = only(examined("c950"), "event table")
    assert finding.status == LIMITED
    assert "has published no events" in finding.detail
