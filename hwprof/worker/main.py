"""One job in one fresh process, started by the launcher through `protocol.BOOTSTRAP`."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.records import from_json, to_json
from hwprof.worker.common import Stage
from hwprof.worker.failures import describe
from hwprof.worker.measuring import measure, simulate
from hwprof.worker.output import AnsweringLink, buffer_lines, flush
from hwprof.worker.protocol import Job, Link, Task

if TYPE_CHECKING:
    pass

PR_SET_PDEATHSIG = 1


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


def elsewhere(job: Job, link: Link, stage: Stage) -> None:
    """Tasks in which nothing is timed: making files, and answering to images."""
    from hwprof.worker import untimed

    {**untimed.PREPARATIONS, **untimed.ANSWERS}[job.task](job, link, stage)


def layers(job: Job, link: Link, stage: Stage) -> None:
    """Task LAYERS: the framework's own profile of as many inferences as the plan says."""
    from hwprof.worker import layers as stepping

    link.send({"say": "result", **stepping.profile(job, link, stage)})


def command(job: Job, link: Link, stage: Stage) -> None:
    """Task COMMAND: a declared runner, once per pass of the counters. It shares this process's group and log, so that
    the launcher's limits of time and memory are its own too.
    """
    stage("counters")
    from hwprof.programs.command import CommandRunner, Order
    from hwprof.programs.counting import Native

    backend = Native(job.plan.events, job.plan.multiplex)
    runner = CommandRunner(from_json(Order, job.order), backend, {"hardware": {}, "host_state": {}})
    stage("command")
    link.send({"say": "result", "run": to_json(runner.round(job.case, 0))})


TASKS: Mapping[Task, Callable[[Job, Link, Stage], None]] = {
    **dict.fromkeys((Task.NETWORK, Task.PREPARE, Task.REFERENCE, Task.CALIBRATION), elsewhere),
    **dict.fromkeys((Task.CHECK, Task.EVALUATE, Task.IMAGES, Task.PREDICT), elsewhere),
    Task.MEASURE: measure,
    Task.SIMULATE: simulate,
    Task.LAYERS: layers,
    Task.COMMAND: command,
}
