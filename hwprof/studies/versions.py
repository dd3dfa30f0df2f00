"""The same cases in two environments, side by side: two versions of a framework, as one set would take two frameworks.

In every round each case is loaded from both environments, and the two take turns of slices. So they share the load, the
clock and the placement of that round, which two sessions would not.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from hwprof.environments import interpreters
from hwprof.errors import NotInstalled, UsageError
from hwprof.plan.cases import PlannedCase, converter_of, plan
from hwprof.plan.experiment import Experiment
from hwprof.records import Run
from hwprof.runner.members import PERMANENT, Ticket
from hwprof.runner.rounds import Progress, Runner
from hwprof.runner.workshop import TIMEOUT_S, Workshop
from hwprof.store import Results


@dataclass(frozen=True, slots=True)
class EnvironmentSide:
    """One of two environments. `label`: OLD or NEW, and its word; `identity`: of its experiment in the results."""

    label: str
    python: str
    identity: int


@dataclass(slots=True)
class EnvironmentComparison:
    """Measures the cases of `experiment` in the interpreters that `words` name (old, new), and saves both sides.

    Each side is an experiment of its own in the results, so that what was measured can be compared again later.
    """

    experiment: Experiment
    words: tuple[str, str]
    results: Results
    clock: Callable[[], float] = time.monotonic
    sides: list[EnvironmentSide] = field(default_factory=list)

    def run(self) -> Generator[Progress, None, None]:
        """Measure all rounds. Raises UsageError, and NotInstalled where a framework is missing on a side."""
        pythons = [interpreters.named_python(word) for word in self.words]
        labels = [f"{side} {word}" for side, word in zip(("old", "new"), self.words, strict=True)]
        cases = [
            [in_environment(planned, python, label) for planned in plan(self.experiment)]
            for python, label in zip(pythons, labels, strict=True)
        ]
        self.sides = [
            EnvironmentSide(label, python, self._begin(label)) for python, label in zip(pythons, labels, strict=True)
        ]
        runner = Runner(self.experiment, self.results)
        workshop = Workshop(runner.launcher, self.experiment.seed, max(TIMEOUT_S, self.experiment.timeout_s))
        return self._rounds(runner, workshop, cases)

    def _begin(self, label: str) -> int:
        e = self.experiment
        text = f"# hwprof compare --run, {label}"
        return self.results.begin_experiment(f"{e.name} {label}", text, f"{e.plan_hash} {label}", e.seed)

    def _rounds(
        self, runner: Runner, workshop: Workshop, cases: Sequence[Sequence[PlannedCase]]
    ) -> Generator[Progress, None, None]:
        total, done, begun = self.experiment.rounds * 2 * len(cases[0]), 0, self.clock()
        dead: set[str] = set()
        for number in range(self.experiment.rounds):
            for place in self.experiment.order(number):
                company = [Ticket(side[place], number) for side in cases]
                random.Random(f"sides {self.experiment.seed}/{number}/{place}").shuffle(company)
                if any(ticket.key in dead for ticket in company):
                    total -= len(company)
                    continue
                runs = runner.measure_set(company, workshop)
                runner.lengths.learn(runs)
                for run in runs:
                    self.results.add(run, self._side_of(run).identity)
                    if run.failure is not None and run.failure.code in PERMANENT:
                        dead |= {ticket.key for ticket in company}
                    done += 1
                    total = max(total, done)
                    yield Progress(done, total, run, (self.clock() - begun) / done * (total - done))

    def _side_of(self, run: Run) -> EnvironmentSide:
        return next(side for side in self.sides if side.label == run.facts["environment"])


def in_environment(planned: PlannedCase, python: str, label: str) -> PlannedCase:
    """The case as this interpreter runs it. Raises UsageError for a declared runner, NotInstalled without framework."""
    if planned.runner is not None:
        raise UsageError("a declared runner has no environment of its own", "`hwprof run` it, then compare the results")
    found = interpreters.inspect_framework(planned.adapter.environment, python)
    if found.error is not None:
        raise NotInstalled(f"{planned.adapter.name} ({python}: {found.error})", planned.adapter.environment.install)
    return dataclasses.replace(
        planned, python=python, converter=converter_of(planned.adapter, python), environment=label
    )
