"""Scaling against laws with a known answer."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors.scaling import (
    CONTRADICTION,
    ThreadSpeeds,
    fits,
    karp_flatt,
    points,
    scaling,
    thread_speeds,
    usl,
)
from hwprof.records import Run
from hwprof.reports.terminal import scaling as report
from hwprof.speed import Speed
from tests.factories import make_run
from tests.planted_sets import with_slices


def law(serial: float, counts: tuple[int, ...], noise: float = 0.0, seed: int = 0) -> dict[int, dict[int, float]]:
    """FPS by Amdahl's law, five rounds; 100 FPS with one thread."""
    rng = random.Random(seed)
    return {p: {n: 100 / (serial + (1 - serial) / p) * (1 + rng.gauss(0, noise)) for n in range(5)} for p in counts}


def of(fps: dict[int, dict[int, float]]) -> ThreadSpeeds:
    """Speeds of which only FPS is known."""
    return ThreadSpeeds({p: {n: Speed(fps=v) for n, v in rounds.items()} for p, rounds in fps.items()})


def test_the_serial_fraction_comes_back_at_every_number_of_threads() -> None:
    found = points(of(law(0.2, (1, 2, 4, 8))))
    assert [p.threads for p in found] == [1, 2, 4, 8]
    assert found[0].serial is None
    assert [p.serial.value for p in found[1:] if p.serial] == pytest.approx([0.2] * 3)
    assert found[2].speedup.value == pytest.approx(2.5)
    assert found[2].efficiency.value == pytest.approx(0.625)


def test_bounds_are_in_order_and_hold_the_truth_about_as_often_as_they_say() -> None:
    hits = 0
    for seed in range(200):
        (_, two) = points(of(law(0.3, (1, 2), 0.02, seed)))
        assert two.serial is not None
        assert two.serial.low is not None
        assert two.serial.high is not None
        assert two.serial.low <= two.serial.value <= two.serial.high
        hits += two.serial.low <= 0.3 <= two.serial.high
    assert 180 <= hits <= 199


def test_more_than_linear_scaling_has_a_negative_serial_fraction() -> None:
    assert karp_flatt(2.2, 2) < 0


def test_amdahl_is_fitted_where_numbers_of_threads_could_contradict_it() -> None:
    (amdahl, scalability) = fits(of(law(0.1, (1, 2, 4), 0.005)))
    assert amdahl.parameters["serial"].value == pytest.approx(0.1, abs=0.02)
    assert scalability.parameters == {}
    assert scalability.why == "needs 3 numbers of threads above 1, there are 2"
    assert fits(of(law(0.1, (1, 2))))[0].why == "needs 2 numbers of threads above 1, there are 1"


def test_the_universal_law_finds_contention_and_coherence() -> None:
    counts = np.array([1.0, 2, 4, 8, 16])
    fps = {
        int(p): dict.fromkeys(range(3), float(100 * np.exp(v)))
        for p, v in zip(counts, usl(counts, 0.05, 0.01), strict=True)
    }
    found = fits(of(fps))[1].parameters
    assert found["contention"].value == pytest.approx(0.05, rel=1e-3)
    assert found["coherence"].value == pytest.approx(0.01, rel=1e-3)


def test_without_one_thread_there_is_no_speed_up() -> None:
    with pytest.raises(ValueError, match="one thread"):
        points(of({2: {0: 100.0}}))


def test_one_round_has_no_bounds_and_is_drawn_all_the_same(tmp_path: Path) -> None:
    speeds = of({1: {0: 100.0}, 2: {0: 150.0}})
    found = points(speeds)
    assert found[1].speedup == (1.5, None, None)
    report.save({"a": found}, tmp_path / "curve")
    assert (tmp_path / "curve.svg").stat().st_size > 1000
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    said = report.text("title", speeds.choice, found, fits(speeds), width=200)
    assert "0.333" in said
    assert report.document(speeds.choice, found, [])["points"][1]["efficiency"]["value"] == 0.75


