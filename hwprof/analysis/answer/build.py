"""The answer of a report or of an explanation: one pair, a ranking, or what can be said without any pair. Pure."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hwprof.analysis.answer import wording
from hwprof.analysis.answer.aggregate import ComparedCase, compare_pair
from hwprof.analysis.answer.commands import next_commands
from hwprof.analysis.answer.model import (
    Answer,
    Level,
    NextCommand,
    PairAnswer,
    Place,
    Ranking,
    Trust,
    TrustReason,
    inverse,
)
from hwprof.analysis.answer.trust import judge, least
from hwprof.analysis.bottlenecks.certainty import State, Sure
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.speeds import SpeedRatio
from hwprof.printable import plural
from hwprof.records import Kind, Run

Cases = Mapping[tuple[str, bool, frozenset[str]], Sequence[ComparedCase]]


def answer_cases(cases: Iterable[ComparedCase], results: str = "", narrow: bool = True) -> Answer | None:
    """The answer of compared cases; None without any. `results`, `narrow`: as in `commands.next_commands`."""
    grouped: dict[tuple[str, bool, frozenset[str]], list[ComparedCase]] = {}
    for case in cases:
        if case.names[0] != case.names[1]:
            grouped.setdefault((case.where, case.emulated, frozenset(case.names)), []).append(case)
    if not grouped:
        return None
    found = [(compare_pair(own), own) for own in grouped.values()]
    found.sort(key=lambda one: one[0].emulated)  # what is ranked comes first
    real = [one for one in found if not one[0].emulated]
    emulated = [p for p, _ in found if p.emulated]
    pairs = tuple(p for p, _ in found)
    if len(real) == 1 or not real:
        first, own = found[0]
        others = [wording.short(p) for p in pairs[1:]]
        return Answer(
            wording.verdict(first),
            wording.detail(first),
            (*wording.why(first), *others),
            judge(first, own),
            next_commands(first, own, results, narrow),
            pairs,
            (),
            first,
        )
    places = list(dict.fromkeys(p.where for p, _ in real))
    rankings = tuple(rank(where, [p for p, _ in real if p.where == where]) for where in places)
    shown = [(p, own) for p, own in real if any(_is_of(p, r) for r in rankings)]
    verdict, detail = _several(rankings, places, [p for p, _ in shown])
    why = [_reasons(rankings, [p for p, _ in shown]), *(wording.short(p) for p, _ in shown)]
    why += [wording.short(p) for p in emulated]
    widest = max(shown, key=lambda one: abs(math.log(one[0].ratio.ratio)))
    trust = least([judge(p, own) for p, own in shown])
    return Answer(verdict, detail, tuple(why), trust, next_commands(*widest, results, narrow), pairs, rankings)


def _is_of(pair: PairAnswer, ranking: Ranking) -> bool:
    """Whether a pair is one of a ranking's fastest with another."""
    return pair.where == ranking.where and ranking.places[0].name in (pair.fast, pair.slow)


def _reasons(rankings: Sequence[Ranking], pairs: Sequence[PairAnswer]) -> str:
    """What the leads of the rankings are accounted for by."""
    texts = [wording.reasons([p for p in pairs if _is_of(p, r)], r.places[0].name) for r in rankings]
    if len(rankings) == 1:
        return texts[0]
    return " ".join(f"On {r.where}: {text}" for r, text in zip(rankings, texts, strict=True))


def _several(rankings: Sequence[Ranking], places: Sequence[str], pairs: Sequence[PairAnswer]) -> tuple[str, str]:
    """Verdict and detail of a ranking, or of several machines. `pairs`: of each fastest one with the others."""

    def text(r: Ranking) -> str:
        return ", ".join(filter(None, (wording.ranking(r), wording.disturbance([p for p in pairs if _is_of(p, r)]))))

    if len(rankings) == 1:
        return _fastest(rankings[0], pairs), text(rankings[0])
    texts = [f"on {r.where}: {text(r)}" for r in rankings]
    leaders = {r.places[0].name for r in rankings if len(r.places) > 1 and not r.places[1].tied}
    untied = all(len(r.places) > 1 and not r.places[1].tied for r in rankings)
    if len(leaders) == 1 and untied:
        head = f"{leaders.pop()} is the fastest on each of {len(places)} machines or settings"
    else:
        head = f"Which framework is fastest differs or is not distinguishable on {len(places)} machines or settings"
    return head, f"which are not pooled ({' | '.join(texts)})"


