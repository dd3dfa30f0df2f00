"""Two sets of results, case by case: the ratio of speeds with its interval, what is significant, what is missing.

The unit is the set, the round in turn or the session (`pairing`): windows of one process share too much (their
intervals cover .40 instead of .95), and so do rounds of one session. What is compared is FPS, or of a case that was
disturbed on a side the estimator that survives. The p-values of one comparison are one family (Benjamini-Hochberg).
"""

from __future__ import annotations

import enum
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean as mean
from types import MappingProxyType

from hwprof.analysis.comparison.differences import Difference, differences
from hwprof.analysis.comparison.matching import Key, matching
from hwprof.analysis.comparison.measured import COUNTED, RunSummary, choose_estimator
from hwprof.analysis.comparison.pairing import PairedRatio, Pairing, measured_ratio
from hwprof.analysis.comparison.sessions import SessionNoise, mark_sessions
from hwprof.analysis.estimator import Estimator, EstimatorChoice, mean_speed
from hwprof.machine.facts import label, machine_id
from hwprof.printable import plural
from hwprof.records import Case
from hwprof.speed import Interval, Speed

THRESHOLD = 0.05
ALPHA = 0.05
FEWEST_NETWORKS = 4
LARGE_SPREAD = 0.1
# Share of the time in the run queue by which the sides may differ: beyond it the machine differs, not the program.
WAITING_DIFFERENCE = 0.1
Noises = Mapping[tuple[str, Estimator], SessionNoise]


class Judgement(enum.StrEnum):
    """What may be said about a case."""

    REGRESSION = "regression"  # significantly slower, and the whole interval lies beyond the threshold
    SLOWER = "slower"  # significantly; by more than the threshold or not
    FASTER = "faster"  # significantly
    SAME = "same"  # the whole interval lies within the threshold
    UNCLEAR = "unclear"  # neither a difference nor its absence is shown
    UNTESTED = "no verdict"  # one set, or one session each: how far chance goes is not known


@dataclass(frozen=True, slots=True)
class Change:
    """One case. `ratio` = speed in NEW / speed in OLD, above 1: faster now. Interval 95 %; q within the family.

    `old`, `new`: speeds of the rounds by the estimator of `choice`; `speeds`: means over the rounds of either side.
    `alone`: the ratio of the bare stretches, the same as `ratio` where no sets were compared; `conflict`: the two
    intervals don't meet. `within`: of the sessions that were measured, by their rounds. `noise`: the session noise that
    was calibrated, where `pairing` takes it. `why`: there is no verdict. `other_load`: one side waited for a CPU much
    longer than the other, and neither sets nor CPU time leave that out. `machine`: its name, where NEW has several.
    `undated`: both sides are figures of other programs' tables, which state no time: they show no session either.
    """

    case: Case
    old: tuple[float, ...]
    new: tuple[float, ...]
    ratio: float
    low: float | None
    high: float | None
    p: float | None
    counts: Mapping[str, float]
    doubts: tuple[str, ...]
    choice: EstimatorChoice
    speeds: tuple[Speed, Speed]
    alone: Interval
    pairing: Pairing
    pairs: int
    within: Interval
    sessions: tuple[int, int]
    noise: SessionNoise | None
    why: str
    conflict: bool
    other_load: bool
    machine: str = ""
    undated: bool = False
    q: float | None = None
    verdict: Judgement = Judgement.UNTESTED

    @property
    def side_by_side(self) -> bool:
        """Whether both sides share the machine's state: measured in the same sets, or in turn."""
        return self.pairing in (Pairing.SETS, Pairing.ROUNDS)

    @property
    def needed_noise(self) -> float:
        """The standard deviation between sessions from which on chance gives such a ratio in 5 % of comparisons."""
        return abs(math.log(self.ratio)) / (1.96 * math.sqrt(sum(1 / n for n in self.sessions)))


