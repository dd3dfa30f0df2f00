"""Tasks MEASURE and SIMULATE: the windows of a case, natively and in a simulator."""

from __future__ import annotations

import dataclasses
import os
import resource
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from hwprof.collectors.guard import GuardedSession
from hwprof.collectors.protocol import Session
from hwprof.machine.features import cpu_features
from hwprof.machine.pages import huge_pages_bytes
from hwprof.records import Doubt, Role, Window, to_json
from hwprof.worker import iterations
from hwprof.worker.common import Stage, compare, facts_of, load_model, open_counters, run_window, task_count
from hwprof.worker.loop import Loop, Warmup, no_garbage_collection, rehearse, schedule, warm_up
from hwprof.worker.protocol import Job, Link
from hwprof.worker.simulated_steps import count_steps
from hwprof.worker.slices import SlicedMeasurement, switch_reader

# PyTorch's first inference in QEMU takes 7 % more instructions than later ones, the second 0.4 %.
EMULATED_WARMUP = 3
# Libraries of the launcher's side. The answer lists those that are loaded: in a measured process it must be none.
LAUNCHER_LIBRARIES = ("pandas", "sqlalchemy", "scipy", "statsmodels", "matplotlib", "jinja2", "platformdirs")


def measure(job: Job, link: Link, stage: Stage) -> None:
    """Task MEASURE: counters, load, warm-up, windows. They are sent before outputs are compared with the reference."""
    stage("counters")
    with ExitStack() as closing, ExitStack() as perf_closing:
        perf, sessions = open_counters(job, closing, perf_closing)
        others = [session for session in sessions if isinstance(session, GuardedSession)]
        with load_model(job, stage) as (model, ring, facts):
            loop = Loop(model.infer, ring)
            stage("warmup")
            warmup = warm_up(loop, job.plan.warmup_s, job.plan.warmup_iterations)
            stage("window")
            threads = task_count()
            rehearse(perf.passes[0] if perf.passes else None, loop, job.plan, sessions)
            with no_garbage_collection():
                measured = measure_slices if job.plan.slice_s else measure_windows
                windows, told = measured(job, link, loop, perf, sessions)
                if job.plan.per_iteration and job.plan.slice_s:
                    told |= iterations.add_window(link, windows, loop, job, perf)
                if job.plan.closed_window:
                    perf_closing.close()
                    open_still = [s for s in sessions if s is not perf]
                    windows.append(run_window(link, len(windows), Role.CLOSED, None, loop, job.plan, open_still))
            facts |= (
                facts_of(job, model)
                | told
                | {
                    "warmup": dataclasses.replace(warmup, seconds=round(warmup.seconds, 3)),
                    "tasks": task_count(),
                    "ring": len(ring),
                    "slice_s": job.plan.slice_s,
                    "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                    "cpu_features": cpu_features(),
                    "huge_pages_bytes": huge_pages_bytes(),
                }
            )
            doubts = process_doubts(warmup, threads, task_count())
            result = {
                "windows": windows,
                "facts": facts,
                "doubts": [*doubts, *(doubt for session in others for doubt in session.doubts())],
                "unavailable": perf.unavailable,
                "libraries": [name for name in LAUNCHER_LIBRARIES if name in sys.modules],
            }
            link.send({"say": "measured", **to_json(result)})
            stage("fidelity")
            fidelity = compare(job, model, ring)
    doubts += [doubt for session in others for doubt in session.doubts()]  # of their end too
    link.send({"say": "result", **to_json({"fidelity": fidelity, "doubts": doubts})})


def measure_slices(
    job: Job, link: Link, loop: Loop, perf: Session, sessions: Sequence[Session]
) -> tuple[list[Window], dict[str, Any]]:
    """Slices in turns, each when the launcher says so; then one bare stretch for sensors and the speed itself."""
    sliced = SlicedMeasurement(loop, job.plan, perf.passes, sessions)
    while not sliced.is_complete():
        link.send({"say": "turn", "turn": sliced.turns})
        link.receive()
        sliced.run_turn()
    windows = sliced.windows()
    length = max(job.plan.window_s, job.plan.alone_s)
    warm_s = sliced.warm_s if sliced.interrupted else None
    alone = dataclasses.replace(job.plan, window_s=length, turn_warm_s=warm_s)
    latency = statistics.median(windows[0].latencies_ns)
    switches = switch_reader(latency, job.case.threads)
    windows.append(run_window(link, len(windows), Role.BARE, None, loop, alone, sessions, switches))
    return windows, {"turn_pairs": job.plan.turn_pairs, "turn_warm_s": round(sliced.warm_s, 3)}


def measure_windows(
    job: Job, link: Link, loop: Loop, perf: Session, sessions: Sequence[Session]
) -> tuple[list[Window], dict[str, Any]]:
    """Bare and counted windows in turn, for what observes the process from outside."""
    plan = schedule(perf.passes, job.plan.counted_first)
    return [run_window(link, i, role, pass_, loop, job.plan, sessions) for i, (role, pass_) in enumerate(plan)], {}


def simulate(job: Job, link: Link, stage: Stage) -> None:
    """Task SIMULATE: inferences in a simulator, after some to warm up (the process, simulated caches).

    callgrind is asked from here to dump its counts, which the launcher reads (`client_requests`); in QEMU the counters
    are read here, like any other collector's.
    """
    from hwprof.collectors.client_requests import connect
    from hwprof.collectors.riscv.counters import open_sessions
    from hwprof.worker import counted_loop

    with open_sessions() as sessions, load_model(job, stage, count=1) as (model, ring, facts):
        loop = Loop(model.infer, ring)
        stage("window")
        if sessions:
            warm, count = EMULATED_WARMUP, 1
            plans = [dataclasses.replace(job.plan, iterations=n) for n in (warm, count)]
            windows = [run_window(link, i, Role.SIMULATED, None, loop, plan, sessions) for i, plan in enumerate(plans)]
        else:
            count = job.plan.iterations or 1
            warm = counted_loop.warmup(count)
            windows = [counted_loop.count(connect(), loop, count)]
        facts |= facts_of(job, model) | {
            "cpu_features": cpu_features(),
            "tasks": task_count(),
            "simulator_warmup": warm,
        }
        facts["hash_seed"] = "random" if sys.flags.hash_randomization else os.environ.get("PYTHONHASHSEED", "")
    result: dict[str, Any] = {"windows": windows[-1:], "facts": facts}
    if job.stepped:
        stage("layers")
        result |= count_steps(job, EMULATED_WARMUP)
    link.send({"say": "result", **to_json(result)})


def process_doubts(warmup: Warmup, before: int, after: int) -> list[Doubt]:
    """Reasons to distrust the numbers that the worker itself sees: an unsteady warm-up, threads that came or went."""
    doubts = []
    if warmup.steady is False:
        doubts.append(Doubt("not-steady", {}))
    if before != after:
        doubts.append(Doubt("threads-changed", {"before": before, "after": after}))
    return doubts
