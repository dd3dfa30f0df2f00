"""What meets a need, what nearly does, what does not, and what was not measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.configurations.judge import NeedAnswer, NeedOutcome, judge, judge_condition
from hwprof.analysis.configurations.measures import AccuracyScore, accuracy_scores
from hwprof.analysis.configurations.need import parse
from hwprof.errors import UsageError
from hwprof.records import Origin, Reading, Run, Shape
from hwprof.speed import Interval
from tests.analysis.configurations.planted import WRONG, configured, frames, rounds
from tests.factories import HOST_STATE
from tests.planted_sets import with_slices

M, N, U, F = NeedOutcome.MEETS, NeedOutcome.NEARLY, NeedOutcome.UNKNOWN, NeedOutcome.FAILS


@pytest.mark.parametrize(
    ("text", "value", "low", "high", "outcome", "says"),
    [
        ("fps>=25", 30.0, 28.0, 32.0, M, ""),
        ("fps>=25", 30.0, 24.0, 36.0, N, "not in all of its interval"),
        ("fps>=25", 30.0, None, None, N, "one round"),
        ("fps>=25", 24.0, 23.5, 24.5, N, "misses by 4.0 %"),
        ("fps>=25", 20.0, 15.0, 26.0, N, "misses by 20 %; its interval includes the limit"),
        ("fps>=25", 20.0, 19.0, 21.0, F, "misses by 20 %"),
        ("fps>=25", 20.0, None, None, F, "misses by 20 %"),
        ("power<=5W", 4.0, 3.9, 4.1, M, ""),
        ("power<=5W", 5.4, 5.3, 5.5, N, "misses by 8.0 %"),
        ("power<=5W", 20.0, 19.0, 21.0, F, "misses by a factor of 4"),
        ("memory=100MiB", 100.5, 100.5, 100.5, M, ""),
        ("memory=100MiB", 105.0, 95.0, 115.0, N, "its interval includes the limit"),
        ("memory=100MiB", 150.0, 149.0, 151.0, F, "misses by 50 %"),
    ],
)
def test_a_condition_is_met_in_all_of_an_interval_or_not(
    text: str, value: float, low: float | None, high: float | None, outcome: NeedOutcome, says: str
) -> None:
    found = judge_condition(parse(text)[0], Interval(value, low, high))
    assert found.outcome is outcome
    assert says in found.reason
    assert bool(found.reason) is (outcome is not M)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    found = judge_condition(parse("power<=5W")[0], None)
    assert (found.outcome, found.found, found.miss) == (U, None, 0.0)


def asked(folder: Path, text: str, runs: list[Run], *scores: AccuracyScore) -> NeedAnswer:
    return judge(parse(text), *frames(folder, runs), scores)


def outcomes(answer: NeedAnswer) -> dict[str, NeedOutcome]:
    return {one.configuration.label: one.outcome for one in answer.results}


def test_configurations_are_listed_by_what_becomes_of_them(tmp_path: Path) -> None:
    runs = [
        *rounds([100.0, 101.0, 102.0], metrics={"energy": 0.04, "power": 4.0}),
        *rounds([200.0, 202.0, 201.0], batch=2, metrics={"energy": 0.0265, "power": 5.3}),
        *rounds([20.0, 20.2, 20.1], batch=4, metrics={"energy": 0.04, "power": 4.0}),
        *rounds([90.0, 91.0, 92.0], batch=8),
    ]
    answer = asked(tmp_path, "fps>=25, power<=5W", runs)
    assert list(outcomes(answer).items()) == [
        ("fp32 t1 b1", M),
        ("fp32 t1 b2", N),
        ("fp32 t1 b8", U),
        ("fp32 t1 b4", F),
    ]
    assert answer.is_met
    assert answer.of(N)[0].reasons == ("power misses by 6.0 %",)
    assert answer.of(U)[0].reasons == ("power was not measured",)
    assert list(answer.gaps) == ["power"]


def test_what_fails_one_condition_fails_whatever_was_not_measured(tmp_path: Path) -> None:
    answer = asked(tmp_path, "fps>=500, power<=5W", rounds([100.0, 101.0, 102.0]))
    assert outcomes(answer) == {"fp32 t1 b1": F}
    assert not answer.is_met


def test_unfaithful_outputs_meet_nothing(tmp_path: Path) -> None:
    answer = asked(tmp_path, "fps>=25", rounds([100.0, 101.0, 102.0], fidelity=WRONG))
    assert outcomes(answer) == {"fp32 t1 b1": F}
    assert "UNFAITHFUL" in answer.results[0].reasons[0]


def test_an_emulators_time_answers_nothing(tmp_path: Path) -> None:
    runs = rounds([100.0, 101.0, 102.0], host_state={**HOST_STATE, "emulated": True})
    answer = asked(tmp_path, "fps>=25", runs)
    assert outcomes(answer) == {"fp32 t1 b1": U}
    assert "EMULATED" in answer.results[0].reasons[0]


def test_a_disturbed_speed_meets_nothing_for_certain(tmp_path: Path) -> None:
    runs = [with_slices(configured("onnxruntime", "fp32", 1, 1, round=n), 1.0, preempted=True) for n in range(3)]
    answer = asked(tmp_path, "fps>=25, memory<=1GiB", runs)
    assert outcomes(answer) == {"fp32 t1 b1": N}
    assert "disturbed" in answer.results[0].reasons[0]
    assert [one.outcome for one in answer.results[0].conditions] == [N, M]


def test_a_percentile_needs_inferences_enough(tmp_path: Path) -> None:
    runs = rounds([100.0, 101.0, 102.0], iterations=31)
    answer = asked(tmp_path, "p99<=100ms, p90<=100ms, latency<=100ms", runs)
    assert [one.outcome for one in answer.results[0].conditions] == [N, M, M]
    assert answer.results[0].reasons == ("latency p99 is of 31 inferences a round; 100 are needed",)


def test_every_quantity_of_a_run_is_found(tmp_path: Path) -> None:
    runs = rounds([100.0, 100.0], batch=2, iterations=101, metrics={"energy": 0.05, "power": 4.0})
    text = "fps>=1, throughput>=1, latency<=1s, p90<=1s, p99<=1s, power<=9W, energy<=1J, memory<=1GiB"
    answer = asked(tmp_path, text, runs)
    values = {one.condition.quantity.name: one.found for one in answer.results[0].conditions}
    expected = {"fps": 100.0, "throughput": 99.0, "latency": 20.0, "power": 4.0, "energy": 0.05, "memory": 96.0}
    for name, value in expected.items():
        found = values[name]
        assert found is not None, name
        assert found.value == pytest.approx(value, rel=0.01), name
    assert all(one.outcome is M for one in answer.results[0].conditions)


def test_power_is_that_of_all_parts_or_of_none(tmp_path: Path) -> None:
    """Two sockets with their memory: without the power of one of them there is no power."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = {"energy[package-0]": 1.0, "energy[package-1]": 1.0, "power[package-0]": 2.0, "power[package-1]": 3.0}
    part = {name: value for name, value in whole.items() if name != "power[package-1]"}
    found = [
        asked(tmp_path / folder, "power<=9W", sensed(metrics)).results[0].conditions[0].found
        for folder, metrics in (("a", whole), ("b", part))
    ]
    assert found[0] is not None
    assert found[0].value == pytest.approx(5.0)
    assert found[1] is None


