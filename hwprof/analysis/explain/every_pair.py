"""Every two frameworks on every case that both have, decomposed as `hwprof explain` does."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof.analysis.correlation.strata import SETTINGS
from hwprof.analysis.explain import explain, explanation, pairs, selectors
from hwprof.analysis.explain.explanation import SideRuns
from hwprof.analysis.explain.pairs import Source
from hwprof.analysis.explain.selectors import CaseRuns, Pair
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.clues import Side
from hwprof.analysis.factors.identity import Identity, identity
from hwprof.analysis.factors.ratio import Decomposition
from hwprof.printable import printable
from hwprof.records import Run
from hwprof.records.agreement import mark, worst
from hwprof.speed import Speed, of_run
from hwprof.store.columns import UNRECORDED
from hwprof.store.listing import Entry


@dataclass(frozen=True, slots=True)
class PairFactors:
    """Two on one case, the faster one first. `names`: of the two; `case`: what they have in common, short.

    `sides`: what was counted of each, as far as it was read.
    """

    pair: Pair
    names: tuple[str, str]
    case: str
    decomposition: Decomposition
    emulated: bool
    unfaithful: bool = False  # one of the two
    incomparable: str = ""  # of one of the two, where none is unfaithful: `not comparable: WHY`
    where: str = ""  # the machine, where the results are of several, or of several settings
    sides: tuple[Side, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """What has to stand beside the ratio."""
        words = "UNFAITHFUL" * self.unfaithful, self.incomparable, "EMULATED" * self.emulated
        return tuple(filter(None, words))


class _SideCache:
    """What is the same for a case in every pair that it is in, worked out once."""

    def __init__(self, source: Source, identities: Mapping[str, Identity]) -> None:
        self._source = source
        self._side_runs: dict[tuple[bool, tuple[int, ...]], SideRuns] = {}
        self._sides: dict[tuple[int, ...], tuple[Side, list[Identity]] | None] = {}
        self._factors: dict[str, Identity | None] = dict(identities)  # a run may be of several sides

    def of(self, pair: Pair, mine: CaseRuns, other: CaseRuns) -> tuple[Side, list[Identity], bool] | None:
        """(evidence, factors of its rounds, whether its threads may spin) of one side of a pair; None: no round of it
        has a speed."""
        key = tuple(e.order for e in mine.entries)
        if (pair.same_experiment, key) not in self._side_runs:
            self._side_runs[pair.same_experiment, key] = self._source.side_runs(mine, "", pair.same_experiment)
        side_runs = self._side_runs[pair.same_experiment, key]
        if key not in self._sides:
            rounds = explain.rounds(side_runs.runs, self._factors_of)
            side = explain.side_of(side_runs, self._factors_of, self._speed_of) if rounds else None
            self._sides[key] = None if side is None else (side, rounds)
        known = self._sides[key]
        if known is None:
            return None
        side, rounds = known
        if side_runs.variants:  # the other side is no intervention on this one
            others = [v for v in side_runs.variants if all(r.case != other.case for r in v.runs)]
            side_runs = dataclasses.replace(side_runs, variants=others)
        return side, rounds, explain.spins(side, side_runs)

    def _factors_of(self, run: Run) -> Identity | None:
        if run.uid not in self._factors:
            self._factors[run.uid] = identity(run)
        return self._factors[run.uid]

    def _speed_of(self, run: Run) -> Speed:
        known = self._factors_of(run)
        return of_run(run) if known is None else known.alone or known.speed


def decompose_pairs(source: Source, names: Mapping[str, str], identities: Mapping[str, Identity]) -> list[PairFactors]:
    """All pairs of `names` (run uid -> what its framework is called, with those of its options that vary).

    Runs that aren't named are left out, as are cases without a speed. The order is that of machines and cases.
    `identities`: factors of runs by uid, as far as they are known already.
    """
    groups: dict[tuple[object, ...], list[CaseRuns]] = defaultdict(list)
    for case_runs in selectors.case_runs(e for e in source.entries if e.uid in names):
        c = case_runs.case
        place = (c.network, c.size, c.shape, c.batch, c.threads, c.precision, c.cpus, c.recipe)
        groups[(case_runs.last.machine_id, case_runs.last.kernel, case_runs.last.governor, *place)].append(case_runs)
    places = {key[:3] for key in groups}
    sides, out = _SideCache(source, identities), []
    for key, cases in sorted(groups.items(), key=lambda item: tuple(map(str, item[0]))):
        alike = sum(machine == key[0] for machine, *_ in places)  # settings of this machine
        where = _where(cases[0].last, alike > 1) if len(places) > 1 else ""
        titles = _names(cases, names)
        for i, a in enumerate(cases):
            for b in cases[i + 1 :]:
                found = _pair_factors(sides, a, b, titles, where)
                if found is not None:
                    out.append(found)
    return out


def _names(cases: Sequence[CaseRuns], names: Mapping[str, str]) -> dict[int, str]:
    """Names of cases by identity; with the version where two versions of one framework are there."""
    own = {id(c): names[c.last.uid] for c in cases}
    counts = Counter(own.values())
    return {id(c): f"{own[id(c)]} {c.last.version}".strip() if counts[own[id(c)]] > 1 else own[id(c)] for c in cases}


def _pair_factors(
    sides: _SideCache, a: CaseRuns, b: CaseRuns, titles: Mapping[int, str], where: str
) -> PairFactors | None:
    pair = selectors.pair_of(a, b)
    first, second = sides.of(pair, pair.a, pair.b), sides.of(pair, pair.b, pair.a)
    names = titles[id(a)], titles[id(b)]
    if first is None or second is None:
        return None  # the report names what has no speed (content.omission_table)
    found = ratio.decompose(first[1], second[1], first[2] or second[2])
    if found.whole.ratio < 1:
        pair, names = Pair(pair.b, pair.a, pair.differs, pair.same_experiment), (names[1], names[0])
        first, second, found = second, first, ratio.swap(found)
    c = a.case
    case = printable(f"{c.network} {c.side} b{c.batch} t{c.threads} {c.precision}")
    emulated = first[0].evidence.emulated or second[0].evidence.emulated
    outputs = worst((first[0].evidence.fidelity, second[0].evidence.fidelity))
    unfaithful = outputs is not None and outputs.unfaithful
    unknown = "" if unfaithful else mark(outputs)
    title = f"{case} on {where}" if where else case
    return PairFactors(pair, names, title, found, emulated, unfaithful, unknown, where, (first[0], second[0]))


def _where(entry: Entry, several: bool) -> str:
    """The machine, with what it was set to where it was measured under several settings."""
    found = zip(SETTINGS.values(), (entry.kernel, entry.governor), strict=True)
    settings = ", ".join(name + (text or UNRECORDED) for name, text in found)
    return f"{entry.machine} ({settings})" if several else entry.machine


def largest_ratios(found: Sequence[PairFactors], most: int) -> list[PairFactors]:
    """One per two frameworks, that with the largest ratio; the largest of these first, `most` of them."""
    best: dict[frozenset[str], PairFactors] = {}
    for one in found:
        key = frozenset(one.names)
        if key not in best or _distance(one) > _distance(best[key]):
            best[key] = one
    return sorted(best.values(), key=lambda one: -_distance(one))[:most]


def _distance(one: PairFactors) -> float:
    return abs(math.log(one.decomposition.whole.ratio))


def explain_pairs(found: Sequence[PairFactors], source: Source) -> list[explanation.Explanation]:
    """The explanation of each, as `hwprof explain` gives it."""
    return pairs.explanations([one.pair for one in found], source)[0]
