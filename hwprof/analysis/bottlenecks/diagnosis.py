"""Bottleneck verdicts of every case in results: gathers what the rules need of each case and of its relatives."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwprof.analysis import roofline
from hwprof.analysis.bottlenecks import cores, system
from hwprof.analysis.bottlenecks.verdicts import Context, Spin, State, Sure, Verdict
from hwprof.analysis.explain import selectors
from hwprof.analysis.explain.selectors import CaseRuns
from hwprof.analysis.factors import clues
from hwprof.analysis.factors.evidence import Evidence, collect
from hwprof.analysis.factors.identity import CPU_TIME, Identity, factor, identity
from hwprof.analysis.omissions import Omission, why_no_speed
from hwprof.analysis.roofline import Roof
from hwprof.frameworks import switches
from hwprof.records import Case, Kind, Layer
from hwprof.store import Results, layers
from hwprof.store.listing import Entry, entries


@dataclass(frozen=True, slots=True)
class MeasuredCase:
    """One case as measured: who it is, its evidence, its rounds, and of which experiment each round is."""

    runs: CaseRuns
    evidence: Evidence
    speeds: Sequence[Identity]
    experiments: Sequence[int]

    def of(self, experiment: int) -> MeasuredCase:
        """With the rounds of one experiment alone: those that were measured in turn with its other cases."""
        chosen = [s for s, e in zip(self.speeds, self.experiments, strict=True) if e == experiment]
        return replace(self, speeds=chosen, experiments=[experiment] * len(chosen))

    @property
    def throughput(self) -> tuple[float, ...]:
        """Frames per second of each round while counting."""
        return tuple(math.exp(s.throughput) for s in self.speeds)

    @property
    def cpu(self) -> tuple[float, ...]:
        """CPU seconds per frame of each round."""
        return tuple(math.exp(-s.levels["clockless"][CPU_TIME]) for s in self.speeds if "clockless" in s.levels)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All verdicts on one case, found ones first."""

    case: Case
    machine: str
    version: str
    context: Context
    verdicts: tuple[Verdict, ...]


def diagnose(results: Results, where: str = "") -> tuple[list[Diagnosis], list[Omission]]:
    """Verdicts on every case (`where`: a selector, only of those), in the order of framework and network; and the
    cases without a speed."""
    listed = entries(results.database)
    found, omitted = measured_cases(results, listed)
    roofs = roofline.roofs(results.ceilings(), results.machines())
    profiled = layers.read(results.database, [e.order for e in listed if e.ok and e.kind == Kind.LAYERS])
    chosen = found
    if where:
        selector = selectors.parse(where, listed)
        chosen = [
            k
            for k in found
            if selectors.matches(k.runs.last, selector.where)
            and (not selector.run or any(e.uid.startswith(selector.run) for e in k.runs.entries))
        ]
    out = []
    for one in chosen:
        context = context_of(one, found, roofs.get(one.runs.last.machine_key, ()), _layers(one.runs, listed, profiled))
        out.append(Diagnosis(one.runs.case, one.runs.last.machine, one.runs.last.version, context, verdicts(context)))
    out.sort(key=lambda d: (d.machine, d.case.framework, d.case.network, d.case.threads, d.case.batch))
    return out, omitted


def measured_cases(results: Results, listed: Sequence[Entry]) -> tuple[list[MeasuredCase], list[Omission]]:
    """Every case with a speed, and those without; the simulated run of the same case, machine, version and call belongs
    to it.
    """
    simulated = {(e.case, e.place): e for e in listed if e.ok and e.kind == Kind.SIMULATED}
    out, omitted = [], []
    for runs in selectors.case_runs(listed):
        extra = simulated.get((runs.case, runs.last.place))
        records = list(results.runs(ids=[e.order for e in (*runs.entries, *([extra] if extra else []))]))
        evidence, experiment = collect(records), {e.uid: e.experiment for e in runs.entries}
        rounds = [(s, experiment[r.uid]) for r in records if r.kind is Kind.NATIVE and (s := identity(r)) is not None]
        if evidence is None or not rounds:
            omitted.append(Omission(runs.case.title, why_no_speed(records)))
        else:
            out.append(MeasuredCase(runs, evidence, [s for s, _ in rounds], [e for _, e in rounds]))
    return out, omitted


