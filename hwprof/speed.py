"""Latency, FPS, throughput and CPU time per frame of a run, and their intervals. Pure functions.

Definitions (see docs/method.md): latency is the median of what one pass of the 3-sigma rule leaves; FPS = batch /
latency; throughput = frames / elapsed; CPU time per frame is that of all threads of the process. A run's own are those
of its bare windows, pooled. Percentiles of the tail are
taken over *all* durations: a tail that was trimmed away is no tail. All durations are in nanoseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwprof.machine.contention import cpus_allowed, share_taken
from hwprof.records import Kind, Role, Run

SIGMAS = 3.0
BIN_NS = 50e6  # of throughput over time, where there are no slices
CONFIDENCE = 0.95
# Of the bootstrap within a stretch of time: the length of a block, and the least number of them.
BLOCK_NS = 200e6
MIN_BLOCKS = 5
RESAMPLES, GRID = 2000, 1024


class Interval(NamedTuple):
    """A central value with its bounds; None where there is too little to tell them."""

    value: float
    low: float | None
    high: float | None


class Speed(NamedTuple):
    """A run's latency in ns, FPS and throughput in frames/s, CPU time in s per frame; None: not known.

    `waiting`: share of the time for which a thread was ready and others had its CPU; `stolen`: of the time that the
    hypervisor took from the case's CPUs.
    """

    latency_ns: float | None = None
    fps: float | None = None
    throughput: float | None = None
    cpu_s: float | None = None
    waiting: float | None = None
    stolen: float | None = None


def bare_latencies(run: Run) -> NDArray[np.int64]:
    """Durations of the single inferences of all bare windows in order, ns. Shape (n,), n may be 0."""
    parts = [np.asarray(w.latencies_ns, dtype=np.int64) for w in run.windows if w.role is Role.BARE]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def of_run(run: Run) -> Speed:
    """Speed of a run in its bare windows: nothing where there are none, or where the clock stood still in them.

    Of an observed program (`Kind.COMMAND`) or an imported run it is what that reported. Where a program reported no
    latency, the median time that it took stands in its place. FPS of an imported run without a latency is its
    throughput.
    """
    if run.kind is Kind.COMMAND:
        lengths = [w.t1_ns - w.t0_ns for w in run.windows]
        latency = run.facts.get("latency_ns") if "latency_ns" in run.facts else np.median(lengths) if lengths else None
        return Speed(None if latency is None else float(latency), run.facts.get("fps"), run.facts.get("throughput"))
    if (imported := run.facts.get("imported")) and run.failure is None:
        latency, rate, total = (imported.get(name) for name in ("latency_ns", "fps", "throughput"))
        return Speed(latency, total if rate is None else rate, total)
    return of_role(run, Role.BARE)


def of_role(run: Run, role: Role) -> Speed:
    """Speed of a run in its windows of one role, slices included."""
    windows = [w for w in run.windows if w.role is role and w.latencies_ns]
    if not windows:
        return Speed()
    latencies = np.concatenate([np.asarray(w.latencies_ns, dtype=np.int64) for w in windows])
    latency, elapsed = latency_ns(latencies), 1e9 * sum(w.elapsed_s for w in windows)
    if latency <= 0 or elapsed <= 0:
        return Speed()
    frames, case = run.case.batch * len(latencies), run.case
    times = [{r.metric: r.value for r in w.readings if r.value is not None} for w in windows]
    user, system, wait = (_total(times, name) for name in ("cpu-user-time", "cpu-system-time", "run-queue-wait"))
    cpu = None if user is None or system is None else user + system
    busy, steal = (_total(times, *(f"{n}[cpu{c}]" for c in case.cpus)) for n in ("cpu-busy", "cpu-steal"))
    waiting = None
    if wait is not None:
        used, busy_s = (math.nan if v is None else v for v in (cpu, None if busy is None else busy + (steal or 0.0)))
        allowed = cpus_allowed(case.cpus, run.host_state)
        waiting = float(share_taken(wait, used, elapsed / 1e9, case.threads, allowed, busy_s))
    return Speed(
        latency,
        fps(case.batch, latency),
        throughput(frames, elapsed),
        None if cpu is None else cpu / frames,
        waiting,
        None if steal is None else steal / (len(case.cpus) * elapsed / 1e9),
    )


def _total(windows: Sequence[Mapping[str, float]], *metrics: str) -> float | None:
    """Sum over windows and metrics; None where one of them is missing in a window, or there are none."""
    values = [window.get(metric) for window in windows for metric in metrics]
    return None if not values or any(v is None for v in values) else sum(v for v in values if v is not None)


def three_sigma(latencies: ArrayLike) -> NDArray[np.bool_]:
    """Which durations lie within 3 standard deviations of the mean of all; one pass, not repeated.

    Shape (n,) in, boolean mask of shape (n,) out. The deviation is that of a sample (n - 1 in the denominator); the
    bounds themselves belong to what is kept. With fewer than 11 values nothing can lie outside: the largest possible
    distance is (n - 1) / sqrt(n) deviations.
    """
    values = _values(latencies)
    if len(values) < 2:
        return np.ones(len(values), dtype=np.bool_)
    # the steps of numpy's mean and std, without their preambles: a report has tens of thousands of windows
    mean = float(np.add.reduce(values)) / len(values)
    distance = values - mean
    deviation = math.sqrt(float(np.add.reduce(distance * distance)) / (len(values) - 1))
    # equal values have a deviation of some rounding errors, and must all be kept
    limit = SIGMAS * deviation + 1e-9 * abs(mean)
    return np.asarray(np.abs(distance) <= limit, dtype=np.bool_)


def outliers(latencies: ArrayLike) -> int:
    """How many durations lie beyond 3 sigma."""
    return int((~three_sigma(latencies)).sum())


def outliers_of_each(latencies: ArrayLike) -> NDArray[np.int64]:
    """`outliers` of each row of a table of durations: shape (runs, n) in, (runs,) out."""
    values = np.asarray(latencies, dtype=np.float64)
    if values.shape[1] < 2:
        return np.zeros(len(values), dtype=np.int64)
    mean = values.mean(axis=1, keepdims=True)
    limit = SIGMAS * values.std(axis=1, ddof=1, keepdims=True) + 1e-9 * np.abs(mean)
    return np.asarray((np.abs(values - mean) > limit).sum(axis=1), dtype=np.int64)


def latency_ns(latencies: ArrayLike) -> float:
    """Median of the durations that one 3-sigma pass leaves. Raises ValueError for none at all."""
    values = _some(latencies)
    kept = np.sort(values[three_sigma(values)])
    # numpy's median gives the same, in five times the time
    half = len(kept) // 2
    return float(kept[half] if len(kept) % 2 else (kept[half - 1] + kept[half]) / 2)


def slice_medians(latencies: ArrayLike, iterations: Sequence[int]) -> list[float]:
    """Median latency of each slice, ns. `latencies` slice by slice, `iterations` of each."""
    values = _values(latencies)
    inner = np.minimum(np.cumsum(iterations)[:-1], len(values))
    starts, ends = np.array([0, *inner]), np.array([*inner, len(values)])
    counts = ends - starts
    ordered = values[np.lexsort((values, np.repeat(np.arange(len(counts)), counts)))]
    found = np.full(len(counts), np.nan)
    some = counts > 0
    low, high = (starts + (counts - 1) // 2)[some], (starts + counts // 2)[some]
    found[some] = (ordered[low] + ordered[high]) / 2
    return list(found.tolist())


class Turns(NamedTuple):
    """Bare slices of one run by turn: `numbers` of shape (n,), `logs` of shape (n, 3).

    Logs of the latency, of the time and of the CPU time per frame (ns, ns, s; NaN: not known).
    """

    numbers: NDArray[np.int64]
    logs: NDArray[np.float64]


def by_turn(
    numbers: ArrayLike, medians: ArrayLike, elapsed_ns: ArrayLike, cpu_s: ArrayLike, iterations: ArrayLike, batch: int
) -> Turns:
    """Turns from columns of slices: turn, median latency (ns), length (ns), CPU time (s, NaN: not known), iterations.

    Slices of one turn are averaged (means of logs).
    """
    frames = _values(iterations) * batch
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack([_values(medians) / batch, _values(elapsed_ns) / frames, _values(cpu_s) / frames], 1))
    logs[~np.isfinite(logs)] = np.nan
    turns, places = np.unique(np.asarray(numbers, dtype=np.int64), return_inverse=True)
    sums = np.zeros((len(turns), 3))
    np.add.at(sums, places, logs)
    return Turns(turns, sums / np.bincount(places, minlength=len(turns))[:, None])


def side_by_side(members: Sequence[Turns]) -> NDArray[np.float64]:
    """Logs of each member of a set with what the members share in a turn removed: shape (members, 3).

    Median over the turns that all have, of a member's distance from the members' mean; so that the difference of two
    members is a log ratio, and ratios of three agree. NaN below three such turns.
    """
    common = np.asarray(sorted(set.intersection(*(set(m.numbers.tolist()) for m in members))), dtype=np.int64)
    if len(common) < 3:
        return np.full((len(members), 3), np.nan)
    logs = np.stack([m.logs[np.searchsorted(m.numbers, common)] for m in members])
    shared = logs.mean(axis=0)
    return np.asarray(np.median(logs - shared, axis=1) + np.median(shared, axis=0))


def percentile(latencies: ArrayLike, q: float) -> float:
    """The q-th percentile (0 to 100) of *all* durations, linear between neighbours. ValueError for none at all."""
    return float(np.percentile(_some(latencies), q))


def fps(batch: int, latency: float) -> float:
    """Frames per second: batch / latency, with the latency in nanoseconds."""
    if not latency > 0:
        raise ValueError(f"a latency must be above 0, not {latency}")
    return batch * 1e9 / latency


def throughput(frames: int, elapsed_ns: float) -> float:
    """Frames per second of elapsed time: everything between the first request and the last answer."""
    if not elapsed_ns > 0:
        raise ValueError(f"elapsed time must be above 0, not {elapsed_ns}")
    return frames * 1e9 / elapsed_ns


def stretch_interval(stretches: Sequence[ArrayLike]) -> Interval:
    """Median of the kept durations, with a 95 % interval *of these stretches of time*, by a bootstrap of blocks.

    `stretches`: durations of back-to-back inferences, ns, shape (n,) each. Neighbours in time are alike, so that what
    is drawn are blocks of 0.2 s, from a fixed seed; fewer than 5 of them: no bounds. Percentiles are expanded for few
    blocks (Hesterberg 2015, What Teachers Should Know About the Bootstrap). The interval holds the median of the next
    seconds less often than not, and says nothing about another process: `between_rounds` does.
    """
    parts = [values for values in map(_values, stretches) if len(values)]
    values = _some(np.concatenate(parts) if parts else ())
    kept = three_sigma(values)
    values, blocks = values[kept], np.unique(np.concatenate(_blocks(parts))[kept], return_inverse=True)[1]
    middle, number = float(np.median(values)), int(blocks.max()) + 1
    if number < MIN_BLOCKS:
        return Interval(middle, None, None)
    # medians of many samples at once: how many values of each block lie below each point of a grid of quantiles
    grid = np.unique(np.quantile(values, np.linspace(0, 1, GRID), method="inverted_cdf"))
    cells = blocks * len(grid) + np.searchsorted(grid, values)
    below = np.bincount(cells, minlength=number * len(grid)).reshape(number, -1).cumsum(axis=1).astype(np.float64)
    draws = np.random.default_rng(0).multinomial(number, np.full(number, 1 / number), size=RESAMPLES)
    counts = draws.astype(np.float64) @ below
    medians = grid[np.argmax(counts >= counts[:, -1:] / 2, axis=1)]
    from scipy.special import ndtr, stdtrit

    tail = float(ndtr(-math.sqrt(number / (number - 1)) * stdtrit(number - 1, 0.5 + CONFIDENCE / 2)))
    low, high = np.quantile(medians, (tail, 1 - tail))
    return Interval(middle, float(low), float(high))


def _blocks(stretches: Sequence[NDArray[np.float64]]) -> list[NDArray[np.int64]]:
    """The block of each duration: equal lengths of about 0.2 s within a stretch."""
    found, first = [], 0
    for values in stretches:
        ends = np.cumsum(values)
        number = max(1, round(float(ends[-1]) / BLOCK_NS))
        found.append(first + ((ends - values) / ends[-1] * number).astype(np.int64))
        first += number
    return found


def median_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Median with an interval from order statistics (the sign test); too few values for `confidence`: no bounds.

    The bounds are the l-th smallest and l-th largest value, l the largest rank with P(Binomial(n, 1/2) < l) <=
    (1 - confidence) / 2 (Conover, Practical Nonparametric Statistics, on quantiles): no distribution is assumed,
    independence is. Shape (n,), n at least 1.
    """
    values = np.sort(_some(values))
    rank = _median_rank(len(values), confidence)
    middle = float(np.median(values))
    if rank == 0:
        return Interval(middle, None, None)
    return Interval(middle, float(values[rank - 1]), float(values[-rank]))