def _fastest(r: Ranking, pairs: Sequence[PairAnswer]) -> str:
    """The fastest, with those that are not shown to be slower. `pairs`: of the fastest with each other one."""
    first, slower = r.places[0].name, {p.slow for p in pairs if p.ranked}
    tied = [place.name for place in r.places[1:] if place.name not in slower]
    total = len(r.places) + len(r.unranked)
    if len(tied) == 1:
        return f"{first} and {tied[0]} are the fastest of {total} frameworks and not distinguishable from each other"
    head = f"{first} is the fastest of {total} frameworks"
    return f"{head}, not distinguishable from {' and '.join(tied)}" if tied else head


def rank(where: str, pairs: Sequence[PairAnswer]) -> Ranking:
    """The frameworks of some pairs of one machine: the one that most others are slower than, then each by its ratio."""
    by_names = {frozenset((p.fast, p.slow)): p for p in pairs}
    names = list(dict.fromkeys(name for p in pairs for name in (p.fast, p.slow)))
    lead = {
        n: [math.log(p.ratio.ratio) * (1 if p.fast == n else -1) for p in pairs if n in (p.fast, p.slow)] for n in names
    }
    first = max(names, key=lambda n: (sum(v > 0 for v in lead[n]), sum(lead[n])))
    others: list[tuple[str, Factor]] = []
    for name in names:
        own = by_names.get(frozenset((first, name)))
        if own is not None and name != first:
            others.append((name, _of_first(own, first)))
    others.sort(key=lambda item: -item[1].ratio)
    places, before = [Place(first, None, False)], first
    for name, ratio in others:
        between = by_names.get(frozenset((before, name)))
        places.append(Place(name, ratio, between is None or not between.ranked))
        before = name
    known = {p.name for p in places}
    return Ranking(where, tuple(places), tuple(n for n in names if n not in known))


def _of_first(pair: PairAnswer, first: str) -> Factor:
    """The speed of the other one over that of the first."""
    return pair.ratio if pair.slow == first else inverse(pair.ratio)


def answer_alone(
    names: Sequence[str],
    runs: Sequence[Run],
    ratios: Sequence[SpeedRatio] = (),
    diagnoses: Sequence[Diagnosis] = (),
    machines: Sequence[str] = (),
    results: str = "",
) -> Answer:
    """What can be said without factors of any pair. `names`: frameworks with a speed on a real machine.

    `ratios`: of frameworks whose runs have a speed but no factors, as imported ones; `diagnoses`: of one framework.
    """
    if ratios:
        return _without_factors(ratios)
    if len(names) > 1:
        return Answer(
            f"No two of {len(names)} frameworks measured the same case",
            "nothing is compared",
            ("Compared are cases of equal network, input, batch, threads, cores and precision on one machine.",),
        )
    if len(names) == 1:
        return _one_framework(names[0], diagnoses, machines, results)
    return _unmeasured(runs)


