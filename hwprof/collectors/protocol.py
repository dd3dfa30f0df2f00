"""What a collector is.

Two kinds. A `Collector` lives in the measured process and is read at the edges of every window (perf events, rusage,
/proc of the own process): it must be light and import the standard library only. A `Gauge` is sampled by the
launcher, outside the measured process, a few times a second (power, memory, frequency, temperature, per-core use).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hwprof.collectors.sensor_roles import SensorRole
from hwprof.records import Counter, Origin, Reading, Series, Shape, Snapshot, Window


@dataclass(frozen=True, slots=True)
class Available:
    """The metric can be had here. `source` says from where exactly, `meaning` what it counts on this machine."""

    source: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The metric can't be had here: why, and the command that would change it (empty: nothing does)."""

    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What to observe: this process and every thread it will start (`pid` None), or the tasks a process has now."""

    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Counters that are read together; `pass_` is the pass they belong to, -1: counted in every window.

    `slow`: reading them takes too long for the edges of slices, which are milliseconds apart. A session all of whose
    groups are slow is read at the edges of the bare stretch only.
    """

    counters: tuple[Counter, ...]
    pass_: int = -1
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """A set of groups that fit on the counters at once."""

    index: int
    metrics: tuple[str, ...]


class Session(Protocol):
    """Open counters."""

    passes: Sequence[Pass]
    groups: Sequence[Group]
    unavailable: Mapping[str, Unavailable]

    def select(self, pass_: Pass | None) -> None:
        """Enable exactly this pass's groups; None: all disabled."""

    def read(self) -> tuple[Snapshot, ...]:
        """One snapshot per group, in the order of `groups`."""

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Readings of one window, looked over: what can't be true becomes SUSPECT or MISSING, with the reason."""


class UnswitchedSession:
    """Base of sessions that always count: no passes, nothing to enable, readings taken as they are."""

    passes: Sequence[Pass] = ()
    groups: Sequence[Group] = ()
    unavailable: Mapping[str, Unavailable] = {}

    def select(self, pass_: Pass | None) -> None:
        """Nothing to switch."""

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Nothing is changed."""
        return readings


class Collector(Protocol):
    """Counters at window edges, inside the measured process."""

    name: str

    def probe(self, requests: Sequence[str]) -> Mapping[str, Available | Unavailable]:
        """For each requested metric whether it can be had. Raises UnknownEvent for a name nobody knows."""

    def open(self, target: Target, requests: Sequence[str]) -> AbstractContextManager[Session]:
        """Open what can be had; the rest is in `Session.unavailable`."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One thing a gauge can tell. `interval_ns`: how often the sensor has a new value, 0 if unknown.

    `label` is unique among the channels of a metric. `device`: what the bus calls the sensor. `role`: what a sensor of
    power is of, None where only its label says it. `averaging_ns`: the time that each value is the mean of, 0 if not
    known. `is_declared`: a figure that somebody stated and nothing measures.

    `cumulative` with `modulus`: a running total that wraps (RAPL's max_energy_range_uj), in raw units;
    value = raw x scale. `shape` of its readings; None: COUNT where cumulative, else LEVEL. TOTAL is for a running
    total that has nothing to do with the number of frames. Raises ValueError where the two contradict each other.
    """

    metric: str
    unit: str
    label: str = ""
    source: str = ""
    origin: Origin = Origin.KERNEL
    cumulative: bool = False
    modulus: int | None = None
    scale: float = 1.0
    interval_ns: int = 0
    shape: Shape | None = None
    device: str = ""
    role: SensorRole | None = None
    averaging_ns: int = 0
    is_declared: bool = False

    def __post_init__(self) -> None:
        if self.shape is not None and (self.shape is Shape.LEVEL) == self.cumulative:
            raise ValueError(f"{self.metric}: a channel is a level if and only if it is not cumulative")


@runtime_checkable
class Gauge(Protocol):
    """A slow sensor outside the measured process."""

    name: str
    channels: Sequence[Channel]

    def sample(self) -> Sequence[float | None]:
        """One value per channel, in its unit (cumulative ones already unwrapped); None: the sensor did not answer."""

    def readings(self, series: Sequence[Series], window: Window) -> Sequence[Reading]:
        """What this gauge says about one window, from its own series; MISSING with the reason where it can't tell."""


class Wrapper(Protocol):
    """Something that changes the worker's command line and is told the edges (callgrind, perf stat, qemu-user)."""

    def argv(self, command: Sequence[str]) -> list[str]: ...

    def start(self, pid: int, window: int) -> None: ...

    def stop(self, pid: int, window: int) -> None: ...


class UnswitchedWrapper:
    """Base of wrappers whose worker reads or asks for its counts itself: nothing happens at the edges from outside."""

    __slots__ = ()

    def start(self, pid: int, window: int) -> None:
        """Nothing to switch."""

    def stop(self, pid: int, window: int) -> None:
        """Nothing to switch."""


class Watcher(Protocol):
    """Told of the worker's life; the sampler of gauges sits behind it."""

    def started(self, pid: int) -> None: ...

    def ready(self, pid: int, window: int) -> None: ...

    def done(self, pid: int, window: int) -> None: ...
