"""Bottleneck verdicts of every case in results: gathers what the rules need of each case and of its relatives."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwprof import speed
from hwprof.analysis import roofline
from hwprof.analysis.bottlenecks import ceilings, cores, graph, system, threads
from hwprof.analysis.bottlenecks.certainty import State, Sure
from hwprof.analysis.bottlenecks.verdicts import Context, Spin, Verdict
from hwprof.analysis.estimator import OFF, Estimator, choose, lost_share, value
from hwprof.analysis.explain import selectors
from hwprof.analysis.explain.selectors import CaseRuns
from hwprof.analysis.factors import clues
from hwprof.analysis.factors.evidence import Evidence, collect
from hwprof.analysis.factors.identity import CPU_TIME, Identity, factor, identity
from hwprof.analysis.omissions import Omission, why_no_speed
from hwprof.analysis.roofline import Roof, rate_estimator
from hwprof.frameworks import switches
from hwprof.records import Case, Kind, Layer, Run
from hwprof.speed import Interval, Speed
from hwprof.store import Results, layers
from hwprof.store.listing import Entry, entries


@dataclass(frozen=True, slots=True)
class MeasuredCase:
    """One case as measured: who it is, its evidence, factors of its rounds, of which experiment each round is; and the
    speed of each round without counting."""

    runs: CaseRuns
    evidence: Evidence
    factors: Sequence[Identity]
    experiments: Sequence[int]
    speeds: Sequence[Speed]

    def of(self, experiment: int) -> MeasuredCase:
        """With the rounds of one experiment alone: those that were measured in turn with its other cases."""
        kept = [i for i, e in enumerate(self.experiments) if e == experiment]
        factors, speeds = [self.factors[i] for i in kept], [self.speeds[i] for i in kept]
        return replace(self, factors=factors, experiments=[experiment] * len(kept), speeds=speeds)

    @property
    def is_shared(self) -> bool:
        """Whether others took so much of its time that it is no baseline for the speed of more threads."""
        return bool(self.speeds) and statistics.fmean(map(lost_share, self.speeds)) > OFF

    @property
    def throughput(self) -> tuple[float, ...]:
        """Frames per second of each round while counting."""
        return tuple(math.exp(f.throughput) for f in self.factors)

    @property
    def cpu(self) -> tuple[float, ...]:
        """CPU seconds per frame of each round."""
        return tuple(math.exp(-f.levels["clockless"][CPU_TIME]) for f in self.factors if "clockless" in f.levels)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All verdicts on one case, found ones first. `runs`: its rounds; None where it is of no results file."""

    case: Case
    machine: str
    version: str
    context: Context
    verdicts: tuple[Verdict, ...]
    runs: CaseRuns | None = None


def diagnose(results: Results, where: str = "") -> tuple[list[Diagnosis], list[Omission]]:
    """Verdicts on every case (`where`: a selector, only of those), in the order of framework and network; and the
    cases without a speed."""
    listed = entries(results.database)
    found, omitted = measured_cases(results, listed)
    roofs = roofline.roofs(results.ceilings(), results.machines())
    profiled = layers.read(results.database, [e.order for e in listed if e.ok and e.kind == Kind.LAYERS])
    chosen = {runs.last.uid for runs in selectors.chosen(where, listed)}
    related: dict[tuple[object, ...], list[MeasuredCase]] = defaultdict(list)
    for one in found:
        related[_relation(one)].append(one)
    out = []
    for one in (known for known in found if known.runs.last.uid in chosen):
        last = one.runs.last
        context = context_of(
            one, related[_relation(one)], roofs.get(last.machine_key, ()), _layers(one.runs, listed, profiled)
        )
        out.append(Diagnosis(one.runs.case, last.machine, last.version, context, verdicts(context), one.runs))
    out.sort(key=lambda d: (d.machine, d.case.framework, d.case.network, d.case.threads, d.case.batch))
    return out, omitted


def measured_cases(results: Results, listed: Sequence[Entry]) -> tuple[list[MeasuredCase], list[Omission]]:
    """Every case with a speed, and those without; the simulated run of the same case, machine, version and call belongs
    to it.
    """
    simulated = {(e.case, e.program): e for e in listed if e.ok and e.kind == Kind.SIMULATED}
    out, omitted = [], []
    for runs in selectors.case_runs(listed):
        extra = simulated.get((runs.case, runs.last.program))
        records = list(results.runs(ids=[e.order for e in (*runs.entries, *([extra] if extra else []))]))
        one = _measured(runs, records)
        if one is None:
            omitted.append(Omission(runs.case.title, why_no_speed(records)))
        else:
            out.append(one)
    return out, omitted