@pytest.mark.parametrize(("counts", "noise"), [((1, 4), 0.0), ((1, 2, 4, 8), 0.0), ((1, 2, 4, 8), 0.01)])
def test_rounds_as_they_come_give_the_same_serial_part(counts: tuple[int, ...], noise: float) -> None:
    speeds = {p: list(rounds.values()) for p, rounds in law(0.25, counts, noise).items()}
    found = scaling(speeds)
    assert found is not None
    assert found.serial.value == pytest.approx(0.25, abs=1e-6 if not noise else 0.03)
    assert found.efficiency[4] == pytest.approx(1 / (0.25 + 0.75 / 4) / 4, rel=0.03)
    if len(counts) > 2:
        assert found.usl is not None
        # Amdahl's law is the USL without coherence
        assert found.usl == pytest.approx((0.25, 0.0), abs=0.05)
    assert scaling({2: [1.0]}) is None


def test_threads_that_slow_down_have_a_serial_part_above_one() -> None:
    found = scaling({1: [100.0, 101.0], 2: [80.0, 81.0], 4: [60.0, 61.0]})
    assert found is not None
    assert found.serial.value > 1


def runs(scale: dict[int, float], rounds: int = 4, sets: bool = True, **planted: float | bool) -> list[Run]:
    """Each number of threads with its speed-up over 12 ms of one thread, in one set per round, which drifts."""
    found = []
    for n in range(rounds):
        shared = [1 + 0.5 * random.Random(f"{n} {turn}").random() for turn in range(12)]
        for p, speedup in scale.items():
            run = make_run(threads=p, round=n, metrics={})
            name = f"set{n}" if sets else None
            cost = (12 + 0.5 * random.Random(f"{n} {p}").random()) / speedup
            found.append(with_slices(run, cost, name, shared=shared, **planted))  # type: ignore[arg-type]
    return found


def test_thread_counts_of_one_set_are_paired_by_slices() -> None:
    speeds = thread_speeds(runs({1: 1.0, 2: 1.6}))
    (_, two) = points(speeds)
    assert (two.sets, two.conflict) == (4, False)
    assert two.speedup.value == pytest.approx(1.6, rel=0.04)
    assert speeds.choice.estimator is Estimator.FPS
    (_, apart) = points(thread_speeds(runs({1: 1.0, 2: 1.6}, sets=False)))
    assert (apart.sets, apart.rounds) == (0, 4)


def test_a_disturbed_speed_up_is_one_of_throughput() -> None:
    """One thread of 0.4 ms fits between two preemptions, and by FPS two threads seem to gain nothing from them."""
    speeds = thread_speeds(runs({1: 30.0, 2: 30.0}, preempted=True))
    assert speeds.choice.estimator is Estimator.THROUGHPUT  # never CPU time per frame: two threads take it at once
    assert speeds.values[1][0] == pytest.approx(0.25 * 2500, rel=0.1)
    (one, two) = points(speeds)
    assert one.fps is not None
    assert one.throughput is not None
    assert one.fps.value > 3 * one.throughput
    assert two.speedup.value == pytest.approx(1.0, rel=0.04)
    said = report.text("title", speeds.choice, [one, two], fits(speeds))
    assert "speed-up by throughput (FPS / throughput is" in said
    assert report.document(speeds.choice, [one, two], [])["by"] == "throughput"


def test_cpu_time_is_never_the_speed_up_even_where_all_cases_have_one_thread() -> None:
    assert thread_speeds(runs({1: 30.0}, preempted=True)).choice.estimator is Estimator.THROUGHPUT


def test_no_law_is_fitted_where_slices_and_bare_stretches_contradict_each_other() -> None:
    several = [*runs({1: 1.0, 4: 2.5}), *runs({2: 1.6}, alone=0.5)]
    speeds = thread_speeds(several)
    found = points(speeds)
    assert [p.conflict for p in found] == [False, True, False]
    assert {law.why for law in fits(speeds)} == {CONTRADICTION}
    said = report.text("title", speeds.choice, found, fits(speeds), width=200)
    assert "by bare stretches: they contradict each other" in " ".join(said.split())
