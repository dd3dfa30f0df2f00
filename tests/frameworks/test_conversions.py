"""The graph of conversions, its shortest ways, and the times of their steps."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from hwprof import plugins
from hwprof.cli import main
from hwprof.frameworks import conversions as frameworks_conversions
from hwprof.frameworks.conversions import Conversion, form_of, reached, shortest_way, start, steps_of, way
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.runner.launcher import Launcher
from hwprof.runner.workshop import PreparationFailed, Workshop

EVERY = [plugins.adapter(name) for name in plugins.framework_names()]


def planned(framework: str, network: str = "tiny_cnn") -> PlannedCase:
    return plan(Experiment("x", (Choice(framework, network, 32, 1, 1, "fp32", ()),)))[0]


@pytest.mark.parametrize("adapter", EVERY, ids=lambda a: a.name)
def test_every_framework_has_a_way_from_onnx_to_what_it_loads(adapter: Any) -> None:
    steps = way(adapter)
    assert steps is not None
    assert ([step.target for step in steps] or ["onnx"])[-1] == form_of(adapter)
    assert all(one.target == two.source for one, two in itertools.pairwise(steps))
    assert frameworks_conversions.meaning(adapter)


def test_litert_is_converted_where_tensorflow_is() -> None:
    litert = plugins.adapter("litert")
    assert [step.target for step in way(litert) or ()] == ["tf-function", "tflite"]
    assert way(litert, there=lambda home: home != "tensorflow") is None


def test_the_shortest_way_wins() -> None:
    long = (Conversion("onnx", "a", "1"), Conversion("a", "b", "2"), Conversion("b", "c", "3"))
    assert shortest_way(long, "c") == long
    assert shortest_way((*long, Conversion("a", "c", "4")), "c") == (long[0], Conversion("a", "c", "4"))
    assert shortest_way(long, "nowhere") is None
    assert shortest_way((Conversion("onnx", "a", "1"), Conversion("a", "onnx", "back")), "z") is None
    assert shortest_way(long, "onnx") == ()


def test_a_foreign_adapter_adds_its_steps_or_is_one() -> None:
    class Foreign:
        name, consumes, conversions = (
            "alien",
            ("zap",),
            (Conversion("onnx", "zip", "zipper"), Conversion("zip", "zap", "zapper")),
        )

    class Silent:
        name, consumes = "silent", ("hush",)

    foreign: Any = Foreign()
    silent: Any = Silent()
    assert [step.by for step in shortest_way(steps_of([foreign]), "zap") or ()] == ["zipper", "zapper"]
    assert [step.by for step in shortest_way(steps_of([silent]), "hush") or ()] == ["silent: its adapter"]


def test_each_step_has_its_time_and_is_told_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.0, 2.5, 2.5, 3.0, 3.0])
    heard: list[str] = []
    monkeypatch.setattr(frameworks_conversions, "_clock", None)
    reached("nothing is being timed")
    clock = start(
        (Conversion("onnx", "torch", "walk"), Conversion("torch", "pte", "lower")), heard.append, lambda: next(times)
    )
    reached("torch")
    clock.reached("pte")
    assert heard == ["prepare: onnx -> torch", "prepare: torch -> pte"]
    assert clock.done == [
        {"source": "onnx", "target": "torch", "by": "walk", "seconds": 2.5},
        {"source": "torch", "target": "pte", "by": "lower", "seconds": 0.5},
    ]


def test_the_steps_of_an_artifact_are_kept_with_it(cache: Path) -> None:
    workshop, case = Workshop(Launcher(), 0), planned("caffe")
    source = workshop.network(case)
    for _ in range(2):  # made, then found
        path, steps = workshop.conversion(case, source)
        assert [(s["source"], s["target"]) for s in steps] == [("onnx", "caffe")]
        assert steps[0]["seconds"] >= 0
    assert json.loads((path.parent / "artifact.json").read_text())["framework"] == "caffe"
    assert workshop.conversion(planned("onnxruntime"), source) == (source, ())


def test_a_conversion_that_fails_says_at_which_step_operator_and_node(cache: Path) -> None:
    workshop, case = Workshop(Launcher(), 0), planned("caffe", "mobilenet_v3_small")
    with pytest.raises(PreparationFailed, match="HardSwish") as caught:
        workshop.conversion(case, workshop.network(case))
    assert caught.value.failure.stage == "prepare: onnx -> caffe"


def test_the_command_shows_ways_and_times(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workshop, case = Workshop(Launcher(), 0), planned("caffe")
    workshop.conversion(case, workshop.network(case))
    assert main(["list", "frameworks", "--conversions", "-f", "executorch,caffe"]) == 0
    out = capsys.readouterr().out
    assert "torch -> exported: torch.export" in out
    assert main(["list", "frameworks", "--conversions", "-f", "caffe,onnxruntime", "--json"]) == 0
    caffe, runtime = json.loads(capsys.readouterr().out)["frameworks"]
    assert len(caffe["steps"][0]["seconds"]) >= 1
    assert (runtime["form"], runtime["steps"]) == ("onnx", [])
