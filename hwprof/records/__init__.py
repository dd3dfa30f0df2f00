"""The data model: immutable records, each value with its exactness and origin, and their JSON form.

Standard library only: the measured process imports this before anything else.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hwprof.json_form import from_json as from_json
from hwprof.json_form import to_json as to_json
from hwprof.printable import printable
from hwprof.records.agreement import Agreement as Agreement
from hwprof.records.agreement import Fidelity as Fidelity
from hwprof.records.agreement import OutputFidelity as OutputFidelity
from hwprof.records.agreement import not_comparable as not_comparable

FORMAT = 1  # of the JSON form; 1: first edition

Scalar = str | int | float | bool
# In the meaning of what a PMU counted that is there for tests alone; its origin is EMULATED.
TEST_EQUIPMENT = "counted by test equipment"


class Exactness(enum.StrEnum):
    """How far a value can be trusted."""

    EXACT = "exact"
    SCALED = "scaled"  # extrapolated from the share of time the counter ran
    SUSPECT = "suspect"  # counted, but something says it may be wrong
    MISSING = "missing"  # not counted; never the same as zero


class Origin(enum.StrEnum):
    """Who counted."""

    HARDWARE = "hardware"
    KERNEL = "kernel"
    EMULATED = "emulated"  # a PMU that an emulator provides
    SIMULATED = "simulated"  # callgrind, qemu-user: a model of a machine, not this one


class Shape(enum.StrEnum):
    """What a number is of, and so how windows become one number."""

    COUNT = "count"  # of the frames: the sum over the windows / frames
    LEVEL = "level"  # what has a value at every moment: the mean over time
    TOTAL = "total"  # of the window, whatever the number of frames: the mean over windows


class Role(enum.StrEnum):
    """What a window is for."""

    BARE = "bare"  # one stretch, counters open but disabled: speed, CPU time and what sensors read
    PAIRED = "paired"  # bare slices, each next to a counted one
    COUNTED = "counted"
    CLOSED = "closed"  # every event closed: what having them open costs
    RECORDED = "recorded"  # counters read after every inference
    SIMULATED = "simulated"
    LAYERS = "layers"


class Kind(enum.StrEnum):
    """What a run is."""

    NATIVE = "native"
    SIMULATED = "simulated"
    LAYERS = "layers"
    COMMAND = "command"
    TUNING = "tuning"  # a candidate of `hwprof tune`: a native run that was tried out, not one to report on


@dataclass(frozen=True, slots=True)
class Case:
    """One configuration to be measured. `options` are sorted (name, value) pairs: framework mode, launch parameters.

    `network` is a built-in name or a file's name, `recipe` says which content it stands for (recipe version and seed,
    or a hash of the file). `size` is the side of the square input in pixels; 0: the network has no such size, and
    `shape` says what goes in for one frame: `3x48x320`, or of several inputs `ids 128, mask 128`. `cpus` empty: not
    pinned.
    """

    framework: str
    network: str
    recipe: str
    size: int
    batch: int = 1
    threads: int = 1
    cpus: tuple[int, ...] = ()
    precision: str = "fp32"
    options: tuple[tuple[str, Scalar], ...] = ()
    shape: str = ""

    def option(self, name: str, default: Scalar | None = None) -> Scalar | None:
        """Value of one option, or `default`."""
        return dict(self.options).get(name, default)

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON form: two cases are the same if and only if their keys are."""
        text = json.dumps(self.form, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def form(self) -> dict[str, Any]:
        """The JSON form that hashes are made of: without an empty `shape`, as before there was such a field."""
        form: dict[str, Any] = to_json(self)
        return form if self.shape else {name: value for name, value in form.items() if name != "shape"}

    @property
    def title(self) -> str:
        """Short text for people: framework, mode, network, size, batch, threads, precision."""
        options = "".join(f" {k}={v}" for k, v in self.options)
        text = f"{self.framework}{options} {self.network} {self.side} b{self.batch} t{self.threads} {self.precision}"
        return printable(text)

    @property
    def side(self) -> str:
        """What goes in for one frame: `224px` of a square image, else `3x48x320`, `ids 128, mask 128`."""
        return self.shape or f"{self.size}px"


@dataclass(frozen=True, slots=True)
class Counter:
    """A monotonic count of one thing. `modulus` raw values, then it wraps; value = raw difference x `scale`."""

    metric: str
    unit: str = ""
    domain: str = "user+kernel"  # user+kernel | user | kernel | system | process
    source: str = ""  # perf:cpu/event=0x3c/, proc:stat, ...: where exactly the number comes from
    meaning: str = ""  # what the generic name means on this CPU
    origin: Origin = Origin.KERNEL
    modulus: int = 1 << 64
    scale: float = 1.0
    shape: Shape = Shape.COUNT


class Snapshot(NamedTuple):
    """One group of counters read at one moment. `raw` is in the order of the group; None: could not be read."""

    at_ns: int
    raw: tuple[int | None, ...]
    enabled_ns: int
    running_ns: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One value in one window. value None if and only if exactness is MISSING, and then `why` says why."""

    metric: str
    value: float | None
    unit: str = ""
    exactness: Exactness = Exactness.EXACT
    origin: Origin = Origin.KERNEL
    domain: str = "user+kernel"
    source: str = ""
    meaning: str = ""
    running: float | None = None  # share of the window in which the counter ran, 0 to 1
    raw: int | None = None
    enabled_ns: int | None = None
    running_ns: int | None = None
    why: str = ""
    shape: Shape | None = None  # None: not recorded; `store.columns.shape_of` then derives it

    def __post_init__(self) -> None:
        if (self.value is None) != (self.exactness is Exactness.MISSING):
            raise ValueError(f"{self.metric}: a value is None if and only if it is missing")


def missing(metric: str, why: str, **fields: Any) -> Reading:
    """A reading that does not exist, and why."""
    return Reading(metric, None, exactness=Exactness.MISSING, why=why, **fields)


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """What one counter counted in each slice of a window: raw differences, not scaled up; None: could not be read.

    Of a RECORDED window in each inference. A LEVEL is the value at the end of the slice. value = raw x `scale`.
    """

    metric: str
    raw: tuple[int | None, ...]
    unit: str = ""
    domain: str = ""
    source: str = ""
    scale: float = 1.0
    shape: Shape = Shape.COUNT


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a window as columns, one integer per slice, in order of time.

    Slices i of a PAIRED and of the COUNTED window of the same pass are a pair, measured one right after the other in
    random order. Members of a set take turns of equal number.
    """

    t0_ns: tuple[int, ...]
    t1_ns: tuple[int, ...]
    iterations: tuple[int, ...]
    turns: tuple[int, ...]
    counts: tuple[SliceCounts, ...] = ()

    @property
    def elapsed_ns(self) -> int:
        """Time within slices."""
        return sum(self.t1_ns) - sum(self.t0_ns)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of back-to-back inferences, or the slices of one role. One latency per iteration, in order.

    Times are CLOCK_MONOTONIC_RAW. Readings of `slices` are sums over them. `disturbed`: iterations within which the
    scheduler took the CPU away; None: not watched. `inferences`: counts of each inference, of a RECORDED window.
    """

    index: int
    role: Role
    pass_: int  # which pass of the counters was enabled; -1: none
    t0_ns: int
    t1_ns: int
    latencies_ns: tuple[int, ...]
    readings: tuple[Reading, ...] = ()
    slices: Slices | None = None
    disturbed: tuple[int, ...] | None = None
    inferences: tuple[SliceCounts, ...] = ()

    @property
    def elapsed_s(self) -> float:
        """Time within the window in seconds, of slices their sum."""
        return (self.t1_ns - self.t0_ns if self.slices is None else self.slices.elapsed_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Series:
    """One gauge over time. `at_ns` CLOCK_MONOTONIC_RAW, `values` of equal length; None: the sensor did not answer.

    `cumulative`: the values are a running total (energy, events), not a level.
    """

    metric: str
    unit: str
    label: str = ""  # which core, rail or zone
    source: str = ""
    origin: Origin = Origin.KERNEL
    cumulative: bool = False
    interval_ns: int = 0  # how often the sensor itself has a new value; 0: unknown
    at_ns: tuple[int, ...] = ()
    values: tuple[float | None, ...] = ()
    shape: Shape | None = None  # of its readings; None: COUNT where cumulative, else LEVEL


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to distrust a run, with its figures. `window`: index, or None for the whole run."""

    code: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a case has no result. `stage`: prepare, load, warmup, ...; `log`: the end of what the framework said."""

    code: str  # killed | timeout | memory | model | not-installed | unavailable | internal
    message: str
    remedy: str = ""
    stage: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of a framework's own profile. `ns` per inference (None: the framework told no time).

    `origins`: the nodes of the network whose work it is, in the graph's order; empty for work that the network does
    not have (a change of layout, say). `macs` per batch, of these nodes.
    """

    name: str
    op: str
    ns: float | None
    origins: tuple[str, ...] = ()
    macs: int | None = None
    readings: tuple[Reading, ...] = ()  # per inference


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a machine can do at most, measured: `what` of `of` on `cpus` (empty: not recorded which).

    `what`: fp32, fp16, int8 (op/s) of an instruction set; bandwidth (B/s) or latency (s) of a level, L1 to DRAM.
    `value` None: it could not be measured, and `why`. `evidence`: repetitions, spread, share of the CPU, compiler.
    `machine_id` (as in the frame) and `machine`, its label: of a stored one.
    """

    what: str
    of: str
    cpus: tuple[int, ...]
    value: float | None
    unit: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    machine_id: str = ""
    machine: str = ""

    @property
    def name(self) -> str:
        """Its key in the results."""
        return f"{self.what} {self.of} cpus={','.join(map(str, self.cpus))}"


@dataclass(frozen=True, slots=True)
class Run:
    """One case measured once, in one fresh process."""

    uid: str
    case: Case
    kind: Kind = Kind.NATIVE
    round: int = 0
    attempt: int = 1
    started_utc: str = ""
    load_ns: int | None = None
    windows: tuple[Window, ...] = ()
    series: tuple[Series, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)  # what was set for this process: OMP_*, ...
    facts: Mapping[str, Any] = field(default_factory=dict)  # read back from the framework and the process
    fidelity: Fidelity | None = None
    doubts: tuple[Doubt, ...] = ()
    failure: Failure | None = None
    macs: int | None = None
    params: int | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)  # hardware facts (hashed to an id by the store)
    host_state: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()  # of a run of kind LAYERS
