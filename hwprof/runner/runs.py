"""Runs and jobs of an experiment: what a case's worker is asked, and its answer as a record."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwprof import doubts, plugins
from hwprof.analysis import estimator
from hwprof.analysis.over_time import drift
from hwprof.collectors.perf.tables import bounds_of
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.readings import missing_readings
from hwprof.collectors.review import facts_of, review
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.frameworks.fidelity import tolerance
from hwprof.frameworks.precision import QUANTISED
from hwprof.machine.clock import utc_now
from hwprof.machine.kinds import cpu_facts
from hwprof.plan.cases import PlannedCase
from hwprof.plan.experiment import Experiment
from hwprof.records import Doubt, Fidelity, Kind, Run, Window, from_json
from hwprof.runner.worker_process import Outcome
from hwprof.runner.workshop import Artifacts, compared_images, stored_of
from hwprof.worker.protocol import SIZE, Job, Task


@dataclass(frozen=True, slots=True)
class RunFactory:
    """Makes the runs and jobs of an experiment. `facts`: of this machine; `session`: what all its runs belong to."""

    experiment: Experiment
    facts: Mapping[str, Mapping[str, Any]]
    session: Mapping[str, str]

    def blank(self, planned: PlannedCase, number: int, attempt: int, kind: Kind, environ: Mapping[str, str]) -> Run:
        """A run of this case without any results."""
        facts: dict[str, Any] = {"session": self.session}
        if planned.environment:
            facts["environment"] = planned.environment
        if cores := cpu_facts(planned.case.cpus, planned.cpus_asked):
            facts["cores"] = cores
        if (planned.network.fixed_batch or 1) > 1:
            facts["batch_fixed"] = planned.network.fixed_batch
        if planned.macs_notes:
            facts["macs_notes"] = list(planned.macs_notes)
        if planned.macs_unknown:
            facts["macs_unknown"] = planned.macs_unknown
        if planned.case.shape:
            inputs = planned.spec.inputs
            facts["inputs"] = [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in inputs]
        if planned.network.stored:
            facts["stored_precision"] = planned.network.stored
        if planned.tuning is not None:
            facts["tuned"] = planned.tuning
        return Run(
            uid=secrets.token_hex(4),
            case=planned.case,
            kind=kind,
            round=number,
            attempt=attempt,
            started_utc=utc_now(),
            env=environ,
            facts=facts,
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
            planned.asked,
            planned.network.source,
            self.experiment.seed,
            planned.spec,
            adapter=planned.adapter_path,
            source=str(paths.source),
            artifact=str(paths.artifact),
            reference=str(paths.reference or ""),
            no_reference=paths.no_reference,
            frames=str(paths.frames or ""),
            tolerance=tolerance(planned.case.precision),
            stored=stored_of(planned.case),
            compared=compared_images(planned.case),
            plan=dataclasses.replace(self.experiment.plan, **settings),
            collectors=plugins.paths("hwprof.collectors") if task is Task.MEASURE else {},
            cpus=() if task is Task.SIMULATE else planned.case.cpus,
        )

    def complete(self, base: Run, outcome: Outcome, watcher: GaugeWatcher, more: Mapping[str, Any]) -> Run:
        """The worker's answer, the gauges and `more` facts as one run; without an answer its failure."""
        if outcome.result is None:
            return dataclasses.replace(base, failure=outcome.failure)
        result = outcome.result
        absent = missing_readings({name: Unavailable(**why) for name, why in result["unavailable"].items()})
        windows = []
        for data in result["windows"]:
            window = from_json(Window, data)
            sensed = watcher.readings(window) if window.slices is None else ()  # sensors can't resolve slices
            extra = (*sensed, *(absent if window.role.value == "counted" else ()))
            windows.append(dataclasses.replace(window, readings=(*window.readings, *extra)))
        facts = dict(result["facts"])
        if base.case.precision in QUANTISED:
            facts["calibration"] = self.experiment.calibration.facts()
        run, lost = self.review(
            dataclasses.replace(
                base,
                load_ns=facts.get("load_ns"),
                windows=tuple(windows),
                series=watcher.series(),
                facts={**base.facts, **facts, **watcher.facts(), **more},
                fidelity=None if result["fidelity"] is None else from_json(Fidelity, result["fidelity"]),
            )
        )
        found = [from_json(Doubt, d) for d in result["doubts"]]
        found += lost[:1]  # one stands for all
        found += watcher.doubts(run.windows)
        found += doubts.of_run(run, os.cpu_count() or 1)
        found += estimator.doubts(run)
        found += drift.doubts(run)
        return dataclasses.replace(run, doubts=tuple(found))

    def review(self, run: Run) -> tuple[Run, list[Doubt]]:
        """The run with every reading of its windows reviewed, and doubts about windows."""
        threads = max(run.case.threads, int(run.facts.get("tasks", 1)))
        bounds = bounds_of(run.machine)
        known = facts_of(run.case.cpus, run.machine, run.host_state, bounds, threads=threads, series=run.series)
        found = [review(window, known) for window in run.windows]
        windows = tuple(window for window, _ in found)
        return dataclasses.replace(run, windows=windows), [doubt for _, doubts in found for doubt in doubts]


def with_size(run: Run, paths: Artifacts) -> Run:
    """The run with what a run of the reference said of its network's size, where its graph alone does not tell it."""
    path = None if paths.reference is None else paths.reference.with_name(SIZE)
    if run.macs is not None or path is None or not path.is_file():
        return run
    found = json.loads(path.read_text())
    facts = {name: value for name, value in run.facts.items() if name != "macs_unknown"}
    facts |= {"macs_by": "shapes of one run"} if found["macs"] is not None else {"macs_unknown": found["unknown"]}
    params = run.params if found["params"] is None else found["params"]
    return dataclasses.replace(run, macs=found["macs"], params=params, facts=facts)
