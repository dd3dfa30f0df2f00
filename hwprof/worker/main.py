"""Entry of the measured process: one job, started by the launcher through `protocol.BOOTSTRAP`.

The order matters: the standard library, then the counters (while the process has exactly one task), then numpy and the
one framework. The launcher is sent every stage, so that it can report where a worker died.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from hwprof import plugins
from hwprof.records import from_json, to_json
from hwprof.worker.common import Stage
from hwprof.worker.failures import describe
from hwprof.worker.output import AnsweringLink, buffer_lines, flush
from hwprof.worker.protocol import Job, Task

PR_SET_PDEATHSIG = 1
# "module:function" of each task, called with (job, link, stage); the module is imported when the task is asked for.
TASKS: Mapping[Task, str] = {
    Task.NETWORK: "hwprof.worker.untimed:write_network",
    Task.PREPARE: "hwprof.worker.untimed:prepare",
    Task.INPUTS: "hwprof.worker.untimed:write_inputs",
    Task.REFERENCE: "hwprof.worker.untimed:write_reference",
    Task.CHECK: "hwprof.worker.untimed:check",
    Task.EVALUATE: "hwprof.worker.untimed:evaluate",
    Task.IMAGES: "hwprof.worker.untimed:crop",
    Task.PREDICT: "hwprof.worker.untimed:predict",
    Task.CALIBRATION: "hwprof.worker.untimed:write_calibration",
    Task.MEASURE: "hwprof.worker.measuring:measure",
    Task.SIMULATE: "hwprof.worker.measuring:simulate",
    Task.LAYERS: "hwprof.worker.layers:profile",
    Task.COMMAND: "hwprof.worker.command:observe",
}


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
        plugins.load(TASKS[job.task])(job, link, stage)
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