def sensed(metrics: dict[str, float]) -> list[Run]:
    """Rounds with readings of labelled sensors, in J and W."""
    runs = []
    for run in rounds([10.0, 10.0]):
        bare, counted = run.windows
        readings = tuple(
            Reading(name, value, "J" if name.startswith("energy") else "W", origin=Origin.HARDWARE, domain="system",
                    source="planted", shape=Shape.COUNT if name.startswith("energy") else Shape.LEVEL)
            for name, value in metrics.items()
        )  # fmt: skip
        runs.append(dataclasses.replace(run, windows=(bare, dataclasses.replace(counted, readings=readings))))
    return runs


DOCUMENT: dict[str, Any] = {
    "network": "squeezenet1_1",
    "scores": [
        {
            "name": "onnxruntime fp32",
            "top1": {"right": 720, "of": 1000, "low": 0.691, "high": 0.747},
            "top5": {"right": 900, "of": 1000, "low": 0.88, "high": 0.917},
        },
        {"name": "onnxruntime int8", "top1": {"right": 650, "of": 1000, "low": 0.62, "high": 0.68}, "top5": None},
        {"name": "pytorch:mode=inductor fp32", "top1": {"right": 1, "of": 2, "low": 0.1, "high": 0.9}, "top5": None},
    ],
}


