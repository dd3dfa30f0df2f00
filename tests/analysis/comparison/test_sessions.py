"""Which rounds are of one session, and what sessions of one program differ by: exact, estimated, and in verdicts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from hwprof.analysis.comparison.calibration import as_noises, calibrate
from hwprof.analysis.comparison.compare import Change, Judgement, compare
from hwprof.analysis.comparison.measured import RunSummary
from hwprof.analysis.comparison.pairing import Pairing
from hwprof.analysis.comparison.sessions import SessionNoise, estimate_noise, mark_sessions
from hwprof.analysis.estimator import Estimator
from hwprof.errors import ResultsError
from hwprof.records import Case, Kind
from hwprof.reports.terminal import comparison
from hwprof.speed import Speed
from hwprof.store.columns import Floats

NAMES = iter(range(10**9))


def run(started: str, log: float = 0.0, number: int = 0, network: str = "resnet18", **fields: object) -> RunSummary:
    one = RunSummary(
        f"{next(NAMES):08x}", Case("a", network, "", 224), Kind.NATIVE, number, started, Speed(fps=math.exp(log))
    )
    return dataclasses.replace(one, **{"machine": {"label": "m"}, **fields})  # type: ignore[arg-type]


def sessions(logs: Sequence[Sequence[float]], month: int, network: str = "resnet18") -> list[RunSummary]:
    """One session a day, with rounds of these log speeds."""
    return [
        run(f"2000-{month:02d}-{day:02d}T00:{number:02d}:00+00:00", log, number, network)
        for day, rounds in enumerate(logs, 1)
        for number, log in enumerate(rounds)
    ]


def marked(*runs: RunSummary) -> list[str]:
    return [one.session for one in mark_sessions(runs)]


def only(old: Sequence[RunSummary], new: Sequence[RunSummary], noise: SessionNoise | None = None) -> Change:
    noises = {}
    if noise is not None:
        known = dataclasses.replace(calibrate(sessions([[0.0], [0.1]], 1), "")[0], noises={"FPS": noise})
        noises = dict(as_noises([known]))
    (change,) = compare(old, new, noises=noises).changes
    return change


def test_runs_without_an_id_are_of_one_session_until_a_pause_of_half_an_hour() -> None:
    at = "2000-01-01T{}+00:00".format
    one, two, three, four = (run(at(clock)) for clock in ("10:00:00", "10:29:00", "10:58:00", "11:30:00"))
    names = marked(four, one, three, two)  # in any order
    assert names[1] == names[2] == names[3] != names[0]
    long = dataclasses.replace(three, seconds=600.0)  # it went on until 11:08
    assert len(set(marked(one, two, long, four))) == 1


def test_runs_of_one_invocation_are_of_one_session_however_long_it_takes() -> None:
    begin, end = (run(f"2000-01-01T{hour}:00:00+00:00", session="aa") for hour in ("01", "23"))
    assert len(set(marked(begin, end))) == 1
    assert len(set(marked(begin, dataclasses.replace(end, session="bb")))) == 2


def test_invocations_right_after_each_other_are_one_session_unless_the_machine_was_booted() -> None:
    first, second = (run(f"2000-01-01T10:{m}:00+00:00", session=m, boot="b1") for m in ("00", "10"))
    assert len(set(marked(first, second))) == 1
    assert len(set(marked(first, dataclasses.replace(second, boot="b2")))) == 2
    assert len(set(marked(first, dataclasses.replace(second, machine={"label": "n"})))) == 2


def test_runs_that_tell_no_time_are_one_session() -> None:
    assert len(set(marked(run(""), run("yesterday")))) == 1
    assert len(set(marked(run(""), run("2000-01-01T10:00:00+00:00")))) == 2


def test_several_sessions_a_side_are_the_units_of_students_t() -> None:
    old, new = [[0.00, 0.02], [0.04, 0.04], [0.02, 0.0]], [[-0.06, -0.08], [-0.05, -0.07], [-0.1, -0.1]]
    change = only(sessions(old, 1), sessions(new, 2))
    x, y = ([float(np.mean(rounds)) for rounds in side] for side in (old, new))
    expected = stats.ttest_ind(y, x)
    interval = expected.confidence_interval()
    assert (change.pairing, change.sessions) == (Pairing.SESSIONS, (3, 3))
    assert change.low is not None
    assert change.high is not None
    assert [math.log(change.low), math.log(change.high)] == pytest.approx([interval.low, interval.high])
    assert change.p == pytest.approx(expected.pvalue)
    assert comparison.row(change)[2] == "3 + 3 sessions"


def test_a_single_session_is_judged_by_the_noise_of_the_other_sides() -> None:
    nights = [[0.0, 0.01], [0.04, 0.03], [-0.01, -0.02], [0.0, 0.0]]
    change = only(sessions(nights, 1), sessions([[-0.31, -0.29]], 2))
    means = [float(np.mean(rounds)) for rounds in nights]
    half = float(stats.t.ppf(0.975, 3)) * float(np.std(means, ddof=1)) * math.sqrt(1 / 4 + 1)
    assert (change.pairing, change.sessions, change.verdict) == (Pairing.SESSIONS, (4, 1), Judgement.REGRESSION)
    assert change.high is not None
    assert math.log(change.high) == pytest.approx(-0.3 - float(np.mean(means)) + half)
    known = SessionNoise(0.02, 5, 0.01, 12, 2, 6, 1)
    assert only(sessions(nights, 1), sessions([[-0.31, -0.29]], 2), known).pairing is Pairing.CALIBRATED
    assert only(sessions(nights, 1), sessions(nights, 2), known).pairing is Pairing.SESSIONS


def test_noise_is_the_spread_of_session_means_with_its_chi_square_interval() -> None:
    case = {"a": [0.00, 0.02], "b": [0.05, 0.05], "c": [-0.02, 0.0]}
    noise = estimate_noise([case])
    assert noise is not None
    means = [0.01, 0.05, -0.01]
    assert noise.between == pytest.approx(np.std(means, ddof=1))
    assert (noise.freedom, noise.sessions, noise.cases, noise.rounds) == (2, 3, 1, 2)
    assert noise.within == pytest.approx(math.sqrt((0.02**2 / 2 + 0.02**2 / 2) / 3))
    low, high = (noise.between * math.sqrt(2 / stats.chi2.ppf(p, 2)) for p in (0.975, 0.025))
    assert noise.interval[1:] == pytest.approx((low, high))


def test_cases_of_the_same_sessions_add_no_degrees_of_freedom() -> None:
    both = {"a": [0.0], "b": [0.03], "c": [0.01]}
    same = estimate_noise([both, both, both])
    apart = estimate_noise([both, {"d": [0.0], "e": [0.02]}, {"f": [0.1]}])
    assert same is not None
    assert apart is not None
    assert (same.freedom, same.cases) == (2, 3)
    assert (apart.freedom, apart.cases) == (3, 2)  # another program's two sessions are news, a single one is none
    assert estimate_noise([{"a": [0.0, 0.1]}]) is None


def test_a_calibrated_interval_is_the_t_of_the_calibration() -> None:
    noise = SessionNoise(0.02, 5, 0.01, 12, 3, 6, 1)
    old, new = sessions([[0.0, 0.01, -0.01]], 1), sessions([[-0.3, -0.31, -0.29]], 2)
    change = only(old, new, noise)
    assert (change.pairing, change.noise, change.verdict) == (Pairing.CALIBRATED, noise, Judgement.REGRESSION)
    half = float(stats.t.ppf(0.975, 5)) * 0.02 * math.sqrt(2)
    assert change.high is not None
    assert math.log(change.high) == pytest.approx(-0.3 + half)


def test_one_round_has_more_noise_than_the_calibrated_three() -> None:
    noise = SessionNoise(0.02, 5, 0.01, 12, 3, 6, 1)
    variance, freedom = noise.variance([[1], [1]])
    between, within = 2 * 0.02**2, 2 * 0.01**2 * (1 - 1 / 3)
    assert variance == pytest.approx(between + within)
    assert freedom == pytest.approx((between + within) ** 2 / (between**2 / 5 + within**2 / 12))
    assert noise.variance([[3], [10]]) == pytest.approx((between, 5))
    assert noise.variance([[3, 3], [3]])[0] == pytest.approx(1.5 * 0.02**2)


def test_rounds_noisier_than_the_calibration_are_not_judged_by_it() -> None:
    noise = SessionNoise(0.02, 5, 0.01, 12, 3, 6, 1)
    change = only(sessions([[0.0, 0.1, -0.1]], 1), sessions([[-0.3, -0.2, -0.4]], 2), noise)
    assert change.verdict is Judgement.UNTESTED
    assert change.why == "rounds scatter more than when the session noise was calibrated"


def test_another_machine_is_not_judged_by_the_noise_of_this_one() -> None:
    noise = SessionNoise(0.02, 5, 0.01, 12, 3, 6, 1)
    old, new = sessions([[0.0]], 1), [run("2000-02-01T00:00:00+00:00", -0.5, machine={"label": "n"})]
    assert only(old, new, noise).verdict is Judgement.UNTESTED
    assert only(old, [dataclasses.replace(new[0], machine={"label": "m"})], noise).verdict is Judgement.REGRESSION


def test_a_program_that_changed_calibrates_nothing() -> None:
    runs = sessions([[0.0], [0.1], [0.2]], 1)
    changed = [dataclasses.replace(m, software={"version": i}) for i, m in enumerate(runs)]
    (known,) = calibrate(runs, "2000-02-01")
    assert set(known.noises) == {Estimator.FPS.value}  # nothing else is known of these runs
    with pytest.raises(ResultsError, match="No program was measured in two sessions"):
        calibrate(changed, "2000-02-01")


def test_verdicts_keep_their_level_where_sessions_have_noise_of_their_own() -> None:
    """Sessions differ by 2 %, rounds by 1 %: what rounds of one session each would say is no verdict any more."""
    rng = np.random.default_rng(11)

    def measured(truth: float, noises: Floats, month: int) -> list[RunSummary]:
        return sessions([[truth + noise + own for own in rng.normal(0, 0.01, 3)] for noise in noises], month)

    called, welch, covered = 0, 0, 0
    for _ in range(150):
        single = only(measured(0, rng.normal(0, 0.02, 1), 1), measured(0, rng.normal(0, 0.02, 1), 2))
        assert single.verdict is Judgement.UNTESTED
        assert single.within.low is not None
        assert single.within.high is not None
        welch += not single.within.low <= 1 <= single.within.high
        several = only(measured(0, rng.normal(0, 0.02, 3), 1), measured(0, rng.normal(0, 0.02, 3), 2))
        called += several.verdict in (Judgement.FASTER, Judgement.SLOWER, Judgement.REGRESSION)
        covered += several.low is not None and several.high is not None and several.low <= 1 <= several.high
    assert welch > 0.3 * 150  # the plant: rounds call sessions different that are the same program
    assert called <= 13  # 7.5 are expected
    assert covered >= 137
