"""What may be varied: threads, cores, and those options that an adapter declares as tunable. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwprof.errors import UsageError
from hwprof.plan.experiment import Choice
from hwprof.plan.options import check_value
from hwprof.worker.protocol import LoopSettings

THREADS, CPUS = "threads", "cpus"
# Values of the factor `cpus`: the cores that a case gets by default, or all that this process may use.
CHOSEN, ALL = "chosen", "all"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value for every factor, in the order of the space."""

    levels: tuple[tuple[str, Any], ...]

    def __getitem__(self, factor: str) -> Any:
        return dict(self.levels)[factor]

    def changes(self, default: Candidate) -> tuple[tuple[str, Any], ...]:
        """What differs from the default: the fewer, the simpler."""
        before = dict(default.levels)
        return tuple((name, value) for name, value in self.levels if before[name] != value)

    def title(self, default: Candidate) -> str:
        """`threads=2 spin=False`, or `default`."""
        return " ".join(f"{name}={value}" for name, value in self.changes(default)) or "default"


@dataclass(frozen=True, slots=True)
class Space:
    """Factors with their values, the default first. `cores`: with so many threads or more the chosen cores are all."""

    factors: tuple[tuple[str, tuple[Any, ...]], ...]
    cores: int = 1 << 30

    @property
    def default(self) -> Candidate:
        """Every factor at its first value."""
        return Candidate(tuple((name, values[0]) for name, values in self.factors))

    def singles(self) -> tuple[Candidate, ...]:
        """The default with one factor changed, for every other value of every factor."""
        plain = self.default.levels
        singles = (
            Candidate(tuple((n, value if n == name else v) for n, v in plain))
            for name, values in self.factors
            for value in values[1:]
        )
        return tuple(c for c in singles if not self.is_duplicate(c))

    def candidates(self, without: Iterable[tuple[str, Any]] = ()) -> tuple[Candidate, ...]:
        """Every combination but those with a value of `without`; the default first."""
        struck = set(without)
        kept = [[(name, v) for v in values if (name, v) not in struck] for name, values in self.factors]
        every = (Candidate(levels) for levels in itertools.product(*kept))
        return tuple(c for c in every if not self.is_duplicate(c))

    def is_duplicate(self, candidate: Candidate) -> bool:
        """Whether it comes to the same as another one: all cores where the chosen ones are all."""
        levels = dict(candidate.levels)
        return bool(levels.get(CPUS) == ALL and levels.get(THREADS, 0) >= self.cores)


def thread_counts(cpus: int) -> tuple[int, ...]:
    """Powers of two up to the number of CPUs, and that number. The first is 1, which is hwprof's default."""
    powers = [1 << i for i in range(cpus.bit_length()) if 1 << i <= cpus]
    return tuple(dict.fromkeys([*powers, cpus]))


def tunable(adapter: Any) -> tuple[str, ...]:
    """Options of an adapter that change how fast it computes and not what: its `tunable`."""
    return tuple(getattr(adapter, "tunable", ()))


def build(
    adapter: Any,
    pinned: Mapping[str, Any],
    threads: int | None,
    cpus: Sequence[int],
    available: int,
    vary: Mapping[str, Sequence[Any]],
) -> Space:
    """The space of one framework. `pinned`: options that are given; `threads`, `cpus`: given, or None and empty.

    `vary` replaces the values of a factor (and may add an option that isn't tunable by itself). Raises UsageError.
    """
    factors: dict[str, tuple[Any, ...]] = {
        THREADS: (threads,) if threads else thread_counts(len(cpus) or available),
        CPUS: (CHOSEN,) if cpus or available <= (threads or 1) else (CHOSEN, ALL),
        **{name: tuple(adapter.options[name]) for name in tunable(adapter)},
        **{name: (value,) for name, value in pinned.items()},
        **{name: _check_values(adapter, name, values, pinned, threads) for name, values in vary.items()},
    }
    return Space(tuple(factors.items()), available)


def _check_values(
    adapter: Any, name: str, values: Sequence[Any], pinned: Mapping[str, Any], threads: int | None
) -> tuple[Any, ...]:
    chosen = tuple(dict.fromkeys(values))
    if name in pinned or (name == THREADS and threads):
        raise UsageError(f"{name} can't be both set and varied", f"omit one of the two: --vary {name}=... or the other")
    if name == THREADS:
        if not all(isinstance(v, int) and v >= 1 and not isinstance(v, bool) for v in chosen):
            raise UsageError(
                f"--vary threads={','.join(map(str, chosen))}", "whole numbers of at least 1, as threads=1,2,4"
            )
        return chosen
    known = (CHOSEN, ALL) if name == CPUS else adapter.options.get(name)
    if known is None:
        factors = ", ".join([THREADS, CPUS, *sorted(adapter.options)])
        raise UsageError(f"{adapter.name} has nothing called '{name}' to vary", f"it knows: {factors}")
    for value in values:
        check_value(adapter.name, name, value, known)
    # the default stays the first, so that "default" means the same in every search that has it
    return tuple(sorted(chosen, key=lambda v: known.index(v)))


# Counters are not looked at while searching.
# The stretch alone is for the FPS that is shown, and no sensor is asked.
PLAN = LoopSettings(window_s=0.4, alone_s=0.1, min_iterations=5, warmup_s=1.0, events=(), closed_window=False)


@dataclass(frozen=True, slots=True)
class Request:
    """What to tune. `choice.threads` 0 and `cpus` empty: searched. `vary`: factor -> values in place of the usual."""

    choice: Choice
    cpus: str = ""
    vary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    budget_s: float = 120.0
    seed: int = 0
    plan: LoopSettings = PLAN
    timeout_s: float = 60.0