def _measured(runs: CaseRuns, records: Sequence[Run]) -> MeasuredCase | None:
    """None: no round has a speed."""
    known = {r.uid: speed.of_run(r) for r in records}
    evidence = collect(records, lambda run: known[run.uid])
    experiment = {e.uid: e.experiment for e in runs.entries}
    rounds = [(f, r.uid) for r in records if r.kind is Kind.NATIVE and (f := identity(r)) is not None]
    if evidence is None or not rounds:
        return None
    factors, uids = [f for f, _ in rounds], [uid for _, uid in rounds]
    return MeasuredCase(runs, evidence, factors, [experiment[u] for u in uids], [known[u] for u in uids])


def _relation(one: MeasuredCase) -> tuple[object, ...]:
    """What cases share that `context_of` looks at together; only these, as a table has thousands of cases."""
    case = one.runs.case
    return one.runs.last.machine_id, case.network, case.recipe, case.size, case.shape, case.precision


def context_of(
    one: MeasuredCase, everything: Iterable[MeasuredCase], roofs: Sequence[Roof], profiled: Sequence[Layer]
) -> Context:
    """What rules look at for one case.

    The same at other thread counts and batches, other frameworks, a spin-off rerun.
    """
    scaling: dict[int, tuple[float, ...]] = {one.evidence.case.threads: one.throughput}
    batches: dict[int, MeasuredCase] = {}
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
            if not other.is_shared:
                scaling[case.threads] = other.throughput
            alone = other.cpu if case.threads == 1 else alone
        if alike and replace(case, batch=base.batch) == base:
            batches[case.batch] = other
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
    by, seconds = _seconds(batches)
    return Context(one.evidence, one.speeds, roof, doubt, scaling, alone, seconds, by, peers, profiled, spin, latencies)


def _seconds(batches: Mapping[int, MeasuredCase]) -> tuple[Estimator, dict[int, tuple[float, ...]]]:
    """Seconds per inference of each round per batch; of CPU time where all have one thread."""
    estimators = {rate_estimator(one.evidence.case.threads, one.speeds) for one in batches.values()}
    if estimators == {Estimator.CPU_TIME}:
        return Estimator.CPU_TIME, {b: tuple(b * (s.cpu_s or 0.0) for s in one.speeds) for b, one in batches.items()}
    return Estimator.THROUGHPUT, {b: tuple(b / v for v in one.throughput) for b, one in batches.items()}


def _spin(now: MeasuredCase, off: MeasuredCase) -> Spin | None:
    if not now.cpu or not off.cpu:
        return None
    by = choose((one.evidence.case.threads, s) for one in (now, off) for s in one.speeds).estimator
    logs, logs_off = ([math.log(v) for s in one.speeds if (v := value(s, by))] for one in (now, off))
    faster = factor("speed", logs, logs_off)
    cpu = factor("cpu", [math.log(v) for v in now.cpu], [math.log(v) for v in off.cpu])
    return Spin(*(Interval(f.ratio, f.low, f.high) for f in (faster, cpu)))


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
            hits[v.code] += v.state in (State.YES, State.PARTLY)
            judged[v.code] += v.state is not State.UNKNOWN
    return sorted(((c, hits[c], judged[c]) for c in hits), key=lambda row: (-row[1], row[0]))


Rule = Callable[[Context], Verdict]
RULES: tuple[Rule, ...] = (
    ceilings.compute_bound,
    ceilings.bandwidth_bound,
    cores.latency_bound,
    cores.front_end,
    cores.bad_speculation,
    cores.vectorisation,
    threads.poorly_parallel,
    threads.spinning,
    system.throttling,
    system.other_load,
    system.paging,
    graph.dispatch,
    graph.conversion,
)
ORDER = (State.YES, State.PARTLY, State.UNKNOWN, State.NO)
SURE = (Sure.HIGH, Sure.MEDIUM, Sure.LOW)


def verdicts(context: Context) -> tuple[Verdict, ...]:
    """Every rule's verdict: found ones first, the weightiest and surest of them at the top; before all others that the
    core is shared."""
    found = [rule(context) for rule in RULES]
    return tuple(
        sorted(
            found,
            key=lambda v: (
                ORDER.index(v.state),
                not (v.code == "other-load" and v.state is State.YES),
                -v.weight,
                SURE.index(v.sure),
            ),
        )
    )
