"""Ratios in words: the headline of an explanation, names of factors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwprof.analysis.explain.explanation import Explanation, Intervention
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.identity import CPU_TIME, RATE, USER_CLOCK, Factor
from hwprof.analysis.factors.ratio import Decomposition


def headline(a: str, b: str, found: Decomposition, interventions: Sequence[Intervention] = ()) -> str:
    """The headline: which is faster, by how much, and the factor that most of it lies in."""
    fps = found.fps
    fast, slow, times = (a, b, fps.ratio) if fps.ratio >= 1 else (b, a, 1 / fps.ratio)
    if fps.low is None:
        text = f"{fast} is x{times:.2f} as fast as {slow} (one round: no interval)"
    elif not found.decided:
        text = f"{a} and {b} can't be told apart by these rounds: x{fps.ratio:.2f} [{fps.low:.2f} ... {fps.high:.2f}]"
        sure = [f for f in found.factors if ratio.excludes_one(f) and len(found.factors) > 1]
        return text + (f"; what does differ: {' and '.join(phrase(f, True) for f in sure)}" if sure else "")
    else:
        low, high = sorted((fps.low, fps.high or fps.low), key=lambda v: v if fps.ratio >= 1 else 1 / v)
        bounds = (low, high) if fps.ratio >= 1 else (1 / low, 1 / high)
        text = f"{fast} is x{times:.2f} [{bounds[0]:.2f} ... {bounds[1]:.2f}] as fast as {slow}"
    for done in interventions:
        strongest = max(done.effects, key=lambda e: abs(math.log(e.speed.ratio)))
        before, after = abs(math.log(fps.ratio)), abs(math.log(done.rerun.fps.ratio))
        if ratio.excludes_one(strongest.speed) and before > 0 and after < 0.5 * before:
            return (
                f"{text}, because of {CAUSES[done.kind]}: with {strongest.change} the ratio is "
                f"x{done.rerun.fps.ratio:.2f} (rerun)"
            )
    return f"{text}: {_where(found)}"


CAUSES: Mapping[str, str] = {
    "spin": "spin-waiting",
    "affinity": "the cores it ran on",
    "simd": "wide vector instructions",
}


def _where(found: Decomposition) -> str:
    """Which terms the ratio lies in: those on its side that carry most of it, and those against it."""
    whole = math.log(found.fps.ratio)
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
    """Factors over networks: geometric mean of one value per network, with a t interval over networks."""

    networks: int
    pairs: int
    fps: Factor
    factors: tuple[Factor, ...] = field(default=())
    note: str = ""


def summarise(explanations: Sequence[Explanation]) -> Summary | None:
    """Geometric means over networks (batches and threads of one network averaged first); None below two networks."""
    networks: dict[str, list[Explanation]] = defaultdict(list)
    for e in explanations:
        networks[e.a.evidence.case.network].append(e)
    if len(networks) < 2:
        return None

    def over(name: str, value: Mapping[int, float]) -> Factor:
        means = [math.exp(sum(math.log(value[id(e)]) for e in several) / len(several)) for several in networks.values()]
        return ratio.geometric(name, means)

    fps = over("fps", {id(e): e.decomposition.fps.ratio for e in explanations})
    names = [tuple(f.name for f in e.decomposition.terms) for e in explanations]
    if len(set(names)) > 1:
        return Summary(len(networks), len(explanations), fps, (), "the pairs can't all be split into the same factors")
    factors = tuple(
        over(name, {id(e): e.decomposition.terms[i].ratio for e in explanations}) for i, name in enumerate(names[0])
    )
    return Summary(len(networks), len(explanations), fps, factors)
