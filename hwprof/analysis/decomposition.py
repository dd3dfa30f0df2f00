"""The throughput identity: how many frames per second, as an exact product of factors that can be read one by one.

    frames     CPU-s     cycles    instructions       instructions
    ------  =  -----  x  ------ x  ------------  /    ------------
      s          s       CPU-s        cycle              frame
             parallelism  clock        IPC               work

All four come from the same counted windows and one domain. FPS (batch / median latency) is throughput x tail, and
the FPS of bare windows is that times observer. Two cases differ by the product of the ratios of their factors.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof.analysis.metrics import TIME_UNITS, base_name
from hwprof.errors import UsageError
from hwprof.records import Exactness, Origin, Reading, Role, Run, Window

# Sums over counted windows that a factor is a quotient of.
TOTALS = ("s", "cpu_s", "cycles", "instructions", "frames")
SPIN = "threads wait by spinning: parallelism, IPC and work can't be told apart without a rerun with spinning off"
SPIN_CODES = ("spin", "spinning", "spin-waiting", "spin_waiting")


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of throughput, the quotient of two totals. `merged` says what it lumps together, and why."""

    name: str
    value: float
    unit: str
    merged: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Throughput (frames/s in counted windows) = product of `factors`; FPS = throughput x tail; bare FPS x observer.

    `tail`, `observer` are None where the windows for them are not there. `notes` say what was merged or estimated.
    """

    uid: str
    title: str
    round: int
    throughput: float
    factors: tuple[Factor, ...]
    tail: float | None
    observer: float | None
    windows: int
    totals: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors of throughput, in order."""
        return tuple(f.name for f in self.factors)

    @property
    def product(self) -> float:
        """Product of the factors: the throughput, to rounding."""
        return math.prod(f.value for f in self.factors)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One factor of b over a: `value` x1.32, 95 % by Welch on logs of rounds; interval None, then `why`."""

    name: str
    value: float
    low: float | None
    high: float | None
    why: str = ""

    @property
    def log(self) -> float:
        """The log term; those of all factors add up to the log throughput ratio."""
        return math.log(self.value)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Throughput of b over a as a product of `factors`. `shares`: percent of the log ratio, None where unfit."""

    throughput: Ratio
    factors: tuple[Ratio, ...]
    shares: Mapping[str, float] | None
    notes: tuple[str, ...] = ()


# Finest first: (totals needed, [(name, numerator, denominator, unit, what is merged)]).
_FORMS = (
    (
        {"cpu_s", "cycles", "instructions"},
        [
            ("parallelism", "cpu_s", "s", "CPU-s/s", ""),
            ("clock", "cycles", "cpu_s", "cycles/CPU-s", ""),
            ("IPC", "instructions", "cycles", "instructions/cycle", ""),
            ("1/work", "frames", "instructions", "frames/instruction", ""),
        ],
    ),
    (
        {"cpu_s", "instructions"},
        [
            ("parallelism", "cpu_s", "s", "CPU-s/s", ""),
            ("clock x IPC", "instructions", "cpu_s", "instructions/CPU-s", "clock and IPC: cycles were not counted"),
            ("1/work", "frames", "instructions", "frames/instruction", ""),
        ],
    ),
    (
        {"cpu_s", "cycles"},
        [
            ("parallelism", "cpu_s", "s", "CPU-s/s", ""),
            ("clock", "cycles", "cpu_s", "cycles/CPU-s", ""),
            ("IPC/work", "frames", "cycles", "frames/cycle", "IPC and work: instructions were not counted"),
        ],
    ),
    (
        {"cpu_s"},
        [
            ("parallelism", "cpu_s", "s", "CPU-s/s", ""),
            (
                "1/CPU time",
                "frames",
                "cpu_s",
                "frames/CPU-s",
                "clock, IPC and work: cycles and instructions were not counted together with task-clock, user+kernel",
            ),
        ],
    ),
)
_SPUN = [
    ("parallelism x IPC / work", "clock", "frames"),
]


