"""Values that can't be true, planted as they were reported: none is called exact, and good ones stay as they are."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof import doubts
from hwprof.collectors import cpu, power, thermal
from hwprof.collectors.perf.tables import bounds_of, load_tables
from hwprof.collectors.protocol import Gauge
from hwprof.collectors.review import RULES, CpuBounds, RunFacts, facts_of, review, shortfall
from hwprof.collectors.sampler import Sampler
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.machine.facts import hardware
from hwprof.plan.experiment import Experiment
from hwprof.records import Exactness, Origin, Reading, Role, Run, Series, Shape, Slices, Window, missing, to_json
from hwprof.runner.runs import RunFactory
from hwprof.runner.worker_process import Outcome
from hwprof.store import Results
from tests import recorded_machines
from tests.collectors.test_gauges import put
from tests.factories import make_case

S, MS = 1_000_000_000, 1_000_000
ROOT = Path(__file__).parents[2]
RAPL = "sys/class/powercap/intel-rapl:0/"
KERNEL, HARDWARE = Origin.KERNEL, Origin.HARDWARE


def window_of(*readings: Reading, seconds: float = 2.0) -> Window:
    return Window(0, Role.COUNTED, 0, S, S + round(seconds * S), (S,), readings)


def event(metric: str, value: float, origin: Origin = HARDWARE, **fields: Any) -> Reading:
    base = metric.partition(":")[0]
    domain = "user" if metric.endswith(":u") else "user+kernel"
    return Reading(metric, value, origin=origin, **{"domain": domain, "source": f"perf:{base}", **fields})


def account(metric: str, seconds: float, source: str = "rusage") -> Reading:
    return Reading(metric, seconds, "s", domain="process", source=source, shape=Shape.COUNT)


def by_name(window: Window, facts: RunFacts | None = None) -> dict[str, Reading]:
    reviewed, _ = review(window, facts or RunFacts())
    assert review(reviewed, facts or RunFacts())[0] == reviewed, "a second look changes nothing"
    return {r.metric: r for r in reviewed.readings}


def marks(window: Window, facts: RunFacts | None = None) -> dict[str, str]:
    return {name: r.exactness.value for name, r in by_name(window, facts).items()}


def watched(root: Path, gauges: Sequence[Gauge], steps: Sequence[Mapping[str, str]], seconds: float = 2.0) -> Window:
    """The window from the first to the last of samples a second apart, `steps` being written before each.

    Its readings are reviewed; the samples themselves are as they were.
    """
    now = 0
    sampler = Sampler(gauges, clock=lambda: now)
    for tree in steps:
        now += S
        put(root, dict(tree))
        sampler.tick()
    bare = Window(0, Role.BARE, -1, S, S + round(seconds * S), ())
    bare = dataclasses.replace(bare, readings=sampler.readings(bare))
    before = sampler.series()
    found, _ = review(bare, RunFacts(series=before))
    assert sampler.series() == before
    return found


def energies(root: Path, name: str, *values: str) -> dict[str, Reading]:
    """Readings of the power sensors of a machine whose file `name` had these values, a second apart."""
    put(root, {name: values[0]})
    found = watched(root, power.gauges(None, str(root)), [{name: value} for value in values])
    return {r.metric.partition("[")[0]: r for r in found.readings}


def test_an_energy_counter_that_wraps_at_a_range_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    put(tmp_path, {f"{RAPL}name": "package-0"})
    found = energies(tmp_path, f"{RAPL}energy_uj", "4000000000", "4005000000", "10000")
    assert {r.value for r in found.values()} == {None}
    assert found["energy"].why.startswith("went backwards from 4005 to 0.01 J: it was set back or started anew, or")


def test_a_wrap_of_a_known_range_is_exact(tmp_path: Path) -> None:
    put(tmp_path, {f"{RAPL}name": "package-0", f"{RAPL}max_energy_range_uj": "262143328850"})
    found = energies(tmp_path, f"{RAPL}energy_uj", "262140000000", "262142000000", "671149")
    assert found["energy"].value == pytest.approx(4.0)
    assert {r.exactness for r in found.values()} == {Exactness.EXACT}


def test_a_counter_that_started_anew_is_no_wrap_of_a_hundred_kilowatts(tmp_path: Path) -> None:
    put(tmp_path, {f"{RAPL}name": "package-0", f"{RAPL}max_energy_range_uj": "262143328850"})
    found = energies(tmp_path, f"{RAPL}energy_uj", "500000000", "510000000", "4671150")  # 261,648 J, 130,824 W
    assert {r.value for r in found.values()} == {None}
    assert "rose by 261,638 J in 1.00 s, which is more than 50,000 a second" in found["power"].why


def test_an_energy_meter_of_hwmon_that_fell_is_missing(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0/"
    put(tmp_path, {f"{chip}name": "sbrmi"})
    found = energies(tmp_path, f"{chip}energy1_input", "940000000", "945000000", "1000000")  # -939 J
    assert {r.value for r in found.values()} == {None}


def test_energy_above_idle_is_missing_with_the_energy(tmp_path: Path) -> None:
    fell = Series("energy", "J", "p", "powercap:0", cumulative=True, at_ns=(S, 2 * S, 3 * S), values=(9.0, 1.0, 5.0))
    less = Reading("energy-above-idle[p]", -12.0, "J", source="powercap:0", shape=Shape.COUNT)
    assert marks(window_of(less)) == {"energy-above-idle[p]": "exact"}, "it may be less than idle takes"
    assert marks(window_of(less), RunFacts(series=[fell])) == {"energy-above-idle[p]": "missing"}


def jiffies(busy: int) -> str:
    return f"cpu  1 0 0 0\ncpu0 {busy} 0 0 9000 0 0 0 0\n"


def test_busy_time_that_a_container_set_back_is_missing(tmp_path: Path) -> None:
    put(tmp_path, {"proc/stat": jiffies(500)})
    steps = [{"proc/stat": jiffies(ticks)} for ticks in (500, 560, 405)]  # -0.95 s
    found = {r.metric: r for r in watched(tmp_path, cpu.gauges(None, str(tmp_path)), steps).readings}
    assert found["cpu-busy[cpu0]"].exactness is Exactness.MISSING
    assert "went backwards from 5.6 to 4.05 s" in found["cpu-busy[cpu0]"].why
    assert found["cpu-steal[cpu0]"].value == 0


@pytest.mark.parametrize(("seconds", "known"), [(0.016, False), (0.049, False), (0.2, True), (2.0, True)])
def test_busy_time_needs_a_window_of_several_ticks(tmp_path: Path, seconds: float, known: bool) -> None:
    put(tmp_path, {"proc/stat": jiffies(500)})
    steps = [{"proc/stat": jiffies(ticks)} for ticks in (500, 590, 680)]
    found = {r.metric: r for r in watched(tmp_path, cpu.gauges(None, str(tmp_path)), steps, seconds).readings}
    busy = found["cpu-busy[cpu0]"]
    assert (busy.value is not None) is known
    assert known or "shorter than 5 intervals of the sensor (0.01 s each)" in busy.why


def test_a_core_is_not_busy_for_longer_than_the_window() -> None:
    busy = Reading("cpu-busy[cpu0]", 9.0, "s", domain="system", source="proc:stat", shape=Shape.COUNT)
    other = dataclasses.replace(busy, metric="cpu-busy[cpu1]", value=2.02)
    assert marks(window_of(busy, other)) == {"cpu-busy[cpu0]": "suspect", "cpu-busy[cpu1]": "exact"}


@pytest.mark.parametrize("wrong", ["4294967295000", "-2000000"])
def test_power_that_no_sensor_measures_is_missing_and_its_energy_too(tmp_path: Path, wrong: str) -> None:
    chip = "sys/class/hwmon/hwmon0/"
    put(tmp_path, {f"{chip}name": "ina260"})
    good = energies(tmp_path, f"{chip}power1_input", "2900000", "2950000", "2900000")
    assert {r.exactness for r in good.values()} == {Exactness.EXACT}
    bad = energies(tmp_path, f"{chip}power1_input", "2900000", wrong, "2900000")
    assert {r.value for r in bad.values()} == {None}
    assert bad["power"].why.startswith("1 of 3 values are not from -1 to 50000 W, as can be: ")


@pytest.mark.parametrize(
    ("metric", "file", "good", "wrong"),
    [
        ("temperature", "sys/class/thermal/thermal_zone0/temp", "54321", "-650788984"),
        ("temperature", "sys/class/thermal/thermal_zone0/temp", "54321", "-274000"),
        ("cpu-frequency", "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1600000", "0"),
        ("cpu-frequency", "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1600000", "16000000"),
    ],
)
def test_heat_and_clock_are_within_what_silicon_does(
    tmp_path: Path, metric: str, file: str, good: str, wrong: str
) -> None:
    put(tmp_path, {file: good})
    sensed = [
        watched(tmp_path, thermal.gauges(None, str(tmp_path)), [{file: v} for v in (good, value, good)])
        for value in (good, wrong)
    ]
    right, bad = (next(r for r in window.readings if r.metric.startswith(metric)) for window in sensed)
    assert right.exactness is Exactness.EXACT
    assert bad.value is None
    assert "1 of 3 values are not from" in bad.why


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


@pytest.mark.parametrize("name", [n for n in recorded_machines.NAMES if n not in ("vm", "k230")])
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


# Accounts of one thing


def timed(counted_ms: float | None, user_s: float | None, *more: Reading) -> Window:
    """An execution with its task-clock, its CPU time of rusage, and whatever else."""
    common: dict[str, Any] = {"unit": "ns", "source": "perf:task-clock"}
    clock = missing("task-clock", "refused", **common) if counted_ms is None else None
    readings = [clock or Reading("task-clock", (counted_ms or 0) * MS, **common)]
    if user_s is not None:
        readings += [account("cpu-user-time", user_s), account("cpu-system-time", 0.0)]
    return window_of(*readings, *more, seconds=1.0)


@pytest.mark.parametrize(
    ("counted_ms", "cpu_ms", "threads", "lost"),
    [
        (1, 190, 1, True),  # cut off at exec
        (0, 152, 1, True),
        (100, 190, 1, True),  # a child of it was
        (189, 190, 1, False),
        (175, 190, 1, False),  # the exec and what lies before it, on a slow machine
        (0.01, 15, 1, False),  # too short to tell from these
        (0.01, 25, 1, True),
        (9_500, 10_000, 1, False),  # below a tenth
        (8_000, 10_000, 1, True),
        (900, 1_200, 16, False),  # sixteen threads run on beside the edges of a window
        (1_000, 2_000, 16, True),
        (400, 190, 1, False),  # children that nobody waited for
        (None, 190, 1, False),
        (0, None, 1, False),
    ],
)
def test_far_below_the_cpu_time_is_lost(
    counted_ms: float | None, cpu_ms: float | None, threads: int, lost: bool
) -> None:
    counted, used = (None if value is None else value * MS for value in (counted_ms, cpu_ms))
    assert shortfall(counted, used, threads) is lost


def test_everything_perf_counted_is_suspect_and_nothing_else_is() -> None:
    faults = Reading("page-faults", 0.0, source="perf:page-faults")
    theirs = Reading("cycles", 5.0, origin=HARDWARE, source="perf-stat:cpu/cycles/")
    gone = missing("branches", "no PMU", source="perf:branches")
    rss = Reading("rss", 2e6, "B", source="proc:statm")
    judged, (doubt,) = review(timed(0.014, 0.152, faults, theirs, gone, rss), RunFacts())
    found = {r.metric: r for r in judged.readings}
    assert {n for n, r in found.items() if r.exactness is Exactness.SUSPECT} == {"task-clock", "page-faults", "cycles"}
    assert found["page-faults"].why.startswith("counted during 0.014 of 152.000 ms of CPU time, as where a program")
    assert found["branches"] == gone
    assert doubt.code == "counters-lost"
    assert "0.0 of 152.0 ms" in doubts.text(doubt)
    assert "set-uid" in doubts.text(doubt)


def test_whole_counts_stay_as_they_are() -> None:
    for whole in (timed(188, 0.190), timed(None, 0.190), timed(0.01, None)):
        assert review(whole, RunFacts()) == (whole, [])


@pytest.mark.parametrize("ran_ms", [190.0, None])
def test_without_rusage_the_schedulers_account_shows_what_was_not_counted(ran_ms: float | None) -> None:
    more = [] if ran_ms is None else [account("run-time", ran_ms / 1e3, "proc:schedstat")]
    _, found = review(timed(1, None, *more), RunFacts())
    assert [d.code for d in found] == (["counters-lost"] if more else [])


def test_the_cpu_time_of_a_process_attached_to_takes_the_place_of_rusage() -> None:
    judged, found = review(timed(0.014, None), RunFacts(cpu_ns=152e6))
    assert [d.code for d in found] == ["counters-lost"]
    assert judged.readings[0].exactness is Exactness.SUSPECT


@pytest.mark.parametrize(
    ("run_s", "suspect"),
    [
        (0.97, set()),
        (0.2, {"run-time", "run-queue-wait"}),  # threads that came and went between the edges
        (1.8, {"run-time", "run-queue-wait", "cpu-user-time", "cpu-system-time"}),
    ],
)
def test_the_schedulers_account_is_compared_with_that_of_rusage(run_s: float, suspect: set[str]) -> None:
    scheduler = [account("run-time", run_s, "proc:schedstat"), account("run-queue-wait", 0.1, "proc:schedstat")]
    found = marks(timed(None, 1.0, *scheduler))
    assert {name for name, mark in found.items() if mark == "suspect"} == suspect


def test_a_worker_that_lost_its_counters_is_doubted_once() -> None:
    whole, cut = to_json(timed(990, 1.0)), to_json(timed(1, 1.0))
    result = {"windows": [whole, cut, cut], "facts": {"tasks": 2}, "doubts": [], "fidelity": None, "unavailable": {}}
    runs = RunFactory(Experiment("e", ()), {"hardware": {}, "host_state": {}}, {})
    base = Run("1", make_case())
    run = runs.complete(base, Outcome(result, None), GaugeWatcher(1.0, ()), {})
    assert [d.code for d in run.doubts].count("counters-lost") == 1
    found = [w.readings[0].exactness for w in run.windows]
    assert found == [Exactness.EXACT, Exactness.SUSPECT, Exactness.SUSPECT]


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
