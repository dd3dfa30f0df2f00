"""A case measured by a declared runner: the order for the worker that observes it, and the resulting run."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.collectors.meters import is_of_one_process
from hwprof.environments.interpreters import clean_environ
from hwprof.errors import NotInstalled
from hwprof.plan.runners import DeclaredRunner, version
from hwprof.programs.command import Order, digest
from hwprof.records import Failure, Run, from_json, to_json
from hwprof.runner.metered import with_meter
from hwprof.worker.protocol import Job, Task

if TYPE_CHECKING:
    from hwprof.plan.cases import PlannedCase
    from hwprof.plan.experiment import Experiment
    from hwprof.runner.launcher import Launcher

LOG = 4000  # characters of the end of its output, kept with the run


def measure(base: Run, planned: PlannedCase, job: Job, experiment: Experiment, launcher: Launcher) -> Run:
    """One round: the runner executed in a worker, whose limits it shares; FPS from the figures it prints."""
    runner = planned.runner
    assert runner is not None
    environ = {**base.env, **runner.environment}
    base = dataclasses.replace(base, env=environ)
    if job.plan.external:
        failure = Failure("usage", "perf stat counts no declared runner", "omit --backend perf", "command")
        return dataclasses.replace(base, failure=failure)
    try:
        argv = runner.argv(planned.case, planned.spec, job.plan, Path(job.artifact), planned.python)
    except NotInstalled as error:
        return dataclasses.replace(base, failure=Failure("not-installed", error.message, error.remedy, "command"))
    cpus, hz, meter = planned.case.cpus, experiment.gauge_hz, experiment.meter
    sensor, is_ours = experiment.power_sensor, is_of_one_process(meter)
    order = Order(
        argv,
        figures=runner.figures,
        cpus=cpus,
        cpus_asked=planned.cpus_asked,
        hz=hz,
        meter="" if is_ours else meter,
        power_sensor=sensor,
    )
    # The worker watches from any core; the runner is bound to those of the case by its order.
    watching = dataclasses.replace(job, task=Task.COMMAND, cpus=(), order=to_json(order))
    # It starts with the environment that a worker of this framework would get.
    clean = dataclasses.replace(launcher, environ=clean_environ(planned.python, launcher.environ))
    outcome = clean.run(watching, experiment.timeout_s, environ)
    if outcome.result is None:
        return dataclasses.replace(base, failure=outcome.failure)
    seen = from_json(Run, outcome.result["run"])
    seen = with_meter(seen, meter, sensor) if is_ours else seen
    return complete_run(base, seen, runner, planned, job, outcome.log)


def complete_run(base: Run, seen: Run, runner: DeclaredRunner, planned: PlannedCase, job: Job, log: str) -> Run:
    """The run as the worker observed it (`seen`), with the runner's figures as its speed."""
    figures = medians(seen.facts["executions"], runner)
    speed = runner.speed(figures, planned.case, job.plan)
    facts = {
        **seen.facts,
        **base.facts,  # the session is the launcher's, not the worker's
        **speed,
        "runner": runner.name,
        "figures": figures,
        "patterns": dict(runner.figures),
        "statistic": runner.statistic,
        "version": version(runner.version, planned.python, runner.name),
        "program": digest(Path(seen.facts["argv"][0])),
    }
    failure = seen.failure
    if failure is None and speed["fps"] is None:
        missed = ", ".join(f"{name} = '{pattern}'" for name, pattern in runner.figures.items())
        failure = Failure("no-fps", f"nothing that {runner.name} printed matches {missed}", "see its log", "output")
    if failure is not None and not failure.log:
        failure = dataclasses.replace(failure, log=log[-LOG:])
    return dataclasses.replace(
        base, windows=seen.windows, series=seen.series, facts=facts, doubts=seen.doubts, failure=failure
    )


def medians(executions: Sequence[dict[str, Any]], runner: DeclaredRunner) -> dict[str, float | None]:
    """Each figure over the executions of the round (one per pass); None where no execution printed it."""
    found: dict[str, float | None] = {}
    for name in runner.figures:
        values = [e["figures"][name] for e in executions if e["figures"][name] is not None]
        found[name] = statistics.median(values) if values else None
    return found
