"""One case in a simulator: the worker around it, its answer as a run."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.simulators import inferences, simulator
from hwprof.errors import HwprofError
from hwprof.plan.cases import PlannedCase
from hwprof.records import Failure, Kind, Run, Window, from_json
from hwprof.runner.layers import locate
from hwprof.runner.workshop import PreparationFailed, Workshop
from hwprof.worker.protocol import Task

if TYPE_CHECKING:
    from hwprof.runner.rounds import Runner


def simulate(runner: Runner, planned: PlannedCase, workshop: Workshop, deadline: float, stepped: bool = False) -> Run:
    """A case in a simulator; what doesn't fit before `deadline` (of the runner's clock) is a failed run that says so.

    `stepped`: the steps of the framework are counted too, and become the run's layers, without times.
    """
    environ = planned.environ()
    base = runner.runs.blank(planned, 0, 1, Kind.SIMULATED, environ)
    tool = simulator(runner.experiment.simulation.tool)
    state = tool.available(planned.case.framework)
    if isinstance(state, Unavailable):
        return dataclasses.replace(base, failure=Failure("unavailable", state.reason, state.remedy, "simulate"))
    left = deadline - runner.clock()
    if left <= 0:
        failure = Failure("budget", "the simulation budget was used up", "raise simulate.budget_s")
        return dataclasses.replace(base, failure=failure)
    try:
        paths = workshop.get(planned)
    except PreparationFailed as error:
        return dataclasses.replace(base, failure=error.failure)
    launcher = dataclasses.replace(runner.launcher, environ=tool.environ(runner.launcher.environ))
    with tempfile.TemporaryDirectory(prefix="hwprof-simulation-") as folder:
        job = runner.runs.job(planned, paths, Task.SIMULATE, iterations=inferences(planned.macs))
        job = dataclasses.replace(job, stepped=stepped)
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
    run = dataclasses.replace(base, windows=windows, facts=facts)
    if stepped:
        run = locate(run, paths.source, outcome.result)
    return runner.runs.review(run)[0]
