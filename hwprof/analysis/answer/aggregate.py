"""Two frameworks over all networks that both have: the ratio of their speed and its factors as geometric means.

A network counts once, whatever the number of its cases. Every factor is over the same networks as the ratio beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwprof.analysis import estimator
from hwprof.analysis.answer import misses, weights
from hwprof.analysis.answer.model import FactorShare, NetworkRatio, PairAnswer, Standing, WorkRatio
from hwprof.analysis.estimator import Estimator, EstimatorChoice
from hwprof.analysis.explain.every_pair import PairFactors
from hwprof.analysis.explain.explanation import Explanation, Intervention
from hwprof.analysis.explain.verdicts import CauseState, of_interventions
from hwprof.analysis.explain.wording import CAUSES, bounded, cause_of, inverse
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.evidence import Evidence
from hwprof.analysis.factors.identity import IPC, LEVELS, PARALLELISM, WORK, Factor, Identity
from hwprof.analysis.factors.ratio import Decomposition, Weight, excludes_one
from hwprof.collectors.vocabulary import Name
from hwprof.machine import facts
from hwprof.records import Origin
from hwprof.records.agreement import mark, worst
from hwprof.speed import CONFIDENCE

NETWORKS = "networks"
COUNTED = ("full", "user", "rate")  # levels that take a PMU


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """Two frameworks on one case, as `explain` decomposed them. `names`: of A and of B."""

    names: tuple[str, str]
    where: str
    decomposition: Decomposition
    evidence: tuple[Evidence, Evidence]
    interventions: tuple[Intervention, ...] = ()

    @property
    def network(self) -> str:
        """The network of both; of two different ones both names."""
        found = dict.fromkeys(e.case.network for e in self.evidence)
        return " / ".join(found)

    @property
    def emulated(self) -> bool:
        """Times of one of the two are an emulator's."""
        return any(e.emulated for e in self.evidence)

    @property
    def outputs(self) -> str:
        """UNFAITHFUL, or `not comparable: WHY`; "" where the outputs of both are those of the reference."""
        return mark(worst([e.fidelity for e in self.evidence]))


def of_pairs(found: Iterable[PairFactors], explained: Iterable[tuple[PairFactors, Explanation]]) -> list[ComparedCase]:
    """The cases of a report. `explained`: those with their explanations, which hold the reruns."""
    reruns = {id(pair): explanation.interventions for pair, explanation in explained}
    return [
        ComparedCase(
            one.names,
            one.where,
            one.decomposition,
            (one.sides[0].evidence, one.sides[1].evidence),
            reruns.get(id(one), ()),
        )
        for one in found
        if len(one.sides) == 2
    ]


def of_explanations(found: Iterable[Explanation]) -> list[ComparedCase]:
    """The cases of `hwprof explain A B`."""
    cases = [
        ComparedCase((e.a.label, e.b.label), _place(e), e.decomposition, (e.a.evidence, e.b.evidence), e.interventions)
        for e in found
    ]
    if len({c.where for c in cases}) == 1:
        return [ComparedCase(c.names, "", c.decomposition, c.evidence, c.interventions) for c in cases]
    return cases


def _place(e: Explanation) -> str:
    """The machine of both sides; "" where they are of two."""
    labels = {facts.label(s.evidence.machine) for s in (e.a, e.b)}
    return labels.pop() if len(labels) == 1 else ""


def compare_pair(cases: Sequence[ComparedCase]) -> PairAnswer:
    """Two frameworks on one machine; `cases`: all of the same two, in either order. The faster one comes first."""
    names = cases[0].names
    sides = [c.decomposition.sides if c.names == names else c.decomposition.sides[::-1] for c in cases]
    choice = _choose([s for both in sides for side in both for s in side])
    logs = _by_network(cases, [_whole(c, both, choice) for c, both in zip(cases, sides, strict=True)])
    if statistics.fmean(logs.values()) < 0:
        names, sides = (names[1], names[0]), [both[::-1] for both in sides]
    return _FrameworkPair(names, cases, sides, choice).answer()


