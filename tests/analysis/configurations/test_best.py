"""The best configuration of a network in a framework: a known one, its ties, and those that are never best."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.analysis.estimator import Estimator
from hwprof.records import Failure, Run
from tests.analysis.configurations.planted import WRONG, Way, configured, groups, ranks, rounds, side_by_side
from tests.factories import HOST_STATE
from tests.planted_sets import with_slices

STEADY = (1.0, 1.01, 0.99)


def test_a_planted_best_is_found_over_precision_threads_and_batch(tmp_path: Path) -> None:
    ways = [
        Way("fp32", 1, 1, [8 * s for s in STEADY]),  # 125 FPS
        Way("fp32", 1, 4, [28 * s for s in STEADY]),  # 143
        Way("int8", 1, 1, [4 * s for s in STEADY]),  # 250
        Way("int8", 1, 4, [12 * s for s in STEADY]),  # 333
    ]
    (group,) = groups(tmp_path, side_by_side(ways))
    assert (group.framework, group.network) == ("onnxruntime", "squeezenet1_1")
    assert group.best is not None
    assert group.best.title == "int8, 1 thread, batch 4"
    assert set(ranks(group).values()) == {"BEST", "SLOWER"}
    ratios = {one.configuration.label: one.ratio for one in group.ranked if one.ratio is not None}
    assert ratios["int8 t1 b1"].value == pytest.approx(0.75, rel=0.01)
    assert all(one.sets == 3 for one in group.ranked[1:])


def test_overlapping_ratios_of_sets_are_a_tie(tmp_path: Path) -> None:
    ways = [
        Way("fp32", 1, 1, [8 * s for s in (1.0, 1.02, 0.98)]),
        Way("fp32", 2, 1, [8.01 * s for s in (1.0, 0.98, 1.02)]),
        Way("fp32", 1, 2, [32 * s for s in STEADY]),
    ]
    (group,) = groups(tmp_path, side_by_side(ways))
    assert sorted(ranks(group).values()) == ["BEST", "SLOWER", "TIED"]
    assert ranks(group)["fp32 t1 b2"] == "SLOWER"


def test_what_sets_share_hides_no_difference(tmp_path: Path) -> None:
    """Rounds that are up to 40 % apart, in which one is always 3 % faster."""
    drift = (1.0, 1.4, 0.8)
    ways = [Way("fp32", 1, 1, [8 * d for d in drift]), Way("int8", 1, 1, [8.24 * d for d in drift])]
    (group,) = groups(tmp_path, side_by_side(ways))
    assert ranks(group) == {"fp32 t1 b1": "BEST", "int8 t1 b1": "SLOWER"}


def test_one_round_each_decides_nothing(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, [*rounds([100.0]), *rounds([50.0], batch=2)])
    assert ranks(group) == {"fp32 t1 b1": "BEST", "fp32 t1 b2": "TIED"}


def test_an_unfaithful_configuration_is_listed_and_never_best(tmp_path: Path) -> None:
    runs = [*rounds([900.0, 901.0, 902.0], precision="int8", fidelity=WRONG), *rounds([100.0, 101.0, 102.0])]
    (group,) = groups(tmp_path, runs)
    assert ranks(group) == {"fp32 t1 b1": "BEST", "int8 t1 b1": "UNFAITHFUL"}


def test_a_disturbed_configuration_is_listed_and_never_best(tmp_path: Path) -> None:
    """Its short inferences fit between two preemptions: its FPS is ten times that of the other."""
    quiet = side_by_side([Way("fp32", 1, 1, [10.0, 10.1, 9.9])])
    loud = [
        with_slices(configured("onnxruntime", "fp32", 1, 2, round=number), 1.0, preempted=True) for number in range(3)
    ]
    (group,) = groups(tmp_path, [*quiet, *loud])
    assert ranks(group) == {"fp32 t1 b1": "BEST", "fp32 t1 b2": "DISTURBED"}
    assert group.choice.estimator is Estimator.FPS
    loud_fps = group.ranked[1].configuration.interval.value
    assert group.best is not None
    assert loud_fps > 5 * group.best.interval.value


def test_one_disturbed_round_of_three_takes_the_ranking_from_fps(tmp_path: Path) -> None:
    quiet = side_by_side([Way("fp32", 1, 1, [1.0, 1.01, 0.99]), Way("fp32", 1, 2, [4.0, 4.04, 3.96])])
    loud = with_slices(configured("onnxruntime", "fp32", 1, 2, round=3), 4.0, preempted=True)
    (group,) = groups(tmp_path, [*quiet, loud])
    assert group.choice.estimator is Estimator.CPU_TIME
    assert ranks(group) == {"fp32 t1 b1": "BEST", "fp32 t1 b2": "SLOWER"}


def disturbed(threads: int, batch: int, cost_ms: float) -> list[Run]:
    base = [configured("onnxruntime", "fp32", threads, batch, round=number) for number in range(3)]
    return [with_slices(run, cost_ms * step, preempted=True) for run, step in zip(base, STEADY, strict=True)]


def test_where_each_is_disturbed_none_is_best(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, [*disturbed(1, 1, 1.0), *disturbed(2, 1, 1.0)])
    assert group.best is None
    assert set(ranks(group).values()) == {"DISTURBED"}


def test_disturbed_configurations_of_one_thread_are_ranked_by_cpu_time(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, [*disturbed(1, 1, 1.0), *disturbed(1, 2, 4.0)])
    assert group.choice.estimator is Estimator.CPU_TIME
    assert ranks(group) == {"fp32 t1 b1": "BEST", "fp32 t1 b2": "SLOWER"}
    assert group.ranked[1].ratio is not None
    assert group.ranked[1].ratio.value == pytest.approx(0.5, rel=0.02)


def test_emulated_configurations_are_listed_and_rank_nothing(tmp_path: Path) -> None:
    emulated = rounds([100.0, 101.0], batch=2, host_state={**HOST_STATE, "emulated": True})
    (group,) = groups(tmp_path, [*rounds([10.0, 10.1, 10.2]), *emulated])
    assert ranks(group) == {"fp32 t1 b1": "BEST", "fp32 t1 b2": "EMULATED"}


def test_a_failure_is_no_speed_of_zero_and_is_named(tmp_path: Path) -> None:
    failed = configured("onnxruntime", "int8", 2, 4, failure=Failure("killed", "the worker died"))
    (group,) = groups(tmp_path, [*rounds([10.0, 10.1]), failed])
    assert group.failures == ("int8 t2 b4",)
    assert list(ranks(group)) == ["fp32 t1 b1"]


def test_options_that_differ_are_configurations_of_one_framework(tmp_path: Path) -> None:
    runs = [
        *rounds([100.0, 101.0, 102.0], options={"spin": True}),
        *rounds([50.0, 51.0, 52.0], options={"spin": False}),
    ]
    (group,) = groups(tmp_path, runs)
    assert ranks(group) == {"fp32 t1 b1 spin=True": "BEST", "fp32 t1 b1 spin=False": "SLOWER"}


def test_the_same_on_other_cpus_is_named_by_them(tmp_path: Path) -> None:
    (group,) = groups(tmp_path, [*rounds([100.0, 101.0, 102.0], cpus=(1,)), *rounds([50.0, 51.0, 52.0])])
    assert list(ranks(group)) == ["fp32 t1 b1 CPUs 1", "fp32 t1 b1 not pinned"]


def test_tuned_runs_are_one_configuration_whatever_their_threads(tmp_path: Path) -> None:
    facts = {"tuned": {"given": [], "threads_given": False}}
    tuned = [dataclasses.replace(run, facts=facts) for run in rounds([200.0, 201.0, 202.0], threads=2)]
    (group,) = groups(tmp_path, [*rounds([100.0, 101.0, 102.0]), *tuned])
    assert group.best is not None
    assert group.best.title == "fp32, threads as tuned, batch 1, tuned"


def test_frameworks_networks_and_machines_are_groups_of_their_own(tmp_path: Path) -> None:
    runs = [
        *rounds([100.0, 101.0]),
        *rounds([200.0, 202.0], framework="opencv"),
        *rounds([50.0, 51.0], network="resnet18"),
        *rounds([10.0, 11.0], machine={"label": "another board", "model": "B2", "cpus": 2}),
    ]
    found = groups(tmp_path, runs)
    assert len(found) == 4
    of_one = [g.framework for g in found if g.network == "squeezenet1_1" and "another" not in g.machine]
    assert of_one == ["opencv", "onnxruntime"]  # the fastest best first


def test_energy_per_frame_is_known_where_a_sensor_gave_it(tmp_path: Path) -> None:
    runs = [*rounds([100.0, 101.0], metrics={"energy": 0.05}), *rounds([150.0, 151.0], batch=2)]
    (group,) = groups(tmp_path, runs)
    energy = {one.configuration.label: one.configuration.energy_j for one in group.ranked}
    assert energy["fp32 t1 b2"] is None
    assert energy["fp32 t1 b1"] is not None
    assert energy["fp32 t1 b1"].value == pytest.approx(0.05)
