"""The worker's side of a run of kind LAYERS: a window with the framework's own profile on, and what it told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.collectors.protocol import Session
from hwprof.records import Exactness, Reading, Role, to_json
from hwprof.worker.loop import Loop, warm_up, window
from hwprof.worker.protocol import RING_IMAGES, Job, Link

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Profiled
    from hwprof.worker.common import Stage

WARMUP_MAX_S = 5.0


def profile(job: Job, link: Link, stage: Stage) -> Mapping[str, Any]:
    """Load with profiling, warm up, one window; the steps with their time and, where stepped, their counts.

    The window's latencies are those of a profiled network: they tell what profiling costs, not how fast the case is.
    """
    from hwprof.frameworks.profiles import profile_of
    from hwprof.worker import common

    with ExitStack() as stack:
        stage("counters")
        perf, _ = common.open_counters(job, stack, stack)
        stage("load")
        load = profile_of(common.adapter_of(job))
        with load(Path(job.artifact), job.case, job.spec) as model:
            stage("bind")
            ring = [model.bind(batch) for batch in common.batches(job, RING_IMAGES)]
            loop = Loop(model.infer, ring)
            stage("warmup")
            warm_up(loop, min(job.plan.warmup_s, WARMUP_MAX_S), job.plan.warmup_iterations)
            stage("window")
            model.begin()
            link.send({"say": "ready", "window": 0, "role": Role.LAYERS.value, "pass": -1})
            link.receive()
            counted = stepped(model, perf)
            pass_ = perf.passes[0] if counted else None
            done = window(0, Role.LAYERS, pass_, loop, job.plan, [perf])
            link.send({"say": "done", "window": 0, "t0_ns": done.t0_ns, "t1_ns": done.t1_ns})
            absent = {name: {"reason": u.reason, "remedy": u.remedy} for name, u in perf.unavailable.items()}
            absent |= beyond(perf, counted)
            exact = {r.metric: r for r in done.readings if r.exactness is Exactness.EXACT} if counted else {}
            steps = model.steps()
            facts = dict(model.facts())
    return {
        "windows": to_json([done]),
        "facts": to_json(facts),
        "steps": to_json(steps),
        "readings": [per_step(step.counts, exact) for step in steps],  # of each step
        "unavailable": absent,
    }


def beyond(session: Session, counted: bool) -> dict[str, dict[str, str]]:
    """Events that could be counted here, but are not between these steps."""
    if not counted:
        why = {"reason": "the framework is not stepped: nothing is counted between its steps", "remedy": ""}
        return {metric: why for pass_ in session.passes for metric in pass_.metrics}
    here = set(session.passes[0].metrics)
    why = {"reason": "no counter is free for it beside the others", "remedy": "fewer events"}
    return {metric: why for pass_ in session.passes[1:] for metric in pass_.metrics if metric not in here}


def stepped(model: Profiled, session: Session) -> bool:
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


def per_step(counts: Mapping[str, float], whole: Mapping[str, Reading]) -> list[Any]:
    """Counts of one step as readings; those of events that were not exact over the whole window are left out."""
    return [
        to_json(dataclasses.replace(whole[metric], value=value, raw=None, enabled_ns=None, running_ns=None))
        for metric, value in counts.items()
        if metric in whole
    ]
