"""`hwprof sweep --create-environments`: what is nowhere is made first, and what can't be made costs its own cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cli import env, main
from hwprof.errors import CaseFailed
from hwprof.frameworks import environments
from hwprof.frameworks.protocol import Adapter
from hwprof.plan import experiment
from hwprof.store import Results

TWO = """
format = 1
rounds = 1
[matrix]
frameworks = ["opencv5", "onnxruntime"]
networks = ["tiny_cnn"]
[measure]
iterations = 2
min_iterations = 2
warmup_iterations = 1
[counters]
events = ["task-clock"]
[gauges]
idle_baseline_s = 0.0
"""


def test_the_built_in_experiment_holds_every_framework_and_pytorch_in_its_modes() -> None:
    from hwprof.plugins import BUILT_IN

    every = experiment.load("every-framework")
    assert {choice.framework for choice in every.choices} >= set(BUILT_IN["hwprof.frameworks"]) - {"command"}
    modes = {dict(choice.options)["mode"] for choice in every.choices if choice.framework == "pytorch"}
    assert modes == {"eager", "inductor", "torchscript"}
    assert {choice.network for choice in every.choices} == {"mobilenet_v2", "resnet50", "squeezenet1_1"}
    assert {choice.batch for choice in every.choices} == {1, 4}


def test_what_converts_for_a_framework_is_wanted_too() -> None:
    # neither is in the interpreter of the tests
    assert [adapter.name for adapter in environments.find_missing(["onnxruntime", "opencv5"])] == ["opencv5"]
    wanted = {adapter.name for adapter in environments.find_missing(["litert"])}
    assert wanted <= {"litert", "tensorflow"}


def test_what_cannot_be_made_costs_its_own_cases_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    asked: list[str] = []

    def fail(adapter: Adapter, python: str = "", base: str = "") -> str:
        asked.append(adapter.name)
        raise CaseFailed("pip failed: no such index", "is it reachable?")

    monkeypatch.setattr(env, "create", fail)
    (tmp_path / "two.toml").write_text(TWO)
    words = ["sweep", str(tmp_path / "two.toml"), "--results", str(tmp_path / "x.db")]
    assert main([*words, "--create-environments"]) == 4
    assert asked == ["opencv5"]
    assert "hwprof: opencv5: pip failed: no such index" in capsys.readouterr().err
    with Results.open(tmp_path / "x.db") as results:
        codes = {run.case.framework: run.failure and run.failure.code for run in results.runs()}
    assert codes == {"onnxruntime": None, "opencv5": "not-installed"}


def test_a_sweep_that_is_not_asked_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(env, "create_missing", lambda names: pytest.fail("nobody asked"))
    (tmp_path / "two.toml").write_text(TWO.replace('"opencv5", ', ""))
    assert main(["sweep", str(tmp_path / "two.toml"), "--results", str(tmp_path / "x.db")]) == 0
