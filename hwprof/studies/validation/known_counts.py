"""What each program must count of an event. Pure: the machine's caches are arguments.

Per unit of work the programs do (programs/kernels.h): `chain` 100 dependent additions and the loop, 102 instructions;
`loads`, `stores`, `branches`, `fp`, `vector*` 8 of what they are named after and the loop, 10 instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.studies.validation.verdicts import TOLERANCE, KnownCount

CHAIN, REPEAT, LOOP = 100, 8, 2  # of kernels.h
LOOSE, ROUGH = 0.15, 0.3  # where replacement, prefetching and neighbours have a say
MOST_CHASE = 256 << 20
# Amounts of work: of a chain of additions (or mispredicted branches), of a short loop, of steps through memory.
CHAINED, TIGHT, WALK = (10_000, 50_000), (40_000, 200_000), (20_000, 100_000)


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What working sets and amounts depend on. `emulated`: memory accesses are slow.

    `caches` as `hwprof.machine.facts.caches` has them; `widths`: arguments of the vector programs.
    """

    caches: Sequence[Mapping[str, Any]] = ()
    emulated: bool = False
    architecture: str = "x86_64"

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of a vector; on RISC-V, whose width the CPU knows, LMUL."""
        return {"x86_64": (128, 256, 512), "riscv64": (1, 2, 4, 8)}.get(self.architecture, (128,))

    def level(self, level: int) -> int | None:
        """Bytes of the data cache of a level, 0: the last one; None where there is none or sysfs doesn't say."""
        sizes = {int(c["level"]): int(c["kib"]) << 10 for c in self.caches if c["type"] in ("Data", "Unified")}
        return sizes.get(level or max(sizes, default=0))


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A program run with two amounts of work, and what the event must then count."""

    program: str
    amounts: tuple[int, int]
    known: KnownCount
    argument: int = 0
    lanes: bool = False  # the known slope is per lane of the vector
    label: str = ""

    @property
    def name(self) -> str:
        """The label, else the program's name."""
        return self.label or self.program


def trials(base: str, machine: MachineFacts) -> tuple[ProgramRun, ...]:
    """Those for an event by its name without modifiers. Where no program has an answer: those that may move it."""
    found = _Trials(machine).of(base)
    return found if found is not None else _Trials(machine).moving()


def has_answer(base: str) -> bool:
    """Whether some program has a known count for the event."""
    return _Trials(MachineFacts()).of(base) is not None


