"""Which simulator a simulated run is made in: callgrind (this machine's code on a model of a CPU) or riscv64 (Debian's
riscv64 build of the framework in QEMU, instructions counted by class)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hwprof.collectors import callgrind, modelled_caches
from hwprof.collectors.callgrind import Callgrind, callgrind_available
from hwprof.collectors.protocol import Available, Unavailable, Wrapper
from hwprof.collectors.riscv.simulator import Cpu, QemuUser, check, check_machine, environment, parse
from hwprof.errors import HwprofError
from hwprof.machine.features import cpu_features
from hwprof.records import Reading

CALLGRIND = "callgrind"
# With random seeds the interpreter's own instructions differ by up to 4 % of a small inference from start to start.
REPEATABLE = {"PYTHONHASHSEED": "0"}
# A simulated inference takes about 50 ns of CPU time per multiply-accumulate (valgrind emulates FMA in software). Of
# small networks several are counted, for one inference can differ by 0.1 to 1 % from the next.
MACS = 60_000_000
INFERENCES = 10


def inferences(macs: int | None) -> int:
    """How many inferences callgrind counts: as many as MACS allow, ten at most; one where the size is not known."""
    return max(1, min(INFERENCES, -(-MACS // macs))) if macs else 1


class Simulator(Protocol):
    """How a case is simulated."""

    @property
    def label(self) -> str:
        """What its metrics are marked with: instructions@LABEL."""

    def available(self, framework: str) -> Available | Unavailable:
        """Whether it can be used here, for this framework."""

    def wrapper(self, directory: Path, framework: str) -> Wrapper:
        """What is put around the worker; `directory` is this run's own."""

    def environ(self, base: Mapping[str, str]) -> Mapping[str, str]:
        """What of the launcher's environment `base` the worker gets."""

    def readings(self, wrapper: Wrapper) -> list[Reading]:
        """What the wrapper counted, beside what the worker itself read."""

    def facts(self) -> Mapping[str, Any]:
        """What simulated, for the record."""


@dataclass(frozen=True, slots=True)
class CallgrindSimulator:
    """callgrind."""

    label: str = CALLGRIND

    def available(self, framework: str) -> Available | Unavailable:
        """Wherever valgrind is."""
        return callgrind_available()

    def wrapper(self, directory: Path, framework: str) -> Wrapper:
        """valgrind in front."""
        return Callgrind(directory)

    def environ(self, base: Mapping[str, str]) -> Mapping[str, str]:
        """All of it: the program is this machine's."""
        return {**base, **REPEATABLE}

    def readings(self, wrapper: Wrapper) -> list[Reading]:
        """From the dumps of the windows."""
        assert isinstance(wrapper, Callgrind)
        return wrapper.parse()

    def facts(self) -> Mapping[str, Any]:
        """Its name, its caches, and the instruction sets outside, to be laid beside those seen inside."""
        return {
            "simulator": CALLGRIND,
            "simulator_version": callgrind.version(),
            "simulator_edition": callgrind.EDITION,
            "simulator_caches": modelled_caches.facts(modelled_caches.geometry()),
            "native_cpu_features": cpu_features(),
        }


@dataclass(frozen=True, slots=True)
class RiscvSimulator:
    """riscv64 in QEMU's user mode."""

    cpu: Cpu = field(default_factory=Cpu)

    @property
    def label(self) -> str:
        """riscv64, riscv64-no-v, ..."""
        return self.cpu.label

    def available(self, framework: str) -> Available | Unavailable:
        """Where there are a QEMU with plugins, a C compiler and a riscv64 package of the framework."""
        try:
            check(framework)
        except HwprofError as error:
            return Unavailable(error.message, error.remedy)
        return Available(self.label)

    def wrapper(self, directory: Path, framework: str) -> Wrapper:
        """QEMU in front."""
        return QemuUser(directory, framework, self.cpu)

    def environ(self, base: Mapping[str, str]) -> Mapping[str, str]:
        """Nothing that speaks of this machine's libraries."""
        return {**environment(base), **REPEATABLE}

    def readings(self, wrapper: Wrapper) -> list[Reading]:
        """None: the worker reads the counters at the edges of its window."""
        return []

    def facts(self) -> Mapping[str, Any]:
        """QEMU, its version, and the CPU it was told to be."""
        return self.cpu.facts()


def probe() -> Mapping[str, Available | Unavailable]:
    """Each simulator by name: whether this machine has what it needs, whatever the framework. Nothing is made."""
    riscv = RiscvSimulator()
    try:
        check_machine()
    except HwprofError as error:
        found: Available | Unavailable = Unavailable(error.message, error.remedy)
    else:
        found = Available(riscv.label)
    return {CALLGRIND: callgrind_available(), riscv.label: found}


def simulator(tool: str) -> Simulator:
    """`callgrind` or `riscv64[:OPTIONS]`. Raises UsageError."""
    return CallgrindSimulator() if tool == CALLGRIND else RiscvSimulator(parse(tool))