@dataclass(frozen=True, slots=True)
class Overall:
    """Geometric mean of the ratios, cases of one network averaged first; interval over networks (t), from four on.

    Without cases of which slices and bare stretches contradict each other. `side_by_side`: all were measured so. What
    sessions have in common is in all networks alike, so that others have no interval.
    """

    ratio: float
    low: float | None
    high: float | None
    networks: int
    side_by_side: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it. `only_old`, `only_new`: cases that the other side lacks. `common`: all cases moved alike by this.

    `unknown`: cases on both sides that were disturbed, and of which one side has nothing but FPS.
    """

    changes: tuple[Change, ...]
    only_old: tuple[Case, ...]
    only_new: tuple[Case, ...]
    differences: tuple[Difference, ...]
    overall: Overall | None
    common: float | None
    threshold: float
    alpha: float
    tested: int
    notes: tuple[str, ...] = ()
    unknown: tuple[Case, ...] = ()

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The cases for which a CI job must fail."""
        return tuple(c for c in self.changes if c.verdict is Judgement.REGRESSION)

    @property
    def untested(self) -> tuple[Change, ...]:
        """The cases without a verdict."""
        return tuple(c for c in self.changes if c.verdict is Judgement.UNTESTED)

    @property
    def undecided(self) -> tuple[Change, ...]:
        """The tested cases of which it is not known whether they are slower by more than the threshold."""
        bound = 1 - self.threshold
        slower = (c for c in self.changes if c.verdict is Judgement.SLOWER and c.low is not None and c.low < bound)
        return (*(c for c in self.changes if c.verdict is Judgement.UNCLEAR), *slower)


def compare(
    old: Sequence[RunSummary],
    new: Sequence[RunSummary],
    threshold: float = THRESHOLD,
    alpha: float = ALPHA,
    noises: Noises = MappingProxyType({}),
) -> Comparison:
    """Match cases, take ratios, judge. Several machines on a side: cases are matched machine by machine.

    `noises`: calibrated session noise, by the id of the machine and the estimator.
    """
    old, new = mark_sessions(old), mark_sessions(new)
    key, notes = matching(old, new)
    before, after = _cells(old, key), _cells(new, key)
    both = sorted((k for k in before if k in after), key=lambda k: before[k][0].case.title)
    found = [_change(before[k], after[k], noises) for k in both]
    several = len({machine_id(m.machine) for m in new}) > 1
    names = [label(after[k][0].machine) if several else "" for k in both]
    changes = [replace(c, machine=name) for c, name in zip(found, names, strict=True) if c is not None]
    if any(m.emulated for m in (*old, *new)):
        notes.append("measured on an emulated machine: its time is the emulator's, compare instructions instead")
    if same := len({m.uid for m in old} & {m.uid for m in new}):
        notes.append(f"{plural(same, 'run is', 'runs are')} on both sides: the ratio with itself is 1")
    tested = [i for i, c in enumerate(changes) if c.p is not None]
    if tested:
        from scipy.stats import false_discovery_control

        qs = false_discovery_control([changes[i].p for i in tested])
        for i, q in zip(tested, qs, strict=True):
            changes[i] = replace(changes[i], q=float(q))
    changes = [replace(c, verdict=judge(c, threshold, alpha)) for c in changes]
    return Comparison(
        tuple(changes),
        tuple(before[k][0].case for k in before if k not in after),
        tuple(after[k][0].case for k in after if k not in before),
        differences([(before[k][0], after[k][0]) for k in both]),
        overall(changes),
        common_shift([math.log(c.ratio) for c in changes if not c.conflict]),
        threshold,
        alpha,
        len(tested),
        tuple(notes),
        tuple(after[k][0].case for k, c in zip(both, found, strict=True) if c is None),
    )


def judge(change: Change, threshold: float, alpha: float) -> Judgement:
    """The verdict on one case with its q."""
    if change.q is None or change.low is None or change.high is None:
        return Judgement.UNTESTED
    if change.conflict or change.other_load:
        return Judgement.UNCLEAR
    if change.q <= alpha:
        if change.ratio >= 1:
            return Judgement.FASTER
        return Judgement.REGRESSION if change.high < 1 - threshold else Judgement.SLOWER
    within = change.low >= 1 - threshold and change.high <= 1 / (1 - threshold)
    return Judgement.SAME if within else Judgement.UNCLEAR


def _cells(side: Sequence[RunSummary], key: Callable[[RunSummary], Key]) -> dict[Key, list[RunSummary]]:
    cells: dict[Key, list[RunSummary]] = defaultdict(list)
    for m in side:
        cells[key(m)].append(m)
    return dict(cells)


