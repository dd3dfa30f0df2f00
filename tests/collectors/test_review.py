"""Values that can't be true, planted as they were reported: none is called exact, and good ones stay as they are."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest

from hwprof.collectors import cpu, power, thermal
from hwprof.collectors.perf.tables import bounds_of, load_tables
from hwprof.collectors.review import RULES, CpuBounds, RunFacts, facts_of
from hwprof.machine.facts import hardware
from hwprof.plan.experiment import Experiment
from hwprof.records import Exactness, Origin, Reading, Run, Shape, Slices
from hwprof.runner.runs import RunFactory
from hwprof.store import Results
from tests import recorded_machines
from tests.collectors.reviewed import KERNEL, MS, ROOT, S, account, by_name, event, marks, watched, window_of
from tests.factories import make_case


def test_a_count_below_zero_is_none_whoever_counted() -> None:
    fell = Reading("their-count", -5.0, source="theirs", shape=Shape.COUNT)
    level = dataclasses.replace(fell, metric="their-level", shape=Shape.LEVEL)
    modelled = dataclasses.replace(fell, metric="misses@callgrind", origin=Origin.SIMULATED)
    found = marks(window_of(fell, level, modelled))
    assert found == {"their-count": "missing", "their-level": "exact", "misses@callgrind": "exact"}


# Times within the window


@pytest.mark.parametrize(
    ("readings", "suspect"),
    [
        ([account("cpu-user-time", 3.0), account("cpu-system-time", 1.2)], False),
        ([account("cpu-user-time", 3.0), account("cpu-system-time", 3.0)], True),
        ([event("task-clock", 4.1 * S, KERNEL, unit="ns")], False),
        ([event("task-clock", 8.0 * S, KERNEL, unit="ns")], True),
        ([event("cpu-clock", 8.0 * S, KERNEL, unit="ns")], True),
        ([account("run-time", 8.0, "proc:schedstat")], True),
        ([account("run-queue-wait", 15.0, "proc:schedstat")], False),
        ([account("run-queue-wait", 19.0, "proc:schedstat")], True),
    ],
)
def test_no_time_passes_that_the_window_does_not_have(readings: list[Reading], suspect: bool) -> None:
    found = marks(window_of(*readings), RunFacts(cpus=2, threads=8))
    assert set(found.values()) == {"suspect" if suspect else "exact"}
    assert set(marks(window_of(*readings)).values()) == {"exact"}, "of a machine of unknown size"


def test_the_cpus_of_a_case_bound_it_else_those_of_its_machine() -> None:
    bounds = CpuBounds()
    assert facts_of((0, 3), {"cpus": 8}, {}, bounds).cpus == 2
    assert facts_of((), {"cpus": 8}, {"emulator_counts": "ticks"}, bounds) == RunFacts(cpus=8, ticks=True)
    assert facts_of((), {}, {}, bounds).cpus is None


def test_the_window_of_slices_is_the_time_within_them() -> None:
    slices = Slices((S, 3 * S), (S + 50 * MS, 3 * S + 50 * MS), (1, 1), (0, 0))
    waited = account("run-queue-wait", 1.9)  # a wait is counted in the slice in which it ends
    window = dataclasses.replace(window_of(account("run-time", 0.5), waited), slices=slices)
    assert marks(window, RunFacts(cpus=1, threads=1)) == {"run-time": "suspect", "run-queue-wait": "exact"}


def test_a_counter_does_not_run_for_longer_than_it_is_enabled() -> None:
    longer = event("cycles", 5e9, enabled_ns=S, running_ns=2 * S, running=1.0)
    found = by_name(window_of(longer, event("branches", 5e8, enabled_ns=S, running_ns=S, running=1.0)))
    assert found["cycles"].why == "ran for 2,000.0 ms, but was enabled for 1,000.0 ms"
    assert found["branches"].exactness is Exactness.EXACT


# Parts and wholes

X60 = RunFacts(bounds=bounds_of({"ids": ["0x710-0x8000000058000001-0x1000000049772200"]}))
SKYLAKE = RunFacts(bounds=bounds_of({"ids": ["GenuineIntel-6-94-3"]}))
A53 = RunFacts(bounds=bounds_of({"ids": ["0x41-8-0x0-0xd03-4"]}))


@pytest.mark.parametrize(
    ("facts", "part", "whole", "exactness"),
    [
        (SKYLAKE, ("branch-misses", 2e9), ("branches", 1e9), "suspect"),
        (SKYLAKE, ("branch-misses:u", 2e9), ("branches:u", 1e9), "suspect"),
        (SKYLAKE, ("branch-misses:u", 2e9), ("branches", 1e9), "exact"),  # not of the same modes
        (SKYLAKE, ("branch-misses", 1e9), ("branches", 1e9), "exact"),
        (SKYLAKE, ("llc-misses", 3e6), ("llc-accesses", 2e6), "suspect"),
        (SKYLAKE, ("l1d-misses", 3e9), ("loads", 2e9), "exact"),  # lines brought in, prefetched ones too
        (SKYLAKE, ("vector-instructions", 3e9), ("instructions", 2e9), "exact"),  # a multiply-add counts twice
        (X60, ("vector-instructions", 3e9), ("instructions", 2e9), "suspect"),
        (X60, ("L1-dcache-load-misses", 3e9), ("L1-dcache-loads", 2e9), "suspect"),
        (X60, ("instructions", 4.2e9), ("cycles", 2e9), "suspect"),
        (X60, ("instructions", 3.9e9), ("cycles", 2e9), "exact"),
        (A53, ("branch-misses", 2e9), ("branches", 1e9), "exact"),  # speculative ones, and taken ones only
        (A53, ("instructions", 9e9), ("cycles", 2e9), "suspect"),
        (RunFacts(), ("branch-misses", 2e9), ("branches", 1e9), "exact"),  # a CPU without a table
        (RunFacts(), ("instructions", 20e9), ("cycles", 2e9), "exact"),
        (RunFacts(), ("instructions", 40e9), ("cycles", 2e9), "suspect"),  # ten times too many, or cycles lost
    ],
)
def test_a_part_is_no_more_than_its_whole(
    facts: RunFacts, part: tuple[str, float], whole: tuple[str, float], exactness: str
) -> None:
    assert set(marks(window_of(event(*part), event(*whole)), facts).values()) == {exactness}


def test_what_is_wrong_with_a_pair_is_said_of_both() -> None:
    found = by_name(window_of(event("branch-misses", 2e9), event("branches", 1e9), event("cycles", 4e9)), SKYLAKE)
    why = "branch-misses 2,000,000,000 and branches 1,000,000,000: more than 1 to 1, so one is wrong"
    assert [found[name].why for name in ("branch-misses", "branches", "cycles")] == [why, why, ""]


def test_counts_of_different_passes_are_not_compared() -> None:
    for one in (event("branch-misses", 2e9), event("branches", 1e9)):
        assert set(marks(window_of(one), SKYLAKE).values()) == {"exact"}


def test_scaled_counts_may_differ_by_more_than_exact_ones() -> None:
    def pair(share: float) -> list[Reading]:
        scaled = [event(name, value) for name, value in (("branch-misses", share * 1e9), ("branches", 1e9))]
        return [dataclasses.replace(r, exactness=Exactness.SCALED, running=0.5) for r in scaled]

    assert set(marks(window_of(*pair(1.2)), SKYLAKE).values()) == {"scaled"}
    assert set(marks(window_of(*pair(1.3)), SKYLAKE).values()) == {"suspect"}


def test_an_emulators_counts_are_not_bounded_by_the_cpu_that_it_names() -> None:
    pair = [event("instructions", 4e9, Origin.EMULATED), event("cycles", 1e9, Origin.EMULATED)]
    assert set(marks(window_of(*pair), A53).values()) == {"exact"}


def test_minor_faults_are_part_of_all_faults_on_every_cpu() -> None:
    faults = [event("page-faults", 100, KERNEL), event("minor-faults", 5000, KERNEL)]
    assert set(marks(window_of(*faults)).values()) == {"suspect"}
    assert set(marks(window_of(faults[0], event("minor-faults", 100, KERNEL))).values()) == {"exact"}


def test_kinds_of_core_are_compared_each_with_itself() -> None:
    kinds = RunFacts(bounds=CpuBounds(4.0, frozenset({("branch-misses", "branches")})))
    big = [event("instructions@cpu_core", 9e9), event("cycles@cpu_core", 2e9)]
    small = [event("instructions@cpu_atom", 1e9), event("cycles@cpu_atom", 2e9)]
    found = marks(window_of(*big, *small), kinds)
    assert {name for name, mark in found.items() if mark == "suspect"} == {r.metric for r in big}


# No table, or one without bounds: of the C950 neither ids nor events are published.
WITHOUT_BOUNDS = ("vm", "k230", "c950")


@pytest.mark.parametrize("name", [n for n in recorded_machines.NAMES if n not in WITHOUT_BOUNDS])
def test_the_tables_of_a_recorded_machine_are_found_by_its_facts(name: str) -> None:
    facts = hardware(recorded_machines.root(name))
    assert bounds_of(facts) != CpuBounds(), facts.get("ids")


def test_several_kinds_of_core_have_the_loosest_bounds() -> None:
    both = bounds_of(hardware(recorded_machines.root("rk3399")))  # Cortex-A53 and A72
    assert both == CpuBounds(3.0, frozenset())
    hybrid = bounds_of(hardware(recorded_machines.root("alderlake")))  # Golden Cove and Gracemont
    assert hybrid.max_ipc == 12
    assert ("branch-misses", "branches") in hybrid.at_most
    assert ("l1d-misses", "loads") not in hybrid.at_most, "only the small cores count retired loads"
    assert bounds_of({"ids": ["0x41-8-0x0-0xd03-4", "0x41-8-0x0-0xfff-0"]}) == CpuBounds(), "one without a table"


def test_a_table_bounds_no_more_than_any_cpu() -> None:
    assert all(table.max_ipc is None or 1 < table.max_ipc <= CpuBounds().max_ipc for table in load_tables())


def test_a_run_is_reviewed_by_the_cpus_and_the_table_of_its_machine() -> None:
    wrong = window_of(event("instructions", 9e9), event("cycles", 2e9), account("run-time", 3.0), seconds=1.0)
    run = Run("1", make_case(cpus=[0]), windows=(wrong,), machine={"ids": ["GenuineIntel-6-94-3"], "cpus": 4})
    runs = RunFactory(Experiment("e", ()), {"hardware": {}, "host_state": {}}, {})
    reviewed, _ = runs.review(run)
    found = {r.metric: r.exactness.value for r in reviewed.windows[0].readings}
    assert found == {"instructions": "exact", "cycles": "exact", "run-time": "suspect"}
    small = dataclasses.replace(run, machine={"ids": ["0x41-8-0x0-0xd03-4"], "cpus": 4})
    assert runs.review(small)[0].windows[0].readings[0].exactness is Exactness.SUSPECT


# The rules of a PMU that is there and does not count


def test_nothing_is_believed_where_all_anchors_are_zero() -> None:
    clock = event("task-clock", 1e9, KERNEL, unit="ns")
    dead = [event(name, 0.0) for name in ("cycles", "instructions", "cache-misses")]
    assert marks(window_of(clock, *dead)) == {
        "task-clock": "exact",
        "cycles": "missing",
        "instructions": "missing",
        "cache-misses": "missing",
    }
    alive = [event("cycles", 1e9), event("instructions", 0.0), event("cache-misses", 0.0)]
    assert marks(window_of(clock, *alive)) == {
        "task-clock": "exact",
        "cycles": "exact",
        "instructions": "missing",
        "cache-misses": "exact",
    }


def test_perf_stats_counts_are_held_to_the_same_rules() -> None:
    dead = [event(name, 0.0, source=f"perf-stat:{name}") for name in ("cycles", "instructions")]
    clock = event("task-clock", 1e9, KERNEL, unit="ns", source="perf-stat:task-clock")
    assert marks(window_of(clock, *dead)) == {"task-clock": "exact", "cycles": "missing", "instructions": "missing"}


def test_ticks_of_an_emulators_host_are_suspect() -> None:
    counted = [event("cycles", 5e9, Origin.EMULATED), event("l1d-misses", 5e6, Origin.EMULATED)]
    assert marks(window_of(*counted), RunFacts(ticks=True)) == {"cycles": "suspect", "l1d-misses": "exact"}
    assert set(marks(window_of(*counted)).values()) == {"exact"}


# What was measured, and is good


@pytest.mark.parametrize("name", recorded_machines.NAMES)
def test_no_sensor_of_a_recorded_machine_reads_what_cannot_be(name: str) -> None:
    root = recorded_machines.root(name)
    gauges = [gauge for module in (power, thermal, cpu) for gauge in module.gauges(None, str(root))]
    found = watched(root, gauges, [{}, {}, {}])
    assert [r for r in found.readings if r.exactness is not Exactness.EXACT] == []


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("tests/analysis/explain/recorded/*.db.gz")), ids=lambda path: path.name
)
def test_no_reading_of_recorded_results_changes(path: Path, tmp_path: Path) -> None:
    (tmp_path / "recorded.db").write_bytes(gzip.decompress(path.read_bytes()))
    runs = RunFactory(Experiment("e", ()), {"hardware": {}, "host_state": {}}, {})
    with Results.open(tmp_path / "recorded.db") as results:
        recorded = list(results.runs())
    assert sum(len(w.readings) for run in recorded for w in run.windows) > 400
    for run in recorded:
        assert runs.review(run) == (run, [])


def test_the_page_lists_every_rule() -> None:
    page = (ROOT / "docs/method.md").read_text()
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert [name for name in rows if name in RULES] == list(RULES)
