"""Ratios in words: the headline of an explanation, names of factors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hwprof.analysis.estimator import Estimator, EstimatorChoice, choose
from hwprof.analysis.explain.explanation import Explanation, Intervention
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.identity import CPU_TIME, RATE, USER_CLOCK, Factor
from hwprof.analysis.factors.ratio import Decomposition, Weight
from hwprof.analysis.units import ROUNDS, WITHIN
from hwprof.printable import plural
from hwprof.records.agreement import mark, worst

LEAST = 0.1  # of the log ratio: a factor that is less of it is not named
ASSOCIATION = "association, not causation"  # of everything that was counted beside a difference


def headline(a: str, b: str, found: Decomposition, interventions: Sequence[Intervention] = ()) -> str:
    """Which is faster, by how much and by what, then the factors that the rounds show to be in it; no last full stop.

    Words of cause are for reruns alone.
    """
    whole = found.whole
    by = "" if found.choice.estimator is Estimator.FPS else f" {found.choice.words}"
    if found.conflict and found.alone is not None:
        return (
            f"{a} and {b} are not ranked{by}: {bounded(whole)} in slices, {bounded(found.alone)} in the bare stretches"
        )
    fast, slow, times = (a, b, whole) if whole.ratio >= 1 else (b, a, inverse(whole))
    text = f"{fast} is {bounded(times)} as fast as {slow}{by}"
    if whole.low is None:
        return f"{text}. One round has no interval, so that no factor is named"
    over = f"95 % interval over {found.over}" + (f", {WITHIN}" if found.over == ROUNDS else "")
    if not found.decided:
        text = f"{a} and {b} are not distinguishable{by}: ratio {bounded(whole)}, {over}"
        differing = [f for f in found.factors if ratio.excludes_one(f) and len(found.factors) > 1]
        return text + (f". What does differ: {' and '.join(phrase(f, True) for f in differing)}" if differing else "")
    text += f", {over}"
    if cause := cause_of(found, interventions):
        return f"{text}, {cause}"
    return text if found.terms == found.factors and len(found.terms) == 1 else f"{text}. {_where(found)}"


def cause_of(found: Decomposition, interventions: Sequence[Intervention]) -> str:
    """`because of spin-waiting: with spin=false the ratio is 1.02x (rerun)` where a rerun showed it, else ""."""
    for done in interventions:
        strongest = max(done.effects, key=lambda e: abs(math.log(e.speed.ratio)))
        sure = ratio.excludes_one(strongest.speed) and not (done.before.conflict or done.rerun.conflict)
        if sure and _takes_most(done):
            same = done.rerun.choice.estimator is found.choice.estimator
            rerun = "rerun" if same else f"rerun, {done.rerun.choice.words}"
            return (
                f"because of {CAUSES[done.kind]}: with {strongest.change} the ratio is "
                f"{done.rerun.whole.ratio:.2f}x ({rerun})"
            )
    return ""


def _takes_most(done: Intervention) -> bool:
    """Whether less than half of the log ratio is left after an intervention, wherever in their intervals both lie."""
    before, after = (
        [abs(math.log(bound)) for bound in (d.whole.low, d.whole.high) if bound is not None and 0 < bound < math.inf]
        for d in (done.before, done.rerun)
    )
    return len(after) == 2 and ratio.excludes_one(done.before.whole) and max(after) < 0.5 * min(before)


def inverse(f: Factor) -> Factor:
    """The same of B over A."""
    low, high = (None if v is None else 1 / v for v in (f.high, f.low))
    return Factor(f.name, 1 / f.ratio, low, high)


def bounded(f: Factor) -> str:
    """`1.32x [1.20, 1.45]`; without bounds the ratio alone."""
    return f"{f.ratio:.2f}x{interval(f)}"


def interval(f: Factor) -> str:
    """` [1.20, 1.45]`; "" without one, `> 1000` for what two rounds leave open."""
    return "" if f.low is None or f.high is None else f" [{_bound(f.low)}, {_bound(f.high)}]"


def _bound(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else "> 1000"


CAUSES: Mapping[str, str] = {
    "spin": "spin-waiting",
    "affinity": "the cores it ran on",
    "simd": "wide vector instructions",
    "graph": "graph optimisation",
    "pages": "small pages",
    "allocator": "memory that is given back",
}


def _where(found: Decomposition) -> str:
    """Which factors the ratio lies in, by what the rounds show of each; those against it last.

    What is less than LEAST of the ratio is left out, however well it is known.
    """
    whole = math.log(found.whole.ratio)
    up = whole > 0
    named = named_factors(found)
    texts: list[str] = []
    for weight in (Weight.MAINLY, Weight.PARTLY):
        along = [f for f in named if (f.ratio > 1) == up and found.parts[f.name].weight is weight]
        accounted = "accounted for " if not texts else ""
        texts += [f"{weight} {accounted}by {' and '.join(phrase(f, up) for f in along)}"] if along else []
    against = [phrase(f, up) for f in named if (f.ratio > 1) != up]
    texts += ["against it " + " and ".join(against)] if against else []
    if texts:
        text = ", ".join(texts)
        return text[0].upper() + text[1:]
    least = {name_of(f.name): found.parts[f.name].least for f in found.factors}
    seen = ", ".join(f"{name} {reach(value)}" for name, value in least.items() if value and value >= 1.005)
    return f"No factor is distinguishable (found would be {seen})"


def named_factors(found: Decomposition) -> list[Factor]:
    """The factors that are shown and no less than LEAST of the log ratio, the largest first."""
    whole = abs(math.log(found.whole.ratio))
    shown = [f for f in found.terms if found.parts[f.name].weight is not Weight.HIDDEN]
    return sorted((f for f in shown if abs(math.log(f.ratio)) > LEAST * whole), key=lambda f: -abs(math.log(f.ratio)))


def reach(least: float) -> str:
    """The smallest ratio of a factor that these rounds would find."""
    return f"{least:.2f}x" if least < 1000 else "> 1000x"


WORDS: Mapping[str, str] = {
    "parallelism": "CPUs used",
    "clock": "clock",
    "ipc": "instructions per cycle",
    "work": "instructions per frame",
    USER_CLOCK: "clock and share of user mode (not separable)",
    RATE: "clock and IPC (not separable)",
    CPU_TIME: "CPU time per frame (clock, IPC and work, not separable)",
    "observer": "bare against counted windows (measurement overhead and noise)",
    "tail": "tail latency (mean / median)",
    "throughput": "everything (nothing is separable)",
}


def name_of(factor_name: str) -> str:
    """A factor in words; a merged one says what is merged."""
    if factor_name in WORDS:
        return WORDS[factor_name]
    return f"{factor_name.replace(' x ', ', ')} (not separable)" if " x " in factor_name else factor_name


def phrase(f: Factor, up: bool) -> str:
    """`instructions per frame 1.40x`, seen from the faster side."""
    return f"{name_of(f.name)} {f.ratio if up else 1 / f.ratio:.2f}x"


@dataclass(frozen=True, slots=True)
class Summary:
    """Speed and factors over networks: geometric mean of one value per network, with a t interval over networks."""

    networks: int
    pairs: int
    whole: Factor
    choice: EstimatorChoice
    factors: tuple[Factor, ...] = ()
    notes: tuple[str, ...] = ()


def summarise(explanations: Sequence[Explanation], choice: EstimatorChoice | None = None) -> Summary | None:
    """Geometric means over networks (batches and threads of one network averaged first); None below two networks.

    By the estimator that survives in all pairs, or by that of `choice`.
    """
    networks: dict[str, list[Explanation]] = defaultdict(list)
    for e in explanations:
        networks[e.a.evidence.case.network].append(e)
    if len(networks) < 2:
        return None

    def over(name: str, value: Mapping[int, float]) -> Factor:
        means = [math.exp(sum(math.log(value[id(e)]) for e in several) / len(several)) for several in networks.values()]
        return ratio.geometric(name, means)

    found = [e.decomposition for e in explanations]
    choice = choice or choose(one for d in found for side in d.speeds for one in side)
    if any(d.ratio_by(choice.estimator) is None for d in found):
        choice = replace(choice, estimator=Estimator.THROUGHPUT)
    ratios = {id(e): e.decomposition.ratio_by(choice.estimator) or math.nan for e in explanations}
    whole = over(choice.estimator.value, ratios)
    notes = []
    if conflicts := sum(d.conflict for d in found):
        notes.append(f"slices and bare stretches contradict each other in {conflicts} of {plural(len(found), 'pair')}")
    if wrong := sum(e.a.evidence.unfaithful or e.b.evidence.unfaithful for e in explanations):
        notes.append(f"one of the two is UNFAITHFUL to the reference in {wrong} of {plural(len(found), 'pair')}")
    marks = [mark(worst((e.a.evidence.fidelity, e.b.evidence.fidelity))) for e in explanations]
    unknown = [text for text in marks if text not in ("", "UNFAITHFUL")]
    if unknown:
        whys = "; ".join(dict.fromkeys(unknown))
        notes.append(f"the outputs of one of the two in {len(unknown)} of {plural(len(found), 'pair')} are {whys}")
    names = [(d.choice.estimator, *(f.name for f in d.terms)) for d in found]
    factors: tuple[Factor, ...] = ()
    if len(set(names)) > 1 or names[0][0] is not choice.estimator:
        notes.append("the pairs can't all be split into the same factors")
    else:
        factors = tuple(
            over(name, {id(e): e.decomposition.terms[i].ratio for e in explanations})
            for i, name in enumerate(f.name for f in found[0].terms)
        )
    return Summary(len(networks), len(explanations), whole, choice, factors, tuple(notes))
