"""Runs the cases of an experiment: in rounds of sets, resumed where they stopped, each set saved when it has ended."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwprof.collectors import machine_power
from hwprof.collectors.cooldown import CoolDown, with_cooling
from hwprof.collectors.memory import headroom
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.simulators import CALLGRIND, simulator
from hwprof.collectors.watcher import idle_power
from hwprof.errors import NotAvailable
from hwprof.machine.facts import machine_facts
from hwprof.machine.session import begin_session
from hwprof.plan import policy
from hwprof.plan.cases import PlannedCase
from hwprof.plan.experiment import Experiment
from hwprof.records import Kind, Run
from hwprof.runner import commands, grouping, simulations
from hwprof.runner.launcher import Launcher, Workers
from hwprof.runner.members import ATTEMPTS, PERMANENT, Ticket
from hwprof.runner.pace import SimulationPace
from hwprof.runner.runs import RunFactory
from hwprof.runner.sets import SetMeasurement
from hwprof.runner.turn_lengths import TurnLengths
from hwprof.runner.workshop import TIMEOUT_S, PreparationFailed, Workshop
from hwprof.worker.protocol import Task

if TYPE_CHECKING:
    from hwprof.store import Results


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a sweep is: runs that are done, of all with the simulated ones, and the seconds left (None: not known).

    `is_limit`: `left_s` holds what simulations may take at most, since it is not known what they will take.
    """

    done: int
    total: int
    run: Run
    left_s: float | None
    is_limit: bool = False


