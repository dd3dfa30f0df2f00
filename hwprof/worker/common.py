"""Parts of several tasks of the worker: stages, the model and its inputs, the counters, windows."""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof import plugins
from hwprof.collectors.guard import GuardedSession
from hwprof.collectors.protocol import Collector, Pass, Session, Target
from hwprof.errors import CaseFailed
from hwprof.machine.clock import clock_ns
from hwprof.records import Fidelity, Role, Window, not_comparable
from hwprof.worker.loop import Loop, window
from hwprof.worker.protocol import RING_IMAGES, Job, Link, LoopSettings

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter, Model


class Stage:
    """Sends the launcher the name of each stage before it begins."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.name = "start"

    def __call__(self, name: str) -> None:
        self.name = name
        self._link.send({"say": "stage", "stage": name})


def adapter_of(job: Job) -> Adapter:
    """The adapter a job names."""
    adapter: Adapter = plugins.load(job.adapter)
    return adapter


def frames(job: Job, count: int) -> list[list[Any]]:
    """`count` frames, each an array per input with a batch of 1; the same for every framework and batch size."""
    from hwprof.networks.frames import load_frames
    from hwprof.networks.images import synthetic_frames

    if not job.frames:
        return synthetic_frames(job.spec, count, job.seed)
    kept = load_frames(Path(job.frames), job.spec)
    return [kept[i % len(kept)] for i in range(count)]


def batches(job: Job, count: int) -> list[list[Any]]:
    """The ring: frames in batches of the case; at least one batch, with frames repeated where they are too few."""
    from hwprof.networks.frames import join

    batch, pool = job.spec.batch, frames(job, count)
    return [
        join(job.spec, [pool[(i * batch + j) % len(pool)] for j in range(batch)]) for i in range(max(1, count // batch))
    ]


@contextmanager
def load_model(job: Job, stage: Stage, count: int = RING_IMAGES) -> Iterator[tuple[Model, list[Any], dict[str, Any]]]:
    """The network in its framework with a ring of `count` frames bound, and the cost of importing and loading."""
    stage("import")
    adapter = adapter_of(job)
    import numpy  # noqa: F401  so that its import is not part of the load time

    before = resource.getrusage(resource.RUSAGE_SELF)
    resident = rss_bytes()
    started = clock_ns()
    stage("load")
    with adapter.load(Path(job.artifact), job.case, job.spec) as model:
        load_ns = clock_ns() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
        facts = {
            "load_ns": load_ns,
            "load_rss_bytes": rss_bytes() - resident,
            "load_minor_faults": after.ru_minflt - before.ru_minflt,
            "load_major_faults": after.ru_majflt - before.ru_majflt,
        }
        stage("bind")
        ring = [model.bind(*batch) for batch in batches(job, count)]
        yield model, ring, facts


def run_window(
    link: Link,
    index: int,
    role: Role,
    pass_: Pass | None,
    loop: Loop,
    plan: LoopSettings,
    sessions: Sequence[Session],
    switches: Callable[[], int] | None = None,
) -> Window:
    """Announce the window, wait for the launcher, measure (as long as it says, if that is longer), report its edges.

    The bare stretch after slices begins as a turn does: after pauses with inferences that are not measured.
    """
    link.send({"say": "ready", "window": index, "role": role.value, "pass": -1 if pass_ is None else pass_.index})
    wanted_s = float(link.receive().get("seconds", 0.0))
    if wanted_s > plan.window_s:
        plan = dataclasses.replace(plan, window_s=wanted_s)
    if role is Role.BARE and plan.slice_s and plan.turn_warm_s:
        loop.run(None, plan.turn_warm_s)
    done = window(index, role, pass_, loop, plan, sessions, switches)
    link.send({"say": "done", "window": index, "t0_ns": done.t0_ns, "t1_ns": done.t1_ns})
    return done


def rss_bytes() -> int:
    """Resident set now."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def task_count() -> int:
    """Threads of this process."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208  no Path objects needed here


def open_counters(job: Job, closing: ExitStack, perf_closing: ExitStack) -> tuple[Session, list[Session]]:
    """The perf session, opened first, while this process is a single task; and all sessions: other packages', built-in
    ones, perf last.
    """
    from hwprof.collectors.external import External
    from hwprof.collectors.perf import PerfCollector

    if "numpy" in sys.modules or task_count() != 1:
        raise CaseFailed(f"counters must be opened first, but {task_count()} tasks run already")
    collector: Collector = External() if job.plan.external else PerfCollector(multiplex=job.plan.multiplex)
    perf = perf_closing.enter_context(collector.open(Target(), list(job.plan.events)))
    built_in = plugins.BUILT_IN["hwprof.collectors"]
    named = sorted(job.collectors.items(), key=lambda item: (item[0] in built_in, *item))
    others = [GuardedSession(name, path) for name, path in named if name != "perf"]
    for session in others:
        closing.callback(session.close)
    return perf, [*others, perf]


def outputs_of(model: Any, out: Any) -> Sequence[Any]:
    """All outputs of an inference. A model of one output may have `numpy` instead of `outputs`, as all once had."""
    if hasattr(model, "outputs"):
        found: Sequence[Any] = model.outputs(out)
        return found
    return [model.numpy(out)]


def facts_of(job: Job, model: Any) -> dict[str, Any]:
    """What the model reports; of a file with a precision of its own, `computed`, where the framework tells it."""
    found = dict(model.facts())
    if job.stored:
        found |= {"precision": job.stored, "stored_precision": job.stored}
        computed = getattr(model, "computed", None)
        if computed is not None and (told := dict(computed())):
            found["computed"] = told
    return found


def compare(job: Job, model: Model, ring: Sequence[Any]) -> Fidelity | None:
    """Outputs of the reference images against the reference's; None where no reference was asked for."""
    if job.no_reference:
        return not_comparable(job.no_reference, job.tolerance)
    if not job.reference:
        return None
    from hwprof.frameworks import fidelity, named_outputs, outputs_file
    from hwprof.frameworks.precision import QUANTISED
    from hwprof.networks import stored_precision

    batch = job.spec.batch
    needed = -(-job.compared // batch)
    if job.compared > RING_IMAGES:  # more than the ring holds
        bound = (model.bind(*arrays) for arrays in batches(job, needed * batch))
    else:
        bound = (ring[i % len(ring)] for i in range(needed))
    reference = outputs_file.load(Path(job.reference))
    portions = (outputs_of(model, out) for out in map(model.infer, bound))
    outputs = named_outputs.split_by_image(reference, portions, batch, job.compared)
    simulated = outputs_file.load_simulated(Path(job.reference))
    is_other_sums = simulated is not None and job.case.precision not in QUANTISED
    by_roundings = stored_precision.has_rounded_activations(job.stored) or is_other_sums
    found = named_outputs.compare(outputs, reference, job.tolerance, simulated, batch, by_roundings)
    return dataclasses.replace(found, is_reference=fidelity.is_reference(job.case))