def _change(old: Sequence[RunSummary], new: Sequence[RunSummary], noises: Noises) -> Change | None:
    """The case on both sides; None where it was disturbed and a side has nothing but FPS."""
    old, new = sorted(old, key=lambda m: m.round), sorted(new, key=lambda m: m.round)
    choice = choose_estimator([*old, *new])
    machines = {machine_id(m.machine) for m in (*old, *new)}
    noise = noises.get((machines.pop(), choice.estimator)) if len(machines) == 1 else None
    found = measured_ratio(old, new, choice.estimator, noise)
    if found is None:
        return None
    counts = {
        name: mean(m.counts[name] for m in new) / mean(m.counts[name] for m in old)
        for name in COUNTED
        if all(name in m.counts for m in (*old, *new))
    }
    doubts = _doubts(old, new, found)
    if old[0].case.cpus != new[0].case.cpus:
        cores = (",".join(map(str, m[0].case.cpus)) or "any" for m in (old, new))
        doubts.append("CPUs {} -> {}".format(*cores))
    ratio = found.ratio.factor
    speeds = mean_speed([m.speed for m in old]), mean_speed([m.speed for m in new])
    waiting = [one.waiting for one in speeds if one.waiting is not None]
    exposed = found.pairing is not Pairing.SETS and choice.estimator is not Estimator.CPU_TIME
    return Change(
        case=new[0].case,
        old=found.old,
        new=found.new,
        ratio=ratio.value,
        low=ratio.low,
        high=ratio.high,
        p=found.ratio.p,
        counts=counts,
        doubts=tuple(doubts),
        choice=choice,
        speeds=speeds,
        alone=found.alone.factor,
        pairing=found.pairing,
        pairs=found.pairs,
        within=found.within.factor,
        sessions=found.sessions,
        noise=noise if found.pairing is Pairing.CALIBRATED else None,
        why=found.why,
        conflict=found.conflict,
        undated=all(m.imported and not m.started_utc for m in (*old, *new)),
        other_load=exposed and len(waiting) == 2 and abs(waiting[1] - waiting[0]) > WAITING_DIFFERENCE,
    )


def _doubts(old: Sequence[RunSummary], new: Sequence[RunSummary], found: PairedRatio) -> list[str]:
    """What is doubtful on either side: `noisy (old 2/3, new)`, in so many of its rounds where not in all."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for at, side in enumerate((old, new)):
        for word in (w for m in side for w in m.doubts):
            counted[word][at] += 1
    words = []
    for word, times in sorted(counted.items(), key=lambda item: -sum(item[1])):
        sides = zip(("old", "new"), times, (len(old), len(new)), strict=True)
        parts = [name if n == of else f"{name} {n}/{of}" for name, n, of in sides if n]
        words.append(f"{word} ({', '.join(parts)})")
    spreads = [max(side) / min(side) - 1 for side in (found.old, found.new)]
    if max(spreads) > LARGE_SPREAD:
        words.append("rounds differ by {:.0f} % (old), {:.0f} % (new)".format(*(100 * s for s in spreads)))
    return words


def overall(changes: Sequence[Change]) -> Overall | None:
    """Mean over networks; None for no case at all."""
    by_network: dict[str, list[float]] = defaultdict(list)
    agreeing = [c for c in changes if not c.conflict]
    for c in agreeing:
        by_network[c.case.network].append(math.log(c.ratio))
    means = [statistics.fmean(v) for v in by_network.values()]
    if not means:
        return None
    middle = statistics.fmean(means)
    side_by_side = all(c.side_by_side for c in agreeing)
    if len(means) < FEWEST_NETWORKS or not side_by_side:
        return Overall(math.exp(middle), None, None, len(means), side_by_side)
    from scipy.stats import t

    half = float(t.ppf(0.975, len(means) - 1)) * statistics.stdev(means) / math.sqrt(len(means))
    return Overall(math.exp(middle), math.exp(middle - half), math.exp(middle + half), len(means), True)


def common_shift(logs: Sequence[float]) -> float | None:
    """The factor by which all cases moved alike; None where they didn't: four cases, and a mean of twice the spread."""
    if len(logs) < FEWEST_NETWORKS:
        return None
    mean = statistics.fmean(logs)
    alike = abs(mean) > 0.02 and abs(mean) > 2 * statistics.stdev(logs)
    return math.exp(mean) if alike else None
