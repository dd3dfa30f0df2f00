"""Runs in a guest, beside modules, `accesses` and orders.json: has hwprof read what is known beforehand.

An order is a command line of hwprof, below a CPU limit too, or the name of a function below. Orders follow each other
in one process, which spares an emulated core the imports; a module is loaded anew for each list of them. What came of
an order is in answers.json, the runs of commands are in runs.db. Standard library and hwprof only.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hwprof import Profile
from hwprof.cli import main
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Target
from hwprof.collectors.readings import readings_between

DEVICE = Path("/dev/testpmu")
GROUPS = Path("/sys/fs/cgroup")
THROTTLED = "throttled "  # begins an order that is done below a CPU limit


def block() -> Any:
    """A window of a program's own: what it does before and after is not in it."""
    profile = Profile("cache-misses")
    with DEVICE.open("wb", buffering=0) as accesses:
        accesses.write(b"0x11 7")
        with profile:
            for _ in range(5):
                accesses.write(b"0x11 100")
        accesses.write(b"0x11 9")
    return profile["cache-misses"].value


def attached() -> Any:
    """The threads that a process has when its counters are opened, each with a descriptor of its own."""
    words = ["./accesses", "0x11:7", "waiting:0x11:100", "waiting:0x11:20", "go", "0x11:3"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with PerfCollector().open(Target(process.pid), ["cache-misses"]) as session:
            session.select(session.passes[0])
            before = session.read()
            process.stdin.write("\n")
            process.stdin.flush()
            process.wait()
            found = session.review(readings_between(session.groups, before, session.read(), 0))
    return next(reading.value for reading in found if reading.metric == "cache-misses")


@contextlib.contextmanager
def limited_parent() -> Iterator[None]:
    """In a control group without a limit, below one that may use a fifth of a CPU."""
    parent, own = GROUPS / "parent", GROUPS / "parent/own"
    (GROUPS / "cgroup.subtree_control").write_text("+cpu")
    own.mkdir(parents=True)
    (parent / "cpu.max").write_text("20000 100000")
    (own / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (GROUPS / "cgroup.procs").write_text("0")
        own.rmdir()
        parent.rmdir()


FUNCTIONS: dict[str, Callable[[], Any]] = {"block": block, "attached": attached}


def answer(name: str, order: str) -> dict[str, Any]:
    """What came of an order: its exit code and output, or the value of a function."""
    if order in FUNCTIONS:
        return {"value": FUNCTIONS[order]()}
    if order.startswith(THROTTLED):
        with limited_parent():
            return answer(name, order.removeprefix(THROTTLED))
    command, *words = shlex.split(order)
    if command == "run":
        # A network has no name but its own: each of its runs has a file.
        own = ["--results", "runs.db", "--name", name] if "--" in words else ["--results", f"{name}.db"]
        words = [*own, *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([command, *words])
    return {"code": code, "stdout": out.getvalue(), "stderr": err.getvalue()}


def all_of(orders: list[tuple[str, dict[str, str]]]) -> None:
    """Load a module with its parameters for each group of orders, and do them."""
    answers: dict[str, dict[str, Any]] = {}
    for words, group in orders:
        module, *parameters = words.split()
        subprocess.run(["insmod", f"{module}.ko", *parameters], check=True)
        try:
            for name, order in group.items():
                began = time.monotonic()
                try:
                    answers[name] = answer(name, order)
                except Exception:  # noqa: BLE001  the other orders are done all the same
                    answers[name] = {"error": traceback.format_exc()}
                answers[name]["seconds"] = round(time.monotonic() - began, 3)
                Path("answers.json").write_text(json.dumps(answers, indent=1))
        finally:
            subprocess.run(["rmmod", module], check=True)


if __name__ == "__main__":
    all_of(json.loads(Path("orders.json").read_text()))