class _Trials:
    def __init__(self, machine: MachineFacts) -> None:
        self._machine = machine
        self._small = machine.emulated

    def of(self, base: str) -> tuple[ProgramRun, ...] | None:
        """Trials of an event with a known count; None for any other."""
        if base in _KERNEL:
            program, amounts, slope, tolerance = _KERNEL[base]
            slack = 4.0 if tolerance == 0 else 1e6
            return (ProgramRun(program, amounts, KnownCount(slope, tolerance, slack)),)
        makers: dict[str, Callable[[], tuple[ProgramRun, ...]]] = {
            "cycles": lambda: (self._chain(CHAIN + LOOP / 2, 0.04),),
            "instructions": self._instructions,
            "branches": self._branches,
            "branch-loads": self._branches,
            "branch-misses": self._mispredicted,
            "branch-mispredictions": self._mispredicted,
            "branch-load-misses": self._mispredicted,
            "loads": lambda: (self._eight("loads"), self._none("chain")),
            "stores": lambda: (self._eight("stores"), self._none("chain")),
            "l1d-accesses": lambda: (self._eight("loads", 0.05), self._eight("stores", 0.05), self._none("chain")),
            "L1-dcache-loads": lambda: (self._eight("loads", 0.05), self._none("chain")),
            "L1-dcache-stores": lambda: (self._eight("stores", 0.05), self._none("chain")),
            "dTLB-loads": lambda: (self._eight("loads", 0.05), self._none("chain")),
            "dTLB-stores": lambda: (self._eight("stores", 0.05), self._none("chain")),
            "L1-dcache-load-misses": lambda: self._misses(1),
            "l1d-misses": lambda: self._misses(1),
            "l2-accesses": lambda: self._misses(1, ROUGH),
            "l2-misses": lambda: self._misses(2, ROUGH),
            "LLC-loads": lambda: self._misses(2, ROUGH),
            "llc-accesses": lambda: self._misses(2, ROUGH),
            "LLC-load-misses": lambda: self._misses(0, ROUGH),
            "llc-misses": lambda: self._misses(0, ROUGH),
            # of an unknown level: a walk beyond the last one misses, and so refers to, each of them once
            "cache-misses": lambda: self._misses(0, ROUGH),
            "cache-references": lambda: self._misses(0, ROUGH),
            "dTLB-load-misses": lambda: (self._pages("tlb"), self._none("chain")),
            "dTLB-store-misses": lambda: (self._pages("tlbstore"), self._none("chain")),
            "dtlb-misses": lambda: (self._pages("tlb"), self._pages("tlbstore"), self._none("chain")),
            "iTLB-load-misses": lambda: (self._pages("itlb", ROUGH), self._none("chain")),
            "itlb-misses": lambda: (self._pages("itlb", ROUGH), self._none("chain")),
            "L1-icache-load-misses": lambda: (self._pages("itlb", at_least=0.7), self._none("chain")),
            "l1i-misses": lambda: (self._pages("itlb", at_least=0.7), self._none("chain")),
            "fp-instructions": self._fp_instructions,
            "fp-operations": lambda: (self._eight("fp"), *self._vectors("vectorfp", lanes=True), self._none("chain")),
            "vector-instructions": self._vector_instructions,
            "vector-loads": lambda: (*self._vectors("vectorload"), self._none("chain")),
            "vector-stores": lambda: (*self._vectors("vectorstore"), self._none("chain")),
            "ref-cycles": lambda: (self._chain(CHAIN / 10, at_least=True),),
            "bus-cycles": lambda: (self._chain(CHAIN / 1000, at_least=True),),
            "stalled-cycles-backend": self._stalls,
            "backend-stalls": self._stalls,
            "stalled-cycles-frontend": lambda: (self._random(0.05, at_least=True),),
            "frontend-stalls": lambda: (self._random(0.05, at_least=True),),
        }
        return makers[base]() if base in makers else None

    def moving(self) -> tuple[ProgramRun, ...]:
        """Programs for an event without a known count: how far each moves it, without a judgement."""
        unknown = KnownCount(None)
        tight = [ProgramRun(name, TIGHT, unknown) for name in ("loads", "stores", "branches", "fp")]
        return (ProgramRun("chain", CHAINED, unknown), *tight, *self._walk(0, unknown))

    def _chain(self, slope: float, tolerance: float = TOLERANCE, at_least: bool = False) -> ProgramRun:
        return ProgramRun("chain", CHAINED, KnownCount(slope, tolerance, at_least=at_least))

    def _none(self, program: str) -> ProgramRun:
        amounts = CHAINED if program == "chain" else TIGHT
        return ProgramRun(program, amounts, KnownCount(0.0, slack=0.01 * CHAIN * (amounts[1] - amounts[0])))

    def _eight(self, program: str, tolerance: float = TOLERANCE) -> ProgramRun:
        return ProgramRun(program, TIGHT, KnownCount(REPEAT, tolerance))

    def _instructions(self) -> tuple[ProgramRun, ...]:
        tight = [ProgramRun(name, TIGHT, KnownCount(REPEAT + LOOP)) for name in ("loads", "branches")]
        return (self._chain(CHAIN + LOOP), *tight)

    def _branches(self) -> tuple[ProgramRun, ...]:
        return (ProgramRun("branches", TIGHT, KnownCount(REPEAT + 1)), ProgramRun("loads", TIGHT, KnownCount(1)))

    def _random(self, slope: float, tolerance: float = LOOSE, at_least: bool = False) -> ProgramRun:
        return ProgramRun("mispredict", CHAINED, KnownCount(slope, tolerance, at_least=at_least))

    def _mispredicted(self) -> tuple[ProgramRun, ...]:
        return (self._random(0.5), self._none("branches"))

    def _fp_instructions(self) -> tuple[ProgramRun, ...]:
        # Arm's event for scalar and that for vector operations are different ones.
        vectors = () if self._machine.architecture == "aarch64" else self._vectors("vectorfp")
        return (self._eight("fp"), *vectors, self._none("chain"))

    def _vector_instructions(self) -> tuple[ProgramRun, ...]:
        # Intel's and AMD's events see vectors of floating-point numbers only.
        integers = () if self._machine.architecture == "x86_64" else self._vectors("vector")
        return (*self._vectors("vectorfp"), *integers, self._none("chain"))

    def _vectors(self, program: str, lanes: bool = False) -> tuple[ProgramRun, ...]:
        unit = "LMUL {}" if self._machine.architecture == "riscv64" else "{} bits"
        return tuple(
            ProgramRun(program, TIGHT, KnownCount(REPEAT), width, lanes, f"{program}, {unit.format(width)}")
            for width in self._machine.widths
        )

    def _pages(self, program: str, tolerance: float = LOOSE, at_least: float = 0.0) -> ProgramRun:
        known = KnownCount(at_least or 1.0, tolerance, at_least=bool(at_least))
        # An emulator forgets all translations whenever another process runs: each page is new, however few there are.
        pages = (2048 if program == "itlb" else 4096) if self._small else 0
        return ProgramRun(program, (300, 1500) if self._small else (2_000, 10_000), known, pages)

    def _misses(self, level: int, tolerance: float = LOOSE) -> tuple[ProgramRun, ...]:
        """A walk over four times a cache (one miss a step), and one within half of the first (none)."""
        found = self._walk(level, KnownCount(1.0, tolerance))
        if first := self._machine.level(1):
            known = KnownCount(0.0, slack=0.05 * (WALK[1] - WALK[0]))
            found += (ProgramRun("chase", WALK, known, first // 2, label=f"chase, {first // 2 >> 10} KiB"),)
        return found

    def _walk(self, level: int, known: KnownCount) -> tuple[ProgramRun, ...]:
        """Over four times the cache of a level; none where its size is unknown or too large."""
        size = 4 * (self._machine.level(level) or 0)
        if not 0 < size <= MOST_CHASE:
            return ()
        return (ProgramRun("chase", WALK, known, size, label=f"chase, {size >> 10} KiB"),)

    def _stalls(self) -> tuple[ProgramRun, ...]:
        known = KnownCount(1.0, at_least=True)
        return self._walk(0, known) or (self._pages("tlb", at_least=1.0),)


# name -> program, amounts, slope, tolerance (0: to the event, but for a few that happen by chance)
_KERNEL: Mapping[str, tuple[str, tuple[int, int], float, float]] = {
    "task-clock": ("busy", (4, 20), 1e6, 0.05),
    "cpu-clock": ("busy", (4, 20), 1e6, 0.05),
    "page-faults": ("faults", (100, 500), 1.0, 0.0),
    "minor-faults": ("faults", (100, 500), 1.0, 0.0),
    "major-faults": ("faults", (100, 500), 0.0, 0.0),
    "context-switches": ("switches", (20, 100), 1.0, 0.0),
    "cpu-migrations": ("migrations", (10, 50), 1.0, 0.0),
    "alignment-faults": ("loads", (20_000, 100_000), 0.0, 0.0),
    "emulation-faults": ("fp", (20_000, 100_000), 0.0, 0.0),
    "cgroup-switches": ("faults", (100, 500), 0.0, 0.0),
}
