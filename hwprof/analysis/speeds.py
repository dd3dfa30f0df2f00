"""Speeds of cases over rounds, cases that may stand in one chart, and the ratio of every two frameworks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof import speed
from hwprof.analysis import energy
from hwprof.analysis.correlation import strata
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.estimator import Estimator, EstimatorChoice, choose
from hwprof.analysis.factors.identity import disjoint, factor
from hwprof.analysis.units import SETS, choose_units

# What rows of the speed table have in common in one chart.
PLACE = ("machine", "threads", "cpus", "precision")
CASE = (*PLACE, *strata.SIDE, "batch", NETWORK)


# Columns of the frame by estimator: of the bare stretch, and of slices side by side. CPU times divide.
ALONE: Mapping[Estimator, str] = {
    Estimator.FPS: "fps",
    Estimator.THROUGHPUT: "throughput",
    Estimator.CPU_TIME: "cpu_ms",
}
PAIRED: Mapping[Estimator, str] = {
    Estimator.FPS: "paired_fps",
    Estimator.THROUGHPUT: "paired_throughput",
    Estimator.CPU_TIME: "paired_cpu_ms",
}


@dataclass(frozen=True, slots=True)
class CaseRatio:
    """Speed of one framework over another's in one case, with its 95 % interval over sets, sessions or rounds (`over`).

    `sets`: sets in which both were measured side by side; 0: none. `alone`: the same ratio from the
    bare stretches. `conflict`: the two intervals don't meet, so that neither is faster.
    """

    ratio: speed.Interval
    alone: speed.Interval
    sets: int
    over: str
    conflict: bool

    @property
    def decided(self) -> bool:
        """Whether one is faster: the interval excludes 1, and the bare stretches don't contradict it."""
        low, high = self.ratio.low, self.ratio.high
        return low is not None and high is not None and not low <= 1 <= high and not self.conflict


@dataclass(frozen=True, slots=True)
class SpeedRatio:
    """Speed of one framework over a slower one's: geometric mean over networks with its 95 % t interval."""

    fast: str
    slow: str
    ratio: speed.Interval
    wins: int  # networks on which `fast` is faster
    networks: int
    choice: EstimatorChoice
    cases: int  # that both have
    paired: int  # of these, in which both were measured side by side
    conflicts: int  # of these, in which slices and bare stretches contradict each other
    unfaithful: int = 0  # of these, in which the outputs of one of them are not those of the reference
    incomparable: int = 0  # of these, in which those of one of them could not be compared, and of none are wrong


# Of the bare stretch: what `estimator` judges a run by.
SPEED_COLUMNS = (*ALONE.values(), "waiting", "stolen")
# What `speeds` keeps of each run, in this order.
_PER_RUN = ("set", strata.BLOCK, *SPEED_COLUMNS, *PAIRED.values())


