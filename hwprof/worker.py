"""One job in one fresh process, started by the launcher through `BOOTSTRAP`.

Order matters: standard library, then the counters (while the process has exactly one task), then numpy and the one
framework. The launcher is told every stage, so that it can say where a worker died.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hwprof import plugins
from hwprof.collectors.guard import GuardedSession
from hwprof.collectors.protocol import Collector, Session, Target
from hwprof.errors import CaseFailed
from hwprof.failures import describe
from hwprof.jobs import RING_IMAGES, Job, Link, Task
from hwprof.machine.clock import clock_ns
from hwprof.machine.features import cpu_features
from hwprof.measure import Loop, rehearse, schedule, warm_up, window
from hwprof.records import Doubt, Fidelity, Role, Window, from_json, to_json
from hwprof.worker_output import AnsweringLink, buffer_lines, flush

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hwprof.frameworks.protocol import Adapter, Model, SeveralOutputs

# Run by any interpreter of 3.11 or later with `-P -c`, arguments: the package's folder, the socket's number, the
# launcher's pid. It exposes the hwprof package and nothing else of the launcher's environment.
BOOTSTRAP = """
import importlib.util, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location("hwprof", folder + "/__init__.py", submodule_search_locations=[folder])
package = sys.modules["hwprof"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from hwprof.worker import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""

PR_SET_PDEATHSIG = 1
# PyTorch's first inference in QEMU takes 7 % more instructions than later ones, the second 0.4 %.
EMULATED_WARMUP = 3
LIBRARIES_NOT_HERE = ("pandas", "sqlalchemy", "scipy", "statsmodels", "matplotlib", "jinja2", "platformdirs")


def main(descriptor: int, launcher: int) -> None:
    """Entry of the process: one job, one answer, then out without running the frameworks' exit handlers."""
    die_with(launcher)
    buffer_lines()
    link = AnsweringLink(socket.socket(fileno=descriptor))
    job = from_json(Job, link.receive()["job"])
    if job.cpus:
        os.sched_setaffinity(0, job.cpus)
    stage = Stage(link)
    code = 0
    try:
        TASKS[job.task](job, link, stage)
    except EOFError:
        code = 1  # nobody is listening any more
    except BaseException as error:  # noqa: BLE001  the one place where a failure of any kind becomes an answer
        traceback.print_exc()
        link.send({"say": "failure", "failure": to_json(describe(error, stage.name))})
        code = 1
    flush()
    # Thread pools of frameworks may hang or crash in their destructors; the answer is out already.
    os._exit(code)


class Stage:
    """Tells the launcher what is being done."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.name = "start"

    def __call__(self, name: str) -> None:
        self.name = name
        self._link.send({"say": "stage", "stage": name})


def die_with(launcher: int) -> None:
    """Never outlive the launcher, and be the first that the kernel kills when memory runs out."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != launcher:  # it died between fork and prctl
        os._exit(1)
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError as error:
        print(f"oom_score_adj not raised: {error}", file=sys.stderr)


def adapter_of(job: Job) -> Adapter:
    """The adapter a job names."""
    adapter: Adapter = plugins.load(job.adapter)
    return adapter


def images(job: Job, count: int) -> list[NDArray[np.float32]]:
    """`count` seeded inputs of batch 1; the same for every framework and batch size."""
    from hwprof.networks.images import synthetic_inputs

    single = dataclasses.replace(job.spec, shape=(1, *job.spec.shape[1:]))
    return synthetic_inputs(single, count, job.seed)


def batches(job: Job, count: int) -> list[NDArray[np.float32]]:
    """The ring: images cut into batches of the case; at least one batch, images repeated where they are too few."""
    import numpy as np

    batch = job.spec.shape[0]
    pool = images(job, count)
    return [
        np.ascontiguousarray(np.concatenate([pool[(i * batch + j) % len(pool)] for j in range(batch)]))
        for i in range(max(1, count // batch))
    ]


@contextmanager
def loaded(job: Job, stage: Stage, images: int = RING_IMAGES) -> Iterator[tuple[Model, list[Any], dict[str, Any]]]:
    """The network in its framework with the ring bound, and what importing and loading cost."""
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
        ring = [model.bind(batch) for batch in batches(job, images)]
        yield model, ring, facts


def rss_bytes() -> int:
    """Resident set now."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def tasks() -> int:
    """Threads of this process."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208  no Path objects needed here


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


def elsewhere(job: Job, link: Link, stage: Stage) -> None:
    """Tasks in which nothing is timed: making files, and answering to images."""
    from hwprof import answers, making

    {**making.TASKS, **answers.TASKS}[job.task](job, link, stage)


def open_counters(job: Job, closing: ExitStack, perf_closing: ExitStack) -> tuple[Session, list[Session]]:
    """perf, opened first, while this process is a single task; all sessions: others', built-in ones, perf last."""
    from hwprof.collectors.external import External
    from hwprof.collectors.perf import PerfCollector

    if "numpy" in sys.modules or tasks() != 1:
        raise CaseFailed(f"counters must be opened first, but {tasks()} tasks run already")
    collector: Collector = External() if job.plan.external else PerfCollector(multiplex=job.plan.multiplex)
    perf = perf_closing.enter_context(collector.open(Target(), list(job.plan.events)))
    built_in = plugins.BUILT_IN["hwprof.collectors"]
    named = sorted(job.collectors.items(), key=lambda item: (item[0] in built_in, *item))
    others = [GuardedSession(name, path) for name, path in named if name != "perf"]
    for session in others:
        closing.callback(session.close)
    return perf, [*others, perf]


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
    from hwprof import counted_loop
    from hwprof.collectors.client_requests import connect
    from hwprof.collectors.riscv.counters import emulated

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


def layers(job: Job, link: Link, stage: Stage) -> None:
    """Task LAYERS: the framework's own profile of as many inferences as the plan says."""
    from hwprof import stepping

    link.send({"say": "result", **stepping.profile(job, link, stage)})


def command(job: Job, link: Link, stage: Stage) -> None:
    """Task COMMAND: a declared runner, once per pass of the counters. It shares this process's group and log, so that
    the launcher's limits of time and memory are its own too.
    """
    stage("counters")
    from hwprof.commands.command import CommandRunner, Order
    from hwprof.commands.counting import Native

    backend = Native(job.plan.events, job.plan.multiplex)
    runner = CommandRunner(from_json(Order, job.order), backend, {"hardware": {}, "host_state": {}})
    stage("command")
    link.send({"say": "result", "run": to_json(runner.round(job.case, 0))})


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


def compare(job: Job, model: Model, ring: Sequence[Any]) -> Fidelity | None:
    """Outputs of the reference images against the reference's; None where no reference was asked for."""
    if not job.reference:
        return None
    import numpy as np

    from hwprof.frameworks import fidelity, named_outputs

    batch = job.spec.shape[0]
    needed = -(-job.compared // batch)
    if job.compared > RING_IMAGES:  # more than the ring holds
        bound = (model.bind(images) for images in batches(job, needed * batch))
    else:
        bound = (ring[i % len(ring)] for i in range(needed))
    made, path, names = map(model.infer, bound), Path(job.reference), job.spec.outputs
    if names:
        portions = (cast("SeveralOutputs", model).outputs(out) for out in made)
        named = named_outputs.by_image(names, portions, batch, job.compared)
        found = named_outputs.against(path, named, job.tolerance)
    else:
        outputs = np.concatenate([model.numpy(out) for out in made])
        found = fidelity.against(path, outputs[: job.compared], job.tolerance)
    return dataclasses.replace(found, is_reference=fidelity.is_reference(job.case))


TASKS: Mapping[Task, Callable[[Job, Link, Stage], None]] = {
    **dict.fromkeys((Task.NETWORK, Task.PREPARE, Task.REFERENCE, Task.CALIBRATION), elsewhere),
    **dict.fromkeys((Task.CHECK, Task.EVALUATE, Task.IMAGES, Task.PREDICT), elsewhere),
    Task.MEASURE: measure,
    Task.SIMULATE: simulate,
    Task.LAYERS: layers,
    Task.COMMAND: command,
}
