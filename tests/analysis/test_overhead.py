"""What counting costs is said with its interval or not at all."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwprof import doubts, speed
from hwprof.analysis import overhead
from hwprof.analysis.explain import wording
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.identity import identity
from hwprof.records import Doubt, Failure, Kind, Role, Run, SliceCounts
from hwprof.reports.page import content
from hwprof.reports.terminal import run as terminal
from hwprof.store import Results
from tests.analysis.planted import planted
from tests.cli.test_report import stored
from tests.factories import make_run, make_sliced_run, make_window

MS = 1_000_000


def of_rounds(changes: Sequence[float], alternate: bool = True, network: str = "resnet18") -> list[Run]:
    """A round for each change: counted windows are so much slower than bare ones; every other round begins with one."""
    runs = []
    for number, change in enumerate(changes):
        pair = [(Role.BARE, 10 * MS), (Role.COUNTED, round(10 * MS * change))]
        if alternate and number % 2:
            pair.reverse()
        windows = tuple(make_window(i, role, [ns] * 11) for i, (role, ns) in enumerate(pair))
        base = make_run("opencv", network, round=number)
        runs.append(Run(base.uid, base.case, round=number, windows=windows, machine=base.machine))
    return runs


def test_one_pair_far_apart_says_nothing() -> None:
    runs = of_rounds([10.697])
    assert overhead.estimate(runs) == overhead.Overhead(1, of="windows")
    assert "not known from 1 pair of windows" in terminal.text(runs)
    assert "%" not in terminal.text(runs).partition("counting")[2].splitlines()[0]
    assert {d.code for d in doubts.of_run(runs[0], 2)} == set()


@pytest.mark.parametrize(("rounds", "known"), [(0, False), (1, False), (5, False), (6, True), (8, True)])
def test_below_six_pairs_there_is_no_interval_and_no_figure(rounds: int, known: bool) -> None:
    found = overhead.estimate(of_rounds([1.2] * rounds))
    assert found.pairs == rounds
    assert (found.percent is not None) is known
    assert bool(overhead.doubts(of_rounds([1.2] * rounds))) is known


def test_the_figure_is_the_median_with_the_bounds_of_the_sign_test() -> None:
    changes = [1.10, 1.02, 1.07, 1.05, 1.20, 1.06, 1.08, 1.04]
    found = overhead.estimate(of_rounds(changes))
    # of 8 values the smallest and the largest: P(Binomial(8, 1/2) < 1) = .4 %, P(< 2) = 3.5 %
    assert (found.low, found.high) == pytest.approx((2.0, 20.0), abs=1e-6)
    assert found.percent == pytest.approx(100 * (math.sqrt(1.06 * 1.07) - 1), abs=1e-6)
    assert str(found) == "+6.5 % [+2.0, +20.0], 95 % over 8 pairs of windows"
    assert "+6.5 % [+2.0, +20.0]" in terminal.text(of_rounds(changes))


def test_a_doubt_needs_a_lower_end_above_three_percent() -> None:
    assert overhead.doubts(of_rounds([1.025, *[1.5] * 7])) == []
    (doubt,) = overhead.doubts(of_rounds([1.035, *[1.5] * 7]))
    assert doubts.text(doubt).startswith("counting adds 50.0 % [3.5, 50.0] to the latency")


def test_noise_is_called_overhead_in_hardly_any_case() -> None:
    random_ = random.Random(7)
    said = [bool(overhead.doubts(of_rounds([random_.lognormvariate(0, 0.2) for _ in range(8)]))) for _ in range(300)]
    assert sum(said) / len(said) <= 0.014


def test_a_falling_clock_is_no_overhead() -> None:
    assert overhead.estimate(of_rounds([1.1] * 8, alternate=False)).percent is None
    slower = [1.1 if number % 2 == 0 else 1 / 1.1 for number in range(8)]  # the second window of each pair
    assert overhead.doubts(of_rounds(slower)) == []


def test_windows_without_a_partner_and_other_kinds_of_run_make_no_pair() -> None:
    (run,) = of_rounds([1.2])
    bare, counted = run.windows
    closed = make_window(2, Role.CLOSED, [MS] * 3)
    for windows in ((bare,), (bare, closed), (bare, make_window(1, Role.COUNTED, []))):
        assert overhead.estimate([Run("1", run.case, windows=windows)]).pairs == 0
    assert overhead.estimate([Run("1", run.case, windows=(counted, bare), kind=Kind.COMMAND)]).pairs == 0
    assert overhead.estimate([Run("1", run.case, windows=(closed, counted, bare))]).pairs == 1


@pytest.mark.parametrize(("pairs", "known"), [(0, False), (1, False), (6, False), (7, True), (25, True)])
def test_below_seven_pairs_of_slices_there_is_no_interval_and_no_figure(pairs: int, known: bool) -> None:
    runs = [make_sliced_run([1.2] * pairs)] if pairs else [make_run(metrics={})]
    found = overhead.estimate(runs)
    assert (found.percent is not None) is (found.low is not None) is known
    assert bool(overhead.doubts(runs)) is known
    if pairs:
        assert (found.pairs, found.of) == (pairs, "slices")
        assert known or f"not known from {pairs} pair{'s' * (pairs != 1)} of slices" in terminal.text(runs)


def test_the_figure_of_slices_is_the_median_with_ranks_further_out() -> None:
    changes = [1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09, 1.10, 1.11, 1.12]
    found = overhead.estimate([make_sliced_run(changes)])
    # of 12 values the second and the last but one: P(Binomial(12, 1/2) < 2) = .3 %, P(< 3) = 1.9 %
    assert (found.low, found.high) == pytest.approx((2.0, 11.0), abs=1e-4)
    assert found.percent == pytest.approx(6.5, abs=0.01)
    assert str(found) == "+6.5 % [+2.0, +11.0], 95 % over 12 pairs of slices"


def test_pairs_of_all_passes_and_rounds_are_one_pool() -> None:
    runs = [make_sliced_run([1.1, 1.2], passes=2, round=n) for n in range(3)]
    assert overhead.estimate(runs).pairs == 12
    assert overhead.estimate([*runs, *of_rounds([9.0] * 20)]).high == pytest.approx(20.0), "pairs of windows are noise"


def test_a_slice_is_what_its_median_says_whatever_one_inference_took() -> None:
    run = make_sliced_run([1.0] * 9)
    late = tuple(t * (50 if i % 5 == 0 else 1) for i, t in enumerate(run.windows[1].latencies_ns))
    windows = (run.windows[0], replace(run.windows[1], latencies_ns=late), *run.windows[2:])
    assert overhead.estimate([replace(run, windows=windows)]).percent == 0.0


@pytest.mark.parametrize(("faults", "refused"), [([0] * 9, 0), ([0, 1] + [0] * 7, 1), ([None, 0, 4, 4] + [0] * 5, 2)])
def test_a_slice_that_waited_for_the_disk_is_refused_and_the_number_said(
    faults: Sequence[int | None], refused: int
) -> None:
    slow = [50.0 if count else 1.01 for count in faults]
    found = overhead.estimate([make_sliced_run(slow, counts={"rusage-major-faults": faults})])
    assert (found.pairs, found.refused) == (9 - refused, refused)
    assert found.high == pytest.approx(1.0)
    assert (f"({refused} refused: a slice waited for the disk)" in str(found)) is (refused > 0)


def test_a_bare_slice_that_waited_for_the_disk_takes_its_partner_with_it() -> None:
    run = make_sliced_run([1.0] * 8)
    slices = run.windows[0].slices
    assert slices is not None
    faults = SliceCounts("rusage-major-faults", (0, 3, *[0] * 6))
    windows = (replace(run.windows[0], slices=replace(slices, counts=(faults,))), *run.windows[1:])
    assert overhead.estimate([replace(run, windows=windows)]).refused == 1


def test_slices_of_other_kinds_of_run_and_of_failures_are_no_pairs() -> None:
    run = make_sliced_run([1.2] * 9)
    assert overhead.estimate([replace(run, kind=Kind.TUNING)]).pairs == 0
    assert overhead.estimate([replace(run, failure=Failure("killed", "by whom"))]).pairs == 0
    assert overhead.estimate([replace(run, windows=run.windows[1:])]).of == "windows"


@pytest.mark.parametrize("disturbed", [0.0, 0.25])
@pytest.mark.parametrize(
    ("pairs", "alike", "least"), [(7, 0.2, 0.94), (25, 0.2, 0.95), (75, 0.2, 0.95), (25, 0.3, 0.93)]
)
def test_the_interval_covers_the_truth_though_neighbours_are_alike(
    pairs: int, alike: float, least: float, disturbed: float
) -> None:
    rng = np.random.default_rng(5)
    shocks = rng.standard_normal((2000, pairs))
    logs = shocks.copy()
    for i in range(1, pairs):
        logs[:, i] = alike * logs[:, i - 1] + math.sqrt(1 - alike**2) * shocks[:, i]
    logs += (rng.random(logs.shape) < disturbed) * rng.standard_normal(logs.shape) * 8
    found = [speed.median_interval(row, overhead.SLICE_CONFIDENCE) for row in logs]
    assert sum(f.low <= 0 <= f.high for f in found if f.low is not None and f.high is not None) >= least * len(logs)


def test_slices_call_noise_overhead_in_hardly_any_case() -> None:
    random_ = random.Random(7)
    runs = [make_sliced_run([random_.lognormvariate(0, 0.1) for _ in range(25)], round=n) for n in range(200)]
    assert sum(bool(overhead.doubts([run])) for run in runs) <= 2


def test_a_doubt_says_what_its_pairs_are_of() -> None:
    (doubt,) = overhead.doubts([make_sliced_run([1.5] * 25)])
    assert "(95 % over 25 pairs of slices)" in doubts.text(doubt)


def test_the_report_doubts_the_case_whose_interval_says_so_and_no_other() -> None:
    runs = [*of_rounds([1.5] * 8), *of_rounds([1.0] * 8, network="alexnet")]
    (row,) = (r for r in content.doubt_table(runs).rows if r[0] == "overhead")
    assert row[1] == "8 of 16"
    assert "resnet18" in row[3]
    said = terminal.text(runs[:8])
    assert "counting adds 50.0 % [50.0, 50.0] to the latency (95 % over 8 pairs of windows)" in said


def test_a_headline_names_bare_against_counted_windows_only_where_their_interval_excludes_noise() -> None:
    slow = [planted(round=n, observer=o) for n, o in enumerate((1.5, 1.0, 1.6, 0.9))]
    even = [planted("opencv", round=n) for n in range(4)]
    steady = [planted(round=n, observer=1.5 + 0.01 * n) for n in range(4)]
    rounds = {name: [s for s in map(identity, runs) if s] for name, runs in (("a", slow), ("b", even), ("c", steady))}
    words = "bare against counted windows"
    one_round = ratio.decompose(rounds["a"][:1], rounds["b"][:1])
    assert words not in wording.headline("a", "b", one_round)
    assert words not in wording.headline("a", "b", ratio.decompose(rounds["a"], rounds["b"]))
    assert words in wording.headline("c", "b", ratio.decompose(rounds["c"], rounds["b"]))


def test_what_an_earlier_version_claimed_is_not_repeated(tmp_path: Path) -> None:
    run = make_run(doubts=[Doubt("observer", {"percent": 969.7}), Doubt("noisy", {"ratio": 1.5})])
    with Results.open(stored(tmp_path / "r.db", [run])) as results:
        (read,) = results.runs()
    assert [d.code for d in read.doubts] == ["noisy"]
