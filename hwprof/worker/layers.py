"""Task LAYERS: a window with the framework's own profile on, in the worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.collectors.protocol import Session, Unavailable
from hwprof.records import Exactness, Reading, Role, to_json
from hwprof.worker.common import Stage, adapter_of, batches, facts_of, open_counters, run_window
from hwprof.worker.loop import Loop, warm_up
from hwprof.worker.protocol import RING_IMAGES, Job, Link

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Profiled

WARMUP_MAX_S = 5.0


def profile(job: Job, link: Link, stage: Stage) -> None:
    """Load with profiling, warm up, one window; the steps with their time and, where stepped, their counts.

    The window's latencies are those of a profiled network: they show what profiling costs, not how fast the case is.
    """
    from hwprof.frameworks.profiles.lookup import profile_of

    with ExitStack() as stack:
        stage("counters")
        perf, _ = open_counters(job, stack, stack)
        stage("load")
        load = profile_of(adapter_of(job))
        with load(Path(job.artifact), job.case, job.spec) as model:
            stage("bind")
            loop = Loop(model.infer, [model.bind(*batch) for batch in batches(job, RING_IMAGES)])
            stage("warmup")
            warm_up(loop, min(job.plan.warmup_s, WARMUP_MAX_S), job.plan.warmup_iterations)
            stage("window")
            model.begin()
            counted = read_between_steps(model, perf)
            pass_ = perf.passes[0] if counted else None
            done = run_window(link, 0, Role.LAYERS, pass_, loop, job.plan, [perf])
            exact = {r.metric: r for r in done.readings if r.exactness is Exactness.EXACT} if counted else {}
            steps = model.steps()
            facts = facts_of(job, model)
    result = {
        "windows": [done],
        "facts": facts,
        "steps": steps,
        "readings": [step_readings(step.counts, exact) for step in steps],  # of each step
        "unavailable": {**perf.unavailable, **uncounted_events(perf, counted)},
    }
    link.send({"say": "result", **to_json(result)})


def uncounted_events(session: Session, counted: bool) -> dict[str, Unavailable]:
    """Events that could be counted here, but are not between these steps."""
    if not counted:
        why = Unavailable("the framework is not stepped: nothing is counted between its steps")
        return {metric: why for pass_ in session.passes for metric in pass_.metrics}
    here = set(session.passes[0].metrics)
    why = Unavailable("no counter is free for it beside the others", "fewer events")
    return {metric: why for pass_ in session.passes[1:] for metric in pass_.metrics if metric not in here}


def read_between_steps(model: Profiled, session: Session) -> bool:
    """Let a framework that is stepped read the counters of the first pass between its steps."""
    if not hasattr(model, "read") or not session.passes:
        return False
    groups = session.groups
    places = [
        (number, index, counter.metric, counter.scale)
        for number, group in enumerate(groups)
        if group.pass_ in (-1, 0)
        for index, counter in enumerate(group.counters)
    ]

    def read() -> dict[str, float]:
        found = session.read()
        return {
            metric: raw * scale
            for number, index, metric, scale in places
            if (raw := found[number].raw[index]) is not None
        }

    model.read = read
    return True


def step_readings(counts: Mapping[str, float], whole: Mapping[str, Reading]) -> list[Reading]:
    """Counts of one step; those of events that were not exact over the whole window are omitted."""
    return [
        dataclasses.replace(whole[metric], value=value, raw=None, enabled_ns=None, running_ns=None)
        for metric, value in counts.items()
        if metric in whole
    ]