@dataclass(slots=True)
class Runner:
    """One experiment on this machine. `results` None: nothing is saved."""

    experiment: Experiment
    results: Results | None = None
    launcher: Launcher = field(default_factory=Launcher)
    retry_failed: bool = False
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    idle_w: Mapping[str, float] = field(default_factory=dict)
    saved_runs: int = 0  # runs of this session that are in the results
    lengths: TurnLengths = field(default_factory=TurnLengths)
    peaks: dict[str, float] = field(default_factory=dict)  # bytes, of the cases that were loaded so far
    notify: Callable[[str], None] = lambda text: None  # told of what takes long
    session: Mapping[str, str] = field(default_factory=begin_session)
    cooldown: CoolDown = field(init=False)
    workshop: Workshop | None = None  # where cases get their files from; None: they are prepared here

    def __post_init__(self) -> None:
        if not self.facts:
            self.facts = machine_facts()
        self.launcher.headroom = headroom
        if self.facts["host_state"].get("emulated"):  # its time is the emulator's: nothing to take apart by slices
            whole = dataclasses.replace(self.experiment.plan, slice_s=0.0)
            self.experiment = dataclasses.replace(self.experiment, plan=whole)
        self.lengths = TurnLengths(self.experiment.plan.turn_pairs)
        self.cooldown = CoolDown(self.experiment.cooldown_s, self.notify)

    def run(self) -> Generator[Progress, None, None]:
        """Measure what is not yet in the results, then simulate.

        The runs of a set are saved together once the set has ended: one that is interrupted leaves nothing of its round
        and is repeated as a whole. An interrupt, or closing this, ends all workers at once.
        """
        with machine_power.prepared(self.experiment.meter, self.experiment.power_sensor, self.notify):
            yield from self._rounds()

    def _rounds(self) -> Generator[Progress, None, None]:
        cases = policy.cases(self.experiment, self.results, self.facts["hardware"])
        self.require(cases)
        patience = max(TIMEOUT_S, self.experiment.timeout_s)  # quantising may take longer than any run
        workshop = self.workshop or Workshop(self.launcher, self.experiment.seed, patience, self.experiment.calibration)
        identity = self.begin(cases)
        todo = self._todo(cases, identity)
        if todo:
            self.idle_w = idle_power(self.experiment.idle_baseline_s, self.experiment.gauge_hz)
            self._recall(identity)
        waiting = self._cases_to_simulate(cases, identity)
        started = self.clock()
        dead: set[str] = set()
        finished = 0
        while todo:
            company = [ticket for ticket in todo.pop(0) if ticket.key not in dead]
            if not company:
                continue
            runs = self._measure(company, workshop)
            self.save(runs, identity)
            dead |= {run.case.key for run in runs if run.failure is not None and run.failure.code in PERMANENT}
            if company[0].planned.runner is not None and runs[0].failure is not None and company[0].key not in dead:
                todo += [[ticket.again()] for ticket in company if ticket.attempt < ATTEMPTS]
            left = sum(ticket.key not in dead for tickets in todo for ticket in tickets)
            waiting = [planned for planned in waiting if planned.case.key not in dead]
            budget_s = self.experiment.simulation.budget_s if waiting else 0.0
            for of_set in range(len(runs) - 1, -1, -1):
                finished += 1
                ahead = (self.clock() - started) / finished * left
                total = finished + of_set + left + len(waiting)
                yield Progress(finished, total, runs[-1 - of_set], ahead + budget_s, is_limit=bool(waiting))
        yield from self._simulations(waiting, workshop, identity, finished)

    def begin(self, cases: Sequence[PlannedCase]) -> int:
        """The experiment in the results; 0 where nothing is saved."""
        if self.results is None:
            return 0
        e = self.experiment
        return self.results.begin_experiment(e.name, e.text, plan_key(e.plan_hash, cases), e.seed)

    def save(self, runs: Sequence[Run], identity: int) -> None:
        """Write runs in one transaction; nothing where nothing is saved."""
        if self.results is not None:
            self.results.add_all(runs, identity)
            self.saved_runs += len(runs)

    def _history(self, identity: int) -> tuple[set[tuple[str, str, int]], Mapping[tuple[str, str, int], int]]:
        """(case key, kind, round) of what is done on this machine, and of what failed, with the number of attempts."""
        if self.results is None:
            return set(), {}
        hardware = self.facts["hardware"]
        return self.results.done(identity, hardware), self.results.failed(identity, hardware)

    def _todo(self, cases: Sequence[PlannedCase], identity: int) -> list[list[Ticket]]:
        """The sets in their seeded order, without what is done or has failed often enough."""
        done, failed = self._history(identity)
        experiment, left = self.experiment, {}
        groups = grouping.sets_of(cases, experiment.one_set, experiment.plan.slice_s > 0)
        for group in groups:
            places = {(cases[place].case.key, cases[place].kind.value) for place in group}
            # a set has tried its cases as often as it does before it is saved; a runner's case is saved each time
            attempts = None if self.retry_failed else 1 if cases[group[0]].runner is None else ATTEMPTS
            left[group] = grouping.rounds_left(places, experiment.rounds, done, failed, attempts)
        last = max((number for numbers in left.values() for number in numbers), default=-1)
        todo: list[list[Ticket]] = []
        for number in range(last + 1):
            now = [group for group in groups if number in left[group]]
            ordered = grouping.in_order(now, experiment.order(number))
            todo += [[self._ticket(cases[place], number, failed) for place in group] for group in ordered]
        return todo

    def _ticket(self, planned: PlannedCase, number: int, failed: Mapping[tuple[str, str, int], int]) -> Ticket:
        """One case of a round; late where it failed, and the round is there to try it again."""
        key, kind = planned.case.key, planned.kind.value
        attempts = failed.get((key, kind, number), 0)
        is_late = number >= self.experiment.rounds and any(case == key for case, _, _ in failed)
        return Ticket(planned, number, attempts + 1, late=is_late)

    def _recall(self, identity: int) -> None:
        """What earlier sessions of this experiment have learnt about the length of turns."""
        if self.results is None:
            return
        rounds: dict[int, list[Run]] = {}
        for run in self.results.runs(kind=Kind.NATIVE, experiment=identity, status="ok"):
            rounds.setdefault(run.round, []).append(run)
        for _, runs in sorted(rounds.items()):
            self.lengths.learn(runs)

    @property
    def runs(self) -> RunFactory:
        """Makes this experiment's runs and jobs."""
        return RunFactory(self.experiment, self.facts, self.session)

    def require(self, cases: Sequence[PlannedCase]) -> None:
        """Raise NotAvailable before anything is measured where a required event can't be counted here."""
        if not self.experiment.require or not cases:
            return
        cpus = {cpu for planned in cases for cpu in planned.case.cpus}
        for name, state in PerfCollector(cpus=cpus).probe(list(self.experiment.require), cpus).items():
            if isinstance(state, Unavailable):
                raise NotAvailable(f"required event '{name}' can't be counted here: {state.reason}", state.remedy)

    def measure(self, planned: PlannedCase, workshop: Workshop, number: int) -> Run:
        """One case by itself, once more where chance failed it; a run with a failure where it could not be done."""
        return self._measure([Ticket(planned, number)], workshop)[-1]

    def _measure(self, company: Sequence[Ticket], workshop: Workshop) -> list[Run]:
        """The runs of one round of a set, or of a case with a runner of its own."""
        if company[0].planned.runner is not None:
            return [self._command(company[0], workshop)]
        runs = self.measure_set(company, workshop)
        self.lengths.learn(runs)
        return runs

    def measure_set(self, company: Sequence[Ticket], workshop: Workshop, stretch_s: float | None = None) -> list[Run]:
        """Cases side by side; those that can't be among others by themselves. `stretch_s` as in SetMeasurement."""
        sets = SetMeasurement(
            self.runs, self.launcher, workshop, self.idle_w, stretch_s, self.cooldown, self.lengths.notes, self.peaks
        )
        lengths = self.lengths
        tickets = [lengths.apply(ticket, len(company) > 1) for ticket in company]
        together = sorted((t for t in tickets if not lengths.is_alone(t.key)), key=lambda t: not t.late)
        found = sets.measure(together)
        for ticket in tickets:
            if lengths.is_alone(ticket.key):
                found += sets.measure([ticket], alone=True)
        return found

    def _command(self, ticket: Ticket, workshop: Workshop) -> Run:
        """One case by its declared runner."""
        planned = ticket.planned
        base = self.runs.blank(planned, ticket.number, ticket.attempt, planned.kind, planned.environ())
        try:
            paths = workshop.get(planned)
        except PreparationFailed as error:
            return dataclasses.replace(base, failure=error.failure)
        job = self.runs.job(planned, paths, Task.MEASURE, counted_first=ticket.number % 2 == 1)
        cooling = self.cooldown.wait(planned.case.cpus)
        run = commands.measure(base, planned, job, self.experiment, self.launcher)
        return with_cooling(run, {"before_run": cooling})

    def _cases_to_simulate(self, cases: Sequence[PlannedCase], identity: int) -> list[PlannedCase]:
        """The batch-1 cases whose simulated run is not in the results, the lightest first."""
        wanted = self.experiment.simulation
        if not self.simulates():
            return []
        if wanted.tool == CALLGRIND and isinstance(simulator(CALLGRIND).available(""), Unavailable):
            return []  # `hwprof doctor` and the report name what is missing and how to get it
        done, failed = self._history(identity)
        todo = [
            p
            for p in cases
            if p.case.batch == 1
            and p.runner is None
            and (not wanted.networks or p.case.network in wanted.networks)
            and (p.case.key, Kind.SIMULATED.value, 0) not in done
            and (self.retry_failed or failed.get((p.case.key, Kind.SIMULATED.value, 0), 0) < ATTEMPTS)
        ]
        # so that as many as possible fit into the budget
        return sorted(todo, key=lambda p: (p.macs or 0, p.case.framework))

    def _simulations(
        self, todo: Sequence[PlannedCase], workshop: Workshop, identity: int, finished: int
    ) -> Iterator[Progress]:
        """Simulated runs, several at once (time doesn't matter there), within the budget, after `finished` others."""
        if not todo:
            return
        pace = SimulationPace(self.clock, self.experiment.simulation.budget_s, [p.macs for p in todo])
        self.launcher.workers = Workers()
        pool = ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0))))
        jobs: list[Future[Run]] = []
        try:
            jobs += [pool.submit(self.simulate, p, workshop, pace.deadline) for p in todo]
            for count, future in enumerate(as_completed(jobs), 1):
                run = future.result()
                self.save([run], identity)
                yield Progress(finished + count, finished + len(jobs), run, *pace.finish(jobs.index(future)))
        except BaseException:  # an interrupt, or whoever asked for the runs wants no more
            self.launcher.workers.stop()
            pool.shutdown(cancel_futures=True)
            self._keep_finished(jobs, identity)
            raise
        pool.shutdown()

    def _keep_finished(self, jobs: Sequence[Future[Run]], identity: int) -> None:
        """Save the good runs that ended at the same moment as the sweep and are not in the results."""
        if self.results is None:
            return
        done = self.results.done(identity, self.facts["hardware"])
        for job in jobs:
            if job.done() and not job.cancelled() and job.exception() is None:
                run = job.result()
                if run.failure is None and (run.case.key, run.kind.value, run.round) not in done:
                    self.save([run], identity)

    def simulates(self) -> bool:
        """Whether this experiment asks for simulation on this machine."""
        when = self.experiment.simulation.when
        if when == "no-pmu":
            return isinstance(PerfCollector().probe(["cycles"])["cycles"], Unavailable)
        return when == "always"

    def simulate(self, planned: PlannedCase, workshop: Workshop, deadline: float) -> Run:
        """A case in a simulator; what doesn't fit before `deadline` is a failed run that says so."""
        return simulations.simulate(self, planned, workshop, deadline)


def plan_key(plan_hash: str, cases: Sequence[PlannedCase]) -> str:
    """Identifies what is resumed: the plan, and how its frameworks are called.

    Where a call has changed since, all rounds are measured anew: they are compared because they were interleaved.
    """
    calls = sorted({(p.case.framework, p.call) for p in cases if p.call})
    if not calls:  # as from the first
        return plan_hash
    return hashlib.sha256(json.dumps([plan_hash, calls]).encode()).hexdigest()[:16]
