"""`hwprof run --simulate-only`: nothing is measured here, and the framework need not be installed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.collectors.protocol import Available
from hwprof.collectors.simulators import RiscvSimulator
from hwprof.environments import interpreters
from hwprof.records import Failure, Run
from hwprof.runner import simulations
from hwprof.runner.rounds import Runner
from tests.factories import make_simulated_run


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The simulator answers at once; whoever asks for the host's framework, or measures, is caught."""
    asked: list[str] = []

    def simulate(runner: Runner, planned: Any, *rest: Any, **named: Any) -> Run:
        asked.append(planned.case.framework)
        if planned.case.network == "mobilenet_v2":
            failure = Failure("simulator", "it broke", "", "window")
            return dataclasses.replace(make_simulated_run(metrics={}, case=planned.case), failure=failure)
        return make_simulated_run(metrics={"instructions": 12_345.0}, case=planned.case)

    def never(*words: Any, **named: Any) -> None:
        raise AssertionError("the host's framework was asked for")

    monkeypatch.setattr(RiscvSimulator, "available", lambda self, framework: Available("riscv64"))
    monkeypatch.setattr(simulations, "simulate", simulate)
    monkeypatch.setattr(interpreters, "require", never)
    monkeypatch.setattr(Runner, "_measure", never)
    return asked


def run(*words: str) -> int:
    return main(["run", "-f", "pytorch", "-n", "tiny_cnn", "--no-save", *words])


def test_only_the_simulation_is_made(simulated: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--simulate", "riscv64", "--simulate-only") == 0
    assert simulated == ["pytorch"]
    out = capsys.readouterr().out
    assert "12,345" in out
    assert "FPS" not in out


def test_its_line_has_the_instructions_and_says_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--simulate", "riscv64", "--simulate-only", "-q") == 0
    assert "12,345 instructions per frame, SIMULATED by " in capsys.readouterr().out


def test_a_failed_simulation_is_the_failure_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "run",
        "-f",
        "pytorch",
        "-n",
        "mobilenet_v2",
        "--no-save",
        "-q",
        "--simulate",
        "riscv64",
        "--simulate-only",
    ]
    assert main(words) == 4
    assert "it broke" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--simulate-only",), "without a simulator"), (("--simulate", "callgrind", "--simulate-only"), "is for riscv64")],
)
def test_what_it_is_not_for_is_refused(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    assert message in capsys.readouterr().err
