"""What the names become on the machines that people have: the codes, and the reasons where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Parser
from hwprof.collectors.perf.tables import find_table, parse_table
from hwprof.collectors.protocol import Target
from tests import recorded_machines
from tests.collectors.perf.fake import HARDWARE, SOFTWARE, FakeKernel

TABLES = {
    "bpi-f3": "SpacemiT X60",
    "visionfive2": "SiFive U74",
    "th1520": "T-Head C9xx (legacy)",
    "k230": "XuanTie C908/C920v2",
    "rpi3": "Arm Cortex-A53",
    "rpi4": "Arm Cortex-A72",
    "rpi5": "Arm Cortex-A76",
    "skylake": "Intel Skylake",
    "xeon": "Intel Ice Lake (server)",
    "ryzen": "AMD Zen 4",
    "alderlake": "Intel Golden Cove (hybrid) + Intel Gracemont",
    "rk3399": "Arm Cortex-A53 + Arm Cortex-A72",
}
# Each by arithmetic from the documents: event select, unit mask, counter mask.
CODES = [
    ("bpi-f3", "vector-instructions", 0x3B),
    ("bpi-f3", "vector-loads", 0x39),
    ("bpi-f3", "l2-misses", 0xB9),
    ("visionfive2", "l1d-misses", 0x202),
    ("visionfive2", "loads", 0x200 | 0x80000),
    ("visionfive2", "dtlb-misses", 0x1002),
    ("th1520", "vector-instructions", 0x1F),
    ("th1520", "l1d-misses", 0x0D),
    ("th1520", "frontend-stalls", 0x27),
    ("k230", "vector-loads", 0x49),
    ("k230", "l2-misses", 0xA6),
    ("rpi3", "l2-misses", 0x17),
    ("rpi3", "loads", 0x06),
    ("rpi4", "vector-instructions", 0x74),
    ("rpi4", "l1d-misses", 0x03),
    ("rpi5", "backend-stalls", 0x24),
    ("rpi5", "llc-misses", 0x37),
    ("skylake", "l2-misses", 0x3F24),
    ("skylake", "vector-instructions", 0xFCC7),
    ("skylake", "dtlb-misses", 0x0E08),
    ("skylake", "frontend-stalls", 0x9C | 1 << 8 | 4 << 24),
    ("xeon", "l2-misses", 0x2724),
    ("xeon", "l1i-misses", 0x0283),
    ("ryzen", "fp-operations", 0x1F03),
    ("ryzen", "l1i-misses", 0x18 << 8 | 0x8E | 1 << 32),
    ("ryzen", "l2-misses", 0x0964),
]
ABSENT = [
    ("bpi-f3", "cache-misses", "Linux maps none"),
    ("bpi-f3", "cache-references", "no such event"),
    ("bpi-f3", "llc-misses", "L2 of a cluster is the last level"),
    ("bpi-f3", "fp-operations", "no event counts operations"),
    ("visionfive2", "vector-instructions", "no vector unit"),
    ("visionfive2", "l2-misses", "no core event"),
    ("th1520", "cache-misses", "maps this name to another event"),
    ("th1520", "vector-loads", "not separated"),
    ("k230", "llc-misses", "behind the L2"),
    ("rpi3", "vector-instructions", "no event for SIMD"),
    ("rpi3", "backend-stalls", "no STALL_BACKEND"),
    ("rpi4", "frontend-stalls", "no STALL_FRONTEND"),
    ("rpi5", "vector-loads", "not separated"),
    ("skylake", "fp-operations", "weighted sum"),
    ("xeon", "vector-loads", "not separated"),
    ("ryzen", "llc-misses", "core complex"),
]


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_found(name: str) -> None:
    assert Catalog(recorded_machines.root(name)).table_name == TABLES[name]


@pytest.mark.parametrize(("machine", "name", "code"), CODES)
def test_a_name_becomes_the_cores_own_code(machine: str, name: str, code: int) -> None:
    event = Parser(Catalog(recorded_machines.root(machine))).event(name)
    assert (event.refused, event.type, event.config) == (None, 4, code)
    assert event.meaning


@pytest.mark.parametrize(("machine", "name", "reason"), ABSENT)
def test_a_name_without_a_meaning_is_missing_with_the_reason(machine: str, name: str, reason: str) -> None:
    kernel = FakeKernel(events=SOFTWARE | HARDWARE)  # which would open cache-misses
    with PerfCollector(recorded_machines.root(machine), kernel).open(Target(), [name]) as session:
        assert reason in session.unavailable[name].reason
        assert not any(name in pass_.metrics for pass_ in session.passes)


@pytest.mark.parametrize("name", recorded_machines.NAMES)
def test_every_canonical_name_is_coded_or_has_a_reason(name: str) -> None:
    catalog = Catalog(recorded_machines.root(name))
    parser = Parser(catalog)
    for canonical in parser.names():
        for event in parser.events(canonical):
            if event.refused:
                assert event.refused.reason.strip(), canonical
            else:
                assert event.config >= 0


def test_a_tree_of_recorded_files_says_where_it_is_from() -> None:
    for name in recorded_machines.NAMES:
        source = (recorded_machines.root(name) / "SOURCE").read_text()
        assert source.startswith(("recorded", "modelled")), name


def test_the_same_name_has_another_code_on_another_core() -> None:
    codes = {
        n: Parser(Catalog(recorded_machines.root(n))).event("vector-instructions").config
        for n in ("bpi-f3", "th1520", "rpi4")
    }
    assert codes == {"bpi-f3": 0x3B, "th1520": 0x1F, "rpi4": 0x74}


@pytest.mark.parametrize(
    ("cpu", "pmu", "stepping", "name"),
    [
        ("GenuineIntel-6-97", "cpu_core", "2", "Intel Golden Cove (hybrid)"),
        ("GenuineIntel-6-97", "cpu_atom", "2", "Intel Gracemont"),
        ("GenuineIntel-6-97", "cpu", "5", "Intel Golden Cove (hybrid)"),  # small cores absent or off
        ("GenuineIntel-6-be", "cpu", "0", "Intel Gracemont"),  # N100: no large ones
        ("GenuineIntel-6-8f", "cpu", "8", "Intel Golden Cove (server)"),
        ("0x489-0x8000000000000008-0x6220425", "cpu", "", "SiFive P550"),
        ("0x31e-0x8000000000008a45-0x500", "cpu", "", "Andes AX45"),
        ("0x67e-0x80000000db000090-0x1", "cpu", "", "StarFive Dubhe-80/90"),
        ("0x5b7-0x80000000090c0d00-0x2047000", "cpu", "", "XuanTie C908/C920v2"),
        ("uarch=thead,c906", "cpu", "", "T-Head C9xx (legacy)"),
        ("0x41-0xd4f", "armv8_pmuv3_0", "", "Arm Neoverse N2, V2"),
    ],
)
def test_other_cpus_have_tables_too(cpu: str, pmu: str, stepping: str, name: str) -> None:
    table = find_table(cpu, pmu, stepping)
    assert table is not None
    assert table.name == name


def test_no_table_is_taken_for_a_relative() -> None:
    assert find_table("0x710-0x8000000058000003-0x1") is None
    assert find_table("GenuineIntel-6-97", "cpu_lowpower") is None


def test_a_table_may_be_for_one_stepping_alone() -> None:
    text = 'name = "x"\nverified = "documents"\n[match]\nids = ["GenuineIntel-6-55-[5-7]"]'
    table = parse_table(text, "x")
    assert table.matches("GenuineIntel-6-55", "cpu", "7")
    assert not table.matches("GenuineIntel-6-55", "cpu", "4")
    assert not table.matches("GenuineIntel-6-55", "cpu")


def test_cores_of_two_kinds_behind_one_pmu_have_no_table(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    text = (
        "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n\nprocessor\t: 1\nCPU "
        "implementer\t: 0x41\nCPU part\t: 0xd08\n"
    )
    (tmp_path / "proc/cpuinfo").write_text(text)
    refused = Parser(Catalog(tmp_path)).event("l1d-misses").refused
    assert refused is not None
    assert "0x41-0xd03, 0x41-0xd08" in refused.reason


@pytest.mark.parametrize(
    ("machine", "name", "unit"),
    [
        ("skylake", "cpu/event=0x3c/", "cycles"),
        ("skylake", "cpu/event=0x3c,name=cpu_clk_unhalted.thread/", "cycles"),
        ("skylake", "cpu/event=0x3c,umask=0x1/u", "cycles"),
        ("skylake", "r3c", "cycles"),
        ("skylake", "cpu/event=0x3c,cmask=1/", ""),  # of a threshold, not of cycles
        ("skylake", "l2-misses", ""),
        ("alderlake", "cpu_atom/event=0x3c/", "cycles"),
        ("alderlake", "r3c", "cycles"),
        ("rk3399", "r11", "cycles"),
        ("rk3399", "cycles", ""),
        ("rpi4", "r11", "cycles"),
        ("rpi4", "r3c", ""),  # the code of Intel's cycles is something else here
        ("bpi-f3", "u_mode_cycle", "cycles"),
        ("k230", "u_mode_cycles:u", "cycles"),
        ("ryzen", "r76", "cycles"),
    ],
)
def test_cycles_under_another_name_have_their_unit(machine: str, name: str, unit: str) -> None:
    events = Parser(Catalog(recorded_machines.root(machine))).events(name)
    assert {event.unit for event in events if event.refused is None} == {unit}
