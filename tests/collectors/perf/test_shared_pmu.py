"""Cores of several kinds behind one PMU: a run counts by the table of the kind that it is kept on."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Parser
from hwprof.collectors.protocol import Target
from hwprof.machine.kinds import select_cpus
from tests import recorded_machines
from tests.collectors.perf.fake import HARDWARE, SOFTWARE, FakeKernel
from tests.collectors.perf.windows import window
from tests.machine.test_kinds import A100, inside_the_door

# Machine, kind, its table, an event of it, and the code by the documents that the table names.
RUNS = [
    ("k3", "kind=x100", "SpacemiT X100", "vector-instructions", 0x36),
    ("bpi-f3", "cluster1", "SpacemiT X60", "vector-instructions", 0x3B),
    ("orangepi5", "big", "Arm Cortex-A76", "l1d-misses", 0x03),
    ("orangepi5", "kind=a55", "Arm Cortex-A55", "l2-misses", 0x17),
    ("p550", "kind=p550", "SiFive P550", "l1d-misses", 0x202),
    ("k230", "kind=c908", "XuanTie C908/C920v2", "l2-misses", 0xA6),
    ("th1520", "kind=c910", "T-Head C9xx (legacy)", "l1d-misses", 0x0D),
    ("sg2044", "cluster1", "XuanTie C908/C920v2", "l2-misses", 0xA6),
    ("c930", "cluster0", "XuanTie C930", "l2-misses", 0x10),
]


def catalog(root: Path, cpus: Collection[int] = ()) -> Catalog:
    return Catalog(root, cpus=cpus)


@pytest.mark.parametrize(("machine", "kind", "table", "name", "code"), RUNS)
def test_a_run_on_one_kind_counts_by_its_codes(machine: str, kind: str, table: str, name: str, code: int) -> None:
    root = recorded_machines.root(machine)
    cpus = select_cpus(kind, root)
    kernel = FakeKernel(events=SOFTWARE | HARDWARE | {(4, code): 4321})
    collector = PerfCollector(root, kernel, cpus=cpus)
    assert collector.catalog.table_name == table
    with collector.open(Target(), [name]) as session:
        found = window(session, kernel)[name]
    assert found.value == 4321


def test_a_core_without_published_events_counts_what_the_kernel_maps() -> None:
    root = recorded_machines.root("c950")
    kernel = FakeKernel()
    collector = PerfCollector(root, kernel, cpus=select_cpus("kind=c950", root))
    assert collector.catalog.table_name == "XuanTie C950"
    with collector.open(Target(), ["branches", "l1d-misses"]) as session:
        assert "no event of the C950 is published" in session.unavailable["l1d-misses"].reason
        assert window(session, kernel)["branches"].value == 400_000


def test_a_process_that_went_through_the_door_has_the_table_of_the_other_kind(tmp_path: Path) -> None:
    assert catalog(recorded_machines.root("k3")).table_name == "SpacemiT X100"
    assert catalog(inside_the_door(tmp_path)).table_name == "SpacemiT A100"


def test_the_same_code_is_another_event_on_the_other_kind(tmp_path: Path) -> None:
    outside, inside = recorded_machines.root("k3"), inside_the_door(tmp_path)
    codes = [Parser(catalog(root)).event("frontend-stalls").config for root in (outside, inside)]
    assert codes == [0x4, 0x3]
    assert Parser(catalog(inside)).event("vector-instructions").refused is not None


def test_cores_of_both_kinds_have_no_table_and_the_way_to_one_is_said() -> None:
    refused = Parser(catalog(recorded_machines.root("orangepi5"), range(8))).event("l1d-misses").refused
    assert refused is not None
    assert "several kinds" in refused.reason
    assert "--cpus kind=" in refused.remedy


def test_events_of_a_kinds_own_are_known_where_the_run_will_be() -> None:
    root = recorded_machines.root("k3")
    assert Parser(catalog(root, A100)).event("fp_vector_inst").config == 0x3B
    assert Parser(catalog(root, range(8))).event("issued_inst").config == 0x2D


def test_a_table_of_ones_own_is_found_for_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'name = "my A100"\nverified = "my K3"\n[match]\nids = ["0x710-0x8000000041000002-*"]\n'
    (tmp_path / "a100.toml").write_text(text + "[events.loads]\ncode = 0x2d\n")
    monkeypatch.setenv("HWPROF_CPUS", str(tmp_path))
    root = recorded_machines.root("k3")
    assert catalog(root, A100).table_name == "my A100"
    assert catalog(root, range(8)).table_name == "SpacemiT X100"


def test_a_core_whose_ids_are_published_is_not_found_by_what_the_kernel_calls_it(tmp_path: Path) -> None:
    shutil.copytree(recorded_machines.root("sg2044"), tmp_path / "root")
    cpuinfo = tmp_path / "root/proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace("0x80000000090c0d00", "0x8000000000000123"))
    assert catalog(tmp_path / "root").table is None
