"""One job in one fresh process, started by the launcher through `BOOTSTRAP`.

Order matters: standard library, then the counters (while the process has exactly one task), then numpy and the one
framework. The launcher is told every stage, so that it can say where a worker died.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from hwprof.collectors.guard import GuardedSession
from hwprof.collectors.protocol import Session
from hwprof.machine.features import cpu_features
from hwprof.records import Doubt, Role, Window, to_json
from hwprof.worker.common import Stage, compare, loaded, open_counters, tasks
from hwprof.worker.loop import Loop, rehearse, schedule, warm_up, window
from hwprof.worker.protocol import Job, Link

if TYPE_CHECKING:
    pass

# PyTorch's first inference in QEMU takes 7 % more instructions than later ones, the second 0.4 %.
EMULATED_WARMUP = 3
LIBRARIES_NOT_HERE = ("pandas", "sqlalchemy", "scipy", "statsmodels", "matplotlib", "jinja2", "platformdirs")


def measure(job: Job, link: Link, stage: Stage) -> None:
    """Task MEASURE: counters, load, warm-up, windows, and only then the outputs against the reference."""
    stage("counters")
    with ExitStack() as closing, ExitStack() as perf_closing:
        perf, sessions = open_counters(job, closing, perf_closing)
        others = [session for session in sessions if isinstance(session, GuardedSession)]
        with loaded(job, stage) as (model, ring, facts):
            loop = Loop(model.infer, ring)
            stage("warmup")
            warmup = warm_up(loop, job.plan.warmup_s, job.plan.warmup_iterations)
            stage("window")
            threads = tasks()
            windows: list[Window] = []
            plan = list(schedule(perf.passes, job.plan.counted_first, job.plan.closed_window))
            rehearse(perf.passes[0] if perf.passes else None, loop, job.plan, sessions)
            for index, (role, pass_) in enumerate(plan):
                if role is Role.CLOSED:
                    perf_closing.close()
                    sessions = [s for s in sessions if s is not perf]
                windows.append(one_window(link, index, role, pass_, loop, job, sessions))
            facts |= dict(model.facts()) | {
                "warmup": to_json(warmup_facts(warmup)),
                "tasks": tasks(),
                "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "cpu_features": cpu_features(),
            }
            doubts = process_doubts(warmup.steady, threads, tasks())
            stage("fidelity")
            fidelity = compare(job, model, ring)
    doubts += [doubt for session in others for doubt in session.doubts()]
    result = {
        "say": "result",
        "windows": to_json(windows),
        "facts": to_json(facts),
        "doubts": to_json(doubts),
        "fidelity": to_json(fidelity),
        "unavailable": {name: {"reason": u.reason, "remedy": u.remedy} for name, u in perf.unavailable.items()},
        "libraries": [name for name in LIBRARIES_NOT_HERE if name in sys.modules],
    }
    link.send(result)


def one_window(
    link: Link, index: int, role: Role, pass_: Any, loop: Loop, job: Job, sessions: Sequence[Session]
) -> Window:
    """Announce, wait for the launcher, measure, say when it was."""
    link.send({"say": "ready", "window": index, "role": role.value, "pass": -1 if pass_ is None else pass_.index})
    link.receive()
    done = window(index, role, pass_, loop, job.plan, sessions)
    link.send({"say": "done", "window": index, "t0_ns": done.t0_ns, "t1_ns": done.t1_ns})
    return done


def simulate(job: Job, link: Link, stage: Stage) -> None:
    """Task SIMULATE: inferences in a simulator, after some to warm up (the process, simulated caches).

    callgrind is asked from here to dump its counts, which the launcher reads (`client_requests`); in QEMU the counters
    are read here, like any other collector's.
    """
    from hwprof.collectors.client_requests import connect
    from hwprof.collectors.riscv.counters import emulated
    from hwprof.worker import counted_loop

    with emulated() as sessions, loaded(job, stage, images=1) as (model, ring, facts):
        loop = Loop(model.infer, ring)
        stage("window")
        if sessions:
            warm, count = EMULATED_WARMUP, 1
            jobs = [dataclasses.replace(job, plan=dataclasses.replace(job.plan, iterations=n)) for n in (warm, count)]
            windows = [one_window(link, i, Role.SIMULATED, None, loop, one, sessions) for i, one in enumerate(jobs)]
        else:
            count = job.plan.iterations or 1
            warm = counted_loop.warmup(count)
            windows = [counted_loop.count(connect(), loop, count)]
        facts |= dict(model.facts()) | {"cpu_features": cpu_features(), "tasks": tasks(), "simulator_warmup": warm}
        facts["hash_seed"] = "random" if sys.flags.hash_randomization else os.environ.get("PYTHONHASHSEED", "")
    link.send({"say": "result", "windows": to_json(windows[-1:]), "facts": to_json(facts)})


def warmup_facts(warmup: Any) -> dict[str, Any]:
    """The warm-up as facts of the run."""
    return {
        "iterations": warmup.iterations,
        "seconds": round(warmup.seconds, 3),
        "steady": warmup.steady,
        "first_ns": warmup.first_ns,
    }


def process_doubts(steady: bool | None, before: int, after: int) -> list[Doubt]:
    """What the worker itself can say against its numbers."""
    doubts = []
    if steady is False:
        doubts.append(Doubt("not-steady", {}))
    if before != after:
        doubts.append(Doubt("threads-changed", {"before": before, "after": after}))
    return doubts
