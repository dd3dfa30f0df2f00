from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Parser
from hwprof.collectors.perf.kinds import CoreKind, read_cores
from hwprof.collectors.perf.names import CACHE, HARDWARE
from hwprof.collectors.perf.tables import CANONICAL, KERNELS_OWN, load_tables, parse_table, unit_of
from hwprof.collectors.protocol import Unavailable
from hwprof.errors import HwprofError
from hwprof.machine.virtual import is_emulated
from hwprof.records import Origin
from tests import recorded_machines

BPI_F3 = recorded_machines.root("bpi-f3")
PI4 = "".join(f"processor\t: {n}\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\n" for n in range(2))


def machine(tmp_path: Path, cpuinfo: str) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    return tmp_path


def test_x60_is_known_by_its_vendor_ids() -> None:
    catalog = Catalog(BPI_F3)
    assert catalog.ids == ("0x710-0x8000000058000001-0x1000000049772200",)
    assert catalog.table is not None
    assert catalog.table.name == "SpacemiT X60"
    assert catalog.table.counters == 16


@pytest.mark.parametrize(("name", "code"), [("vector-instructions", 0x3B), ("l1d-misses", 0xAB), ("l2-accesses", 0xB8)])
def test_canonical_names_become_raw_codes_on_x60(name: str, code: int) -> None:
    event = Parser(Catalog(BPI_F3)).event(name)
    assert (event.type, event.config, event.kind) == (4, code, "core")


def test_a_canonical_name_without_meaning_is_unavailable_and_nothing_near_it() -> None:
    event = Parser(Catalog(BPI_F3)).event("llc-misses")
    assert event.refused is not None
    assert "X60" in event.refused.reason


def test_a_generic_name_the_core_lacks_is_refused_with_the_reason() -> None:
    event = Parser(Catalog(BPI_F3)).event("cache-misses")
    assert event.refused is not None
    assert "X60" in event.refused.reason


def test_a_vendor_name_resolves_through_the_table() -> None:
    event = Parser(Catalog(BPI_F3)).event("vector_micro_op")
    assert (event.type, event.config, event.metric) == (4, 0x97, "vector_micro_op")


def test_the_same_generic_name_says_what_it_means_on_each_cpu(tmp_path: Path) -> None:
    catalog = Catalog(machine(tmp_path, PI4))
    assert catalog.table_name == "Arm Cortex-A72"
    assert "L1D refills" in catalog.generic("cache-misses")[0]
    assert isinstance(catalog.canonical("backend-stalls"), Unavailable)


def test_x86_ids_are_family_in_decimal_and_model_in_hexadecimal() -> None:
    text = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 94\n\n"
    assert {core.id for core in read_cores(text * 2)} == {"GenuineIntel-6-5e"}


def test_zen3_and_zen4_share_a_family_and_not_a_table(tmp_path: Path) -> None:
    info = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: {}\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert Catalog(machine(tmp_path / "a", info.format(1))).table_name == "AMD Zen 3"
    assert Catalog(machine(tmp_path / "b", info.format(97))).table_name == "AMD Zen 4"


def test_cores_of_two_kinds_have_no_common_table(tmp_path: Path) -> None:
    catalog = Catalog(machine(tmp_path, PI4 + "\nprocessor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n"))
    assert catalog.ids == ("0x41-0xd08", "0x41-0xd03")
    assert catalog.table is None


def test_on_a_hybrid_a_pmus_own_event_counts_on_its_kind_alone(tmp_path: Path) -> None:
    for number, kind in ((4, "cpu_core"), (10, "cpu_atom")):
        device = tmp_path / "sys/bus/event_source/devices" / kind
        (device / "format").mkdir(parents=True)
        (device / "type").write_text(f"{number}\n")
        (device / "cpus").write_text("0-3\n")
        (device / "format/event").write_text("config:0-7\n")
    event = Parser(Catalog(tmp_path)).event("cpu_atom/event=0x3c/")
    assert (event.type, event.config, event.cluster, event.whole) == (10, 0x3C, "cpu_atom", "")


def test_every_table_says_something_of_every_canonical_name() -> None:
    for table in load_tables():
        assert set(table.events) | set(table.absent) == set(CANONICAL), table.name
        assert not set(table.events) & set(table.absent), table.name
        assert table.verified == "documents"


def test_every_table_says_what_the_kernels_own_names_are_on_it() -> None:
    for table in load_tables():
        assert set(KERNELS_OWN) <= set(table.generic), table.name
        assert table.sources, table.name
        assert table.match, table.name
        assert set(table.generic) <= set(HARDWARE) | set(CACHE), table.name


