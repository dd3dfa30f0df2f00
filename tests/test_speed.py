"""Latency, FPS and their intervals against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike

from hwprof import speed
from hwprof.cli.progress import progress
from hwprof.records import Role, Run, Window
from hwprof.reports.terminal.run import text
from hwprof.runner.rounds import Progress
from hwprof.studies.tuning.tuner import outcome
from tests.factories import make_case, make_run


def test_three_sigma_drops_the_far_one_of_a_hand_made_list() -> None:
    # 19 x 10 and one 110: mean 15, sample sd sqrt(9500 / 19) = 22.36, limit 67.1: 110 is 95 away
    values = [10] * 19 + [110]
    assert speed.three_sigma(values).tolist() == [True] * 19 + [False]
    assert speed.outliers(values) == 1


def test_three_sigma_is_one_pass_only() -> None:
    # the first pass (mean 61.5, sd 221) takes 1000 away; a second one would take 50 away, which must stay
    values = [10] * 18 + [50] + [1000]
    assert speed.three_sigma(values).tolist() == [True] * 19 + [False]
    again = np.asarray(values)[speed.three_sigma(values)]
    assert speed.outliers(again) == 1


def test_three_sigma_takes_the_deviation_of_a_sample() -> None:
    # 10 zeros and a 1: 10 / sqrt(11) = 3.015 sample deviations away
    assert speed.outliers([0] * 10 + [1]) == 1
    # 9 zeros and a 1: 9 / sqrt(10) = 2.846 away
    assert speed.outliers([0] * 9 + [1]) == 0
    # 11 values: 2.95 sample deviations away, but 3.10 deviations with n in the denominator
    assert speed.outliers([0] * 9 + [0.2, 1]) == 0


@pytest.mark.parametrize("values", [[], [5], [5, 500], [7.3] * 1000, [0.1 + 0.2] * 37])
def test_three_sigma_keeps_few_and_equal_values(values: list[float]) -> None:
    assert speed.three_sigma(values).all()
    assert speed.three_sigma(values).shape == (len(values),)


def test_latency_is_the_median_of_what_is_kept() -> None:
    # even count of kept values: 1..20 without the outlier, median 10.5
    values = [*range(1, 21), 10_000]
    assert speed.latency_ns(values) == 10.5
    assert float(np.median(values)) == 11


def test_latency_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        speed.latency_ns([])


def test_percentiles_keep_the_tail() -> None:
    values = [10] * 99 + [1000]
    assert speed.outliers(values) == 1
    assert speed.percentile(values, 100) == 1000
    assert speed.percentile(range(1, 102), 90) == 91
    assert speed.percentile(range(1, 102), 99) == 100


def test_fps_and_throughput() -> None:
    assert speed.fps(4, 25_000_000) == 160
    assert speed.throughput(120, 3_000_000_000) == 40


@pytest.mark.parametrize("bad", [0, -1, float("nan")])
def test_impossible_times_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        speed.fps(1, bad)
    with pytest.raises(ValueError, match="above 0"):
        speed.throughput(1, bad)


@pytest.mark.parametrize(
    ("n", "rank"),
    # from tables of the sign test at 2.5 % per side
    [(5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (25, 8), (50, 18), (100, 40)],
)
def test_the_interval_of_a_median_takes_the_ranks_of_the_sign_test(n: int, rank: int) -> None:
    found = speed.median_interval(range(1, n + 1))
    expected = (None, None) if rank == 0 else (rank, n + 1 - rank)
    assert (found.low, found.high) == expected
    assert found.value == (n + 1) / 2


def test_the_interval_of_a_median_of_many_values_narrows() -> None:
    found = speed.median_interval(np.arange(100_001))
    assert found.low is not None
    assert found.low == pytest.approx(50_000 - 0.98 * math.sqrt(100_001), abs=2)


@pytest.mark.parametrize(("n", "rank"), [(6, 0), (7, 1), (9, 1), (10, 1), (11, 2), (20, 5), (25, 7), (50, 17)])
def test_an_interval_of_higher_confidence_takes_ranks_further_out(n: int, rank: int) -> None:
    # from tables of the sign test at 1 % per side
    found = speed.median_interval(range(1, n + 1), 0.98)
    assert (found.low, found.high) == ((None, None) if rank == 0 else (rank, n + 1 - rank))


def levels(*ns: int) -> list[int]:
    """0.2 s at each level of latency: a block."""
    return [t for level in ns for t in [level] * (200_000_000 // level)]


def test_the_interval_of_a_stretch_knows_that_neighbours_are_alike() -> None:
    # 2,000 inferences, but two states that last a second each: no interval of 2,000 values could be this wide
    found = speed.stretch_interval([levels(*[1_000_000] * 5, *[1_100_000] * 5)])
    assert (found.low, found.high) == (1_000_000, 1_100_000)


def test_the_interval_of_a_steady_stretch_is_narrow_and_always_the_same() -> None:
    latencies = [1_000_000 + i % 7 * 1000 for i in range(4000)]
    found = speed.stretch_interval([latencies])
    assert found == speed.stretch_interval([latencies])
    assert found.value == 1_003_000
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low <= 2000


def test_stretches_are_cut_into_blocks_one_by_one() -> None:
    one = levels(*[1_000_000] * 4)
    assert speed.stretch_interval([one]).low is None, "four blocks"
    assert speed.stretch_interval([one, []]) == speed.stretch_interval([one])
    assert speed.stretch_interval([one, levels(1_000_000)]).low == 1_000_000
    assert speed.stretch_interval([[10**9] * 5]).high == 10**9, "an inference longer than a block is one"
    with pytest.raises(ValueError, match="no latencies"):
        speed.stretch_interval([[]])


def test_between_rounds_is_the_t_interval_of_the_logs() -> None:
    # logs 1, 2, 3: mean 2, sd 1, t(2) = 4.302653, half width 4.302653 / sqrt(3) = 2.484138
    found = speed.between_rounds([math.e, math.e**2, math.e**3])
    assert found.value == pytest.approx(math.e**2)
    assert found.low == pytest.approx(math.exp(2 - 2.484138), rel=1e-5)
    assert found.high == pytest.approx(math.exp(2 + 2.484138), rel=1e-5)


def test_one_round_has_no_interval() -> None:
    found = speed.between_rounds([40.0])
    assert found.value == pytest.approx(40.0)
    assert (found.low, found.high) == (None, None)
    assert speed.between_rounds([40.0, float("nan")])[1:] == (None, None)


def test_between_rounds_refuses_what_has_no_logarithm() -> None:
    with pytest.raises(ValueError, match="above 0"):
        speed.between_rounds([1.0, 0.0])
    with pytest.raises(ValueError, match="no rounds"):
        speed.between_rounds([])


def with_bare(run: Run, *latencies_ns: int) -> Run:
    """The run with these latencies in each of its bare windows; without such windows where there are none."""
    windows = [replace(w, latencies_ns=latencies_ns) if w.role is Role.BARE else w for w in run.windows]
    return replace(run, windows=tuple(w for w in windows if w.latencies_ns))


NOTHING_TIMED = pytest.mark.parametrize("latencies_ns", [(), (0, 0, 0)], ids=["no bare window", "stopped clock"])


def test_the_speed_of_a_run_is_that_of_its_pooled_bare_windows() -> None:
    bare = [Window(i, Role.BARE, -1, 0, 200, latencies) for i, latencies in enumerate([(10, 30), (20, 20, 40)])]
    counted = Window(2, Role.COUNTED, 0, 0, 999, (99, 99))
    found = speed.of_run(Run("1", make_case(batch=4), windows=(*bare, counted)))
    assert found == speed.Speed(20.0, 4e9 / 20, 4e9 * 5 / 400)


def test_an_imported_run_has_the_speed_that_was_recorded() -> None:
    run = Run("1", make_case(), facts={"imported": {"format": "csv", "fps": 12.5}})
    assert speed.of_run(run)[:3] == (None, 12.5, None)


@NOTHING_TIMED
def test_a_run_without_times_has_no_speed(latencies_ns: tuple[int, ...]) -> None:
    assert speed.of_run(with_bare(make_run(), *latencies_ns))[:3] == (None, None, None)


@NOTHING_TIMED
def test_a_run_without_times_is_printed_without_a_speed(latencies_ns: tuple[int, ...]) -> None:
    run = with_bare(make_run(), *latencies_ns)
    assert "no speed" in text([run])
    assert "no speed" in progress(Progress(1, 2, run, None))


@NOTHING_TIMED
def test_a_trial_without_times_is_out_of_the_search(latencies_ns: tuple[int, ...]) -> None:
    run = with_bare(make_run(), *latencies_ns)
    found = outcome([replace(run, facts={**run.facts, "tuning": {"seconds": 1.0}})], run, {})
    assert found.fps is None
    assert "no speed" in found.failure


def test_a_round_without_times_leaves_the_others_their_speed() -> None:
    good = make_run()
    assert text([good, with_bare(make_run(uid="2"), 0, 0)]).count("no speed") == 0


def turns(logs: ArrayLike, numbers: Sequence[int] | None = None) -> speed.Turns:
    columns = np.stack([np.asarray(logs)] * 3, axis=1)
    return speed.Turns(np.arange(len(columns)) if numbers is None else np.asarray(numbers), columns)


def test_what_members_share_in_a_turn_is_removed() -> None:
    shared = np.array([0.0, 2.0, -1.0, 0.5, 3.0])
    found = speed.side_by_side([turns(shared + 1.0), turns(shared + 1.5), turns(shared)])
    assert found[0, 0] - found[2, 0] == pytest.approx(1.0)
    assert found[1, 0] - found[0, 0] == pytest.approx(0.5)


def test_only_turns_that_all_members_have_are_compared() -> None:
    short, long = turns([0.0, 0.0, 0.0], [0, 1, 3]), turns([1.0, 1.0, 9.0, 1.0, 9.0])
    found = speed.side_by_side([short, long])
    assert found[1, 0] - found[0, 0] == pytest.approx(1.0)


def test_two_common_turns_are_too_few() -> None:
    assert np.isnan(speed.side_by_side([turns([0.0, 1.0]), turns([0.0, 1.0, 2.0])])).all()


def test_an_unknown_cpu_time_leaves_the_others_known() -> None:
    found = speed.by_turn([0, 1, 1], [1e6, 2e6, 2e6], [4e6, 8e6, 8e6], [math.nan] * 3, [4, 4, 4], 1)
    assert found.numbers.tolist() == [0, 1]
    assert np.exp(found.logs[:, 0]) == pytest.approx([1e6, 2e6])
    assert np.exp(found.logs[:, 1]) == pytest.approx([1e6, 2e6])
    assert np.isnan(found.logs[:, 2]).all()


def test_the_median_of_each_slice_is_that_of_its_own_inferences() -> None:
    latencies = [5.0, 1.0, 3.0, 8.0, 2.0, 9.0, 4.0]
    assert speed.slice_medians(latencies, [3, 2, 2]) == [3.0, 5.0, 6.5]
    assert speed.slice_medians(latencies, [1, 6]) == [5.0, 3.5]
