"""Which counters move with latency within runs: a driver is found, the split adds up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from hwprof.analysis.over_time.comovement import CLOCK, ON_CPU, REST, WAITING, WithinRuns, estimate
from hwprof.records import Case, Kind, Role, Run, Series, Shape, SliceCounts, Slices, Window
from tests.factories import make_run, make_sliced_run

Floats = NDArray[np.float64]
MS = 1_000_000
PER_SLICE = 10


def run_of(
    latency_ns: Floats,
    counts: Mapping[str, Floats],
    waiting_ns: Floats | None = None,
    number: int = 0,
    threads: int = 1,
    series: tuple[Series, ...] = (),
) -> Run:
    """Counted slices of ten inferences of these latencies each; `counts` and `waiting_ns`: per inference."""
    own = latency_ns.astype(int)
    t0 = np.arange(len(own)) * 100 * MS
    columns = [SliceCounts(name, _ints(values * PER_SLICE), source="planted") for name, values in counts.items()]
    if waiting_ns is not None:
        columns.append(SliceCounts("run-queue-wait", _ints(waiting_ns * PER_SLICE), "s", scale=1e-9))
        columns.append(SliceCounts("run-time", _ints((own - waiting_ns) * PER_SLICE), "s", scale=1e-9))
    columns.append(SliceCounts("inferences", _ints(np.arange(len(own), dtype=float) * PER_SLICE), shape=Shape.LEVEL))
    slices = Slices(
        tuple(t0.tolist()),
        tuple((t0 + PER_SLICE * own).tolist()),
        (PER_SLICE,) * len(own),
        tuple(range(len(own))),
        tuple(columns),
    )
    latencies = tuple(int(t) for t in own for _ in range(PER_SLICE))
    window = Window(1, Role.COUNTED, 0, 0, int(t0[-1] + PER_SLICE * own[-1]), latencies, slices=slices)
    case = Case("f", "n", "", 32, threads=threads, cpus=(1,))
    return Run(f"run{number}", case, round=number, windows=(window,), series=series)


def _ints(values: Floats) -> tuple[int, ...]:
    return tuple(int(v) for v in values)


def persistent(rng: np.random.Generator, n: int, a: float = 0.7) -> Floats:
    values = rng.normal(size=n)
    for i in range(1, n):
        values[i] += a * values[i - 1]
    return values


def rounds(seed: int, effect: float = 0.05, n: int = 40) -> list[Run]:
    """Latency follows `l2-misses`; 20 others drift by themselves; every round has levels of its own."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(3):
        driver = persistent(rng, n)
        latency = MS * (1 + number) * np.exp(effect * driver / driver.std() + 0.02 * persistent(rng, n))
        counts = {"l2-misses": 1000 * (1 + number) + 100 * driver}
        counts |= {f"event-{i}": 1000 * (1 + number) + 100 * persistent(rng, n, 0.9) for i in range(20)}
        counts["cycles"] = latency * 2  # latency in disguise
        found.append(run_of(latency, counts, number=number))
    return found


def found_in(runs: list[Run]) -> WithinRuns:
    found = estimate(runs)
    assert found is not None
    return found


def test_a_counter_that_drives_latency_is_found_and_no_other() -> None:
    found = found_in(rounds(1))
    assert [c.metric for c in found.found] == ["l2-misses"]
    (driver,) = found.found
    assert 0 < driver.low < driver.r < driver.high < 1
    assert driver.effective <= driver.slices
    assert found.family == 21  # what is latency in disguise is not asked
    assert (found.slices, found.runs, found.parts) == (120, 3, None)


def test_without_a_driver_nothing_is_said_in_most_cases() -> None:
    said = sum(bool(found_in(rounds(seed, 0.0)).found) for seed in range(40))
    assert said <= 6  # of 40 at 5 %: P(more than 6) = 1 %


