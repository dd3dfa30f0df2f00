"""What a run shows over time: planted changes are found, and where nothing is planted nothing is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from hwprof.analysis.over_time import counters, disturbed, drift, findings, growth, inputs, throughput
from hwprof.records import Case, Kind, Reading, Role, Run, Shape, SliceCounts, Slices, Window
from hwprof.speed import bins
from tests.factories import make_run

DRAWS = 100
PAGE = 4096


def sliced(
    scale: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]],
    seed: int = 0,
    noise: float = 0.03,
    resident: Sequence[int] | None = None,
    per_slice: int = 20,
) -> Run:
    """Pairs of slices of 1 ms inferences times `scale` (per pair); `resident`: pages after each slice, in order."""
    rng = np.random.default_rng(seed)
    now, inferences = 0, 0
    done: dict[Role, list[int]] = {Role.PAIRED: [], Role.COUNTED: []}
    latencies: dict[Role, list[int]] = {Role.PAIRED: [], Role.COUNTED: []}
    times: dict[Role, list[tuple[int, int]]] = {Role.PAIRED: [], Role.COUNTED: []}
    for factor in scale:
        inferences += 5  # as a turn begins
        for role in (Role.PAIRED, Role.COUNTED):
            own = (1e6 * factor * np.exp(rng.normal(0, noise) + rng.normal(0, noise, per_slice))).astype(int).tolist()
            latencies[role] += own
            times[role].append((now, now + sum(own)))
            inferences += per_slice
            done[role].append(inferences)
            now += sum(own) + 200_000
    windows = []
    for index, (role, several) in enumerate(times.items()):
        t0, t1 = (tuple(edge) for edge in zip(*several, strict=True))
        pages = tuple(resident[index::2]) if resident is not None else (0,) * len(t0)
        counts = (
            SliceCounts("rss", pages, "B", scale=PAGE, shape=Shape.LEVEL),
            SliceCounts("inferences", tuple(done[role]), shape=Shape.LEVEL),
            SliceCounts("run-queue-wait", (None, *[20_000_000] * (len(t0) - 1)), "s", scale=1e-9),
        )
        slices = Slices(t0, t1, (per_slice,) * len(t0), tuple(range(len(t0))), counts)
        windows.append(Window(index, role, index - 1, t0[0], t1[-1], tuple(latencies[role]), (), slices))
    return Run("1", Case("f", "n", "", 32, batch=2), windows=tuple(windows))


def stretch(latencies: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]], ring: int = 1) -> Run:
    own = tuple(int(t) for t in latencies)
    window = Window(0, Role.BARE, -1, 10**9, 10**9 + int(1.01 * sum(own)), own, disturbed=(1, 3))
    return Run("1", Case("f", "n", "", 32, cpus=(1,)), windows=(window,), facts={"ring": ring})


def test_throughput_over_time_has_a_point_per_slice_and_per_bin_of_the_bare_stretch() -> None:
    run = sliced([1.0] * 10, noise=0.0)
    bare, counted = throughput.traces(run)
    assert (bare.role, counted.role, len(bare.at_s)) == (Role.PAIRED, Role.COUNTED, 10)
    assert bare.at_s[0] == 0.0
    assert bare.fps == pytest.approx(2 * 1000.0)
    (alone,) = throughput.traces(stretch([1e6] * 1000))
    assert alone.iterations.sum() == 1000
    assert alone.seconds.sum() == pytest.approx(1.01)
    assert alone.fps == pytest.approx(1000 / 1.01)
    assert alone.at_s[1:] == pytest.approx((alone.at_s + alone.seconds)[:-1])


def test_a_bin_has_at_least_one_inference_and_the_loop_s_own_time_is_within() -> None:
    found = bins([120e6, 130e6, 10e6], 300e6)
    assert found.iterations.tolist() == [1, 2] or found.iterations.tolist() == [1, 1, 1]
    assert found.length_ns.sum() == pytest.approx(300e6)
    assert len(bins([], 1e9).start_ns) == 0


def test_runs_of_before_have_points_and_say_nothing_else() -> None:
    run = make_run(iterations=201)
    assert [t.role for t in throughput.traces(run)] == [Role.BARE, Role.COUNTED]
    assert findings.of_case([run]) == findings.Findings(None, (), None, None, None)
    assert counters.traces(run) == []


def test_counters_over_time_are_per_frame_and_a_level_is_as_it_is() -> None:
    run = sliced([1.0] * 4, resident=[100] * 8)
    rss, _, wait = counters.traces(run)[:3]
    assert rss.values.tolist() == [100 * PAGE] * 4
    assert np.isnan(wait.values[0])  # it could not be read: never 0
    assert wait.values[1:] == pytest.approx(0.02 / 40)


def test_the_slope_and_its_interval_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    x = np.arange(30, dtype=np.float64)
    y = np.asarray(rng.normal(0, 1, 30) + 0.1 * x, dtype=np.float64).round(1)
    expected = stats.theilslopes(y, x, alpha=0.995)
    assert drift.theil_sen(x, y) == pytest.approx((expected.slope, expected.low_slope, expected.high_slope))


def test_a_speed_that_changes_half_way_is_found_with_its_time_and_size() -> None:
    found = drift.find(sliced([1.0] * 25 + [1.4] * 25))
    assert found is not None
    assert found.at_s is not None
    assert found.quantity == "latency"
    assert found.low < 40 < found.high
    assert found.at_s == pytest.approx(25 * 2 * 0.0202, abs=0.15)
    assert [d.code for d in drift.doubts(sliced([1.0] * 25 + [1.4] * 25))] == ["drift"]


def test_a_steady_trend_is_no_change_at_once() -> None:
    found = drift.find(sliced(np.linspace(1, 1.3, 60)))
    assert found is not None
    assert found.at_s is None
    assert found.low < 30 < found.high


def test_a_stretch_of_which_throughput_alone_falls_says_throughput() -> None:
    rng = np.random.default_rng(0)
    calm = 1e6 * np.exp(rng.normal(0, 0.02, 1500))
    half = calm.copy()
    half[700::8] += 8e6  # preempted: the median stays
    found = drift.find(stretch(half))
    assert found is not None
    assert (found.quantity, found.alone) == ("throughput", True)
    assert found.percent < -30


def test_steady_runs_are_said_to_drift_in_at_most_five_percent() -> None:
    said = [drift.find(sliced([1.0] * 25, seed, noise=0.06)) is not None for seed in range(DRAWS)]
    assert sum(said) <= 0.05 * DRAWS
    correlated = []
    for seed in range(DRAWS):
        rng, level, scale = np.random.default_rng(seed), 0.0, []
        for _ in range(25):
            level = 0.5 * level + rng.normal(0, 0.03)
            scale.append(float(np.exp(level)))
        correlated.append(drift.find(sliced(scale, seed)) is not None)
    assert sum(correlated) <= 0.05 * DRAWS


def test_few_slices_and_failed_runs_say_nothing() -> None:
    assert drift.find(sliced([1.0, 1.0, 1.0, 9.0, 9.0, 9.0])) is None
    changed = sliced([1.0] * 25 + [1.4] * 25)
    assert drift.find(dataclasses.replace(changed, kind=Kind.TUNING)) is None


def leak(pages_per_slice: float, seed: int, pairs: int = 25) -> list[int]:
    rng = np.random.default_rng(seed)
    return [round(10_000 + pages_per_slice * i + noise) for i, noise in enumerate(rng.normal(0, 2, 2 * pairs))]


def test_the_interval_of_memory_growth_covers_a_planted_leak() -> None:
    covered = []
    for seed in range(DRAWS):
        found = growth.estimate([sliced([1.0] * 25, seed, resident=leak(8.0, seed))])
        assert found is not None
        # 40 inferences in a pair and 5 before
        covered.append(found.low <= 1000 * 8.0 * PAGE / 22.5 <= found.high)
        assert found.is_evident
    assert sum(covered) >= 0.95 * DRAWS


def test_without_a_leak_no_growth_is_said() -> None:
    said = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        steps = np.zeros(50)
        steps[rng.integers(0, 50, 4)] = rng.integers(10, 2000, 4)  # caches that fill at any time
        pages = (10_000 + np.cumsum(steps) + rng.normal(0, 2, 50)).round().astype(int).tolist()
        found = growth.estimate([sliced([1.0] * 25, seed, resident=pages)])
        assert found is not None
        said.append(found.is_evident)
    assert sum(said) <= 0.05 * DRAWS


def test_growth_that_hwprof_s_own_bookkeeping_may_be_is_not_said() -> None:
    found = growth.estimate([sliced([1.0] * 25, resident=leak(0.5, 0))])
    assert found is not None
    assert not found.is_evident


def test_an_input_that_costs_more_is_named_with_an_interval() -> None:
    rng = np.random.default_rng(0)
    latencies = 1e6 * np.exp(rng.normal(0, 0.02, 32 * 40))
    latencies[7::32] *= 1.12
    found = inputs.estimate([stretch(latencies, ring=32)])
    assert found is not None
    assert found.is_evident
    assert found.slowest == 7
    assert found.low < 1.12 * 1.01
    assert found.high > 1.10


def test_noise_that_lasts_for_several_inferences_names_no_input() -> None:
    said = []
    for seed in range(DRAWS):
        rng, level = np.random.default_rng(seed), 0.0
        logs = []
        for _ in range(32 * 24):
            level = 0.9 * level + rng.normal(0, 0.03)
            logs.append(level)
        found = inputs.estimate([stretch(1e6 * np.exp(logs), ring=32)])
        assert found is not None
        said.append(found.is_evident)
    assert sum(said) <= 0.05 * DRAWS


def test_without_an_effect_no_input_is_named_even_under_drift_and_preemption() -> None:
    said = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        latencies = 1e6 * np.exp(rng.normal(0, 0.03, 32 * 30) + np.linspace(0, 0.3, 32 * 30))
        latencies[rng.random(32 * 30) < 0.1] += 4e6
        found = inputs.estimate([stretch(latencies, ring=32)])
        assert found is not None
        said.append(found.is_evident)
    assert sum(said) <= 0.05 * DRAWS


def test_few_cycles_and_one_input_say_nothing_of_inputs() -> None:
    assert inputs.estimate([stretch([1e6] * 100, ring=32)]) is None
    assert inputs.estimate([stretch([1e6] * 1000, ring=1)]) is None


def test_disturbed_inferences_have_a_share_and_leave_the_others_median() -> None:
    found = disturbed.estimate([stretch([1e6, 9e6, 1e6, 9e6])])
    assert found is not None
    assert (found.share, found.latency_ns, found.steal_s) == (0.5, 1e6, None)
    run = stretch([1e6] * 4)
    (window,) = run.windows
    steal = (Reading("cpu-steal[cpu1]", 0.02, "s"), Reading("cpu-steal[cpu0]", 9.0, "s"))
    stolen = disturbed.estimate([dataclasses.replace(run, windows=(dataclasses.replace(window, readings=steal),))])
    assert stolen is not None
    assert stolen.steal_s == 0.02
    unwatched = dataclasses.replace(run, windows=(dataclasses.replace(window, disturbed=None),))
    assert disturbed.estimate([unwatched]) is None


def test_the_first_inference_is_set_against_the_steady_one() -> None:
    warmup = {"first_ns": 5_000_000, "seconds": 0.3, "iterations": 200, "medians_ns": (1.1e6, 1e6), "steady": True}
    run = sliced([1.0] * 10, noise=0.0)
    found = findings.first_inference([dataclasses.replace(run, facts={"warmup": warmup})])
    assert found is not None
    assert found.ratio == pytest.approx(5.0)
    assert findings.first_inference([dataclasses.replace(run, facts={"warmup": {"seconds": 1.0}})]) is None
