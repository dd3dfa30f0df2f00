"""The jobs of a worker, and the line protocol between it and the launcher. Standard library only.

One JSON document per line, both ways, over one socket pair that is neither stdin nor stdout:

    launcher -> worker   {"job": Job}                      first line
    worker -> launcher   {"say": "stage", "stage": ...}    before each stage, so that a death can be placed
    worker -> launcher   {"say": "turn", "turn": t}        a turn of slices is about to begin
    launcher -> worker   {"go": true}
    worker -> launcher   {"say": "ready", "window": i, "role": ..., "pass": p}
    launcher -> worker   {"go": true, "seconds": s}        at least so long; 0: as planned
    worker -> launcher   {"say": "done", "window": i, "t0_ns": ..., "t1_ns": ...}
    worker -> launcher   {"say": "measured", ...}          windows and facts, before outputs are compared
    worker -> launcher   {"say": "result", ...} or {"say": "failure", "failure": Failure}
"""

from __future__ import annotations

import enum
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hwprof.frameworks.calibration import Calibration
from hwprof.networks.inputs import UNSAID, InputChoice, InputSpec
from hwprof.networks.preprocess import Preprocess
from hwprof.plugins import BUILT_IN
from hwprof.records import Case

# Images in the ring of inputs; the first REFERENCE_IMAGES of them are those of the reference output.
RING_IMAGES = 32
REFERENCE_IMAGES = 8
# Slices of 20 to 50 ms tell counting from noise; windows of a second can't (see docs/method.md).
SLICE_S = 0.04
# Unmeasured inferences at the beginning of a turn, at the least.
TURN_WARM_S = 0.005
# Quantised outputs differ by nature, and the share that agrees is a figure of its own: eight images say too little.
QUANTISED_IMAGES = 64

# What the REFERENCE task counts by the shapes of a run, beside the outputs.
SIZE = "size.json"


class Task(enum.StrEnum):
    """What a worker is started for. Each in a fresh process."""

    NETWORK = "network"  # write the filled .onnx of a network
    PREPARE = "prepare"  # turn it into a framework's artifact
    INPUTS = "inputs"  # frames of the user's own, or with states that follow one another
    REFERENCE = "reference"  # outputs of the reference
    CHECK = "check"  # load, infer the reference images, compare: nothing is timed
    EVALUATE = "evaluate"  # the reference images by onnx's evaluator in double precision
    IMAGES = "images"  # decode, resize and crop image files
    PREDICT = "predict"  # the classes that a framework finds in them
    CALIBRATION = "calibration"  # images to quantise with
    MEASURE = "measure"
    SIMULATE = "simulate"  # the same case under a simulator: no timing
    LAYERS = "layers"  # the same case with the framework's own profile: its speed is not the case's
    COMMAND = "command"  # watch a declared runner measure the case


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How to measure one case. Times in seconds; `iterations` per window, None: as many as fit in `window_s`.

    With slices, `window_s` (or `iterations`) is what the bare slices of a pass make up, and its counted ones;
    `alone_s` is the least length of the one bare stretch after them. `slice_s` 0: no slices, a bare and a counted
    window per pass instead, for what observes the process from outside.
    """

    window_s: float = 1.0
    alone_s: float = 1.0
    slice_s: float = SLICE_S
    turn_pairs: int = 1  # pairs of slices in a turn
    turn_warm_s: float | None = TURN_WARM_S  # unmeasured at the begin of a turn; None: found out in the first ones
    order: str = ""  # seed of the order within pairs
    iterations: int | None = None
    min_iterations: int = 30
    warmup_s: float = 5.0
    warmup_iterations: int | None = None
    events: tuple[str, ...] = ("auto",)
    multiplex: bool = False
    counted_first: bool = False  # without slices: in odd rounds, so that order is no difference
    closed_window: bool = True
    per_iteration: bool = False  # counters read after every inference, in a window of its own
    external: bool = False  # perf stat counts from outside: the worker opens no counters


@dataclass(frozen=True, slots=True)
class Job:
    """One task for one worker. Paths are absolute; `adapter` is "module:attribute"."""

    task: Task
    case: Case
    network: str
    seed: int
    spec: InputSpec
    adapter: str = ""
    source: str = ""  # the .onnx with weights
    artifact: str = ""  # what the framework loads
    output: str = ""  # where this task writes
    reference: str = ""  # file of the reference's outputs; empty: no comparison
    no_reference: str = ""  # why there is none; empty: none was asked for, or there is one
    tolerance: float = 0.0
    stored: str = ""  # the precision of the file, where it is not FP32; the case has what the framework is asked for
    compared: int = REFERENCE_IMAGES  # images whose outputs the reference holds
    calibration: Calibration | None = None  # of a quantised case
    calibration_images: str = ""  # .npy of them, for the conversion
    plan: LoopSettings = field(default_factory=LoopSettings)
    collectors: Mapping[str, str] = field(default_factory=lambda: BUILT_IN["hwprof.collectors"])  # "module:attribute"
    cpus: tuple[int, ...] = ()
    preprocess: Preprocess = field(default_factory=Preprocess)
    size_by_run: bool = False  # of REFERENCE: count MACs too, by shapes that only a run tells
    other_sums: bool = False  # of REFERENCE: how far sums in another order may be apart
    choice: InputChoice = UNSAID  # what the user says of the inputs
    frames: str = ""  # .npz of what goes in; empty: seeded data
    stepped: bool = False  # of SIMULATE: count every step of the framework too
    order: Mapping[str, Any] = field(default_factory=dict)  # of COMMAND: a programs.command.Order


class Link:
    """One end of the line protocol. Raises EOFError when the other end is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()

    def fileno(self) -> int:
        """For select()."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        try:
            self._socket.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError("the other end is gone") from error

    def receive(self) -> dict[str, Any]:
        """Wait for one message. TimeoutError where the socket has a timeout and it passes."""
        while True:
            message = self.pop()
            if message is not None:
                return message
            self.fill()

    def fill(self) -> None:
        """Read what is there (blocks if nothing is)."""
        try:
            chunk = self._socket.recv(1 << 20)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            raise EOFError("the other end is gone")
        self._buffer += chunk

    def pop(self) -> dict[str, Any] | None:
        """The next whole message already received, or None."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


# Run by any interpreter of 3.11 or later with `-P -c`, arguments: the package's folder, the socket's number, the
# launcher's pid. It exposes the hwprof package and nothing else of the launcher's environment.
BOOTSTRAP = """
import importlib.util, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location("hwprof", folder + "/__init__.py", submodule_search_locations=[folder])
package = sys.modules["hwprof"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from hwprof.worker.main import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""
