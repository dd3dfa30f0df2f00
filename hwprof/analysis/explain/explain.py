"""Why A is faster than B: one explanation per matched pair, and a summary over networks. Pure functions on runs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explanation import Effect, Explanation, Intervention, SideRuns
from hwprof.analysis.explain.verdicts import check, gap_closed
from hwprof.analysis.explain.wording import CAUSES, bounded, headline, inverse
from hwprof.analysis.factors import clues, ratio
from hwprof.analysis.factors.clues import Clue, Side
from hwprof.analysis.factors.evidence import Evidence, collect
from hwprof.analysis.factors.identity import CPU_TIME, WORK, Factor, Identity, identity
from hwprof.analysis.factors.ratio import Decomposition
from hwprof.analysis.omissions import why_no_speed
from hwprof.analysis.units import ROUNDS
from hwprof.collectors.vocabulary import Name
from hwprof.errors import ResultsError
from hwprof.frameworks.switches import KINDS, kind_of
from hwprof.records import Kind, Run
from hwprof.records.agreement import agreement_text, mark
from hwprof.speed import Speed, of_run

INFLATED = 1.2  # CPU time per frame over that with one thread, where the framework says that it spins
NEARLY = 0.97  # of the CPUs busy throughout: threads that wait may be spinning

Factors = Callable[[Run], Identity | None]  # decomposition.identity, or what remembers it
SIMULATED = "an estimate from simulated counts"


def rounds(runs: Sequence[Run], factors: Factors = identity) -> list[Identity]:
    """Factors of the native rounds in order."""
    native = sorted((r for r in runs if r.kind is Kind.NATIVE), key=lambda r: (r.round, r.started_utc))
    return [s for r in native if (s := factors(r)) is not None]


def may_spin(evidence: Evidence) -> bool:
    """Whether threads of this case may spin while they wait: all CPUs busy, and nothing says that spinning is off."""
    if evidence.case.threads < 2 or evidence.facts.get("spin") is False:
        return False
    used = clues.cpus_used(evidence)
    cpus = min(evidence.case.threads, len(evidence.case.cpus) or evidence.case.threads)
    return "spin-waiting" in evidence.doubts or (used is not None and used > NEARLY * cpus)


def spins(s: Side, own: SideRuns) -> bool:
    """Whether spinning may have moved this side's factors: by its CPUs, by its thread counts, or by a rerun."""
    return may_spin(s.evidence) or _cpu_time_grows(s) or _rerun_shows_spinning(own)


def _cpu_time_grows(s: Side) -> bool:
    """The framework says that its threads spin, and CPU time per frame grew with their number."""
    return s.evidence.facts.get("spin") is True and (clues.inflation(s) or 0.0) > INFLATED


def _rerun_shows_spinning(own: SideRuns) -> bool:
    """A rerun with spinning off took less CPU time per frame."""
    reruns = [rounds(v.runs) for v in own.variants if v.kind == "spin"]
    now = rounds(own.runs) if reruns else []  # mostly there is none, and a report asks for every pair
    effects = [cpu for then in reruns if now and then and (cpu := _cpu(now, then)) is not None]
    return any(cpu.ratio > 1 and ratio.excludes_one(cpu) for cpu in effects)


def side_of(own: SideRuns, factors: Factors = identity, speed: Callable[[Run], Speed] = of_run) -> Side:
    """Evidence of one side with its other thread counts. ResultsError where no round has a speed."""
    evidence = collect(own.runs, speed)
    if evidence is None or not rounds(own.runs, factors):
        raise ResultsError(f"{own.label or 'one side'}: {why_no_speed(own.runs)}", "measure it: hwprof run")
    threads: dict[int, list[float]] = defaultdict(list)
    alone: list[float] = []
    for run in (*own.runs, *own.threads):
        found = factors(run) if run.kind is Kind.NATIVE else None
        if found is not None:
            threads[run.case.threads].append(math.exp(found.throughput))
            level = found.levels.get("clockless")
            if run.case.threads == 1 and level is not None:
                alone.append(math.exp(-level[CPU_TIME]))
    return Side(own.label, evidence, dict(threads), tuple(alone), own.other_experiment)


