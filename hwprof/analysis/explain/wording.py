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
from hwprof.analysis.factors.ratio import Decomposition


def headline(a: str, b: str, found: Decomposition, interventions: Sequence[Intervention] = ()) -> str:
    """The headline: which is faster, by how much and by what, and the factor that most of it lies in."""
    whole = found.whole
    by = "" if found.choice.estimator is Estimator.FPS else f" {found.choice.words}"
    if found.conflict and found.alone is not None:
        return (
            f"{a} and {b} are not ranked{by}: {bounded(whole)} in slices, {bounded(found.alone)} in the bare stretches"
        )
    fast, slow, times = (a, b, whole) if whole.ratio >= 1 else (b, a, inverse(whole))
    text = f"{fast} is {bounded(times)} as fast as {slow}{by}"
    if whole.low is None:
        text += " (one round: no interval)"
    elif not found.decided:
        text = f"{a} and {b} can't be told apart by these rounds{by and f', {by[1:]}'}: {bounded(whole)}"
        differing = [f for f in found.factors if ratio.excludes_one(f) and len(found.factors) > 1]
        return text + (f"; what does differ: {' and '.join(phrase(f, True) for f in differing)}" if differing else "")
    for done in interventions:
        strongest = max(done.effects, key=lambda e: abs(math.log(e.speed.ratio)))
        before, after = (abs(math.log(d.whole.ratio)) for d in (done.before, done.rerun))
        sure = ratio.excludes_one(strongest.speed) and not (done.before.conflict or done.rerun.conflict)
        if sure and before > 0 and after < 0.5 * before:
            rerun = (
                "rerun"
                if done.rerun.choice.estimator is found.choice.estimator
                else f"rerun, {done.rerun.choice.words}"
            )
            return (
                f"{text}, because of {CAUSES[done.kind]}: with {strongest.change} the ratio is "
                f"x{done.rerun.whole.ratio:.2f} ({rerun})"
            )
    return text if found.terms == found.factors and len(found.terms) == 1 else f"{text}: {_where(found)}"


def inverse(f: Factor) -> Factor:
    """The same of B over A."""
    low, high = (None if v is None else 1 / v for v in (f.high, f.low))
    return Factor(f.name, 1 / f.ratio, low, high)


def bounded(f: Factor) -> str:
    """`x1.32 [1.20 ... 1.45]`; without bounds the ratio alone."""
    bounds = "" if f.low is None or f.high is None else f" [{f.low:.2f} ... {f.high:.2f}]"
    return f"x{f.ratio:.2f}{bounds}"


CAUSES: Mapping[str, str] = {
    "spin": "spin-waiting",
    "affinity": "the cores it ran on",
    "simd": "wide vector instructions",
}


def _where(found: Decomposition) -> str:
    """Which terms the ratio lies in: those on its side that carry most of it, and those against it."""
    whole = math.log(found.whole.ratio)
    # bare against counted windows: noise, unless its interval says otherwise
    terms = [f for f in found.terms if f is not found.observer or ratio.excludes_one(f)]
    terms.sort(key=lambda f: -math.log(f.ratio) * math.copysign(1, whole))
    with_it = [f for f in terms if math.log(f.ratio) * whole > 0]
    carried = 0.0
    chosen: list[Factor] = []
    for term in with_it:
        if chosen and abs(carried) >= 0.8 * abs(whole):
            break
        if abs(math.log(term.ratio)) > 0.1 * abs(whole):
            chosen.append(term)
            carried += math.log(term.ratio)
    against = [
        f for f in reversed(terms) if math.log(f.ratio) * whole < 0 and abs(math.log(f.ratio)) > 0.2 * abs(whole)
    ]
    up = whole > 0
    text = " and ".join(phrase(f, up) for f in chosen) or "no single factor"
    if against:
        text += ", against " + " and ".join(phrase(f, up) for f in against)
    return text


WORDS: Mapping[str, str] = {
    "parallelism": "CPUs used",
    "clock": "clock",
    "ipc": "instructions per cycle",
    "work": "instructions per frame",
    USER_CLOCK: "clock and share of user mode together",
    RATE: "instructions per CPU-second (clock and IPC together)",
    CPU_TIME: "CPU time per frame (clock, IPC and work together)",
    "observer": "bare against counted windows",
    "tail": "slow outliers (median against mean)",
    "throughput": "everything together: nothing can be told apart",
}


def name_of(factor_name: str) -> str:
    """A factor in words; a merged one says what is merged."""
    if factor_name in WORDS:
        return WORDS[factor_name]
    return f"{factor_name.replace(' x ', ', ')} together" if " x " in factor_name else factor_name


def phrase(f: Factor, up: bool) -> str:
    """`instructions per frame x1.40`, seen from the faster side."""
    return f"{name_of(f.name)} x{f.ratio if up else 1 / f.ratio:.2f}"


@dataclass(frozen=True, slots=True)
class Summary:
    """Speed and factors over networks: geometric mean of one value per network, with a t interval over networks."""

    networks: int
    pairs: int
    whole: Factor
    choice: EstimatorChoice
    factors: tuple[Factor, ...] = ()
    notes: tuple[str, ...] = ()


def summarise(explanations: Sequence[Explanation]) -> Summary | None:
    """Geometric means over networks (batches and threads of one network averaged first); None below two networks.

    By the estimator that survives in all pairs.
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
    choice = choose(one for d in found for side in d.speeds for one in side)
    if any(d.ratio_by(choice.estimator) is None for d in found):
        choice = replace(choice, estimator=Estimator.THROUGHPUT)
    ratios = {id(e): e.decomposition.ratio_by(choice.estimator) or math.nan for e in explanations}
    whole = over(choice.estimator.value, ratios)
    notes = []
    if conflicts := sum(d.conflict for d in found):
        notes.append(f"slices and bare stretches contradict each other in {conflicts} of {len(found)} pairs")
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
