"""Ratios of two sets of results: intervals, families, verdicts, what is missing and what differs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from scipy import stats

from hwprof.analysis.comparison.compare import Comparison, Judgement, common_shift, compare
from hwprof.analysis.comparison.measured import RunSummary, summarise_run
from hwprof.analysis.comparison.pairing import Pairing, interleaved
from hwprof.records import Doubt, Failure
from hwprof.speed import Speed
from tests.factories import MACHINE, SOFTWARE, make_run, make_simulated_run

NETWORKS = ("alexnet", "resnet18", "resnet50", "googlenet", "densenet121", "mobilenet_v2")


def of(
    framework: str = "onnxruntime", network: str = "alexnet", fps: Iterable[float] = (), **fields: object
) -> list[RunSummary]:
    """Rounds of one case with these FPS."""
    run = make_run(framework, network, **fields)  # type: ignore[arg-type]
    one = summarise_run(run)
    assert one is not None
    return [dataclasses.replace(one, speed=fast(f), round=i) for i, f in enumerate(fps)]


def fast(fps: float) -> Speed:
    """Nothing but FPS."""
    return Speed(fps=float(fps))


def at(side: list[RunSummary], minutes: Sequence[int]) -> list[RunSummary]:
    """The same rounds, begun at these minutes."""
    return [
        dataclasses.replace(m, started_utc=f"2000-01-01T00:{t:02d}:00Z") for m, t in zip(side, minutes, strict=True)
    ]


def test_rounds_of_one_session_each_have_welchs_interval_within_them_and_no_verdict() -> None:
    x, y = [40.0, 41.0, 39.5], [36.0, 35.5, 36.4]
    (change,) = compare(at(of(fps=x), [1, 2, 3]), at(of(fps=y), [11, 12, 13])).changes
    expected = stats.ttest_ind(np.log(y), np.log(x), equal_var=False)
    interval = expected.confidence_interval()
    assert change.ratio == pytest.approx(stats.gmean(y) / stats.gmean(x), rel=1e-6)
    assert change.within.low == pytest.approx(math.exp(interval.low), rel=1e-5)
    assert change.within.high == pytest.approx(math.exp(interval.high), rel=1e-5)
    assert (change.low, change.high, change.p, change.q) == (None, None, None, None)
    assert (change.pairing, change.sessions, change.why) == (Pairing.NONE, (1, 1), "one session each")
    assert change.verdict is Judgement.UNTESTED


def test_interleaved_rounds_are_paired_and_see_through_a_shared_drift() -> None:
    drift = [1.0, 0.8, 0.65]
    x, y = [40 * d for d in drift], [39 * d * e for d, e in zip(drift, (1.0, 1.001, 0.999), strict=True)]
    old, new = of(fps=x), of(fps=y)
    apart = compare(at(old, [1, 2, 3]), at(new, [11, 12, 13])).changes[0]
    together = compare(at(old, [1, 3, 5]), at(new, [2, 4, 6])).changes[0]
    assert together.pairing is Pairing.ROUNDS
    assert together.p == pytest.approx(stats.ttest_rel(np.log(y), np.log(x)).pvalue, rel=1e-2)
    assert (together.verdict, apart.verdict) == (Judgement.SLOWER, Judgement.UNTESTED)


def test_rounds_on_two_machines_are_never_paired() -> None:
    there = of(fps=(1, 2, 3), machine={**MACHINE, "label": "another"})
    assert interleaved(at(of(fps=(1, 2, 3)), [1, 3, 5]), at(of(fps=(1, 2, 3)), [2, 4, 6]))
    assert not interleaved(at(of(fps=(1, 2, 3)), [1, 3, 5]), at(there, [2, 4, 6]))


def sides(
    factor: float, noise: float = 0.001, networks: Sequence[str] = NETWORKS
) -> tuple[list[RunSummary], list[RunSummary]]:
    rng = np.random.default_rng(5)
    old, new = [], []
    for i, n in enumerate(networks):
        old += at(of(network=n, fps=10 * (i + 1) * np.exp(rng.normal(0, noise, 3))), [1, 3, 5])
        new += at(of(network=n, fps=factor * 10 * (i + 1) * np.exp(rng.normal(0, noise, 3))), [2, 4, 6])
    return old, new


def test_q_values_are_benjamini_hochbergs_over_the_tested_cases() -> None:
    found = compare(*sides(1.0, 0.02))
    q = stats.false_discovery_control([c.p for c in found.changes])
    assert [c.q for c in found.changes] == pytest.approx(list(q))
    assert found.tested == len(NETWORKS)


def test_no_difference_is_seldom_called_one() -> None:
    rng = np.random.default_rng(3)
    old, new = sides(1.0)
    false = 0
    for _ in range(100):
        old, new = ([dataclasses.replace(m, speed=fast(math.exp(rng.normal(3, 0.03)))) for m in s] for s in (old, new))
        false += any(c.q is not None and c.q <= 0.05 for c in compare(old, new).changes)
    assert false <= 10  # 5 of 100 are expected


def test_verdicts_follow_threshold_and_interval() -> None:
    def verdicts(found: Comparison) -> set[Judgement]:
        return {c.verdict for c in found.changes}

    assert verdicts(compare(*sides(0.9))) == {Judgement.REGRESSION}
    assert verdicts(compare(*sides(0.9), threshold=0.2)) == {Judgement.SLOWER}
    assert verdicts(compare(*sides(1.1))) == {Judgement.FASTER}
    assert verdicts(compare(*sides(1.0, 1e-4))) <= {Judgement.SAME, Judgement.FASTER, Judgement.SLOWER}
    assert verdicts(compare(*sides(1.0, 0.2))) == {Judgement.UNCLEAR}


def test_the_verdict_tests_the_interval_against_the_threshold() -> None:
    """Slower by 8 %, give or take 6: not shown to be beyond 5 %, nor to be within."""
    x, y = [40.1, 40.0, 39.9, 40.0], [40 * f for f in (0.92, 0.955, 0.88, 0.925)]
    found = compare(at(of(fps=x), [1, 3, 5, 7]), at(of(fps=y), [2, 4, 6, 8]))
    (change,) = found.changes
    assert change.low is not None
    assert change.high is not None
    assert change.low < 0.95 < change.high < 1
    assert (change.verdict, found.regressions, found.undecided) == (Judgement.SLOWER, (), (change,))
    looser = compare(at(of(fps=x), [1, 3, 5, 7]), at(of(fps=y), [2, 4, 6, 8]), threshold=0.2)
    assert (looser.changes[0].verdict, looser.undecided) == (Judgement.SLOWER, ())
    tighter = compare(at(of(fps=x), [1, 3, 5, 7]), at(of(fps=y), [2, 4, 6, 8]), threshold=0.01)
    assert (tighter.changes[0].verdict, tighter.undecided) == (Judgement.REGRESSION, ())


def test_one_round_has_no_interval_and_is_no_regression() -> None:
    found = compare(of(fps=(40,)), of(fps=(20,)))
    assert found.changes[0].verdict is Judgement.UNTESTED
    assert (found.changes[0].low, found.tested, found.regressions) == (None, 0, ())
    assert found.changes[0].why == "one session each of one round"


def test_missing_cases_are_named_on_either_side() -> None:
    old, new = of(network="alexnet", fps=(1, 2)) + of(network="resnet18", fps=(1, 2)), of(network="alexnet", fps=(1, 2))
    new += of(network="resnet50", fps=(1, 2))
    found = compare(old, new)
    assert [c.network for c in found.only_old] == ["resnet18"]
    assert [c.network for c in found.only_new] == ["resnet50"]


def test_failed_and_simulated_runs_have_no_speed() -> None:
    failed = make_run(failure=Failure("killed", "died"))
    simulated = make_simulated_run(metrics={"instructions": 1e9})
    assert summarise_run(failed) is None
    assert summarise_run(simulated) is None


def test_what_differs_is_named_with_both_values() -> None:
    newer = {**SOFTWARE, "distributions": {"onnxruntime": "9.9"}}
    found = compare(of(fps=(1, 2)), of(fps=(1, 2), software=newer, cpus=(3,)))
    assert [(d.part, d.name, d.old, d.new) for d in found.differences] == [
        ("software", "distributions.onnxruntime", "0.0.synthetic", "9.9"),
        ("case", "cpus", "any", "3"),
    ]
    assert "CPUs any -> 3" in found.changes[0].doubts


def test_two_different_single_cases_are_compared_and_it_is_said() -> None:
    found = compare(of("onnxruntime", fps=(40, 41)), of("opencv", fps=(20, 21)))
    assert len(found.changes) == 1
    assert "not the same one" in found.notes[0]
    assert ("framework", "onnxruntime", "opencv") in {(d.name, d.old, d.new) for d in found.differences}


def test_machines_are_matched_with_themselves_where_there_are_several() -> None:
    b = {**MACHINE, "label": "b"}
    old = of(fps=(10, 11)) + of(fps=(100, 110), machine=b)
    new = of(fps=(10, 11)) + of(fps=(50, 55), machine=b)
    assert sorted(round(c.ratio, 2) for c in compare(old, new).changes) == [0.5, 1.0]


def test_counts_and_doubts_stand_beside_the_ratio() -> None:
    old = of(fps=(40, 41), metrics={"instructions": 1e9, "task-clock": 2e7}, doubts=[Doubt("drift", {"percent": 9.0})])
    new = of(fps=(36, 37), metrics={"instructions": 1.1e9, "task-clock": None})
    (change,) = compare(old, new).changes
    assert change.counts == pytest.approx({"instructions": 1.1})
    assert change.doubts == ("drift (old)",)


def test_all_cases_moving_alike_point_at_the_machine() -> None:
    assert compare(*sides(0.9)).common == pytest.approx(0.9, rel=0.01)
    assert common_shift([-0.1, 0.1, -0.3, 0.4]) is None
    assert common_shift([-0.1, -0.1]) is None


def test_the_mean_has_an_interval_from_four_networks_on() -> None:
    few, many = compare(*sides(1.0, 0.01, NETWORKS[:3])).overall, compare(*sides(1.0, 0.01)).overall
    assert few is not None
    assert few.low is None
    assert many is not None
    assert many.low is not None
    assert many.high is not None
    assert many.low < many.ratio < many.high


def test_the_mean_has_no_interval_where_networks_share_the_noise_of_a_session() -> None:
    old, new = sides(1.0, 0.01)
    apart = [dataclasses.replace(m, started_utc=m.started_utc.replace("T00", "T09")) for m in new]
    found = compare(old, apart).overall
    assert found is not None
    assert (found.low, found.networks, found.side_by_side) == (None, len(NETWORKS), False)


def test_an_emulated_machine_is_said() -> None:
    found = compare(of(fps=(1, 2), host_state={"emulated": True}), of(fps=(1, 2), host_state={"emulated": True}))
    assert "emulated" in found.notes[0]
