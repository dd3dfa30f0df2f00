"""What the slowest inferences have: planted preemption and faults are named, what only drifts is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from hwprof.analysis.over_time.comovement import CLOCK, ON_CPU, REST, WAITING
from hwprof.analysis.over_time.tail import MIGRATION, UNSPLIT, Tail, estimate
from hwprof.records import Case, Reading, Role, Run, Shape, SliceCounts, Window
from tests.factories import make_run

Floats = NDArray[np.float64]
MS = 1e6
N = 1000


def run_of(
    cpu: Floats, waiting: Floats, counts: Mapping[str, Floats], rest: Floats | float = 0.0, number: int = 0
) -> Run:
    """Inferences of so much CPU time, waiting and rest each, in ns."""
    latency = (cpu + waiting + rest).astype(int)
    columns = {"task-clock": cpu, "run-queue-wait": waiting, **counts}
    recorded = tuple(
        SliceCounts(name, tuple(int(v) for v in values), shape=Shape.LEVEL if name == "cpu" else Shape.COUNT)
        for name, values in columns.items()
    )
    window = Window(3, Role.RECORDED, -1, 0, int(latency.sum()), tuple(latency.tolist()), inferences=recorded)
    return Run(f"run{number}", Case("f", "n", "", 32), round=number, windows=(window,))


def quiet(rng: np.random.Generator, n: int = N) -> Floats:
    return np.asarray(1.4 * MS * np.exp(0.01 * rng.normal(size=n)))


def chosen(rng: np.random.Generator, share: float, n: int = N) -> Floats:
    return np.asarray(rng.random(n) < share, dtype=np.float64)


def tail_of(*runs: Run) -> Tail:
    found = estimate(runs)
    assert found is not None
    return found


def test_preemption_is_the_reason_and_its_share_is_the_waiting() -> None:
    rng = np.random.default_rng(1)
    away = chosen(rng, 0.02)
    found = tail_of(*(run_of(quiet(rng), 4 * MS * away, {"involuntary-switches": away}, number=i) for i in range(3)))
    assert found.reason is not None
    assert found.reason.name == WAITING
    assert 0.9 < found.reason.low <= found.reason.share <= found.reason.high <= 1.0
    assert sum(part.share for part in found.parts) == pytest.approx(1.0)
    assert (found.inferences, found.slow, found.runs) == (3 * N, 3 * N // 100, 3)
    assert found.p99_ns > 3 * found.median_ns


@pytest.mark.parametrize("loaded", [False, True])
def test_page_faults_of_one_inference_in_a_hundred_are_named_quiet_and_under_load(loaded: bool) -> None:
    rng = np.random.default_rng(2)
    runs = []
    for number in range(3):
        faulty, away = chosen(rng, 0.01), chosen(rng, 0.1) * loaded
        counts = {"page-faults": 512 * faulty, "context-switches": away, "minor-faults": 512 * faulty}
        runs.append(run_of(quiet(rng) + 1.8 * MS * faulty, 5 * MS * away, counts, number=number))
    found = tail_of(*runs)
    assert found.reason is not None
    assert found.reason.name == (WAITING if loaded else ON_CPU)
    first = found.found[0]
    assert {first.metric, *first.also} == {"page-faults", "minor-faults"}
    assert first.slow > 0.6
    assert first.others < 0.02
    assert (first.excess < 0.3) == loaded
    assert first.excess > 0
    assert found.tested == (3 if loaded else 2)  # what never varies is not tested


def test_sleep_and_what_the_host_takes_is_the_rest() -> None:
    rng = np.random.default_rng(3)
    asleep = chosen(rng, 0.02)
    found = tail_of(run_of(quiet(rng), np.zeros(N), {"voluntary-switches": asleep}, rest=3 * MS * asleep))
    assert found.reason is not None
    assert found.reason.name == REST
    assert [e.metric for e in found.found] == ["voluntary-switches"]


def test_events_that_drift_by_themselves_are_named_in_one_case_of_twenty_at_most() -> None:
    rng = np.random.default_rng(4)

    def walk() -> Floats:
        steps = np.cumsum(rng.normal(size=N))
        return np.asarray(1e4 + 1e3 * (steps - steps.mean()) / steps.std())

    said = 0
    for _ in range(40):
        slow = 0.05 * MS * (walk() - 1e4) / 1e3
        counts = {f"event-{i}": walk() for i in range(6)}
        said += bool(tail_of(run_of(quiet(rng) + slow, np.zeros(N), counts)).found)
    assert said <= 6  # of 40 at 5 %: P(more than 6) = 1 %


def test_a_clock_that_falls_is_found_as_fewer() -> None:
    rng = np.random.default_rng(5)
    cpu = quiet(rng) * (1 + 0.5 * chosen(rng, 0.01))
    counts = {"cycles": np.full(N, 2.8 * MS), "instructions": np.full(N, 1e6)}
    (one,) = tail_of(run_of(cpu, np.zeros(N), counts)).found
    assert (one.metric, one.less) == (CLOCK, True)
    assert one.ratio is not None
    assert one.ratio < 0.9


def test_a_migration_is_an_inference_that_ended_on_another_cpu() -> None:
    rng = np.random.default_rng(6)
    moved = chosen(rng, 0.01)
    found = tail_of(run_of(quiet(rng) + MS * moved, np.zeros(N), {"cpu": np.cumsum(moved) % 2}))
    assert [e.metric for e in found.found] == [MIGRATION]


def test_what_was_waited_for_between_inferences_is_no_part_of_one() -> None:
    rng = np.random.default_rng(7)
    found = tail_of(run_of(quiet(rng), np.zeros(N), {"run-queue-wait": 4 * MS * chosen(rng, 0.05)}))
    assert found.between > 0.9
    shares = {part.name: part.share for part in found.parts}
    assert shares[WAITING] < 0.2
    assert shares[ON_CPU] > 0.8


def test_of_several_threads_own_time_is_not_separable_from_the_rest() -> None:
    rng = np.random.default_rng(10)
    away = chosen(rng, 0.02)
    run = run_of(quiet(rng), 4 * MS * away, {})
    found = tail_of(dataclasses.replace(run, case=Case("f", "n", "", 32, threads=2)))
    assert [part.name for part in found.parts] == [WAITING, UNSPLIT]
    assert sum(part.share for part in found.parts) == pytest.approx(1.0)
    assert not found.alone


def test_steal_is_that_of_the_window_on_the_cpus_of_the_case() -> None:
    rng = np.random.default_rng(11)
    run = run_of(quiet(rng), np.zeros(N), {})
    assert tail_of(run).steal_s is None
    (window,) = run.windows
    readings = tuple(Reading(f"cpu-steal[cpu{cpu}]", 0.25 * cpu, "s") for cpu in (1, 2))
    stolen = dataclasses.replace(window, readings=readings)
    case = dataclasses.replace(run.case, cpus=(1,))
    assert tail_of(dataclasses.replace(run, case=case, windows=(stolen,))).steal_s == 0.25


def test_without_an_account_of_waiting_there_is_no_split_but_there_are_events() -> None:
    rng = np.random.default_rng(8)
    faulty = chosen(rng, 0.01)
    (window,) = run_of(quiet(rng) + MS * faulty, np.zeros(N), {"page-faults": faulty}).windows
    faults = tuple(c for c in window.inferences if c.metric == "page-faults")
    window = Window(
        window.index, window.role, window.pass_, window.t0_ns, window.t1_ns, window.latencies_ns, inferences=faults
    )
    found = tail_of(Run("run", Case("f", "n", "", 32), windows=(window,)))
    assert (found.parts, found.reason) == ((), None)
    assert [e.metric for e in found.found] == ["page-faults"]


def test_runs_of_before_have_none_and_few_inferences_say_so() -> None:
    assert estimate([make_run()]) is None
    refused = estimate([make_run(facts={"per_iteration": {"why": "reading takes too long"}})])
    assert refused is not None
    assert (refused.why, refused.inferences) == ("reading takes too long", 0)
    rng = np.random.default_rng(9)
    few = tail_of(run_of(quiet(rng, 200), np.zeros(200), {}))
    assert few.why == "of 500 inferences that it takes there are 200"
    assert (few.parts, few.events) == ((), ())
