"""Tunes one case on this machine: candidates are cases for the runner; each measurement is saved, the winner kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hwprof import speed
from hwprof.analysis.estimator import EstimatorChoice, choose, value
from hwprof.analysis.side_by_side import bare_turns, log_ratio
from hwprof.machine.cpus import allowed_cpus
from hwprof.plan.cases import PlannedCase, checked_cpus, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.winner import Subject, Winner, subject_of
from hwprof.records import Kind, Run
from hwprof.runner.launcher import Launcher
from hwprof.runner.members import Ticket
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop
from hwprof.studies.tuning import space as spaces
from hwprof.studies.tuning.outcome import evidence
from hwprof.studies.tuning.search import SearchResult, TrialSpeed, search
from hwprof.studies.tuning.space import ALL, CPUS, THREADS, Candidate, Request, Space

if TYPE_CHECKING:
    from hwprof.store import Results


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement, as `watch` gets it. `from_results`: it was in the results already."""

    title: str
    stage: str
    round: int
    measured: TrialSpeed
    spent_s: float
    from_results: bool


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The outcome of a tuning."""

    subject: Subject
    kept: Winner
    found: SearchResult
    measured: int  # measurements made in this call
    space: Space


@dataclass(slots=True)
class Tuner:
    """One tuning. `results` None: nothing is kept. `restart`: ignore an earlier search."""

    request: Request
    results: Results | None = None
    launcher: Launcher = field(default_factory=Launcher)
    restart: bool = False
    watch: Callable[[Measurement], None] = lambda step: None
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, int], list[Run]] = field(default_factory=dict)
    _sets: dict[str, list[Run]] = field(default_factory=dict)
    _planned: dict[Candidate, PlannedCase] = field(default_factory=dict)
    _count: int = 0
    _spent: float = 0.0

    def run(self) -> TuningResult:
        """Search, meet the default again, keep the winner. Raises UsageError, NotAvailable, CaseFailed."""
        request = self.request
        cpus = checked_cpus(request.cpus)
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

        measure = partial(self._measure, runner, workshop, identity, space)
        found = search(space, measure, request.budget_s, request.seed)
        best = self._plan_of(found.winner, space).case
        proof = evidence(found, space, subject, search_key(experiment), request, default.software())
        kept = Winner(best.threads, best.cpus, best.options, proof)
        if self.results is not None:
            self.results.add_tuning(runner.facts["hardware"], subject.key, kept.parameters(), proof)
        return TuningResult(subject, kept, found, self._count, space)

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
            "tune": subject.form,
            "factors": [[name, list(values)] for name, values in space.factors],
            "budget_s": request.budget_s,
            "seed": request.seed,
            "plan": dataclasses.asdict(request.plan),
            "timeout_s": request.timeout_s,
            "software": default.software(),
        }
        text = json.dumps(what, sort_keys=True)
        base = f"# hwprof tune\n{text}\n"
        earlier = 0 if self.results is None else sum(e.toml.startswith(base) for e in self.results.experiments())
        number = earlier + 1 if self.restart or not earlier else earlier
        return Experiment(
            f"tune {subject.title}",
            (self._choice(space.default, space),),
            seed=request.seed,
            cpus=request.cpus,
            plan=request.plan,
            timeout_s=request.timeout_s,
            gauge_hz=2.0,
            idle_baseline_s=0.0,
            cooldown_s=0.0,  # candidates are compared side by side, and there are many
            text=f"{base}# search {number}\n",
        )

    def _begin(self, experiment: Experiment) -> int:
        """Id of the search in the results. Reads its earlier measurements."""
        if self.results is None:
            return 0
        key = search_key(experiment)
        identity = self.results.begin_experiment(experiment.name, experiment.text, key, experiment.seed)
        for run in self.results.runs(kind=Kind.TUNING, experiment=identity):
            self._keep(run)
        return identity

    def _measure(
        self,
        runner: Runner,
        workshop: Workshop,
        identity: int,
        space: Space,
        candidates: Sequence[Candidate],
        number: int,
        stage: str,
    ) -> list[TrialSpeed]:
        """One trial of each candidate, side by side; what the results hold is not measured anew."""
        planned = [self._plan_of(candidate, space) for candidate in candidates]
        is_known = all((p.case.key, number) in self._known for p in planned)
        if not is_known:
            begin = self.clock()
            tickets = [Ticket(p, number) for p in in_either_order(planned, number)]
            runs = runner.measure_set(tickets, workshop, stretch_s=0.0)
            share = (self.clock() - begin) / len(planned)
            attempts = Counter((run.case.key, run.round) for run in runs)
            for run in runs:
                seconds = round(share / attempts[run.case.key, run.round], 3) if run.round == number else 0.0
                facts = {"search": search_key(runner.experiment), "stage": stage, "seconds": seconds}
                self._keep(dataclasses.replace(run, kind=Kind.TUNING, facts={**run.facts, "tuning": facts}))
            if self.results is not None:
                self.results.add_all([run for key in attempts for run in self._known[key]], identity)
            self._count += len(planned)
        default = self._known[planned[0].case.key, number]
        found = [outcome(self._known[p.case.key, number], default[-1], self._sets) for p in planned]
        for candidate, measured in zip(candidates, found, strict=True):
            self._spent += measured.seconds
            title = candidate.title(space.default)
            self.watch(Measurement(title, stage, number, measured, self._spent, is_known))
        return found

    def _keep(self, run: Run) -> None:
        self._known.setdefault((run.case.key, run.round), []).append(run)
        if "set" in run.facts:
            self._sets.setdefault(run.facts["set"]["id"], []).append(run)


def in_either_order(planned: Sequence[PlannedCase], number: int) -> Sequence[PlannedCase]:
    """The cases of a set; of two the second first in every other set: memory may not hold them together, and then one
    follows the other. Of more the first is the default, which each part of such a set repeats."""
    return planned[::-1] if len(planned) == 2 and number % 2 else planned


def search_key(experiment: Experiment) -> str:
    """Identifies a search: the hash of its text, which names everything that it depends on."""
    return hashlib.sha256(experiment.text.encode()).hexdigest()[:16]


def outcome(runs: Sequence[Run], default: Run, sets: Mapping[str, Sequence[Run]]) -> TrialSpeed:
    """The result of all attempts at one measurement: its speed, or why the candidate is out.

    `default`: the default's run in the same round; `sets`: all runs of a set, by its id.
    """
    seconds = sum(float(run.facts["tuning"]["seconds"]) for run in runs)
    run = runs[-1]
    if run.failure is not None:
        return TrialSpeed(None, seconds, f"{run.failure.code}: {run.failure.message}")
    if run.fidelity is None:
        return TrialSpeed(None, seconds, "unchecked: its outputs were not compared with the reference")
    if run.fidelity.max_rel is None:
        return TrialSpeed(None, seconds, f"unchecked: its outputs are not comparable: {run.fidelity.why}")
    if not run.fidelity.faithful:
        beyond = f"max error {run.fidelity.max_rel:.2g} of the largest output, {run.fidelity.tolerance:.2g} allowed"
        return TrialSpeed(None, seconds, f"unfaithful: {beyond}")
    fps = speed.of_run(run).fps
    found = None
    if fps is not None:
        beside = [other for other in sets[run.facts["set"]["id"]] if other.case.key == default.case.key]
        found = speed_ratio(run, *(beside or [default]))
    if found is None:
        return TrialSpeed(None, seconds, "no speed: no bare slice or window has times above 0")
    ratio, choice = found
    return TrialSpeed(fps, seconds, "", ratio, choice.words if choice.why else "")


def speed_ratio(run: Run, default: Run) -> tuple[float, EstimatorChoice] | None:
    """Speed of a run over the default's by the estimator that survives in both, from the turns that they share.

    Of fewer than three turns, or of no set together since both do not fit into memory, it is the ratio of both by
    themselves. None: times of 0.
    """
    speeds = [speed.of_run(one) for one in (run, default)]
    choice = choose([(one.case.threads, own) for one, own in zip((run, default), speeds, strict=True)])
    if run.facts["set"]["id"] == default.facts.get("set", {}).get("id"):
        turns = [bare_turns(one) for one in (run, default)]
        if turns[0] is not None and turns[1] is not None:
            log = log_ratio(turns[0], turns[1], choice.estimator)
            if log is not None:
                return math.exp(log), choice
    ours, theirs = (value(own, choice.estimator) for own in speeds)
    return (ours / theirs, choice) if ours and theirs else None
