"""A table of what validated: it can be read, is found by its core, and has no event that did not validate."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from hwprof.cli import validate
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.tables import CpuTable, find_table, load_tables, parse_table
from hwprof.errors import NotAvailable, UsageError
from hwprof.machine import facts
from hwprof.machine.kinds import select_cpus
from hwprof.records import Counter, Origin
from hwprof.studies.validation.bench import Result
from hwprof.studies.validation.contribution import kind_of, verified_table
from hwprof.studies.validation.verdicts import EventAssessment, EventVerdict
from tests import recorded_machines
from tests.collectors.perf.fake import FakeKernel

RIGHT, DEAD, MISSING = EventVerdict.RIGHT, EventVerdict.DEAD, EventVerdict.MISSING


def result(metric: str, verdict: EventVerdict, origin: Origin = Origin.HARDWARE, why: str = "") -> Result:
    counter = None if verdict is MISSING else Counter(metric, meaning=f"what {metric} is")
    return Result(EventAssessment(metric, verdict, why=why), counter, origin)


def exported(machine: str, results: list[Result], kind: str = "") -> str:
    root = recorded_machines.root(machine)
    catalog = Catalog(root, cpus=select_cpus(kind, root) if kind else ())
    found = verified_table(results, kind_of(catalog), catalog, facts.hardware(root), "6.6.63", "2026-02-03")
    parse_table(found, "exported")
    return found


def table_of(machine: str, results: list[Result], kind: str = "") -> CpuTable:
    return parse_table(exported(machine, results, kind), "exported")


def test_what_validated_is_in_it_with_its_code_and_what_did_not_is_absent_with_the_reason() -> None:
    found = table_of(
        "bpi-f3",
        [
            result("vector-instructions", RIGHT),
            result("l1d-misses", RIGHT),
            result("vector-loads", DEAD, why="read 0 whatever was done"),
            result("l2-misses", MISSING, why="no such event"),
        ],
    )
    shipped = find_table("0x710-0x8000000058000001-0x1")
    assert shipped is not None
    assert {name: event.config for name, event in found.events.items()} == {
        "vector-instructions": 0x3B,
        "l1d-misses": 0xAB,
    }
    assert found.events["vector-instructions"] == shipped.events["vector-instructions"]
    assert found.absent["vector-loads"].startswith("0x39: dead, read 0 whatever was done on ")
    assert found.absent["l2-misses"].startswith("0xb9: missing, no such event on ")
    assert found.absent["loads"] == "0x2d: not validated when this table was written"
    assert found.absent["llc-misses"] == shipped.absent["llc-misses"]
    assert found.auto == ("l1d-misses", "vector-instructions")
    assert found.vendor == shipped.vendor
    assert found.cycles == shipped.cycles


def test_it_says_on_what_it_was_verified() -> None:
    found = table_of("bpi-f3", [result("l1d-misses", RIGHT)])
    assert found.verified == "spacemit k1-x deb1 board, Linux 6.6.63, 2026-02-03"
    assert found.sources[-1] == f"counted on {found.verified}"
    text = exported("bpi-f3", [result("l1d-misses", RIGHT)])
    assert "Core: 0x710-0x8000000058000001-0x1000000049772200." in text


def test_a_name_of_the_kernels_that_miscounts_becomes_absent() -> None:
    found = table_of(
        "bpi-f3", [result("cycles", RIGHT), result("branches", EventVerdict.MISCOUNTS, why="counts others")]
    )
    assert found.generic["branches"].startswith("absent: miscounts, counts others on ")
    assert found.generic["cycles"] == "core clock cycles, all privilege modes that are not excluded"


def test_a_core_without_a_table_gets_one_of_what_the_kernel_names(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    cpuinfo = "processor\t: 0\nisa\t: rv64gcv\nmvendorid\t: 0x123\nmarchid\t: 0x4\nmimpid\t: 0x5\n"
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    catalog = Catalog(tmp_path)
    text = verified_table([result("cycles", RIGHT)], kind_of(catalog, [0]), catalog, {}, "6.18", "2026-02-03")
    found = parse_table(text, "exported")
    assert found.matches("0x123-0x4-0x99")
    assert found.generic == {"cycles": "what cycles is"}
    assert not found.events


def test_it_is_found_and_used_where_the_users_own_tables_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a76.toml").write_text(exported("orangepi5", [result("l1d-misses", RIGHT)], "big"))
    monkeypatch.setenv("HWPROF_CPUS", str(tmp_path))
    root = recorded_machines.root("orangepi5")
    big, little = (Catalog(root, cpus=select_cpus(kind, root)).table for kind in ("big", "little"))
    assert big is not None
    assert little is not None
    assert big.verified == "Orange Pi 5, Linux 6.6.63, 2026-02-03"
    assert list(big.events) == ["l1d-misses"]
    assert little.verified == "documents"


@pytest.mark.parametrize("shipped", [t for t in load_tables() if t.events], ids=lambda table: table.name)
def test_every_table_comes_back_as_it_was_where_all_of_it_validated(shipped: CpuTable) -> None:
    root = recorded_machines.root("bpi-f3")
    catalog = Catalog(root)
    kind = dataclasses.replace(catalog.kinds[0], table=shipped)
    results = [result(name, RIGHT) for name in (*shipped.events, "cycles", "instructions")]
    found = parse_table(verified_table(results, kind, catalog, {}, "6.6", "2026-02-03"), "exported")
    for part in ("name", "match", "events", "absent", "vendor", "cycles", "topdown", "counters", "max_ipc", "quirks"):
        assert getattr(found, part) == getattr(shipped, part), part
    assert set(found.at_most) == set(shipped.at_most)
    assert dict(found.generic) | dict(shipped.generic) == dict(found.generic)


def test_counts_of_an_emulator_verify_nothing() -> None:
    with pytest.raises(NotAvailable, match="no table to write"):
        exported("bpi-f3", [result("l1d-misses", RIGHT, Origin.EMULATED), result("page-faults", RIGHT, Origin.KERNEL)])


@pytest.mark.parametrize("machine", ["alderlake", "rk3399"])
def test_cores_of_several_kinds_have_no_table_together(machine: str) -> None:
    with pytest.raises(UsageError, match="one kind of core"):
        kind_of(Catalog(recorded_machines.root(machine)), range(8))


def test_of_a_hybrid_the_events_of_the_kind_that_was_counted_are_taken() -> None:
    root = recorded_machines.root("rk3399")
    catalog = Catalog(root)
    kind = kind_of(catalog, [4, 5])
    results = [result(f"l1d-misses@{kind.name}", RIGHT), result("l1i-misses@another", RIGHT)]
    found = parse_table(verified_table(results, kind, catalog, {}, "6.1", "2026-02-03"), "exported")
    assert (found.name, list(found.events)) == ("Arm Cortex-A72", ["l1d-misses"])


@pytest.fixture
def collector() -> PerfCollector:
    return PerfCollector(recorded_machines.root("bpi-f3"), FakeKernel())


def test_where_it_can_not_be_written_is_said_before_anything_is_counted(
    tmp_path: Path, collector: PerfCollector
) -> None:
    with pytest.raises(UsageError, match=re.escape("ending .toml")):
        validate.exported_to(str(tmp_path / "x60.txt"), collector)
    with pytest.raises(UsageError, match="no folder"):
        validate.exported_to(str(tmp_path / "none/x60.toml"), collector)


def test_the_command_writes_the_file(
    tmp_path: Path, collector: PerfCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    file = validate.exported_to(str(tmp_path / "x60.toml"), collector)
    machine = facts.hardware(collector.catalog.root)
    validate.write_table(file, [result("l1d-misses", RIGHT)], collector, machine, {"kernel": "6.6"}, quiet=False)
    assert parse_table(file.read_text(), "x").name == "SpacemiT X60"
    assert "1 canonical event of 0x710-0x8000000058000001-0x1000000049772200 in" in capsys.readouterr().out
