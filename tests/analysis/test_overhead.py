"""What counting costs is said with its interval or not at all."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from hwprof import doubts
from hwprof.analysis import overhead
from hwprof.analysis.explain import wording
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.identity import identity
from hwprof.records import Doubt, Kind, Role, Run
from hwprof.reports.page import content
from hwprof.reports.terminal import run as terminal
from hwprof.store import Results
from tests.analysis.planted import planted
from tests.cli.test_report import stored
from tests.factories import make_run, make_window

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
    assert overhead.estimate(runs) == overhead.Overhead(1)
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
    assert str(found) == "+6.5 % [+2.0 ... +20.0], 95 % over 8 pairs of windows"
    assert "+6.5 % [+2.0 ... +20.0]" in terminal.text(of_rounds(changes))


def test_a_doubt_needs_a_lower_end_above_three_percent() -> None:
    assert overhead.doubts(of_rounds([1.025, *[1.5] * 7])) == []
    (doubt,) = overhead.doubts(of_rounds([1.035, *[1.5] * 7]))
    assert doubts.text(doubt).startswith("counting adds 50.0 % [3.5 ... 50.0] to the latency")


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
        assert overhead.pairs(Run("1", run.case, windows=windows)) == []
    assert overhead.pairs(Run("1", run.case, windows=(counted, bare), kind=Kind.COMMAND)) == []
    assert len(overhead.pairs(Run("1", run.case, windows=(closed, counted, bare)))) == 1


def test_the_report_doubts_the_case_whose_interval_says_so_and_no_other() -> None:
    runs = [*of_rounds([1.5] * 8), *of_rounds([1.0] * 8, network="alexnet")]
    (row,) = (r for r in content.doubt_table(runs).rows if r[0] == "overhead")
    assert row[1] == "8 of 16"
    assert "resnet18" in row[3]
    said = terminal.text(runs[:8])
    assert "counting adds 50.0 % [50.0 ... 50.0] to the latency (95 % over 8 pairs of windows)" in said


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