def identity(run: Run, three_sigma: bool = True) -> Identity:
    """The identity of one run, from its counted windows. Raises UsageError where it has none with a task-clock.

    Takes the finest form that at least one window has all parts of, and every window that has them. User-only counts
    are never divided by task-clock, which includes the kernel; simulated ones are no part of it.
    `three_sigma`: FPS drops durations beyond 3 sigma once, as everywhere.
    """
    counted = [w for w in run.windows if w.role is Role.COUNTED and w.latencies_ns]
    if not counted:
        raise UsageError(f"run {run.uid} has no counted window", "the identity needs task-clock: -e task-clock")
    parts = [(_totals(w, run.case.batch), w) for w in counted]
    for needed, form in _FORMS:
        chosen = [(t, w) for t, w in parts if needed <= set(t)]
        if chosen:
            break
    else:
        raise UsageError(f"run {run.uid} has no task-clock in any counted window", "count it: -e task-clock")
    totals = {name: math.fsum(t[name] for t, _ in chosen) for name in sorted({"s", "frames", *needed})}
    if any(v <= 0 for v in totals.values()):
        zero = ", ".join(n for n, v in totals.items() if v <= 0)
        raise UsageError(f"run {run.uid}: nothing was counted of {zero}", "a window must hold at least one inference")
    factors = tuple(Factor(n, totals[a] / totals[b], unit, merged) for n, a, b, unit, merged in form)
    notes = [f"{f.name} merges {f.merged}" for f in factors if f.merged]
    if spins(run):
        factors, note = _merge_spin(factors, totals)
        notes.append(note)
    notes += _quality([w for _, w in chosen], needed)
    throughput = totals["frames"] / totals["s"]
    fps = _fps([w for _, w in chosen], run.case.batch, three_sigma)
    bare = [w for w in run.windows if w.role is Role.BARE and w.latencies_ns]
    observer = _fps(bare, run.case.batch, three_sigma) / fps if bare else None
    if observer is None:
        notes.append("no bare window: the cost of counting is unknown")
    return Identity(
        run.uid,
        run.case.title,
        run.round,
        throughput,
        factors,
        fps / throughput,
        observer,
        len(chosen),
        totals,
        tuple(notes),
    )


def spins(run: Run) -> bool:
    """Do waiting threads spin? By a doubt, or by the framework's own word with more than one thread."""
    if any(d.code in SPIN_CODES for d in run.doubts):
        return True
    return run.facts.get("spin") is True and run.case.threads > 1


def _merge_spin(factors: Sequence[Factor], totals: Mapping[str, float]) -> tuple[tuple[Factor, ...], str]:
    clock = next((f for f in factors if f.name == "clock"), None)
    if clock is not None:
        rest = totals["frames"] / totals["s"] / clock.value
        lump = Factor("parallelism x IPC/work", rest, "frames/cycle", SPIN)
        return (clock, lump), f"{lump.name} merges what spinning mixes: {SPIN}"
    lump = Factor("throughput", totals["frames"] / totals["s"], "frames/s", SPIN)
    return (lump,), f"no factors: {SPIN}"


def _usable(reading: Reading) -> bool:
    return reading.value is not None and reading.exactness in (Exactness.EXACT, Exactness.SCALED)


def _totals(window: Window, batch: int) -> dict[str, float]:
    out = {"s": window.elapsed_s, "frames": float(len(window.latencies_ns) * batch)}
    for reading in window.readings:
        name = base_name(reading.metric)
        if not _usable(reading) or reading.value is None or reading.origin is Origin.SIMULATED:
            continue
        whole = reading.domain == "user+kernel" and ":" not in reading.metric
        if name == "task-clock" and reading.unit.lower() in TIME_UNITS:
            # task-clock counts the kernel's time too, whatever domain was asked for
            out["cpu_s"] = reading.value * TIME_UNITS[reading.unit.lower()]
        elif name in ("cycles", "instructions") and whole:
            out[name] = reading.value
    return out