def speeds(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per case and variant: fps with low and high (95 % t interval), throughput, cpu_ms and waiting (means over
    rounds, geometric but for the last), rounds, sessions, latency_ms, macs, faithful, max_rel, emulated, incomparable
    (`not comparable: WHY`, else ""), and `runs`, the rows of its rounds in `frame`, which is of `Results.frame`.

    The interval is between rounds, and between the means of sessions or experiments where there are several.
    """
    labelled = strata.label(frame)
    labelled.attrs = {}  # pandas copies them deeply at every step
    good = labelled[strata.is_ok(labelled) & strata.is_native(labelled) & labelled["fps"].notna()]
    keys = [*CASE, VARIANT]
    columns = {n: good[n].to_numpy() for n in keys}
    fps, latency, macs, errors = (good[n].to_numpy(float) for n in ("fps", "latency_ms", "macs", "max_rel"))
    faithful, unknown = ~strata.is_unfaithful(good).to_numpy(), strata.incomparable(good).to_numpy(object)
    emulated = good["emulated"].to_numpy(bool) if "emulated" in good else np.zeros(len(good), dtype=bool)
    others, blocks = {n: _column(good, n) for n in _PER_RUN}, good[strata.BLOCK].to_numpy(object)
    # the rows of each case at once: a frame of each would take a millisecond, and there are thousands
    case = good.groupby(keys, dropna=False, sort=True).ngroup().to_numpy()
    order = np.argsort(case, kind="stable")
    rows = []
    for at in np.split(order, np.flatnonzero(np.diff(case[order])) + 1) if len(order) else ():
        sessions = [fps[at][blocks[at] == block] for block in dict.fromkeys(blocks[at])]
        units = fps[at] if len(sessions) == 1 else [_geometric_mean(one) for one in sessions]
        mean, low, high = speed.between_rounds(list(units))
        known = latency[at][~np.isnan(latency[at])]
        rows.append(
            {
                **{n: values[at[0]] for n, values in columns.items()},
                "fps": mean,
                "low": low,
                "high": high,
                **{name: _geometric_mean(others[name][at]) for name in ("throughput", "cpu_ms")},
                "waiting": _mean(others["waiting"][at]),
                "rounds": len(at),
                "sessions": len(sessions),
                "latency_ms": float(np.median(known)) if len(known) else math.nan,
                "macs": macs[at[0]],
                "faithful": bool(faithful[at].all()),
                "max_rel": np.fmax.reduce(errors[at]),
                "emulated": bool(emulated[at].any()),
                "incomparable": next(filter(None, unknown[at]), ""),
                "runs": tuple(zip(*(others[name][at].tolist() for name in _PER_RUN), strict=True)),
            }
        )
    return pd.DataFrame(rows)


def _column(frame: pd.DataFrame, name: str) -> NDArray[Any]:
    if name in ("set", strata.BLOCK):
        return np.asarray(frame[name].to_numpy(object)) if name in frame else np.full(len(frame), None)
    return np.asarray(frame[name].to_numpy(float)) if name in frame else np.full(len(frame), np.nan)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _geometric_mean(values: NDArray[np.float64]) -> float:
    known = values[values > 0]
    return float(np.exp(np.log(known).mean())) if len(known) else math.nan


def groups(fps: pd.DataFrame, keys: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Rows with equal `keys`, in the order of the keys."""
    found: dict[int, list[dict[str, Any]]] = {}
    numbers = fps.groupby(list(keys), sort=True, dropna=False).ngroup()
    for number, row in zip(numbers, fps.to_dict("records"), strict=True):
        found.setdefault(number, []).append({str(k): v for k, v in row.items()})
    return [group for _, group in sorted(found.items())]


def places(fps: pd.DataFrame) -> list[tuple[Mapping[str, Any], pd.DataFrame]]:
    """The speeds of each combination of PLACE, with those values of it that differ between combinations."""
    differing = [c for c in PLACE if fps[c].astype(str).nunique() > 1]
    if not differing:
        return [({}, fps)]
    found = fps.groupby(differing, sort=True, dropna=False)
    return [(dict(zip(differing, key, strict=True)), group) for key, group in found]


def fullest_places(fps: pd.DataFrame) -> list[tuple[Mapping[str, Any], pd.DataFrame]]:
    """Of each machine and precision the one place with most speeds; of several as full, that with most threads."""
    best: dict[tuple[str, str], tuple[tuple[int, int], Mapping[str, Any], pd.DataFrame]] = {}
    for values, group in places(fps):
        first = group.iloc[0]
        key, rank = (str(first["machine"]), str(first["precision"])), (len(group), int(first["threads"]))
        if key not in best or rank > best[key][0]:
            best[key] = rank, values, group
    return [(values, group) for _, values, group in best.values()]


def speed_of(row: Mapping[str, Any]) -> list[tuple[int, speed.Speed]]:
    """(threads, speed) of each round of a row of `speeds`, as `estimator.choose` takes them."""
    runs = (dict(zip(_PER_RUN, one, strict=True)) for one in row["runs"])
    return [(int(row["threads"]), run_speed(run)) for run in runs]


def run_speed(run: Mapping[str, Any]) -> speed.Speed:
    """Speed of one run from its SPEED_COLUMNS of the frame; its latency is not among them."""
    fps, throughput, cpu_ms, waiting, stolen = (None if math.isnan(run[n]) else run[n] for n in SPEED_COLUMNS)
    return speed.Speed(None, fps, throughput, None if cpu_ms is None else cpu_ms / 1e3, waiting, stolen)


def case_ratio(a: Mapping[str, Any], b: Mapping[str, Any], estimator: Estimator) -> CaseRatio | None:
    """Speed of row `a` of `speeds` over that of row `b`; None where the estimator is not known.

    Ratios come from slices of sets that both are in, one per set; else from the bare stretches, averaged over the units
    of `choose_units`: what differs in its block is no round.
    """
    sign = -1 if estimator is Estimator.CPU_TIME else 1
    sides = [[dict(zip(_PER_RUN, one, strict=True)) for one in row["runs"]] for row in (a, b)]
    known = [[run for run in side if run[ALONE[estimator]] > 0] for side in sides]
    if not all(known):
        return None
    alone = [[sign * math.log(run[ALONE[estimator]]) for run in side] for side in known]
    units = choose_units(*([run[strata.BLOCK] for run in side] for side in known))
    means = [
        [statistics.fmean(side[i] for i in unit) for unit in own]
        for side, own in zip(alone, (units.x, units.y), strict=True)
    ]
    by_set = [{r["set"]: r[PAIRED[estimator]] for r in side if r["set"] and r[PAIRED[estimator]] > 0} for side in sides]
    logs = [sign * math.log(by_set[0][name] / by_set[1][name]) for name in by_set[0] if name in by_set[1]]
    found = factor("alone", means[0], means[1], units.paired)
    apart = speed.Interval(found.ratio, found.low, found.high)
    if not logs:
        return CaseRatio(apart, apart, 0, units.over, False)
    ratio = speed.between_rounds([math.exp(v) for v in logs])
    return CaseRatio(ratio, apart, len(logs), SETS, disjoint(ratio, apart))


def ratios(fps: pd.DataFrame, variants: Sequence[str]) -> list[SpeedRatio]:
    """Each pair of frameworks over the cases that both have; a network counts once. `fps`: of `speeds`."""
    found = []
    cases = groups(fps, CASE)
    for index, a in enumerate(variants):
        for b in variants[index + 1 :]:
            pairs = []
            for group in cases:
                rows = {row[VARIANT]: row for row in group}
                if a in rows and b in rows:
                    pairs.append((rows[a], rows[b]))
            if (one := _ratio(a, b, pairs)) is not None:
                found.append(one)
    return found


def _ratio(a: str, b: str, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> SpeedRatio | None:
    choice = choose(member for pair in pairs for row in pair for member in speed_of(row))
    by_network: dict[str, list[float]] = {}
    of_cases, wrong, unknown = [], 0, 0
    for x, y in pairs:
        if (one := case_ratio(x, y, choice.estimator)) is not None:
            of_cases.append(one)
            is_wrong = not (x["faithful"] and y["faithful"])
            wrong += is_wrong
            unknown += not is_wrong and bool(x["incomparable"] or y["incomparable"])
            by_network.setdefault(str(x[NETWORK]), []).append(math.log(one.ratio.value))
    if not of_cases:
        return None
    per_network = [math.exp(sum(logs) / len(logs)) for logs in by_network.values()]
    mean, low, high = ratio = speed.between_rounds(per_network)
    fast, slow = (a, b) if mean >= 1 else (b, a)
    if mean < 1:
        low, high = None if high is None else 1 / high, None if low is None else 1 / low
        ratio = speed.Interval(1 / mean, low, high)
    wins = sum(v > 1 if fast == a else v < 1 for v in per_network)
    conflicts = sum(one.conflict for one in of_cases)
    paired = sum(one.sets > 0 for one in of_cases)
    networks, cases = len(per_network), len(of_cases)
    return SpeedRatio(fast, slow, ratio, wins, networks, choice, cases, paired, conflicts, wrong, unknown)


def median_runs(frame: pd.DataFrame) -> list[str]:
    """Of each variant the uid of the round of median FPS of its largest network at its largest batch: a long run.

    `frame`: labelled.
    """
    good = frame[strata.is_ok(frame) & strata.is_native(frame) & frame["fps"].notna()]
    found = []
    for _, group in good.groupby(VARIANT, sort=True):
        work = group["macs"].fillna(0) * group["batch"]
        by_work = group.assign(_work=work).sort_values(["_work", NETWORK], kind="stable")
        last = by_work.iloc[-1]
        of = [*strata.SIDE, "batch", "threads", NETWORK]
        same = by_work[(by_work[of] == last[of]).all(axis=1)]
        same = same.sort_values("fps", kind="stable")
        found.append(str(same["run"].iloc[len(same) // 2]))
    return found


def with_energy(fps: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The speeds of cases whose energy is known, with the column `energy` (J per frame); None: no sensor was read.

    `frame`: labelled.
    """
    joules = energy.per_frame(frame)
    if joules is None:
        return None
    keys = [*CASE, VARIANT]
    mean = frame.assign(energy=joules).groupby(keys, dropna=False)["energy"].mean().reset_index()
    return fps.merge(mean, on=keys).query("energy > 0")
