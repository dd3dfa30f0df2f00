"""Comparing outputs costs no measurement: windows are there, whatever happens to the comparison or the reference."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hwprof.frameworks import outputs_file
from hwprof.frameworks.named_outputs import ReferenceOutputs
from hwprof.networks.inputs import InputSpec
from hwprof.plan.experiment import parse
from hwprof.records import Agreement, Case, Failure, Fidelity, from_json
from hwprof.runner.launcher import Launcher
from hwprof.runner.rounds import Runner
from hwprof.runner.worker_process import Outcome
from hwprof.runner.workshop import PreparationFailed, Workshop
from hwprof.worker.protocol import Job, LoopSettings, Task

PLAN = LoopSettings(window_s=0.0, iterations=3, warmup_iterations=1, events=("page-faults",))


def measured(folder: Path, trouble: str, timeout_s: float = 200.0) -> Outcome:
    """A worker whose framework gets into trouble when its outputs are read."""
    reference = folder / "outputs.npz"
    outputs_file.save(reference, ReferenceOutputs({"y": [np.zeros((1, 1))] * 8}, {"y": 0}))
    case = Case("test", "none", "", 8, options=(("at", "outputs"), ("trouble", trouble)))
    spec = InputSpec("input", (1, 3, 8, 8))
    job = Job(Task.MEASURE, case, "none", 0, spec, adapter="misbehaving:ADAPTER", plan=PLAN)
    job = dataclasses.replace(job, reference=str(reference), tolerance=1e-3)
    return Launcher().run(job, timeout_s, {"PYTHONPATH": str(Path(__file__).parent)})


@pytest.mark.parametrize(
    ("trouble", "says"), [("segfault", "SIGSEGV"), ("exits", "exit code 7"), ("raises", "not amused")]
)
def test_a_comparison_that_fails_costs_no_window(trouble: str, says: str, tmp_path: Path) -> None:
    outcome = measured(tmp_path, trouble)
    assert outcome.failure is None
    assert outcome.result is not None
    assert len(outcome.result["windows"]) == 4
    found = from_json(Fidelity, outcome.result["fidelity"])
    assert found.agreement is Agreement.INCOMPARABLE
    assert says in found.why
    assert not found.faithful
    assert not found.unfaithful


def test_a_comparison_that_succeeds_is_part_of_the_result(tmp_path: Path) -> None:
    outcome = measured(tmp_path, "none")
    assert outcome.result is not None
    assert len(outcome.result["windows"]) == 4
    assert from_json(Fidelity, outcome.result["fidelity"]).unfaithful  # sums, and the reference has zeros


SWEEP = """
name = "no reference"
rounds = 1
[matrix]
frameworks = ["opencv"]
networks = ["tiny_cnn"]
[measure]
iterations = 2
warmup_iterations = 1
[counters]
events = ["page-faults"]
[gauges]
idle_baseline_s = 0
[simulate]
when = "never"
"""


def test_without_a_reference_the_case_is_measured_and_says_why(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Path:
        raise PreparationFailed(Failure("model", "IR version 14 is beyond 13"))

    monkeypatch.setattr(Workshop, "reference", fails)
    (run,) = (step.run for step in Runner(parse(SWEEP, "s.toml")).run())
    assert run.failure is None
    assert run.windows
    assert run.fidelity is not None
    assert run.fidelity.agreement is Agreement.INCOMPARABLE
    assert run.fidelity.why == "no reference: IR version 14 is beyond 13"