def _choose(rounds: Sequence[Identity]) -> EstimatorChoice:
    """What all of these rounds may be compared by, as their bare stretches say (`estimator`)."""
    found = estimator.choose((s.threads, s.alone or s.speed) for s in rounds)
    if found.estimator is Estimator.FPS:
        return found
    if found.estimator is Estimator.CPU_TIME and not all("clockless" in s.levels for s in rounds):
        found = replace(found, estimator=Estimator.THROUGHPUT)
    worst = max(rounds, key=lambda s: abs(estimator.off_by(s.speed.fps, s.speed.throughput)))
    return replace(found, why=", ".join(filter(None, (found.why, worst.disturbed))))


def _whole(case: ComparedCase, sides: Sequence[Sequence[Identity]], choice: EstimatorChoice) -> float:
    own = case.decomposition
    if choice.estimator is own.choice.estimator:
        log = math.log(own.whole.ratio)
        return log if sides[0] is own.sides[0] else -log
    return math.log(ratio.decompose(sides[0], sides[1], paired=own.in_turn, choice=choice).whole.ratio)


def _by_network(cases: Sequence[ComparedCase], logs: Sequence[float]) -> dict[str, float]:
    """Mean over the cases of each network."""
    found: dict[str, list[float]] = {}
    for case, log in zip(cases, logs, strict=True):
        found.setdefault(case.network, []).append(log)
    return {network: statistics.fmean(values) for network, values in found.items()}


