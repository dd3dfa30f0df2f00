"""What an explanation is made of: effects, interventions, and the pair that it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwprof.analysis.factors.clues import Clue, Side
from hwprof.analysis.factors.identity import Factor, LogDifference
from hwprof.analysis.factors.ratio import Decomposition
from hwprof.records import Run


@dataclass(frozen=True, slots=True)
class Effect:
    """What an intervention did to one side. `speed`: unchanged over changed; `cpu`: that of CPU time per frame.

    `spin-waiting makes A x1.2 as fast` is a `speed` of 1.2.
    """

    kind: str  # one of frameworks.switches.KINDS
    side: str  # A or B
    label: str
    change: str  # what was changed
    speed: Factor
    cpu: Factor | None
    limit: str = ""
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a change happened, by what the runs recorded: `text` has it before and after."""

    happened: bool
    text: str


@dataclass(frozen=True, slots=True)
class Intervention:
    """One intervention on a pair: effects on the sides, the ratio before it, and that of the changed pair.

    `closes`: log ratio of A to B before less that after, over the sets that have all four; None: not side by side.

    All are by one estimator, and where all four were measured side by side of the sets that have all four.
    `chain`: A / B as (A / A') x factors of (A' / B') x (B' / B), whose logs add up to that of the ratio before.
    """

    kind: str
    effects: tuple[Effect, ...]
    before: Decomposition
    rerun: Decomposition
    chain: tuple[Factor, ...]
    closes: LogDifference | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One pair. `context`: what both have in common; `headline`: what is said first, without its last full stop.

    `additions`: the sentences of the headline that go beyond the ratio and its factors. `switched`: the kind of change
    that B is of A, where they differ in nothing else; `check`: whether it happened.
    """

    a: Side
    b: Side
    context: str
    differs: tuple[str, ...]
    decomposition: Decomposition
    headline: str
    clues: tuple[Clue, ...]
    interventions: tuple[Intervention, ...] = ()
    notes: tuple[str, ...] = ()
    additions: tuple[str, ...] = ()
    switched: str = ""
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class ChangedRuns:
    """The runs of one side after an intervention."""

    kind: str
    change: str
    runs: Sequence[Run]
    limit: str = ""


@dataclass(frozen=True, slots=True)
class SideRuns:
    """All runs about one side: its rounds, its simulated run, other thread counts, and after interventions."""

    label: str
    runs: Sequence[Run]
    threads: Sequence[Run] = ()
    variants: Sequence[ChangedRuns] = ()
    other_experiment: bool = False  # the other thread counts were measured in another experiment
