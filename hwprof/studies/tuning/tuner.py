"""Tunes one case on this machine: candidates are cases for the runner; each measurement is saved, the winner kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwprof import speed
from hwprof.machine.cpus import allowed_cpus, check_cpus, parse_cpus
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.kept import Kept, Subject, subject_of
from hwprof.records import Kind, Run
from hwprof.runner.launcher import Launcher
from hwprof.runner.rounds import ATTEMPTS, PERMANENT, Runner
from hwprof.runner.workshop import Workshop
from hwprof.studies.tuning import space as spaces
from hwprof.studies.tuning.outcome import evidence
from hwprof.studies.tuning.search import Found, TrialSpeed, search
from hwprof.studies.tuning.space import ALL, CPUS, THREADS, Candidate, Request, Space

if TYPE_CHECKING:
    from hwprof.store import Results


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement, for who watches. `replayed`: it was in the results already."""

    title: str
    stage: str
    round: int
    measured: TrialSpeed
    spent_s: float
    replayed: bool


@dataclass(frozen=True, slots=True)
class Tuned:
    """The outcome of a tuning."""

    subject: Subject
    kept: Kept
    found: Found
    measured: int  # how often something was really measured in this call
    space: Space


@dataclass(slots=True)
class Tuner:
    """One tuning. `results` None: nothing is kept. `again`: not to go on with, or repeat, what was measured before."""

    request: Request
    results: Results | None = None
    launcher: Launcher = field(default_factory=Launcher)
    again: bool = False
    watch: Callable[[Measurement], None] = lambda step: None
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, int], list[Run]] = field(default_factory=dict)
    _planned: dict[Candidate, PlannedCase] = field(default_factory=dict)
    _count: int = 0
    _spent: float = 0.0

    def run(self) -> Tuned:
        """Search, meet the default again, keep the winner. Raises UsageError, NotAvailable, CaseFailed."""
        request = self.request
        cpus = parse_cpus(request.cpus) if request.cpus else ()
        if cpus:
            check_cpus(cpus)
        first = self._plan(dataclasses.replace(request.choice, threads=request.choice.threads or 1))
        space = spaces.build(
            first.adapter,
            dict(request.choice.options),
            request.choice.threads or None,
            cpus,
            len(cpus or allowed_cpus()),
            request.vary,
        )
        subject = subject_of(first, request.choice.threads, cpus)
        default = self._plan(self._choice(space.default, space))
        experiment = self._experiment(subject, space, default)
        runner = Runner(experiment, self.results, self.launcher)
        identity = self._begin(experiment)
        workshop = Workshop(self.launcher, request.seed, timeout_s=max(600.0, request.timeout_s))

        def measure(candidate: Candidate, number: int, stage: str) -> TrialSpeed:
            return self._measure(runner, workshop, identity, space, candidate, number, stage)

        found = search(space, measure, request.budget_s, request.seed)
        best = self._plan_of(found.winner, space).case
        told = evidence(found, space, subject, search_key(experiment), request, default.software())
        kept = Kept(best.threads, best.cpus, best.options, told)
        if self.results is not None:
            self.results.add_tuning(runner.facts["hardware"], subject.key, kept.winner(), told)
        return Tuned(subject, kept, found, self._count, space)

    def _choice(self, candidate: Candidate, space: Space) -> Choice:
        """The candidate as a choice: options are written out only where they are given or differ from the default."""
        given = dict(self.request.choice.options)
        changed = {n: v for n, v in candidate.changes(space.default) if n not in (THREADS, CPUS)}
        options = tuple(sorted({**given, **changed}.items()))
        return dataclasses.replace(self.request.choice, threads=candidate[THREADS], options=options)

    def _plan(self, choice: Choice) -> PlannedCase:
        request = self.request
        return plan(Experiment("tune", (choice,), seed=request.seed, cpus=request.cpus))[0]

    def _plan_of(self, candidate: Candidate, space: Space) -> PlannedCase:
        if candidate not in self._planned:
            planned = self._plan(self._choice(candidate, space))
            if candidate[CPUS] == ALL:
                planned = dataclasses.replace(planned, case=dataclasses.replace(planned.case, cpus=allowed_cpus()))
            self._planned[candidate] = planned
        return self._planned[candidate]

    def _experiment(self, subject: Subject, space: Space, default: PlannedCase) -> Experiment:
        """One experiment per search; the same search is the same experiment, so that it can be gone on with."""
        request = self.request
        what = {
            "tune": dataclasses.asdict(subject),
            "factors": [[name, list(values)] for name, values in space.factors],
            "budget_s": request.budget_s,
            "seed": request.seed,
            "plan": dataclasses.asdict(request.plan),
            "timeout_s": request.timeout_s,
            "software": default.software(),
        }
        text = json.dumps(what, sort_keys=True)
        begun = 0
        if self.results is not None:
            base = f"# hwprof tune\n{text}\n"
            begun = sum(e.toml.startswith(base) for e in self.results.experiments())
        number = begun + 1 if self.again or not begun else begun
        return Experiment(
            f"tune {subject.title}",
            (self._choice(space.default, space),),
            seed=request.seed,
            cpus=request.cpus,
            plan=request.plan,
            timeout_s=request.timeout_s,
            gauge_hz=2.0,
            idle_baseline_s=0.0,
            text=f"# hwprof tune\n{text}\n# search {number}\n",
        )

    def _begin(self, experiment: Experiment) -> int:
        """Id of the search in the results, and what of it was measured before."""
        if self.results is None:
            return 0
        key = search_key(experiment)
        identity = self.results.begin_experiment(experiment.name, experiment.text, key, experiment.seed)
        for run in self.results.runs(kind=Kind.TUNING, experiment=identity):
            self._known.setdefault((run.case.key, run.round), []).append(run)
        return identity

    def _measure(
        self,
        runner: Runner,
        workshop: Workshop,
        identity: int,
        space: Space,
        candidate: Candidate,
        number: int,
        stage: str,
    ) -> TrialSpeed:
        planned = self._plan_of(candidate, space)
        runs = self._known.get((planned.case.key, number), [])
        replayed = len(runs)
        while not runs or (failed_by_chance(runs[-1]) and len(runs) < ATTEMPTS):
            begin = self.clock()
            run = runner.measure(planned, workshop, number, len(runs) + 1)
            seconds = round(self.clock() - begin, 3)
            facts = {
                **run.facts,
                "tuning": {"search": search_key(runner.experiment), "stage": stage, "seconds": seconds},
            }
            run = dataclasses.replace(run, kind=Kind.TUNING, facts=facts)
            if self.results is not None:
                self.results.add(run, identity)
            runs = [*runs, run]
            self._count += 1
        measured = outcome(runs)
        self._spent += measured.seconds
        title = candidate.title(space.default)
        self.watch(Measurement(title, stage, number, measured, self._spent, replayed == len(runs)))
        return measured


def search_key(experiment: Experiment) -> str:
    """Identifies a search: the hash of its text, which names everything that it depends on."""
    return hashlib.sha256(experiment.text.encode()).hexdigest()[:16]


def failed_by_chance(run: Run) -> bool:
    """Whether another attempt could end otherwise."""
    return run.failure is not None and run.failure.code not in PERMANENT


def outcome(runs: list[Run]) -> TrialSpeed:
    """What the search is told of the attempts at one measurement: FPS, or why the candidate is out."""
    seconds = sum(float(run.facts["tuning"]["seconds"]) for run in runs)
    run = runs[-1]
    if run.failure is not None:
        return TrialSpeed(None, seconds, f"{run.failure.code}: {run.failure.message}")
    if run.fidelity is None:
        return TrialSpeed(None, seconds, "unchecked: its outputs were not compared with the reference")
    if not run.fidelity.faithful:
        beyond = f"max error {run.fidelity.max_rel:.2g} of the largest output, {run.fidelity.tolerance:.2g} allowed"
        return TrialSpeed(None, seconds, f"unfaithful: {beyond}")
    fps = speed.of_run(run).fps
    return TrialSpeed(fps, seconds, "" if fps is not None else "no speed: no bare window has times above 0")
