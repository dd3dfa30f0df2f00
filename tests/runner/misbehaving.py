"""Adapters that fail in each of the ways a framework can; the workers of the launcher's tests load them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.worker.protocol import Link

EATS = 1 << 30


class Model:
    """Sums its input; `trouble` happens at the inference of number `call`; 0: when outputs are read."""

    def __init__(self, trouble: str, call: int = 1) -> None:
        self.trouble, self.call, self.calls = trouble, call, 0

    def bind(self, batch: Any) -> Any:
        return batch

    def infer(self, bound: Any) -> Any:
        self.calls += 1
        if self.calls == self.call:
            make_trouble(self.trouble)
        return bound.sum(axis=(1, 2, 3)).reshape(-1, 1)

    def outputs(self, out: Any) -> list[Any]:
        if self.call == 0:
            make_trouble(self.trouble)
        return [out.copy()]

    def facts(self) -> Mapping[str, Any]:
        return {"threads": 1, "affinity": sorted(os.sched_getaffinity(0))}


def make_trouble(kind: str) -> None:
    """One of the ways to fail."""
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "segfault":
        ctypes.string_at(0)
    elif kind == "hang":
        if marks := os.environ.get("HWPROF_TEST_MARKS"):
            (Path(marks) / str(os.getpid())).touch()
        threading.Event().wait()
    elif kind == "chatter":
        for _ in range(10):
            sys.stdout.write("all work and no play " * 50_000)
            os.write(2, b"x" * 100_000)
        sys.stdout.write("the end of it")
    elif kind == "preempted":
        never_run_after_the_answer()
        speak()
    elif kind == "mute":
        speak()
        ctypes.string_at(0)
    elif kind == "reopens":
        os.write(1, b"before it " * 1000)
        Path("/dev/stderr").write_text("opened anew\n")
        os.write(1, b"and after it")
    elif kind == "closes":
        sys.stdout.close()
    elif kind == "memory":
        raise MemoryError("cannot allocate 64 TiB")
    elif kind == "arena":
        exhaust_onnxruntime()
    elif kind == "eats":
        # More than it may have, and no more than that: whoever watches may be late, and nobody else shall starve.
        eaten: list[bytes] = []
        while len(eaten) < EATS // (16 << 20):
            eaten.append(b"x" * (16 << 20))
            time.sleep(0.02)
        threading.Event().wait()
    elif kind == "spins":
        threading.Thread(target=spin, daemon=True).start()
    elif kind == "uncured":
        if not (Path(os.environ["HWPROF_TEST_MARKS"]) / "cured").exists():
            raise RuntimeError("no cure yet")
    elif kind == "exits":
        os._exit(7)
    elif kind == "raises":
        raise RuntimeError("the kernel is not amused")
    elif kind == "child":
        if os.fork() == 0:
            time.sleep(600)
        Path(os.environ["HWPROF_TEST_PIDS"]).write_text(str(os.getpid()))


def spin() -> None:
    """As threads of a pool that wait for work."""
    while True:
        pass


def speak() -> None:
    """Last words in both of a process's buffers for stdout: Python's and the C library's."""
    sys.stdout.write("last words of Python\n")
    ctypes.CDLL(None).puts(b"last words of C")


def never_run_after_the_answer() -> None:
    """What a loaded machine may do: the launcher has the answer and stops the worker before it runs again."""
    send = Link.send

    def send_and_wait(link: Link, message: Mapping[str, Any]) -> None:
        send(link, message)
        if message["say"] in ("result", "failure"):
            threading.Event().wait()

    Link.send = send_and_wait  # type: ignore[method-assign, assignment]


def exhaust_onnxruntime() -> None:
    """Ask the real framework for 16 GiB with one left."""
    import resource

    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Expand", ["x", "shape"], ["y"])],
        "huge",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("shape", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
    session.run(None, {"x": np.zeros(1, np.float32), "shape": np.array([1 << 32])})


KINDS = ("none", "killed", "segfault", "hang", "chatter", "memory", "eats", "exits", "raises", "unsupported", "spins")


class Adapter:
    """A framework whose option `trouble` says how it fails, and `at` in which job."""

    name = "misbehaving"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {
        "trouble": (*KINDS, "uncured"),
        "at": ("infer", "turn", "prepare", "outputs"),
    }
    environment = Environment(("numpy",), "no way", "numpy")

    def environ(self, case: Any) -> Mapping[str, str]:
        return {"PYTHONPATH": os.path.dirname(__file__)}  # noqa: PTH120  also in an interpreter of its own

    def prepare(self, job: Any) -> Path:
        if job.case.option("at") == "prepare":
            make_trouble(str(job.case.option("trouble")))
        return Path(job.source)

    def cache_key(self, case: Any) -> str:
        return f"prepare {case.option('trouble')}" if case.option("at") == "prepare" else ""

    @contextmanager
    def load(self, artifact: Path, case: Any, spec: Any) -> Iterator[Model]:
        trouble = str(case.option("trouble", ""))
        if trouble == "unsupported":
            raise UnsupportedModel("operator Foo of node bar is not supported", "another framework")
        at = str(case.option("at"))
        yield Model("" if at == "prepare" else trouble, {"turn": 9, "outputs": 0}.get(at, 1))


ADAPTER = Adapter()