def _quality(windows: Sequence[Window], needed: set[str]) -> list[str]:
    names = {"cpu_s": "task-clock"}
    used = {names.get(n, n) for n in needed}
    readings = [r for w in windows for r in w.readings if base_name(r.metric) in used and _usable(r)]
    notes = []
    if any(r.exactness is Exactness.SCALED for r in readings):
        notes.append("some counts are extrapolated (multiplexed): the identity holds only as well as they do")
    if any(r.origin is Origin.EMULATED for r in readings):
        notes.append("counted by an emulator: IPC is fixed by construction")
    return notes


def _fps(windows: Sequence[Window], batch: int, three_sigma: bool) -> float:
    """Batch over the median duration of all windows together, durations beyond 3 sigma dropped once."""
    durations = [d for w in windows for d in w.latencies_ns]
    if three_sigma and len(durations) > 1:
        mean, sd = statistics.fmean(durations), statistics.stdev(durations)
        durations = [d for d in durations if abs(d - mean) <= 3 * sd]
    return batch * 1e9 / statistics.median(durations)


def _common(identities: Sequence[Identity]) -> tuple[list[dict[str, float]], list[str]]:
    """Log factors of each identity in the finest form that all of them have; coarser ones are products."""
    names = [set(i.names) for i in identities]
    keep = [n for n in identities[0].names if all(n in s for s in names)]
    rest = any(set(keep) != s for s in names)
    out = []
    for one in identities:
        logs = {f.name: math.log(f.value) for f in one.factors if f.name in keep}
        if rest:
            logs["the other factors"] = math.log(one.throughput) - math.fsum(logs.values())
        out.append(logs)
    if not rest:
        return out, []
    lost = sorted({n for s in names for n in s} - set(keep))
    return out, [f"the other factors merges {', '.join(lost)}: not every run has them"]


def compare(a: Sequence[Identity], b: Sequence[Identity]) -> Comparison:
    """Why case b is faster or slower than case a, from the identities of their rounds.

    Each factor's ratio is exp of the difference of mean logs over rounds; interval by Welch (scipy). The logs of the
    factors add up to the log throughput ratio to 1e-9. tail and observer follow where all rounds have them; they lead
    from throughput to bare FPS and are no part of the sum. Raises UsageError where a case has no round.
    """
    if not a or not b:
        raise UsageError("a case without a usable round can't be compared", "measure it: hwprof sweep")
    logs, notes = _common([*a, *b])
    left, right = logs[: len(a)], logs[len(a) :]
    throughput = _ratio("throughput", [math.log(i.throughput) for i in a], [math.log(i.throughput) for i in b])
    factors = [_ratio(name, [x[name] for x in left], [x[name] for x in right]) for name in logs[0]]
    shares = _shares(throughput, factors)
    for name in ("tail", "observer"):
        values = [[getattr(i, name) for i in side] for side in (a, b)]
        if all(v for side in values for v in side):
            factors.append(_ratio(name, *([math.log(v) for v in side] for side in values)))
    seen = dict.fromkeys([*notes, *(n for i in (*a, *b) for n in i.notes)])
    return Comparison(throughput, tuple(factors), shares, tuple(seen))


def _ratio(name: str, a: Sequence[float], b: Sequence[float]) -> Ratio:
    from scipy import stats

    log = statistics.fmean(b) - statistics.fmean(a)
    if len(a) < 2 or len(b) < 2:
        return Ratio(name, math.exp(log), None, None, "one round has no spread: at least two of each (-r 3)")
    if statistics.pvariance(a) + statistics.pvariance(b) < 1e-24:
        return Ratio(name, math.exp(log), math.exp(log), math.exp(log))
    interval = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    return Ratio(name, math.exp(log), math.exp(float(interval.low)), math.exp(float(interval.high)))


def _shares(throughput: Ratio, factors: Sequence[Ratio]) -> dict[str, float] | None:
    """Percent of the log ratio, only where its interval excludes 1 and all factors share its sign."""
    if throughput.low is None or throughput.high is None or throughput.low <= 1 <= throughput.high:
        return None
    if any(f.log * throughput.log < -1e-12 for f in factors):
        return None
    return {f.name: 100 * f.log / throughput.log for f in factors}