def explain(
    a: SideRuns,
    b: SideRuns,
    context: str = "",
    differs: Sequence[str] = (),
    same_experiment: bool = True,
    paired: bool = False,
    latencies: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    switch: str = "",
) -> Explanation:
    """A over B. `same_experiment`: rounds of both were interleaved; `latencies`: measured cycles per miss event.

    `switch`: the only one that A and B differ in, where they differ in nothing else: then the ratio is its effect.
    """
    x, y = side_of(a), side_of(b)
    paired = paired and same_experiment
    found = ratio.decompose(rounds(a.runs), rounds(b.runs), spins(x, a) or spins(y, b), paired)
    interventions = tuple(i for kind in KINDS if (i := _intervention(kind, a, b, paired)) is not None)
    switched = kind_of(x.evidence.case, y.evidence.case) if switch else ""
    first = headline(x.label, y.label, found, interventions)
    additions = []
    if switch and found.decided:
        additions.append(effect_of(switch))
    additions += headline_additions(x, y, a, b, switch, interventions, found)
    additions += [words for s in (x, y) if (words := agreement_words(s))]
    remarks = [*notes, *pairing_notes(found, x.label, y.label, [*rounds(a.runs), *rounds(b.runs)])]
    if not same_experiment and found.over == ROUNDS:
        remarks.append("A and B were not measured in turn: a drift of the machine between them is in no interval")
    if found.choice.estimator is Estimator.CPU_TIME:
        remarks.append("CPU time leaves out the time that others took, not what they cost in caches and clock")
    if min(found.units) < 2:
        remarks.append("one round on a side: no interval, so a difference may be chance")
    remarks += [
        f"{s.label}: measured by another program and imported from {s.evidence.facts['imported'].get('format')}"
        for s in (x, y)
        if "imported" in s.evidence.facts
    ]
    emulated = "EMULATED: times are the emulator's, and so is every factor made of them"
    remarks += [f"{s.label}: {emulated}" for s in (x, y) if s.evidence.emulated]
    remarks += [note for s in (x, y) for note in agreement_notes(s)]
    if found.level == "user":
        remarks.append("cycles and instructions are of user mode alone; task-clock is of both modes")
    return Explanation(
        x,
        y,
        context,
        tuple(differs),
        found,
        ". ".join((first, *additions)),
        (*clues.clues(x, y, latencies), *simulated_split(x, y, found)),
        interventions,
        tuple(remarks),
        tuple(additions),
        switched,
        check(switched, a.runs, b.runs),
    )


def effect_of(switch: str) -> str:
    """That a ratio is the effect of the one switch that differs."""
    return f"Nothing but {switch} differs, and rounds were measured in turn: it is the effect of that"


def agreement_words(s: Side) -> str:
    """What the headline says of a side whose outputs are wrong or could not be compared; else ""."""
    found = s.evidence.fidelity
    if found is None or found.faithful:
        return ""
    if found.unfaithful:
        return f"{s.label} is UNFAITHFUL to the reference"
    return f"The outputs of {s.label} are {mark(found)}"


def agreement_notes(s: Side) -> Iterator[str]:
    """What is to be said of a side whose outputs are not those of the reference, or could not be compared."""
    found = s.evidence.fidelity
    if found is not None and not found.faithful:
        yield f"{s.label}: outputs {agreement_text(found)}"


def pairing_notes(found: Decomposition, a: str, b: str, everything: Sequence[Identity]) -> Iterator[str]:
    """Which rounds were left out of the ratio or not measured side by side, and what contradicts it."""
    for label, count in zip((a, b), found.omitted, strict=True):
        if count:
            why = "the other was not measured in their sets" if found.sets else "they are of other sessions"
            yield f"left out, {count} of the rounds of {label}: {why}"
    if not found.sets and any(s.set for s in everything):
        yield "not measured side by side: a difference of 10 to 20 % may be that of two moments"
    if found.conflict and found.alone is not None:
        yield (
            f"{a} over {b} by {found.choice.estimator}: {bounded(found.whole)} in slices, "
            f"{bounded(found.alone)} in the bare stretches; the intervals don't meet, so that neither is faster"
        )


