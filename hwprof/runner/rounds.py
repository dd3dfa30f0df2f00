"""Runs the cases of an experiment: in rounds, interleaved, resumed where they stopped, each saved as it ends."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof import doubts, plugins
from hwprof.analysis import estimator
from hwprof.collectors import lost_counts
from hwprof.collectors.memory import headroom
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.readings import missing_readings
from hwprof.collectors.simulators import CALLGRIND, inferences, simulator
from hwprof.collectors.watcher import GaugeWatcher, idle_power
from hwprof.errors import HwprofError, NotAvailable
from hwprof.frameworks.fidelity import tolerance
from hwprof.frameworks.precision import QUANTISED
from hwprof.machine.clock import utc_now
from hwprof.machine.facts import machine_facts
from hwprof.plan import policy
from hwprof.plan.cases import PlannedCase
from hwprof.plan.experiment import Experiment
from hwprof.records import Doubt, Failure, Fidelity, Kind, Run, Window, from_json
from hwprof.runner import commands
from hwprof.runner.launcher import Launcher, Outcome, Workers
from hwprof.runner.workshop import TIMEOUT_S, Artifacts, PreparationFailed, Workshop, compared_images
from hwprof.worker.protocol import Job, Task

if TYPE_CHECKING:
    from hwprof.store import Results

# Failures that will be the same next time: the other rounds of the case are not tried.
PERMANENT = frozenset({"model", "not-installed", "unavailable", "usage"})
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a sweep is. `left_s` None: not known yet."""

    done: int
    total: int
    run: Run
    left_s: float | None


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

    def __post_init__(self) -> None:
        if not self.facts:
            self.facts = machine_facts()
        self.launcher.headroom = headroom

    def run(self) -> Generator[Progress, None, None]:
        """Measure what is not yet in the results, then simulate; every run is saved before the next begins.

        An interrupt, or closing this, ends all workers at once; what is finished is saved.
        """
        cases = policy.cases(self.experiment, self.results, self.facts["hardware"])
        self.require(cases)
        patience = max(TIMEOUT_S, self.experiment.timeout_s)  # quantising may take longer than any run
        workshop = Workshop(self.launcher, self.experiment.seed, patience, self.experiment.calibration)
        identity = self.begin(cases)
        todo = self._todo(cases, identity)
        if todo:
            self.idle_w = idle_power(self.experiment.idle_baseline_s, self.experiment.gauge_hz)
        total, started = len(todo), self.clock()
        dead: set[str] = set()
        finished = 0
        while todo:
            number, planned, attempt = todo.pop(0)
            if planned.case.key in dead:
                total -= 1
                continue
            run = self.measure(planned, workshop, number, attempt)
            self.save(run, identity)
            finished += 1
            if run.failure is not None:
                if run.failure.code in PERMANENT:
                    dead.add(planned.case.key)
                elif attempt < ATTEMPTS:
                    todo.append((number, planned, attempt + 1))
                    total += 1
            left = (self.clock() - started) / finished * len(todo)
            yield Progress(finished, total, run, left)
        yield from self._simulations(cases, workshop, identity, dead)

    def begin(self, cases: Sequence[PlannedCase]) -> int:
        """The experiment in the results; 0 where nothing is saved."""
        if self.results is None:
            return 0
        e = self.experiment
        return self.results.begin_experiment(e.name, e.text, plan_key(e.plan_hash, cases), e.seed)

    def save(self, run: Run, identity: int) -> None:
        """Write one run; nothing where nothing is saved."""
        if self.results is not None:
            self.results.add(run, identity)
            self.saved_runs += 1

    def _history(self, identity: int) -> tuple[set[tuple[str, str, int]], Mapping[tuple[str, str, int], int]]:
        """(case key, kind, round) of what is done on this machine, and of what failed, with the number of attempts."""
        if self.results is None:
            return set(), {}
        hardware = self.facts["hardware"]
        return self.results.done(identity, hardware), self.results.failed(identity, hardware)

    def _todo(self, cases: Sequence[PlannedCase], identity: int) -> list[tuple[int, PlannedCase, int]]:
        """(round, case, attempt) in the seeded order, without what is done or has failed often enough."""
        done, failed = self._history(identity)
        todo = []
        for number, index in self.experiment.schedule():
            key = (cases[index].case.key, cases[index].kind.value, number)
            attempts = failed.get(key, 0)
            if key in done or (attempts >= ATTEMPTS and not self.retry_failed):
                continue
            todo.append((number, cases[index], attempts + 1))
        return todo

    def require(self, cases: Sequence[PlannedCase]) -> None:
        """Raise NotAvailable before anything is measured where a required event can't be counted here."""
        if not self.experiment.require or not cases:
            return
        cpus = {cpu for planned in cases for cpu in planned.case.cpus}
        for name, state in PerfCollector().probe(list(self.experiment.require), cpus).items():
            if isinstance(state, Unavailable):
                raise NotAvailable(f"required event '{name}' can't be counted here: {state.reason}", state.remedy)

    def measure(self, planned: PlannedCase, workshop: Workshop, number: int, attempt: int = 1) -> Run:
        """One case in one fresh process; a run with a failure where it could not be done."""
        environ = planned.environ()
        base = self.blank_run(planned, number, attempt, planned.kind, environ)
        try:
            paths = workshop.get(planned)
        except PreparationFailed as error:
            return dataclasses.replace(base, failure=error.failure)
        order = f"{self.experiment.seed}/{number}"
        job = self.job(planned, paths, Task.MEASURE, counted_first=number % 2 == 1, order=order)
        if planned.runner is not None:
            return commands.measure(base, planned, job, self.experiment, self.launcher)
        with GaugeWatcher(self.experiment.gauge_hz, planned.case.cpus, self.experiment.meter, self.idle_w) as watcher:
            outcome = self.launcher.run(job, self.experiment.timeout_s, environ, watcher=watcher, python=planned.python)
        if outcome.result is None:
            return dataclasses.replace(base, failure=outcome.failure)
        run = self._complete(base, outcome, watcher, {"conversion": list(paths.steps)})
        return dataclasses.replace(run, doubts=(*run.doubts, *policy.doubts(planned, run.software)))

    def blank_run(self, planned: PlannedCase, number: int, attempt: int, kind: Kind, environ: Mapping[str, str]) -> Run:
        """A run of this case without any results."""
        return Run(
            uid=secrets.token_hex(4),
            case=planned.case,
            kind=kind,
            round=number,
            attempt=attempt,
            started_utc=utc_now(),
            env=environ,
            facts={} if planned.tuning is None else {"tuned": planned.tuning},
            macs=planned.macs,
            params=planned.params,
            machine=self.facts["hardware"],
            host_state=self.facts["host_state"],
            software=planned.software(),
        )

    def job(self, planned: PlannedCase, paths: Artifacts, task: Task, **settings: Any) -> Job:
        """A job for this case. `settings`: of its loop, in place of the experiment's."""
        return Job(
            task,
            planned.case,
            planned.network.source,
            self.experiment.seed,
            planned.spec,
            adapter=planned.adapter_path,
            source=str(paths.source),
            artifact=str(paths.artifact),
            reference=str(paths.reference),
            tolerance=tolerance(planned.case.precision),
            compared=compared_images(planned.case),
            plan=dataclasses.replace(self.experiment.plan, **settings),
            collectors=plugins.paths("hwprof.collectors") if task is Task.MEASURE else {},
            cpus=() if task is Task.SIMULATE else planned.case.cpus,
        )

    def _complete(self, base: Run, outcome: Outcome, watcher: GaugeWatcher, more: Mapping[str, Any]) -> Run:
        """The worker's answer, the gauges and `more` facts as one run."""
        result = outcome.result or {}
        absent = missing_readings({name: Unavailable(**why) for name, why in result["unavailable"].items()})
        windows, lost = [], []
        threads = max(base.case.threads, int(result["facts"].get("tasks", 1)))
        for data in result["windows"]:
            window = from_json(Window, data)
            sensed = watcher.readings(window) if window.slices is None else ()  # sensors can't resolve slices
            extra = (*sensed, *(absent if window.role.value == "counted" else ()))
            window = dataclasses.replace(window, readings=(*window.readings, *extra))
            window, found = lost_counts.judge(window, threads)
            windows.append(window)
            lost += found
        facts = dict(result["facts"])
        if base.case.precision in QUANTISED:
            facts["calibration"] = self.experiment.calibration.facts()
        run = dataclasses.replace(
            base,
            load_ns=facts.get("load_ns"),
            windows=tuple(windows),
            series=watcher.series(),
            facts={**base.facts, **facts, **watcher.facts(), **more},
            fidelity=None if result["fidelity"] is None else from_json(Fidelity, result["fidelity"]),
        )
        found = [from_json(Doubt, d) for d in result["doubts"]]
        found += lost[:1]  # one stands for all
        found += watcher.doubts(windows)
        found += doubts.of_run(run, os.cpu_count() or 1)
        found += estimator.doubts(run)
        return dataclasses.replace(run, doubts=tuple(found))

    def _simulations(
        self, cases: Sequence[PlannedCase], workshop: Workshop, identity: int, dead: set[str]
    ) -> Iterator[Progress]:
        """Simulated runs of the batch-1 cases, several at once (time doesn't matter there), within the budget."""
        wanted = self.experiment.simulation
        if not self.simulates():
            return
        if wanted.tool == CALLGRIND and isinstance(simulator(CALLGRIND).available(""), Unavailable):
            return  # `hwprof doctor` and the report name what is missing and how to get it
        done, failed = self._history(identity)
        todo = [
            p
            for p in cases
            if p.case.batch == 1
            and p.runner is None
            and p.case.key not in dead
            and (not wanted.networks or p.case.network in wanted.networks)
            and (p.case.key, Kind.SIMULATED.value, 0) not in done
            and (self.retry_failed or failed.get((p.case.key, Kind.SIMULATED.value, 0), 0) < ATTEMPTS)
        ]
        # the lightest first, so that as many as possible fit into the budget
        todo.sort(key=lambda p: (p.macs or 0, p.case.framework))
        deadline = self.clock() + wanted.budget_s
        workers = max(1, len(os.sched_getaffinity(0)))
        self.launcher.workers = Workers()
        pool = ThreadPoolExecutor(workers)
        jobs = [pool.submit(self.simulate, p, workshop, deadline) for p in todo]
        try:
            for count, future in enumerate(as_completed(jobs), 1):
                run = future.result()
                self.save(run, identity)
                left = max(0.0, deadline - self.clock())
                yield Progress(count, len(jobs), run, left)
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
                    self.save(run, identity)

    def simulates(self) -> bool:
        """Whether this experiment asks for simulation on this machine."""
        when = self.experiment.simulation.when
        if when == "no-pmu":
            return isinstance(PerfCollector().probe(["cycles"])["cycles"], Unavailable)
        return when == "always"

    def simulate(self, planned: PlannedCase, workshop: Workshop, deadline: float) -> Run:
        """A case in a simulator; what doesn't fit before `deadline` is a failed run that says so."""
        environ = planned.environ()
        base = self.blank_run(planned, 0, 1, Kind.SIMULATED, environ)
        tool = simulator(self.experiment.simulation.tool)
        state = tool.available(planned.case.framework)
        if isinstance(state, Unavailable):
            return dataclasses.replace(base, failure=Failure("unavailable", state.reason, state.remedy, "simulate"))
        left = deadline - self.clock()
        if left <= 0:
            failure = Failure("budget", "the simulation budget was used up", "raise simulate.budget_s")
            return dataclasses.replace(base, failure=failure)
        try:
            paths = workshop.get(planned)
        except PreparationFailed as error:
            return dataclasses.replace(base, failure=error.failure)
        launcher = dataclasses.replace(self.launcher, environ=tool.environ(self.launcher.environ))
        with tempfile.TemporaryDirectory(prefix="hwprof-simulation-") as folder:
            job = self.job(planned, paths, Task.SIMULATE, iterations=inferences(planned.macs))
            try:
                wrapper = tool.wrapper(Path(folder), planned.case.framework)
                outcome = launcher.run(job, left, environ, wrapper=wrapper, python=planned.python)
                counts = tool.readings(wrapper) if outcome.result else []
            except HwprofError as error:
                return dataclasses.replace(base, failure=Failure("simulator", error.message, error.remedy, "window"))
        if outcome.result is None:
            late = outcome.failure is not None and outcome.failure.code == "timeout"
            budget = Failure("budget", "did not fit into the simulation budget", "raise simulate.budget_s")
            return dataclasses.replace(base, failure=budget if late else outcome.failure)
        windows = tuple(
            dataclasses.replace(w, readings=(*w.readings, *counts))
            for w in (from_json(Window, data) for data in outcome.result["windows"])
        )
        facts = {**base.facts, **outcome.result["facts"], **tool.facts()}
        return dataclasses.replace(base, windows=windows, facts=facts)


def plan_key(plan_hash: str, cases: Sequence[PlannedCase]) -> str:
    """Identifies what is resumed: the plan, and how its frameworks are called.

    Where a call has changed since, all rounds are measured anew: they are compared because they were interleaved.
    """
    calls = sorted({(p.case.framework, p.call) for p in cases if p.call})
    if not calls:  # as from the first
        return plan_hash
    return hashlib.sha256(json.dumps([plan_hash, calls]).encode()).hexdigest()[:16]
