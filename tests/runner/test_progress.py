"""What a sweep says about where it is: counts run through from the first run to the last simulation."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from hwprof.cli.progress import progress
from hwprof.collectors.protocol import Available
from hwprof.plan.cases import PlannedCase
from hwprof.plan.experiment import parse
from hwprof.records import Failure, Kind, Run
from hwprof.runner.members import Ticket
from hwprof.runner.rounds import Progress, Runner
from hwprof.store import Results
from tests import factories

TEXT = """
name = "simulated"
rounds = 2
[matrix]
frameworks = ["onnxruntime"]
networks = ["tiny_cnn"]
size = [32, 40, 48]
batch = [1, 2]
[simulate]
when = "{}"
budget_s = 600
[gauges]
idle_baseline_s = 0
"""
RUN_S = 10.0
MEASURED, SIMULATED = 12, 3


class FakeClock:
    """Seconds that pass only where something is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(
    monkeypatch: pytest.MonkeyPatch, when: str = "always", failing: int = 0, results: Results | None = None
) -> list[Progress]:
    """What is yielded where each run takes RUN_S; the cases of `failing` px can't be measured at all."""
    clock, uids = FakeClock(), itertools.count()

    def finished(planned: PlannedCase, runner: Runner, number: int, kind: Kind) -> Run:
        clock.now += RUN_S
        run = factories.make_run(case=planned.case, round=number, uid=f"{next(uids):08x}")
        failure = Failure("model", "not this one", "", "load") if planned.case.size == failing else None
        return dataclasses.replace(run, kind=kind, machine=runner.facts["hardware"], failure=failure)

    def measure_set(runner: Runner, company: Sequence[Ticket], *_: object) -> list[Run]:
        return [finished(ticket.planned, runner, ticket.number, Kind.NATIVE) for ticket in company]

    def simulate(runner: Runner, planned: PlannedCase, *_: object) -> Run:
        return finished(planned, runner, 0, Kind.SIMULATED)

    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    monkeypatch.setattr(Runner, "measure_set", measure_set)
    monkeypatch.setattr(Runner, "simulate", simulate)
    there = SimpleNamespace(available=lambda framework: Available("callgrind"))
    monkeypatch.setattr("hwprof.runner.rounds.simulator", lambda tool: there)
    return list(Runner(parse(TEXT.format(when), "x.toml"), results, clock=clock).run())


def test_counts_run_through_and_end_at_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(monkeypatch)
    assert [step.done for step in found] == list(range(1, MEASURED + SIMULATED + 1))
    assert {step.total for step in found} == {MEASURED + SIMULATED}
    assert [step.run.kind for step in found] == [Kind.NATIVE] * MEASURED + [Kind.SIMULATED] * SIMULATED


def test_the_time_left_holds_the_simulations_and_never_jumps_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(monkeypatch)
    left = [step.left_s or 0.0 for step in found]
    assert all(later <= earlier for earlier, later in itertools.pairwise(left))
    assert left[MEASURED - 1] == 600  # all is measured: what is left is the budget of the simulations
    assert [step.is_limit for step in found] == [True] * MEASURED + [False] * SIMULATED
    assert 0 < left[-2] < left[-3] < 600, "from what was simulated"
    assert left[-1] == 0
    assert [step.left_s for step in found].count(0.0) == 1, "nothing follows what has no time left"
    assert progress(found[0]).startswith("[1/15 up to ")
    assert progress(found[MEASURED - 1]).startswith("[12/15 up to 10:00 left] ")
    assert progress(found[-1]).startswith("[15/15 0:00 left] ")


def test_without_simulations_the_time_left_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(monkeypatch, "never")
    assert {(step.total, step.is_limit) for step in found} == {(MEASURED, False)}
    assert progress(found[-1]).startswith("[12/12 0:00 left] ")


def test_a_case_that_can_not_run_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(monkeypatch, failing=40)
    assert [step.done for step in found] == list(range(1, len(found) + 1))
    assert found[-1].total == len(found)
    assert not [step for step in found if step.run.kind is Kind.SIMULATED and step.run.case.size == 40]


def test_what_was_simulated_before_is_not_counted_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Results.open(tmp_path / "r.db", create=True) as results:
        assert len(steps(monkeypatch, results=results)) == MEASURED + SIMULATED
        assert steps(monkeypatch, results=results) == []