def headline_additions(
    x: Side, y: Side, a: SideRuns, b: SideRuns, switch: str, interventions: Sequence[Intervention], found: Decomposition
) -> Iterator[str]:
    """Sentences that the headline adds where FPS doesn't show it, or where only CPU time was counted."""
    undecided = not found.decided and not found.conflict and found.choice.estimator is not Estimator.CPU_TIME
    cpu = _cpu(rounds(a.runs), rounds(b.runs))
    if switch and undecided and cpu is not None and ratio.excludes_one(cpu):
        yield f"But {x.label} takes {bounded(cpu)} the CPU time per frame of {y.label}"
        yield effect_of(switch)
    for effect in (e for i in interventions if i.kind == "spin" for e in i.effects):
        if effect.cpu is not None and ratio.excludes_one(effect.cpu):
            yield f"Spin-waiting makes {effect.label} take {effect.cpu.ratio:.2f}x the CPU time per frame (rerun)"
    for clue in simulated_split(x, y, found):
        work = math.log(clue.numbers["work"])
        bounds = [b for f in found.factors if f.name == CPU_TIME for b in (f.low, f.high) if b]
        most = all(work * math.log(bound) > 0 and abs(work) > abs(math.log(bound)) / 2 for bound in bounds)
        if found.decided and bounds and most and work * math.log(found.whole.ratio) > 0:
            times = math.exp(abs(work))
            yield f"By SIMULATED instructions most of that CPU time is work, {times:.2f}x ({SIMULATED})"


def simulated_split(a: Side, b: Side, found: Decomposition) -> list[Clue]:
    """Where CPU time is one factor: what simulated instructions would make of it, if the real CPU executed as many."""
    cpu = next((f for f in found.factors if f.name == CPU_TIME), None)
    count = a.evidence.simulated(Name.INSTRUCTIONS)
    if cpu is None or count is None or count.name not in b.evidence.quantities:
        return []
    work, simulator = b.evidence.quantities[count.name].value / count.value, count.name.partition("@")[2]
    text = (
        f"if this CPU executed as many instructions as {simulator} counted, work would be {work:.2f}x "
        f"and clock and IPC together {cpu.ratio / work:.2f}x of the {cpu.ratio:.2f}x in CPU time ({SIMULATED})"
    )
    return [Clue(WORK, "simulated-split", text, {"work": work, "rate": cpu.ratio / work})]


def _intervention(kind: str, a: SideRuns, b: SideRuns, paired: bool) -> Intervention | None:
    """What one kind of intervention showed; None where neither side was rerun so."""
    changed = [next((v for v in own.variants if v.kind == kind and rounds(v.runs)), None) for own in (a, b)]
    if not any(changed):
        return None
    reruns = [own.runs if v is None else v.runs for own, v in zip((a, b), changed, strict=True)]
    sides = [rounds(runs) for runs in (a.runs, b.runs, *reruns)]
    # the chain adds up where each of the four is of the same rounds throughout
    sides = ratio.by_set(sides) or _in_common_sessions(sides)
    if not all(sides):
        return None
    choice = ratio.choose_estimator(*sides)
    evidence = [found for runs in reruns if (found := collect(runs)) is not None]
    spinning = kind != "spin" and any(may_spin(one) for one in evidence)
    before, rerun = (ratio.decompose(x, y, spinning, paired, choice) for x, y in (sides[:2], sides[2:]))
    effects = tuple(
        Effect(
            kind,
            side,
            own.label,
            v.change,
            _speed(now, then, choice.estimator),
            _cpu(now, then),
            v.limit,
            check(kind, own.runs, v.runs),
        )
        for side, own, v, now, then in zip("AB", (a, b), changed, sides[:2], sides[2:], strict=True)
        if v is not None
    )
    speeds = [e.speed if e.side == "A" else inverse(e.speed) for e in effects]
    chain = [replace(f, name=f"{CAUSES[kind]} of {e.label}") for e, f in zip(effects, speeds, strict=True)]
    closes = gap_closed(sides, choice.estimator)
    return Intervention(kind, effects, before, rerun, (*chain, *rerun.terms), closes)


def _in_common_sessions(sides: Sequence[Sequence[Identity]]) -> list[list[Identity]]:
    """The rounds of those sessions that all sides were measured in, as of no set."""
    common = set.intersection(*({s.session for s in side} for side in sides))
    return [[replace(s, set="") for s in side if s.session in common] for side in sides]


def _speed(now: Sequence[Identity], then: Sequence[Identity], by: Estimator) -> Factor:
    return ratio.compare(by.value, now, then, lambda s: s.whole(by))


def _cpu(now: Sequence[Identity], then: Sequence[Identity]) -> Factor | None:
    """CPU time per frame over that of the others; None where it wasn't counted."""
    if not all("clockless" in s.levels for s in (*now, *then)):
        return None
    return ratio.compare("cpu time per frame", now, then, lambda s: -s.levels["clockless"][CPU_TIME])
