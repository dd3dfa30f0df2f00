"""Each rule on planted cases, both ways; what it isn't given it doesn't deny."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.bottlenecks import ceilings, cores, diagnosis, graph, system, threads
from hwprof.analysis.bottlenecks.certainty import LOWER, State, Sure
from hwprof.analysis.bottlenecks.verdicts import UNDISTURBED, Context, Spin
from hwprof.analysis.factors.evidence import collect
from hwprof.analysis.roofline import Roof
from hwprof.records import Doubt, Exactness, Layer, Origin, Reading, Run, Series
from hwprof.speed import Interval, Speed
from hwprof.store import Results
from tests.analysis.planted import several
from tests.factories import MACHINE, make_run, make_simulated_run
from tests.planted_sets import with_slices

YES, PARTLY, NO, UNKNOWN = State.YES, State.PARTLY, State.NO, State.UNKNOWN


def context(extra: Sequence[Run] = (), about: dict[str, Any] | None = None, **fields: Any) -> Context:
    evidence = collect([*several(**fields), *extra])
    assert evidence is not None
    return Context(evidence, **(about or {}))


def roof(gflops: float = 0, gigabytes: float = 0) -> dict[str, Any]:
    compute = {"fp32": gflops * 1e9} if gflops else {}
    bandwidth = {"DRAM": gigabytes * 1e9} if gigabytes else {}
    bounds = {name: (0.99 * value, 1.01 * value) for name, value in (*compute.items(), *bandwidth.items())}
    return {"roof": Roof("synthetic board", (0,), compute, {}, bandwidth, {}, bounds=bounds)}


def test_compute_bound_is_a_share_of_the_measured_peak() -> None:
    # 27 frames/s x 300 MMAC x 2 = 16.2 GFLOP/s
    for peak, state in ((20, YES), (40, PARTLY), (100, NO)):
        found = ceilings.compute_bound(context(about=roof(gflops=peak)))
        assert found.state is state, peak
        assert found.numbers[0].value == pytest.approx(16.2e9, rel=1e-3)
    assert ceilings.compute_bound(context()).state is UNKNOWN
    assert ceilings.compute_bound(context(about=roof(gigabytes=20))).state is UNKNOWN


def test_ceilings_of_other_cores_than_the_case_ran_on_make_a_verdict_less_sure() -> None:
    about = roof(gflops=20, gigabytes=10)
    counted: dict[str, Any] = {"metrics": {"llc-misses": 5e6}}
    for rule in (ceilings.compute_bound, ceilings.bandwidth_bound):
        sure = rule(context(about=about, **counted))
        less = rule(context(about={**about, "roof_doubt": "the ceilings are of CPUs 2, the case ran on 3"}, **counted))
        assert less.sure is LOWER[sure.sure]
        assert "the ceilings are of CPUs 2, the case ran on 3" in less.cautions


def test_bandwidth_bound_by_counted_misses_or_by_weights_that_do_not_fit() -> None:
    # 27 frames/s x 5e6 lines x 64 B = 8.64 GB/s
    counted: dict[str, Any] = {"metrics": {"llc-misses": 5e6}}
    for limit, state in ((10, YES), (20, PARTLY), (100, NO)):
        assert ceilings.bandwidth_bound(context(about=roof(gigabytes=limit), **counted)).state is state
    assert ceilings.bandwidth_bound(context(**counted)).state is UNKNOWN
    small = {**MACHINE, "caches": [{"level": 2, "type": "Unified", "kib": 1024}]}
    weights = ceilings.bandwidth_bound(context(about=roof(gigabytes=0.5), machine=small))
    assert weights.state is YES
    assert any("not counted" in c for c in weights.cautions)
    large = {**MACHINE, "caches": [{"level": 3, "type": "Unified", "kib": 65536}]}
    assert ceilings.bandwidth_bound(context(about=roof(gigabytes=0.5), machine=large)).state is UNKNOWN


def test_latency_bound_needs_misses_that_can_stand_for_it_and_a_waiting_back_end() -> None:
    cycles = 1e8 / 1.5
    few, many = {"llc-misses": 1e3}, {"llc-misses": 1.5e5}
    waiting = {"backend-stalls": 0.6 * cycles}
    assert cores.latency_bound(context(metrics=few)).state is NO
    assert cores.latency_bound(context(metrics={**many, **waiting})).state is YES
    unsure = cores.latency_bound(context(metrics=many))
    assert (unsure.state, unsure.sure) == (PARTLY, Sure.LOW)
    assert cores.latency_bound(context()).state is UNKNOWN


def test_front_end_and_speculation_by_top_down_slots() -> None:
    def slots(front: float, bad: float) -> dict[str, float]:
        return {
            "topdown-retiring": 1e8 * (1 - front - bad),
            "topdown-bad-spec": 1e8 * bad,
            "topdown-fe-bound": 1e8 * front,
            "topdown-be-bound": 0.0,
        }

    starved, wrong = context(metrics=slots(0.4, 0.01)), context(metrics=slots(0.05, 0.3))
    assert cores.front_end(starved).state is YES
    assert cores.front_end(wrong).state is NO
    assert cores.bad_speculation(wrong).state is YES
    assert cores.bad_speculation(starved).state is NO
    assert cores.front_end(context()).state is UNKNOWN


def test_mispredictions_that_cannot_cost_much_are_ruled_out_by_their_bound() -> None:
    assert cores.bad_speculation(context(metrics={"branch-misses": 1e4})).state is NO
    # the bound says how much they can cost, not that they do
    assert cores.bad_speculation(context(metrics={"branch-misses": 1e6})).state is PARTLY
    assert cores.bad_speculation(context()).state is UNKNOWN


def test_vectors_by_their_share_and_by_instructions_per_mac() -> None:
    vector: dict[str, Any] = {"metrics": {"vector-instructions": 0.5e8}}
    assert cores.vectorisation(context(**vector)).state is NO
    scalar = cores.vectorisation(context(work=9e8, metrics={"vector-instructions": 1e6}))
    assert scalar.state is YES
    alone = cores.vectorisation(context(work=9e8))
    assert alone.state is YES
    assert cores.vectorisation(context(leave=("instructions", "cycles"))).state is UNKNOWN


def test_simulated_instructions_weaken_the_verdict_and_are_named() -> None:
    extra = [make_simulated_run(metrics={"instructions": 9e8})]
    found = cores.vectorisation(context(extra, leave=("instructions", "cycles")))
    assert found.state is YES
    assert found.sure is Sure.LOW
    assert any("SIMULATED" in c for c in found.cautions)


def test_suspect_counts_weaken_the_verdict() -> None:
    fields: dict[str, Any] = {"work": 9e8, "metrics": {"vector-instructions": 1e6}}
    sure = cores.vectorisation(context(**fields))
    suspect = cores.vectorisation(context(**fields, exactness=Exactness.SUSPECT))
    assert (sure.sure, suspect.sure) == (Sure.MEDIUM, Sure.LOW)
    assert any("SUSPECT" in c for c in suspect.cautions)


def test_an_emulated_machine_gets_no_verdict_on_time() -> None:
    about = {**roof(20, 10), "threads": {1: (1.0,), 2: (1.0,)}}
    found = diagnosis.verdicts(context(about=about, origin=Origin.EMULATED, threads=2, metrics={"llc-misses": 1e6}))
    judged = {v.code for v in found if v.state is not UNKNOWN}
    assert judged <= {"under-vectorised", "conversion", "other-load"}
    assert sum("EMULATED" in v.because for v in found) >= 8


def test_scaling_below_what_threads_could_do() -> None:
    fields: dict[str, Any] = {"threads": 4, "parallelism": 3.6}
    for many, state in ((1.5, YES), (2.8, PARTLY), (3.8, NO)):
        speeds = {1: (10.0, 10.1), 4: (10 * many, 10.1 * many)}
        assert threads.poorly_parallel(context(about={"threads": speeds}, **fields)).state is state
    assert threads.poorly_parallel(context(threads=1)).state is NO
    assert threads.poorly_parallel(context(threads=4, parallelism=1.2)).state is YES
    assert threads.poorly_parallel(context(threads=4, parallelism=3.9)).state is UNKNOWN


def test_spinning_is_certain_only_by_a_rerun() -> None:
    fields: dict[str, Any] = {"threads": 2, "parallelism": 1.99}
    equal = Interval(1.0, 0.98, 1.02)
    frame = 1e8 / 1.5 / 2e9  # CPU seconds
    shown = threads.spinning(context(about={"spin": Spin(equal, Interval(2.0, 1.9, 2.1))}, **fields))
    assert (shown.state, shown.sure) == (YES, Sure.HIGH)
    assert threads.spinning(context(about={"spin": Spin(equal, equal)}, **fields)).state is NO
    guessed = threads.spinning(context(about={"one_thread": (frame / 2,)}, **fields))
    assert (guessed.state, guessed.sure) == (YES, Sure.LOW)
    assert threads.spinning(context(about={"one_thread": (frame,)}, **fields)).state is NO
    assert threads.spinning(context(**fields)).state is UNKNOWN
    assert threads.spinning(context(**fields, facts={"spin": False})).state is NO


def test_throttling_is_denied_only_where_it_could_be_seen() -> None:
    assert system.throttling(context()).state is UNKNOWN
    steady = Series("cpu-frequency", "Hz", "cpu0", at_ns=(1, 2), values=(2e9, 2e9))
    moved = dataclasses.replace(steady, values=(1e9, 2e9))
    assert system.throttling(context(series=(steady,))).state is NO
    assert system.throttling(context(series=(moved,))).state is PARTLY
    assert system.throttling(context(doubts=(Doubt("throttled", {}),))).state is YES
    assert system.throttling(context(system={"cgroup-throttled-time": 0.2})).state is YES


def test_other_load_is_seen_in_the_run_queue() -> None:
    assert system.other_load(context(system={"run-queue-wait": 0.4})).state is YES
    assert system.other_load(context(system={"run-queue-wait": 0.001})).state is NO
    assert system.other_load(context()).state is UNKNOWN


def test_threads_that_wait_for_each_other_are_no_other_load() -> None:
    crowded: dict[str, Any] = {"threads": 2, "cpus": (1,), "system": {"run-queue-wait": 1.0}}
    found = system.other_load(context(parallelism=1.0, **crowded))
    assert found.state is NO
    assert found.numbers[0].value == pytest.approx(0.0, abs=1e-9)
    assert system.other_load(context(parallelism=0.6, **crowded)).numbers[0].value == pytest.approx(0.4)


def test_threads_without_a_cpu_each_are_not_called_idle() -> None:
    found = threads.poorly_parallel(context(threads=2, cpus=(1,), parallelism=1.0))
    assert (found.state, found.because) == (UNKNOWN, "2 threads had 1 CPU")
    crowded = context(threads=2, cpus=(1,), parallelism=1.0)
    assert "sleep" not in threads.spinning(crowded).because
    assert "sleep" in threads.spinning(context(threads=2, cpus=(0, 1), parallelism=1.0)).because


def test_paging_from_disk_and_memory_given_back_each_time() -> None:
    assert system.paging(context(doubts=(Doubt("swapped", {"mib": 12.0}),))).state is YES
    frame_s = 1e8 / (0.9 * 2e9 * 1.5)
    busy = 0.2 * frame_s / system.MINOR_S[0]
    assert system.paging(context(metrics={"page-faults": busy})).state is YES
    assert system.paging(context(metrics={"page-faults": 1.0})).state is NO
    assert system.paging(context()).state is UNKNOWN


def test_dispatch_overhead_is_the_intercept_over_batches() -> None:
    def batches(fixed: float, frame: float) -> dict[str, Any]:
        return {"batches": {b: (fixed + frame * b,) * 2 for b in (1, 2, 4)}}

    heavy = graph.dispatch(context(about=batches(2e-3, 1e-3)))
    assert heavy.state is YES
    assert heavy.numbers[0].value == pytest.approx(2 / 3, rel=1e-6)
    assert graph.dispatch(context(about=batches(0.0, 3e-3))).state is NO
    assert graph.dispatch(context()).state is UNKNOWN


def test_unfolded_operators_and_instructions_beside_other_frameworks() -> None:
    def layers(op: str) -> dict[str, Any]:
        return {"layers": [Layer("a", "Conv", 700_000), Layer("b", op, 300_000)]}

    assert graph.conversion(context(about=layers("BatchNormalization"))).state is YES
    assert graph.conversion(context(about=layers("Conv"))).state is NO
    rival = collect(several(framework="opencv", work=1e8))
    assert rival is not None
    beside = {"peers": {"opencv": rival}}
    assert graph.conversion(context(about=beside, work=3e8)).state is PARTLY
    assert graph.conversion(context(about=beside, work=1.1e8)).state is UNKNOWN
    assert graph.conversion(context()).state is UNKNOWN


def test_found_ones_come_first_and_every_found_one_says_what_to_try() -> None:
    found = diagnosis.verdicts(context(system={"run-queue-wait": 0.4}, work=9e8))
    order = [diagnosis.ORDER.index(v.state) for v in found]
    assert order == sorted(order)
    assert len(found) == len(diagnosis.RULES)
    for v in found:
        assert v.because
        assert v.state in (NO, UNKNOWN) or (v.advice and v.numbers)
        assert v.state is not UNKNOWN or v.missing or "EMULATED" in v.because


def test_zero_of_a_missing_event_is_never_read_as_no() -> None:
    runs = several()
    for index, run in enumerate(runs):
        counted = run.windows[1]
        gone = Reading("branch-misses", None, exactness=Exactness.MISSING, why="no such event", source="perf")
        windows = (run.windows[0], dataclasses.replace(counted, readings=(*counted.readings, gone)))
        runs[index] = dataclasses.replace(run, windows=windows)
    evidence = collect(runs)
    assert evidence is not None
    assert evidence.why("branch-misses") == "no such event"
    assert cores.bad_speculation(Context(evidence)).state is UNKNOWN
    assert math.isfinite(evidence.throughput)


# 27 frames per second of CPU time are 16.2 GFLOP/s; of the time the core gave only a fifth of it
SHARED = {"speeds": [Speed(fps=27.0, throughput=5.4, cpu_s=1 / 27, waiting=0.8, stolen=0.0)] * 2}
LOWERED = {"speeds": [Speed(fps=27.0, throughput=5.4, cpu_s=2 / 27, waiting=0.8, stolen=0.0)] * 2}


def test_a_shared_core_does_not_lower_what_one_thread_is_judged_by() -> None:
    for peak, state in ((20, YES), (40, PARTLY), (100, NO)):
        found = ceilings.compute_bound(context(about={**roof(gflops=peak), **SHARED}, parallelism=0.18))
        assert (found.state, found.sure) == (state, Sure.MEDIUM)
        assert found.numbers[0].text.startswith("16.2 GFLOP/s of CPU time")
        assert any("80 % of the time in the run queue" in caution for caution in found.cautions)
    counted = context(about={**roof(gigabytes=10), **SHARED}, parallelism=0.18, metrics={"llc-misses": 5e6})
    assert ceilings.bandwidth_bound(counted).state is YES


def test_a_low_rate_of_several_threads_is_not_denied_where_others_lowered_it() -> None:
    fields: dict[str, Any] = {"threads": 2, "parallelism": 0.4, "metrics": {"llc-misses": 5e6}}
    about = {**roof(gflops=1000, gigabytes=1000), "threads": {1: (10.0, 10.0), 2: (4.0, 4.0)}, **LOWERED}
    shared, quiet = (context(about={**about, **more}, **fields) for more in ({}, {"speeds": ()}))
    for rule in (ceilings.compute_bound, ceilings.bandwidth_bound, threads.poorly_parallel):
        assert rule(quiet).state is not UNKNOWN
        found = rule(shared)
        assert (found.state, found.missing) == (UNKNOWN, (UNDISTURBED,))
        assert found.because.startswith("the cores are shared: 80 % of the time in the run queue")
    alone = context(about=LOWERED, **fields)
    assert threads.poorly_parallel(alone).state is UNKNOWN
    assert threads.poorly_parallel(context(**fields)).state is YES
    assert "shared" in threads.spinning(alone).because


def test_that_the_core_is_shared_comes_before_all_other_findings() -> None:
    found = diagnosis.verdicts(context(about={**roof(gflops=16), **SHARED}, parallelism=0.18))
    assert next(v.code for v in found if v.state is YES) == "other-load"
    assert found[0].because == "the core is shared: 80 % of the time in the run queue"
    assert found[0].weight < max(v.weight for v in found)


def test_steal_that_was_not_read_is_no_zero() -> None:
    waits: dict[str, Any] = {"system": {"run-queue-wait": 0.4}}
    assert [n.name for n in system.other_load(context(**waits)).numbers] == ["waiting"]
    waits["system"]["cpu-steal[cpu0]"] = 0.1
    found = system.other_load(context(**waits))
    assert [n.name for n in found.numbers] == ["waiting", "steal"]
    assert found.because == "the core is shared: 40 % of the time in the run queue, 10 % stolen by the hypervisor"


def test_rules_of_a_run_with_slices_have_the_sensors_of_its_bare_stretch() -> None:
    run = with_slices(make_run(metrics={}, cpus=(0,)), 10.0)
    *slices, stretch = run.windows
    readings = (Reading("cpu-steal[cpu0]", 0.3, "s"), Reading("cgroup-throttled-time", 0.2, "s"))
    watched = dataclasses.replace(stretch, readings=(*stretch.readings, *readings))
    between = (slices[0].t0_ns + slices[-1].t1_ns) // 2
    clock = Series("cpu-frequency", "Hz", "cpu0", at_ns=(between, stretch.t0_ns, stretch.t1_ns), values=(1e9, 2e9, 2e9))
    evidence = collect([dataclasses.replace(run, windows=(*slices, watched), series=(clock,))])
    assert evidence is not None
    assert system.throttling(Context(evidence)).because == "its control group ran out of CPU time"
    assert evidence.series["cpu-frequency"] == (2e9, 2e9)  # between its slices others ran
    elapsed = stretch.elapsed_s
    assert evidence.quantities["cpu-steal[cpu0]"].per_second == pytest.approx(0.3 / elapsed)
    assert evidence.quantities["run-queue-wait"].per_second == pytest.approx(0.0)
    counted = slices[-1]
    assert evidence.quantities["cpu-user-time"].per_second == pytest.approx(
        sum(r.value or 0.0 for r in counted.readings if r.metric == "cpu-user-time") / counted.elapsed_s
    )


def test_batches_of_one_thread_are_compared_by_cpu_time(tmp_path: Path) -> None:
    # planted: 1 ms per inference whatever its batch, and 1 ms per frame; a busy loop takes three quarters of the core
    with Results.create(tmp_path / "r.db") as results:
        for batch in (1, 2, 4):
            for number in range(2):
                run = make_run(batch=batch, round=number, metrics={}, cpus=(0,))
                results.add(with_slices(run, 1.0 + batch, preempted=True))
        found, _ = diagnosis.diagnose(results)
    one = next(d for d in found if d.case.batch == 1)
    (verdict,) = (v for v in one.verdicts if v.code == "dispatch-overhead")
    assert verdict.numbers[0].value == pytest.approx(0.5, rel=0.02)
    assert "1 ms of CPU time per inference" in verdict.numbers[0].text
