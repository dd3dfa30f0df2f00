"""Of task SIMULATE: the steps of a framework, counted one by one in the emulated process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hwprof.collectors.riscv.counters import InstructionSession, open_sessions
from hwprof.errors import NotAvailable
from hwprof.worker.common import adapter_of, batches
from hwprof.worker.loop import Loop
from hwprof.worker.protocol import Job


def count_steps(job: Job, warmup: int) -> dict[str, Any]:
    """The steps of one inference and the readings of each, after `warmup` inferences of a network loaded anew.

    What reading the counters costs is measured by steps that compute nothing, and taken off. What stays beside a step's
    own work is the way from Python into the framework and back. Times are the emulator's: none is kept. Raises
    NotAvailable where the framework is not stepped.
    """
    from hwprof.frameworks.profiles.lookup import profile_of
    from hwprof.frameworks.profiles.timed import Timed

    adapter = adapter_of(job)
    load = profile_of(adapter)
    with open_sessions() as sessions, load(Path(job.artifact), job.case, job.spec) as model:
        counting = [session for session in sessions if isinstance(session, InstructionSession)]
        if not isinstance(model, Timed) or not counting:
            raise NotAvailable(f"{adapter.name} is not stepped: nothing is counted between its layers")
        [session] = counting
        loop = Loop(model.infer, [model.bind(*batch) for batch in batches(job, 1)])
        model.read = _totals(session)
        loop.run(warmup, 0.0)
        cost = model.reading_cost()
        model.begin()
        loop.run(1, 0.0)
        steps = [dataclasses.replace(step, ns=None) for step in model.steps()]
    return {"steps": steps, "readings": [session.readings_of(_without(step.counts, cost)) for step in steps]}


def _totals(session: InstructionSession) -> Callable[[], Mapping[str, float]]:
    """What reads the running totals by class."""
    names = [counter.metric for counter in session.groups[0].counters]

    def read() -> Mapping[str, float]:
        return dict(zip(names, session.totals(), strict=True))

    return read


def _without(counts: Mapping[str, float], cost: Mapping[str, float]) -> dict[str, int]:
    return {name: max(0, round(count - cost[name])) for name, count in counts.items()}
