"""An answer in sentences. Words of cause are for reruns that changed one thing alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwprof.analysis.answer.aggregate import NETWORKS
from hwprof.analysis.answer.model import FactorShare, PairAnswer, Ranking, Standing, WorkRatio, inverse
from hwprof.analysis.estimator import OFF, Estimator
from hwprof.analysis.explain.wording import LEAST
from hwprof.analysis.factors.identity import CPU_TIME, RATE, USER_CLOCK, Factor
from hwprof.analysis.factors.ratio import Weight
from hwprof.analysis.units import ROUNDS, WITHIN
from hwprof.printable import plural
from hwprof.records import Origin

NAMES = {
    "parallelism": "CPUs used",
    "clock": "the clock",
    "ipc": "instructions per cycle",
    "work": "instructions per frame",
    USER_CLOCK: "clock and share of user mode (not separable)",
    RATE: "clock and IPC (not separable)",
    CPU_TIME: "CPU time per frame (clock, IPC and work, not separable)",
    "observer": "bare against counted windows (measurement overhead and noise)",
    "tail": "tail latency (mean / median)",
    "throughput": "everything together (nothing is separable)",
}
FEW = 6  # networks that a sentence names


def name_of(factor: str) -> str:
    """A factor in words; a merged one says that it is."""
    return NAMES.get(factor) or f"{factor.replace(' x ', ', ')} (not separable)"


def bounds(f: Factor) -> str:
    """` [1.87, 3.04]`; "" without an interval, `> 1000` for what two rounds leave open."""
    if f.low is None or f.high is None:
        return ""
    return f" [{_bound(f.low)}, {_bound(f.high)}]"


def _bound(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else "> 1000"


def times(f: Factor) -> str:
    """`2.38x [1.87, 3.04]`."""
    return f"{f.ratio:.2f}x{bounds(f)}"


def _on(p: PairAnswer) -> str:
    return f" on {p.where}" if p.where else ""


def verdict(p: PairAnswer) -> str:
    """Which is faster, and by how much: a clause for a title."""
    if p.emulated:
        return f"{p.fast} and {p.slow} are not ranked{_on(p)}: times of an emulated board are the emulator's"
    if p.standing is Standing.TIED:
        return f"{p.fast} and {p.slow} are not distinguishable by {p.choice.estimator}{_on(p)}"
    if p.standing is Standing.ONE_ROUND:
        return f"{p.fast} is {p.ratio.ratio:.2f} times as fast as {p.slow}{_on(p)} in a single round"
    only = f" on {p.networks[0].network}" if len(p.networks) == 1 else ""
    return f"{p.fast} is {p.ratio.ratio:.2f} times as fast as {p.slow}{only}{_on(p)}"


def detail(p: PairAnswer) -> str:
    """The interval, what it is over, and on how many networks."""
    if p.emulated:
        return ""
    parts = []
    if p.standing is Standing.TIED:
        parts.append(f"ratio {times(p.ratio)}" + _over(p))
    elif p.ratio.low is not None:
        parts.append(f"95 % interval{bounds(p.ratio)}{_over(p)}")
    elif p.standing is Standing.ONE_ROUND:
        parts.append("one round has no interval")
    elif len(p.networks) > 1:
        ratios = [n.ratio.ratio for n in p.networks]
        parts.append(f"{min(ratios):.2f}x to {max(ratios):.2f}x")
    parts += [text] if (text := disturbance([p])) else []
    if p.conflicts and p.standing is Standing.TIED:
        parts.append(f"slices and bare stretches contradict each other in {p.conflicts} of {plural(p.cases, 'case')}")
    if len(p.networks) > 1 and p.standing is not Standing.ONE_ROUND:
        parts.append(_counts(p))
    return ", ".join(parts)


def disturbance(pairs: Sequence[PairAnswer]) -> str:
    """By what is ranked in the place of FPS, and what disturbed the runs of which framework; "" where FPS ranks."""
    found: dict[Estimator, list[PairAnswer]] = {}
    for p in pairs:
        if p.choice.estimator is not Estimator.FPS:
            found.setdefault(p.choice.estimator, []).append(p)
    texts = []
    for by, own in found.items():
        which = "" if len(own) == len(pairs) else f"{', '.join(f'{p.fast} / {p.slow}' for p in own)} "
        texts.append(f"{which}by {by}, as runs are disturbed ({_disturbers(own)})")
    return ", ".join(texts)


def _disturbers(pairs: Sequence[PairAnswer]) -> str:
    """Of which frameworks others took how much of the time; where they took little, what the first pair says."""
    most: dict[str, float] = {}
    for p in pairs:
        for name, share in zip((p.fast, p.slow), p.others, strict=True):
            most[name] = max(share, most.get(name, 0.0))
    shares = [f"{100 * share:.0f} % of the time of {name}" for name, share in most.items() if share > OFF]
    return f"others took up to {', '.join(shares)}" if shares else pairs[0].choice.why.partition(", ")[0]


def _over(p: PairAnswer) -> str:
    if p.over == NETWORKS:
        return f" over {plural(len(p.networks), 'network')}" if p.ratio.low is not None else ""
    return f" over {p.over}" + (f" {WITHIN}" if p.over == ROUNDS else "")


def _counts(p: PairAnswer) -> str:
    """`faster on 6 of 8 networks, slower on 1, not distinguishable on 1`."""
    total = len(p.networks)
    ties = total - p.wins - p.losses
    text = f"{p.fast} faster" if p.standing is Standing.TIED else "faster"
    text += f" on {p.wins} of {plural(total, 'network')}"
    text += f", slower on {p.losses}" if p.losses else ""
    if ties and not p.wins and not p.losses:
        return f"not distinguishable on any of {plural(total, 'network')}"
    if ties:
        which = [n.network for n in p.networks if not n.decided]
        named = f" ({', '.join(which)})" if len(which) <= 2 else ""
        text += f", not distinguishable on {ties}{named}"
    return text


def why(p: PairAnswer) -> tuple[str, ...]:
    """Sentences on the factors: the first names them, or says what is not separable."""
    if p.emulated:
        return tuple(filter(None, (_work(p.work, p),)))
    sentences = []
    if p.standing is Standing.ONE_ROUND:
        sentences.append("one round on a side has no interval, so that no factor is named.")
    else:
        sentences.append(_factors(p))
    sentences += p.causes
    if others := _others(p):
        sentences.append(others)
    if p.merged and len(p.factors) > 1:
        sentences.append(f"Not separable: {p.merged}.")
    if text := _work(p.work, p):
        sentences.append(text)
    return tuple(sentences)


def _scope(p: PairAnswer) -> str:
    """Over which networks the factors are, where these are not all; with the ratio over the same ones."""
    if p.beside is None or p.factored == len(p.networks):
        return ""
    return f" (over {p.factored} of {plural(len(p.networks), 'network')}, on which the ratio is {times(p.beside)})"


def _named(p: PairAnswer) -> list[FactorShare]:
    """Factors that are shown and no less than a tenth of the ratio, the largest first."""
    whole = math.log(p.beside.ratio) if p.beside is not None else 0.0
    shown = [s for s in p.factors if s.weight is not Weight.HIDDEN]
    shown = [s for s in shown if abs(math.log(s.factor.ratio)) > LEAST * abs(whole)]
    return sorted(shown, key=lambda s: -abs(math.log(s.factor.ratio)))


def share(s: FactorShare) -> str:
    """`instructions per frame 2.06x [1.90, 2.20]`, with what else was counted."""
    return f"{name_of(s.factor.name)} {_size(s)}"


def _size(s: FactorShare) -> str:
    return times(s.factor) + (f" with {s.clue}" if s.clue else "")


def _factors(p: PairAnswer) -> str:
    named = _named(p)
    if len(p.factors) < 2:
        return f"{p.merged}{_scope(p)}."
    if p.standing is Standing.TIED:
        if not named:
            return f"no factor is distinguishable either{_scope(p)}."
        return f"what does differ{_scope(p)}: {'; '.join(share(s) for s in named)}."
    parts = []
    for weight in (Weight.MAINLY, Weight.PARTLY):
        along = [share(s) for s in named if s.weight is weight and s.factor.ratio > 1]
        parts += [f"{weight} accounted for by {' and '.join(along)}"] if along else []
    against = [share(s) for s in named if s.factor.ratio < 1]
    parts += [f"against it {' and '.join(against)}"] if against else []
    if not parts:
        found = "; ".join(share(s) for s in p.factors)
        return f"the factors are not distinguishable by these measurements{_scope(p)}: {found}."
    return f"{', '.join(parts)}{_scope(p)}."


def _others(p: PairAnswer) -> str:
    """Factors that are not named, with their intervals: what they may be at most."""
    named = {s.factor.name for s in _named(p)}
    rest = [s for s in p.factors if s.factor.name not in named]
    if not named or not rest or p.standing is Standing.ONE_ROUND:
        return ""
    small = [s for s in rest if s.weight is not Weight.HIDDEN]
    hidden = [s for s in rest if s.weight is Weight.HIDDEN]
    texts = [f"Not distinguishable from 1: {'; '.join(share(s) for s in hidden)}."] if hidden else []
    texts += [f"Less than a tenth of it: {'; '.join(share(s) for s in small)}."] if small else []
    return " ".join(texts)


def _work(work: WorkRatio | None, p: PairAnswer) -> str:
    """Simulated or emulated instructions beside the measured ratio on the same networks, never multiplied with it."""
    if work is None:
        return ""
    f = work.factor
    more, less = (p.slow, p.fast) if f.ratio >= 1 else (p.fast, p.slow)
    shown = f if f.ratio >= 1 else inverse(f)
    who = f"{work.origin.name}{f' by {work.tool}' if work.tool else ''}"
    of = f" of {len(p.networks)}" if work.networks < len(p.networks) else ""
    text = f"{more} executes {times(shown)} the instructions per frame of {less}"
    text += f" ({who}, over {plural(work.networks, 'network')}{of})"
    if work.origin is Origin.EMULATED:
        return f"{text}."
    return (
        f"Beside the measured factors: {text}; on the same networks the measured ratio is {times(work.beside)}. "
        "The two are no parts of one product."
    )


def reasons(pairs: Sequence[PairAnswer], first: str) -> str:
    """What mainly accounts for the lead of the fastest over each framework that is shown to be slower, as one sentence.

    `pairs`: of the fastest with each other one. What is partly in a lead is left to the sentence on that pair: of many
    pairs one shows such a factor by chance.
    """
    slower = [p for p in pairs if p.ranked and p.fast == first]
    if not slower:
        if any(p.standing is Standing.ONE_ROUND for p in pairs):
            return "One round on a side has no interval, so that no factor is named."
        return "No factor is named, as no framework is shown to be slower."
    found: dict[str, list[str]] = {}
    for p in slower:
        lead = [s for s in _named(p) if s.weight is Weight.MAINLY] if len(p.factors) > 1 else []
        if len(p.factors) < 2:
            words = f"not separable, {p.merged}"
        elif not lead:
            words = "accounted for by no single factor that is shown to be more than half of it"
        else:
            words = f"mainly accounted for by {' and '.join(name_of(s.factor.name) for s in lead)}"
        values = " and ".join(map(_size, lead))
        found.setdefault(words, []).append(f"{values} against {p.slow}".strip())
    texts = [f"{words} ({', '.join(against)})" for words, against in found.items()]
    return f"The lead of {first} is {'; '.join(texts)}."


def ranking(r: Ranking) -> str:
    """`b 0.50x [0.40, 0.60] of the speed of a; c 0.48x (not distinguishable from b)`, the fastest first."""
    first = r.places[0].name
    parts: list[str] = []
    for before, place in zip(r.places, r.places[1:], strict=False):
        text = f"{place.name} {times(place.ratio)}" if place.ratio is not None else place.name
        text += "" if parts else f" of the speed of {first}"
        parts.append(text + (f" (not distinguishable from {before.name})" if place.tied else ""))
    text = "; ".join(parts) or first
    if r.unranked:
        text += f"; without a case in common with {r.places[0].name}: {', '.join(r.unranked)}"
    return text


def short(p: PairAnswer) -> str:
    """One sentence on a pair among others: verdict, interval, its factors."""
    head = ", ".join(filter(None, (verdict(p), detail(p))))
    if p.emulated:
        return f"{head}. {' '.join(why(p))}".strip()
    text = _factors(p) if p.standing is not Standing.ONE_ROUND else ""
    return f"{head}: {text}" if text else f"{head}."