def between_rounds(values: Sequence[float]) -> Interval:
    """Geometric mean over rounds with a 95 % t interval of the logarithms, as factors back on the scale of FPS.

    `values`: one positive number per round, NaN left out. Fewer than 2: no bounds. Raises ValueError for none, or for
    one that is not above 0.
    """
    data = np.asarray(values, dtype=np.float64)
    data = data[~np.isnan(data)]
    if len(data) == 0:
        raise ValueError("no rounds")
    if not (data > 0).all():
        raise ValueError("a logarithm needs values above 0")
    logs = np.log(data)
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(math.exp(mean), None, None)
    from scipy.special import stdtrit  # the rest of this module needs numpy alone

    quantile = float(stdtrit(len(logs) - 1, 0.5 + CONFIDENCE / 2))
    half = quantile * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def _values(latencies: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(latencies, dtype=np.float64).ravel()


def _some(latencies: ArrayLike) -> NDArray[np.float64]:
    values = _values(latencies)
    if len(values) == 0:
        raise ValueError("no latencies")
    return values


def _median_rank(n: int, confidence: float) -> int:
    """Largest l with P(Binomial(n, 1/2) < l) <= (1 - confidence) / 2; 0: there is none."""
    if n == 0:
        return 0
    k = np.arange(n, dtype=np.float64)
    # log of the binomial coefficients by their ratio, so that n may be large
    logs = np.concatenate([[0.0], np.cumsum(np.log(n - k) - np.log(k + 1))]) - n * math.log(2)
    below = np.cumsum(np.exp(logs))  # below[i] = P(X <= i) = P(X < i + 1)
    return int((below <= (1 - confidence) / 2).sum())


class Bins(NamedTuple):
    """A window in bins that follow each other without a gap: start and length in ns, number of inferences."""

    start_ns: NDArray[np.float64]
    length_ns: NDArray[np.float64]
    iterations: NDArray[np.int64]


def bins(latencies: ArrayLike, elapsed_ns: float, width_ns: float = BIN_NS) -> Bins:
    """Cut back-to-back inferences into bins of about `width_ns`, each of at least one inference that ends in it.

    An inference ends where the durations up to it add up to, scaled so that the last one ends at `elapsed_ns`: the
    loop's own time is spread evenly. A last bin shorter than half of the width belongs to the one before.
    """
    ends = np.cumsum(_values(latencies))
    if not len(ends) or ends[-1] <= 0 or elapsed_ns <= 0:
        return Bins(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    ends *= elapsed_ns / ends[-1]
    number = np.minimum(ends // width_ns, max(0.0, round(elapsed_ns / width_ns) - 1))
    last = np.flatnonzero(np.append(number[1:] != number[:-1], True))
    edges, counts = np.append(0.0, ends[last]), np.diff(np.append(-1, last))
    return Bins(edges[:-1], np.diff(edges), counts)