class _FrameworkPair:
    """What is worked out step by step of two frameworks, the faster one first."""

    def __init__(
        self,
        names: tuple[str, str],
        cases: Sequence[ComparedCase],
        sides: Sequence[Sequence[Sequence[Identity]]],
        choice: EstimatorChoice,
    ) -> None:
        self.names, self.cases, self.sides, self.choice = names, cases, sides, choice
        self.found = [self._decompose(i) for i in range(len(cases))]
        self.emulated = all(c.emulated for c in cases)

    def _decompose(self, index: int, level: str = "", spinning: bool | None = None) -> Decomposition:
        own = self.cases[index].decomposition
        a, b = self.sides[index]
        spins = own.spinning if spinning is None else spinning
        same = level in ("", own.level) and spins == own.spinning and self.choice.estimator is own.choice.estimator
        if same:  # nothing to work out again
            return own if a is own.sides[0] else ratio.swap(own)
        return ratio.decompose(a, b, spins, own.in_turn, self.choice, level)

    def answer(self) -> PairAnswer:
        """The record of the pair."""
        logs = _by_network(self.cases, [math.log(d.whole.ratio) for d in self.found])
        whole, over = self._ratio(list(range(len(self.cases))), self.found), NETWORKS
        if len(self.cases) == 1:
            over = self.found[0].over
        networks = self._networks(logs)
        standing = self._standing(whole, networks)
        chosen, level = self._with_factors()
        spinning = any(self.cases[i].decomposition.spinning for i in chosen)
        alike = [self._decompose(i, level, spinning) for i in chosen]
        beside = self._ratio(chosen, alike)
        outputs = [c.outputs for c in self.cases]
        return PairAnswer(
            self.names[0],
            self.names[1],
            self.cases[0].where,
            standing,
            whole,
            self.choice,
            over,
            networks,
            len(self.cases),
            self._shares(chosen, alike, beside, standing),
            len({self.cases[i].network for i in chosen}),
            beside,
            alike[0].merged,
            self._work(),
            tuple(self._causes()),
            sum(text == "UNFAITHFUL" for text in outputs),
            sum(text not in ("", "UNFAITHFUL") for text in outputs),
            sum(d.conflict for d in self.found),
            sum(not d.sets for d in self.found),
            self.emulated,
            self._others(),
        )

    def _others(self) -> tuple[float, float]:
        """The largest share of the time of a run that others took, of the fast one and of the slow one."""
        fast, slow = (
            max(estimator.lost_share(s.alone or s.speed) for both in self.sides for s in both[place])
            for place in range(2)
        )
        return fast, slow

    def _ratio(self, chosen: Sequence[int], found: Sequence[Decomposition]) -> Factor:
        """The mean ratio of some cases: over networks, or of the only case with its own interval."""
        if len(found) == 1:
            return found[0].whole
        logs = [math.log(d.whole.ratio) for d in found]
        return weights.over_networks(self.choice.estimator.value, self._means(chosen, logs))

    def _means(self, chosen: Sequence[int], logs: Sequence[float]) -> list[float]:
        return list(_by_network([self.cases[i] for i in chosen], logs).values())

    def _networks(self, logs: Mapping[str, float]) -> tuple[NetworkRatio, ...]:
        places: dict[str, list[int]] = {}
        for i, case in enumerate(self.cases):
            places.setdefault(case.network, []).append(i)
        out = []
        for network, log in logs.items():
            own = places[network]
            whole = self.found[own[0]].whole if len(own) == 1 else Factor(network, math.exp(log), None, None)
            signs = [0 if not d.decided else 1 if d.whole.ratio > 1 else -1 for d in (self.found[i] for i in own)]
            unknown = any(self.found[i].whole.low is None for i in own)
            # cases that contradict each other decide nothing, nor does a minority of them
            agree = not {1, -1} <= set(signs) and 2 * sum(map(abs, signs)) >= len(signs)
            decided = None if unknown else max(signs, key=abs) if agree else 0
            out.append(NetworkRatio(network, whole, decided, *self._work_of(own)))
        return tuple(sorted(out, key=lambda n: (-n.ratio.ratio, n.network)))

    def _work_of(self, own: Sequence[int]) -> tuple[float | None, Origin | None]:
        """Instructions per frame of the slower over the faster one: counted in every case, else simulated in one."""
        counted = [f.ratio for i in own for f in self.found[i].factors if f.name == WORK]
        if counted and len(counted) == len(own):
            origin = Origin.EMULATED if self.emulated else Origin.HARDWARE
            return statistics.geometric_mean(counted), origin
        simulated = [log for i in own if (log := self._simulated(i)[0]) is not None]
        return (math.exp(statistics.fmean(simulated)), Origin.SIMULATED) if simulated else (None, None)

    def _simulated(self, index: int) -> tuple[float | None, str]:
        """Log of the slower one's simulated instructions over the faster one's, and the simulator."""
        fast, slow = self._evidence(index)
        count = fast.simulated(Name.INSTRUCTIONS)
        other = slow.quantities.get(count.name) if count is not None else None
        if count is None or other is None or count.value <= 0 or other.value <= 0:
            return None, ""
        return math.log(other.value / count.value), count.name.partition("@")[2]

    def _evidence(self, index: int) -> tuple[Evidence, Evidence]:
        """Of the fast one and of the slow one."""
        a, b = self.cases[index].evidence
        return (a, b) if self.cases[index].names == self.names else (b, a)

    def _clue(self, factor: Factor, weight: Weight, chosen: Sequence[int]) -> str:
        """What was counted that a factor is consistent with; "" where nothing is known, or it is not shown."""
        if factor.name != IPC or weight is Weight.HIDDEN or factor.ratio <= 1:
            return ""
        found = misses.largest_share([self._evidence(i) for i in chosen])
        return "" if found is None else misses.text(found)

    def _standing(self, whole: Factor, networks: Sequence[NetworkRatio]) -> Standing:
        decided = [n.decided for n in networks]
        if excludes_one(whole) and (len(networks) > 1 or set(decided) == {1}):
            return Standing.FASTER
        if set(decided) == {1}:
            return Standing.EVERYWHERE
        return Standing.ONE_ROUND if whole.low is None and None in decided else Standing.TIED

    def _with_factors(self) -> tuple[list[int], str]:
        """The cases whose factors are averaged, and their level: the finest that at least half of the networks have."""
        networks = {c.network for c in self.cases}
        for level in LEVELS:
            lacking = {
                c.network
                for c, both in zip(self.cases, self.sides, strict=True)
                if any(level not in s.levels for side in both for s in side)
            }
            having = networks - lacking
            if having and 2 * len(having) >= len(networks):
                return [i for i, c in enumerate(self.cases) if c.network in having], level
        raise AssertionError("every run has the level 'wall'")

    def _shares(
        self, chosen: Sequence[int], found: Sequence[Decomposition], whole: Factor, standing: Standing
    ) -> tuple[FactorShare, ...]:
        """Factors over networks with what shows of each: by the interval over networks; where there is none, or the
        ratio too is known of single networks alone, by what every single case shows.
        """
        single = standing is Standing.EVERYWHERE or len({self.cases[i].network for i in chosen}) < weights.ENOUGH
        terms = found[0].terms
        confidence, half = (1 - (1 - level) / len(terms) for level in (weights.TOGETHER, CONFIDENCE))
        totals = [math.log(d.whole.ratio) for d in found]
        shares = []
        for place, term in enumerate(terms):
            logs = [math.log(d.terms[place].ratio) for d in found]
            factor = weights.over_networks(term.name, self._means(chosen, logs), confidence)
            if len(found) == 1:
                factor = found[0].parts[term.name].difference.factor(term.name, confidence)
            weight = weights.weigh_cases(term.name, found, factor, confidence) if single else Weight.HIDDEN
            if weight is not Weight.MAINLY and len(found) > 1:
                less = [log - total / 2 for log, total in zip(logs, totals, strict=True)]
                beyond = weights.over_networks(term.name, self._means(chosen, less), half)
                weight = weights.heavier(weight, weights.weigh_networks(factor, beyond, whole))
            origin = self._origin(term.name, found[0].level)
            shares.append(FactorShare(factor, weight, origin, self._clue(factor, weight, chosen)))
        return tuple(shares)

    def _origin(self, name: str, level: str) -> Origin:
        """Of the counts behind a factor: CPU time and what is made of it and of a clock alone is the kernel's."""
        if self.emulated:
            return Origin.EMULATED
        timed = level not in COUNTED or name in (PARALLELISM, "observer", "tail")
        return Origin.KERNEL if timed else Origin.HARDWARE

    def _work(self) -> WorkRatio | None:
        """Simulated instructions, else an emulator's, with the ratio of speed on the same networks."""
        logs = [(i, *self._simulated(i)) for i in range(len(self.cases))]
        known = [(i, log, tool) for i, log, tool in logs if log is not None]
        origin = Origin.SIMULATED
        if not known and self.emulated:
            factors = [(i, f) for i, d in enumerate(self.found) for f in d.factors if f.name == WORK]
            known, origin = [(i, math.log(f.ratio), "") for i, f in factors], Origin.EMULATED
        if not known:
            return None
        chosen = [i for i, _, _ in known]
        means = self._means(chosen, [log for _, log, _ in known])
        beside = self._ratio(chosen, [self.found[i] for i in chosen])
        return WorkRatio(weights.over_networks(WORK, means), beside, len(means), origin, known[0][2])

    def _causes(self) -> Iterable[str]:
        judged = of_interventions([case.interventions for case in self.cases])
        for case, found, verdicts in zip(self.cases, self.found, judged, strict=True):
            if found.decided and (cause := cause_of(found, case.interventions)):
                yield f"On {case.network} {cause}."
                continue
            for one in verdicts:
                if one.state is CauseState.CONFIRMED and one.effect is not None and (one.share or 0.0) > 0:
                    effect = one.effect if one.effect.ratio > 1 else inverse(one.effect)
                    yield f"On {case.network} {CAUSES[one.kind]} is {bounded(effect)} of the ratio (rerun)."