def test_accuracy_is_of_the_same_network_framework_and_precision(tmp_path: Path) -> None:
    runs = [
        *rounds([100.0, 101.0, 102.0]),
        *rounds([200.0, 201.0, 202.0], precision="int8"),
        *rounds([100.0, 101.0, 102.0], framework="opencv"),
        *rounds([100.0, 101.0, 102.0], network="resnet18"),
    ]
    answer = asked(tmp_path, "top1>=69", runs, *accuracy_scores(DOCUMENT, "a.json"))
    found = {(r.configuration.framework, r.configuration.network, r.configuration.precision): r for r in answer.results}
    assert found["onnxruntime", "squeezenet1_1", "fp32"].outcome is M
    assert found["onnxruntime", "squeezenet1_1", "int8"].outcome is N
    assert found["opencv", "squeezenet1_1", "fp32"].outcome is U
    assert found["onnxruntime", "resnet18", "fp32"].outcome is U


def test_a_network_without_top5_has_none(tmp_path: Path) -> None:
    runs = rounds([200.0, 201.0, 202.0], precision="int8")
    answer = asked(tmp_path, "top5>=10", runs, *accuracy_scores(DOCUMENT, "a.json"))
    assert outcomes(answer) == {"int8 t1 b1": U}


def test_what_would_measure_the_rest_is_a_command(tmp_path: Path) -> None:
    runs = [*rounds([100.0, 101.0, 102.0]), *rounds([200.0, 201.0, 202.0], precision="int8", framework="opencv")]
    answer = asked(tmp_path, "top1>=70, power<=5W", runs)
    commands = [one.command for one in answer.commands]
    accuracy = "hwprof accuracy --images DIR -n squeezenet1_1 --pretrained -f onnxruntime,opencv --precision fp32,int8"
    assert commands[0] == f"{accuracy} --json > accuracy-squeezenet1_1.json"
    assert "hwprof doctor" in commands
    assert any("--meter LOG.csv" in command for command in commands)
    assert set(answer.gaps) == {"top1", "power"}


def test_the_command_of_a_near_miss_measures_the_same_case_again(tmp_path: Path) -> None:
    answer = asked(tmp_path, "fps>=25", rounds([100.0], precision="int8", threads=2, batch=4, size=96))
    words = "hwprof run -f onnxruntime -n squeezenet1_1 -b 4 -t 2 -s 96 --precision int8 --rounds 10"
    assert [one.command for one in answer.commands] == [words]


@pytest.mark.parametrize("document", [None, [], {}, {"network": "n"}, {"network": "n", "scores": [{"name": "x"}]}])
def test_a_file_that_is_no_accuracy_is_refused_by_its_name(document: Any) -> None:
    with pytest.raises(UsageError, match=r"x\.json is not the output of hwprof accuracy"):
        accuracy_scores(document, "x.json")


def test_results_without_a_speed_meet_nothing(tmp_path: Path) -> None:
    answer = asked(tmp_path, "fps>=25", [])
    assert (answer.results, answer.is_met) == ((), False)
