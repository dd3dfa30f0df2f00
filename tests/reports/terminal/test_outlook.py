"""What bounds the case in one line, and the commands that are named for it."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import shlex

import pytest

from hwprof.analysis.bottlenecks.certainty import State, Sure
from hwprof.analysis.bottlenecks.verdicts import Verdict
from hwprof.records import Run
from hwprof.reports.terminal import outlook
from hwprof.reports.terminal.outlook import NextStep
from tests.factories import make_run, make_simulated_run

NETWORK = ("-n", "mobilenet_v2", "-s", "96")
RULED_OUT = (Verdict("paging", State.NO, "too few faults"), Verdict("compute-bound", State.UNKNOWN, "not measured"))


def found(code: str, state: State = State.YES) -> tuple[Verdict, ...]:
    return Verdict(code, state, "because of its numbers", sure=Sure.MEDIUM), *RULED_OUT


def steps(verdicts: tuple[Verdict, ...], *runs: Run, network: tuple[str, ...] = NETWORK) -> list[NextStep]:
    return outlook.next_steps(runs or [make_run(threads=2)], verdicts, network)


def test_the_first_verdict_stands_with_its_certainty_and_its_session() -> None:
    assert outlook.bound_text(found("memory-bandwidth-bound")) == (
        "bottleneck  memory-bandwidth-bound: because of its numbers (certainty medium, within this session)"
    )
    assert "in part: because" in outlook.bound_text(found("paging", State.PARTLY))
    assert "session" not in outlook.bound_text(found("paging"), is_calibrated=True)


def test_nothing_found_is_no_verdict_and_says_how_much_is_open() -> None:
    text = outlook.bound_text(RULED_OUT)
    assert text == "bottleneck  not known: 1 of 2 rules ruled out, 1 not decidable with what was measured"


@pytest.mark.parametrize(
    ("code", "command"),
    [
        ("compute-bound", "hwprof layers -f onnxruntime -n mobilenet_v2 -s 96 -t 2"),
        ("memory-latency-bound", "hwprof record -f onnxruntime -n mobilenet_v2 -s 96 -t 2"),
        ("poorly-parallel", "hwprof tune -f onnxruntime -n mobilenet_v2 -s 96"),
        ("other-load", "hwprof doctor"),
    ],
)
def test_the_next_command_follows_from_the_bottleneck(code: str, command: str) -> None:
    assert steps(found(code))[0].command == command


def test_without_a_pmu_simulation_comes_first_and_only_once() -> None:
    run = make_run(metrics={"page-faults": 3.0})
    assert steps(RULED_OUT, run)[0].command == "hwprof run -f onnxruntime -n mobilenet_v2 -s 96 --simulate"
    simulated = make_simulated_run(metrics={"instructions": 3.0})
    assert steps(RULED_OUT, run, simulated)[0].command == "hwprof doctor"
    assert steps(RULED_OUT, dataclasses.replace(run, case=dataclasses.replace(run.case, batch=4)))[0].command == (
        "hwprof doctor"
    )


def test_a_case_that_no_short_command_repeats_has_the_command_of_its_run_alone() -> None:
    run = make_run(metrics={"cycles": 3.0})
    run = dataclasses.replace(run, uid="abcdef")
    (only,) = steps(found("compute-bound"), run, network=())
    assert only.command.endswith("explain run=abcdef")
    assert outlook.next_steps([run], found("compute-bound"), (), saved=False) == []


@pytest.mark.parametrize("code", ["compute-bound", "memory-latency-bound", "spinning", "paging", ""])
def test_every_command_that_is_named_is_one(code: str) -> None:
    for step in steps(found(code) if code else RULED_OUT):
        _, name, *words = shlex.split(step.command)
        parser = argparse.ArgumentParser()
        importlib.import_module(f"hwprof.cli.{name}").add_arguments(parser)
        parser.parse_args(words)


def test_a_command_is_never_broken() -> None:
    lines = outlook.lines(found("compute-bound"), steps(found("compute-bound")), width=60)
    assert "  next        hwprof layers -f onnxruntime -n mobilenet_v2 -s 96 -t 2" in lines
    assert all(len(line) <= 60 for line in lines if "next" not in line)