def _without_factors(ratios: Sequence[SpeedRatio]) -> Answer:
    """Frameworks of imported runs or observed programs, which hold no single latencies."""
    why = "runs were imported, or are of programs that hwprof observed"
    reason = TrustReason("imported", Level.LOW, why, "hwprof sweep")
    trust = Trust(Level.LOW, (reason,), (), ("why one is faster", "a comparison with runs of hwprof"))
    texts = []
    for r in ratios:
        factor = Factor("speed", *r.ratio)
        sure = r.ratio.low is not None and r.ratio.low > 1
        what = f"{r.fast} is {r.ratio.value:.2f} times as fast as {r.slow} {r.choice.words}"
        bounds = f"95 % over networks{wording.bounds(factor)}" if r.ratio.low is not None else "without an interval"
        doubt = "" if sure else ", not distinguishable"
        texts.append(f"{what} ({bounds}{doubt}), faster on {r.wins} of {plural(r.networks, 'network')}")
        if r.unfaithful:
            texts[-1] += f"; in {plural(r.unfaithful, 'case')} one of them is UNFAITHFUL"
        if r.incomparable:
            texts[-1] += f"; in {plural(r.incomparable, 'case')} the outputs of one of them are not comparable"
    why = "No factors: the runs hold no single latencies, so that nothing can be said of why."
    return Answer(texts[0], "", (*(f"{t}." for t in texts[1:]), why), trust)


def _one_framework(name: str, diagnoses: Sequence[Diagnosis], machines: Sequence[str], results: str) -> Answer:
    """One framework: what bounds it, as far as that is highly certain. `name`: with those of its options that vary."""
    high: Counter[str] = Counter()
    for one in diagnoses:
        high.update(v.code for v in one.verdicts if v.state is State.YES and v.sure is Sure.HIGH)
    total = len(diagnoses)
    several = (
        f"On {len(machines)} machines or settings, which are not pooled: hwprof explain machine=A machine=B compares "
        "two.",
    )
    explain = shlex.join(["hwprof", "explain", name.partition(" ")[0], *([results] if results else [])])
    commands = [NextCommand(explain, "every verdict with the numbers that it rests on")]
    head = f"{name} alone was measured"
    if high:
        found = ", ".join(f"{code} in {count} of {plural(total, 'case')}" for code, count in high.most_common())
        trust = Trust(Level.HIGH, (), (f"that it is {', '.join(high)} where this is said",), ("any other bottleneck",))
        why = (f"High certainty: {found}.", *(several if len(machines) > 1 else ()))
        return Answer(head, found, why[1:], trust, tuple(commands))
    change = "hwprof roofline --measure measures ceilings, hwprof doctor says which counters are missing"
    reason = TrustReason("no-high-certainty", Level.LOW, "no bottleneck was found with high certainty", change)
    commands += [
        NextCommand("hwprof roofline --measure", "ceilings of this machine, which verdicts on compute and memory need"),
        NextCommand("hwprof doctor", "which counters are missing here, and what would enable them"),
    ]
    detail = f"and what bounds it can't be said with high certainty ({plural(total, 'case')} judged)"
    trust = Trust(Level.LOW, (reason,), (), ("what bounds it",))
    return Answer(head, detail, several if len(machines) > 1 else (), trust, tuple(commands))


def _unmeasured(runs: Sequence[Run]) -> Answer:
    """No framework has a speed on a real machine: commands, simulations or emulated boards alone, or failures."""
    good = [r for r in runs if r.failure is None]
    kinds = Counter(r.kind for r in good)
    programs = len({r.case.key for r in good if r.kind is Kind.COMMAND})
    emulated = [r for r in good if r.kind is Kind.NATIVE and r.host_state.get("emulated")]
    if emulated:
        names = ", ".join(sorted({r.case.framework for r in emulated}))
        return Answer(
            f"No framework is ranked: {names} ran on an emulated board",
            "",
            ("Times are the emulator's. Counts per frame can be compared, within this board.",),
        )
    if programs:
        what = plural(programs, "command or process", "commands or processes")
        return Answer(f"No framework was measured: {what} observed", "", ("hwprof compare compares two of them.",))
    if kinds[Kind.SIMULATED]:
        what = plural(kinds[Kind.SIMULATED], "simulated run")
        why = "The time of a simulator says nothing about speed; its counts per frame can be compared (hwprof export)."
        return Answer(f"No framework is ranked: {what} alone", "", (why,))
    if runs and not good:
        return Answer("No case has a result", "", ("The reasons are listed under 'Without a result'.",))
    return Answer("Nothing was measured with a speed", "", ("hwprof sweep quick measures two frameworks.",))