def test_latency_is_split_and_events_are_asked_about_the_rest() -> None:
    rng = np.random.default_rng(2)
    own = MS * np.exp(0.02 * rng.normal(size=60))
    waiting = np.where(rng.random(60) < 0.3, 0.5 * MS, 0.0)
    faults = (own - MS) / 100 + 1000
    found = found_in([run_of(own + waiting, {"page-faults": faults}, waiting)])
    assert found.parts is not None
    assert list(found.parts) == [WAITING, ON_CPU, REST]
    assert sum(found.parts.values()) == pytest.approx(1.0)
    assert found.parts[WAITING] > 0.9
    assert found.without_waiting
    assert [c.metric for c in found.found] == ["page-faults"]
    threads = found_in([run_of(own + waiting, {"page-faults": faults}, waiting, threads=2)])
    assert (threads.parts, threads.without_waiting) == (None, False)  # the waiting of several threads does not add up


def test_counters_that_move_together_are_one() -> None:
    rng = np.random.default_rng(3)
    latency = MS * np.exp(0.05 * rng.normal(size=80))
    found = found_in([run_of(latency, {"page-faults": latency / 1000, "minor-faults": latency / 1000 + 3})])
    (one,) = found.found
    assert {one.metric, *one.also} == {"page-faults", "minor-faults"}
    assert found.family == 2


def test_a_clock_that_falls_and_rises_is_found_by_cycles_over_cpu_time() -> None:
    rng = np.random.default_rng(4)
    clock = 2.0 * np.exp(0.05 * rng.normal(size=60))
    latency = 2 * MS / clock
    run = run_of(latency, {"cycles": np.full(60, 2.0 * MS), "task-clock": latency})
    (window,) = run.windows
    assert window.slices is not None
    counts = tuple(
        dataclasses.replace(c, domain="user+kernel") if c.metric == "cycles" else c for c in window.slices.counts
    )
    window = dataclasses.replace(window, slices=dataclasses.replace(window.slices, counts=counts))
    (one,) = found_in([dataclasses.replace(run, windows=(window,))]).found
    assert one.metric == CLOCK
    assert one.r < -0.9


def test_a_gauge_of_another_core_is_not_asked() -> None:
    rng = np.random.default_rng(5)
    latency = MS * np.exp(0.05 * rng.normal(size=60))
    at = tuple(int(i * 100 * MS + latency[i] * PER_SLICE / 2) for i in range(60))
    ours, other = (
        Series("cpu-frequency", "MHz", f"cpu{cpu}", at_ns=at, values=tuple((3e9 / latency).tolist())) for cpu in (1, 2)
    )
    found = found_in([run_of(latency, {}, series=(ours, other))])
    assert [c.metric for c in found.tested] == ["cpu-frequency[cpu1]"]
    assert found.found[0].r < -0.9


def test_a_missing_count_is_left_out_not_zero() -> None:
    rng = np.random.default_rng(6)
    latency = MS * np.exp(0.05 * rng.normal(size=60))
    run = run_of(latency, {"page-faults": latency / 1000})
    (window,) = run.windows
    assert window.slices is not None
    first, *others = window.slices.counts
    holes = tuple(None if i % 3 == 0 else v for i, v in enumerate(first.raw))
    slices = dataclasses.replace(window.slices, counts=(dataclasses.replace(first, raw=holes), *others))
    found = found_in([dataclasses.replace(run, windows=(dataclasses.replace(window, slices=slices),))])
    assert found.found[0].slices in (39, 40)
    assert found.found[0].r > 0.95


def test_runs_without_slices_and_few_slices_say_so() -> None:
    assert estimate([make_run()]) is None
    assert estimate([dataclasses.replace(make_sliced_run([1.0] * 30), kind=Kind.TUNING)]) is None
    few = found_in([make_sliced_run([1.0, 1.1] * 4, counts={"page-faults": [1, 2] * 4})])
    assert (few.why, few.tested) == ("of 20 slices that it takes there are 16", ())
    still = found_in([make_sliced_run([1.0, 1.1] * 10, counts={"page-faults": [0] * 20})])
    assert still.why == "no counter varied from slice to slice"
