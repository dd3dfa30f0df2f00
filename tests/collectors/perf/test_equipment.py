"""Test equipment: whatever a PMU counted that is there for tests says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Event, Parser
from hwprof.records import TEST_EQUIPMENT, Origin

DEVICES = "sys/bus/event_source/devices"


def add_pmu(root: Path, name: str, number: int, events: str = "", **files: str) -> None:
    folder = root / DEVICES / name
    (folder / "events").mkdir(parents=True)
    (folder / "type").write_text(f"{number}\n")
    (folder / "format").mkdir()
    (folder / "format/event").write_text("config:0-7\n")
    for code, event in enumerate(events.split()):
        (folder / "events" / event).write_text(f"event={code:#x}\n")
    for file, text in files.items():
        (folder / file).write_text(f"{text}\n")


def events(root: Path, name: str) -> tuple[Event, ...]:
    return Parser(Catalog(root)).events(name)


@pytest.fixture
def beside(root: Path) -> Path:
    """A test PMU beside the CPU's own."""
    names = "cache-misses branch-instructions L1-dcache-load-misses energy"
    add_pmu(root, "testpmu", 9, names, test_equipment="made up")
    return root


@pytest.mark.parametrize(
    "name", ["cache-misses", "branches", "branches:u", "L1-dcache-load-misses", "testpmu/cache-misses/", "energy"]
)
def test_what_test_equipment_answers_is_marked(beside: Path, name: str) -> None:
    (event,) = events(beside, name)
    assert event.origin is Origin.EMULATED
    assert event.meaning.startswith(f"{TEST_EQUIPMENT} (testpmu)")


@pytest.mark.parametrize(
    "name", ["cycles", "cache-references", "task-clock", "L1-dcache-loads", "r11", "cpu/config=9/"]
)
def test_what_others_answer_is_not(beside: Path, name: str) -> None:
    (event,) = events(beside, name)
    assert TEST_EQUIPMENT not in event.meaning
    assert event.origin is not Origin.EMULATED


def test_a_pmu_of_that_name_that_does_not_say_so_is_no_test_equipment(root: Path) -> None:
    add_pmu(root, "testpmu", 9, "cache-misses")
    assert TEST_EQUIPMENT not in events(root, "cache-misses")[0].meaning


def test_raw_events_of_test_equipment_that_took_their_number_are_marked(tmp_path: Path) -> None:
    add_pmu(tmp_path, "testpmu", 4, "cpu-cycles", test_equipment="made up", cpus="0-1")
    assert {TEST_EQUIPMENT in events(tmp_path, name)[0].meaning for name in ("cycles", "r11")} == {True}


def test_of_two_kinds_of_core_that_one_is_marked_which_is_test_equipment(tmp_path: Path) -> None:
    add_pmu(tmp_path, "testpmu_big", 9, "cache-misses", test_equipment="made up", cpus="0")
    add_pmu(tmp_path, "armv8_little", 10, cpus="1")
    big, little = events(tmp_path, "cache-misses")
    assert (big.cluster, little.cluster) == ("testpmu_big", "armv8_little")
    assert (TEST_EQUIPMENT in big.meaning, TEST_EQUIPMENT in little.meaning) == (True, False)
