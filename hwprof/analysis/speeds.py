"""Speeds of cases over rounds, cases that may stand in one chart, and the ratio of every two frameworks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hwprof import speed
from hwprof.analysis import energy
from hwprof.analysis.correlation import strata
from hwprof.analysis.correlation.strata import NETWORK, VARIANT

# What rows of the speed table have in common in one chart.
PLACE = ("machine", "threads", "cpus", "precision")
CASE = (*PLACE, "size", "batch", NETWORK)


@dataclass(frozen=True, slots=True)
class SpeedRatio:
    """FPS of one framework over a slower one's: geometric mean over networks with its 95 % t interval."""

    fast: str
    slow: str
    ratio: speed.Interval
    wins: int  # networks on which `fast` is faster
    networks: int


def speeds(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per case and variant: fps with low and high (95 % t interval between rounds), rounds, latency_ms, macs,
    faithful, max_rel, emulated. `frame`: of `Results.frame`."""
    labelled = strata.label(frame)
    labelled.attrs = {}  # pandas copies them deeply at every step
    good = labelled[strata.is_ok(labelled) & strata.is_native(labelled) & labelled["fps"].notna()]
    keys = [*CASE, VARIANT]
    columns = {n: good[n].to_numpy() for n in keys}
    fps, latency, macs, errors = (good[n].to_numpy(float) for n in ("fps", "latency_ms", "macs", "max_rel"))
    faithful = ~strata.is_unfaithful(good).to_numpy()
    emulated = good["emulated"].to_numpy(bool) if "emulated" in good else np.zeros(len(good), dtype=bool)
    # the rows of each case at once: a frame of each would take a millisecond, and there are thousands
    case = good.groupby(keys, dropna=False, sort=True).ngroup().to_numpy()
    order = np.argsort(case, kind="stable")
    rows = []
    for at in np.split(order, np.flatnonzero(np.diff(case[order])) + 1) if len(order) else ():
        mean, low, high = speed.between_rounds(fps[at].tolist())
        known = latency[at][~np.isnan(latency[at])]
        rows.append(
            {
                **{n: values[at[0]] for n, values in columns.items()},
                "fps": mean,
                "low": low,
                "high": high,
                "rounds": len(at),
                "latency_ms": float(np.median(known)) if len(known) else math.nan,
                "macs": macs[at[0]],
                "faithful": bool(faithful[at].all()),
                "max_rel": np.fmax.reduce(errors[at]),
                "emulated": bool(emulated[at].any()),
            }
        )
    return pd.DataFrame(rows)


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


def ratios(fps: pd.DataFrame, variants: Sequence[str]) -> list[SpeedRatio]:
    """Each pair of frameworks over the cases that both have; a network counts once."""
    found = []
    wide = fps.pivot_table(index=list(CASE), columns=VARIANT, values="fps")
    compared = [v for v in variants if v in wide.columns]
    for index, a in enumerate(compared):
        for b in compared[index + 1 :]:
            both = wide[[a, b]].dropna()
            if both.empty:
                continue
            logs: pd.Series = (both[a] / both[b]).astype(float).transform(np.log)
            per_network = logs.groupby(level=NETWORK).mean().transform(np.exp)
            mean, low, high = ratio = speed.between_rounds([float(v) for v in per_network])
            fast, slow = (a, b) if mean >= 1 else (b, a)
            if mean < 1:
                low, high = None if high is None else 1 / high, None if low is None else 1 / low
                ratio = speed.Interval(1 / mean, low, high)
            wins = int((per_network > 1).sum()) if fast == a else int((per_network < 1).sum())
            found.append(SpeedRatio(fast, slow, ratio, wins, len(per_network)))
    return found


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
        same = by_work[(by_work[["batch", "threads", NETWORK]] == last[["batch", "threads", NETWORK]]).all(axis=1)]
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