def test_canonical_names_have_units() -> None:
    assert {unit_of(name) for name in (*CANONICAL, *KERNELS_OWN)} == {
        "accesses",
        "branches",
        "cycles",
        "instructions",
        "misses",
        "operations",
    }
    assert unit_of("frontend-stalls") == "cycles"
    assert unit_of("fp-operations") == "operations"


def test_no_two_tables_claim_one_cpu() -> None:
    x86 = [
        f"{v}-{f}-{m:x}"
        for v, f in (("GenuineIntel", 6), ("AuthenticAMD", 25), ("AuthenticAMD", 26))
        for m in range(256)
    ]
    arm = [f"{vendor:#x}-{part:#x}" for vendor in (0x41, 0x46, 0xC0) for part in range(0x1000)]
    written = [re.sub(r":.*|\*", "", p).replace("?", "0") for table in load_tables() for p in table.match]
    riscv = [re.sub(r"\[(.).*?\]", r"\1", name) for name in written]
    # Most ids match no pattern at all: only the others are asked for one by one.
    patterns = {pattern.partition(":")[0] for table in load_tables() for pattern in table.match}
    known = {cpu for pattern in patterns for cpu in fnmatch.filter([*x86, *arm, *riscv], pattern)}
    assert len(known) > len(load_tables())
    for cpu in sorted(known):
        for pmu in ("cpu", "cpu_core", "cpu_atom", "cpu_lowpower"):
            claiming = [table.name for table in load_tables() if table.matches(cpu, pmu)]
            assert len(claiming) <= 1, f"{cpu} {pmu}: {claiming}"


def test_a_tables_codes_differ() -> None:
    for table in load_tables():
        codes: dict[int, list[str]] = {}
        for name, event in table.events.items():
            codes.setdefault(event.config, []).append(name)
        same = [names for names in codes.values() if len(names) > 1]
        # Where the L2 is the last level, the two names are one event.
        allowed = [["llc-accesses", "l2-accesses"], ["llc-misses", "l2-misses"]]
        assert [sorted(n) for n in same if sorted(n) not in [sorted(a) for a in allowed]] == [], table.name


def test_every_auto_name_of_every_table_resolves(tmp_path: Path) -> None:
    for number, table in enumerate(load_tables()):
        root = tmp_path / str(number)
        root.mkdir()
        catalog = Catalog(root)
        catalog.kinds = (CoreKind(None, (), table),)
        parser = Parser(catalog)
        for name in table.auto:
            assert parser.event(name).refused is None, f"{table.name}: {name}"


@pytest.mark.parametrize(
    "text",
    [
        "name = ",
        'name = "x"\nverified = "documents"',
        'name = "x"\nverified = "documents"\n[match]\nids = []\n[events.cycels]\ncode = 1',
        'name = "x"\nverified = "documents"\n[match]\nids = []\n[events.loads]\nkode = 1',
        'name = "x"\nverified = "documents"\ncolour = 1\n[match]\nids = []',
    ],
)
def test_a_broken_table_names_its_file(text: str) -> None:
    with pytest.raises(HwprofError, match=r"mine\.toml"):
        parse_table(text, "mine.toml")


def test_a_code_too_large_for_toml_may_be_a_string() -> None:
    text = 'name = "x"\nverified = "documents"\n[match]\nids = []\n[events.loads]\ncode = "0x8000000000000005"'
    assert parse_table(text, "x").events["loads"].config == 0x8000000000000005


@pytest.mark.parametrize("compatible", ["linux,dummy-virt\0", "riscv-virtio,qemu\0"])
def test_qemu_boards_count_as_emulated(tmp_path: Path, compatible: str) -> None:
    base = tmp_path / "sys/firmware/devicetree/base"
    base.mkdir(parents=True)
    (base / "compatible").write_text(compatible)
    assert is_emulated(tmp_path)
    assert Catalog(tmp_path).origin is Origin.EMULATED


def test_a_board_is_not_emulated() -> None:
    assert not is_emulated(BPI_F3)
    assert Catalog(BPI_F3).origin is Origin.HARDWARE


def test_a_kvm_guest_on_x86_is_not_emulated(tmp_path: Path) -> None:
    root = machine(tmp_path, "model name\t: AMD EPYC Processor\n")
    (root / "sys/class/dmi/id").mkdir(parents=True)
    (root / "sys/class/dmi/id/sys_vendor").write_text("QEMU\n")
    assert not is_emulated(root)
    (root / "proc/cpuinfo").write_text("model name\t: QEMU Virtual CPU version 2.5+\n")
    assert is_emulated(root)


def test_auto_on_a_cpu_without_a_table_names_the_generic_events(tmp_path: Path) -> None:
    auto = Catalog(tmp_path).auto
    assert auto[:3] == ("task-clock", "cycles", "instructions")
    assert {"cache-misses", "page-faults", "context-switches"} <= set(auto)