def context_of(
    one: MeasuredCase, everything: Iterable[MeasuredCase], roofs: Sequence[Roof], profiled: Sequence[Layer]
) -> Context:
    """What rules look at for one case.

    The same at other thread counts and batches, other frameworks, a spin-off rerun.
    """
    threads: dict[int, tuple[float, ...]] = {one.evidence.case.threads: one.throughput}
    batches: dict[int, tuple[float, ...]] = {}
    alone: tuple[float, ...] = ()
    peers: dict[str, Evidence] = {}
    spin = None
    me = one.runs
    for other in everything:
        if other.runs.last.machine_id != me.last.machine_id:
            continue
        case, base = other.runs.case, me.case
        alike = other.runs.last.place == me.last.place
        if alike and replace(case, threads=base.threads, cpus=base.cpus) == base:
            threads[case.threads] = other.throughput
            alone = other.cpu if case.threads == 1 else alone
        if alike and replace(case, batch=base.batch) == base:
            batches[case.batch] = tuple(case.batch / v for v in other.throughput)
        if case.framework != base.framework and replace(case, framework="", options=()) == replace(
            base, framework="", options=()
        ):
            peers[case.framework] = other.evidence
        shared = ({*one.experiments} & {*other.experiments}) - {0}
        changed = shared and alike and replace(case, options=base.options) == base
        if changed and switches.kind_of(base, case) == "spin":
            spin = _spin(one.of(max(shared)), other.of(max(shared)))
    case = me.case
    roof, doubt = roofline.nearest_roof(roofs, case.cpus, case.threads)
    latencies = roofline.latencies(roofs, case.cpus, clues.hertz(one.evidence))
    return Context(one.evidence, roof, doubt, threads, alone, batches, peers, profiled, spin, latencies)


def _spin(now: MeasuredCase, off: MeasuredCase) -> Spin | None:
    if not now.cpu or not off.cpu:
        return None
    speed = factor("fps", [s.fps for s in now.speeds], [s.fps for s in off.speeds])
    cpu = factor("cpu", [math.log(v) for v in now.cpu], [math.log(v) for v in off.cpu])
    return Spin(speed.ratio, speed.low, speed.high, cpu.ratio)


def _layers(runs: CaseRuns, listed: Sequence[Entry], profiled: Mapping[int, Sequence[Layer]]) -> Sequence[Layer]:
    """Layers of the latest profiled run of this case."""
    found = [e for e in listed if e.order in profiled and e.case == runs.case and e.machine_id == runs.last.machine_id]
    return profiled[found[-1].order] if found else ()


def frequent(found: Sequence[Diagnosis]) -> list[tuple[str, int, int]]:
    """(code, cases in which it was found, cases that could be judged), the most frequent first."""
    hits: dict[str, int] = defaultdict(int)
    judged: dict[str, int] = defaultdict(int)
    for d in found:
        for v in d.verdicts:
            hits[v.code] += v.state.value in ("yes", "partly")
            judged[v.code] += v.state.value != "can't tell"
    return sorted(((c, hits[c], judged[c]) for c in hits), key=lambda row: (-row[1], row[0]))


Rule = Callable[[Context], Verdict]
RULES: tuple[Rule, ...] = (
    cores.compute_bound,
    cores.bandwidth_bound,
    cores.latency_bound,
    cores.front_end,
    cores.bad_speculation,
    cores.vectorisation,
    system.poorly_parallel,
    system.spinning,
    system.throttling,
    system.other_load,
    system.paging,
    system.dispatch,
    system.conversion,
)
ORDER = (State.YES, State.PARTLY, State.UNKNOWN, State.NO)
SURE = (Sure.HIGH, Sure.MEDIUM, Sure.LOW)


def verdicts(context: Context) -> tuple[Verdict, ...]:
    """Every rule's verdict: found ones first, the weightiest and surest of them at the top."""
    found = [rule(context) for rule in RULES]
    return tuple(sorted(found, key=lambda v: (ORDER.index(v.state), -v.weight, SURE.index(v.sure))))
