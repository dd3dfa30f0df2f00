"""What metrics and models are set against: FPS, or the speed that survives where a run of the stratum was disturbed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pandas as pd

from hwprof.analysis.estimator import Estimator, EstimatorChoice, choose
from hwprof.printable import plural
from hwprof.speed import Speed

# The name of each speed, of which more is faster.
SPEED: Mapping[Estimator, str] = {
    Estimator.FPS: "FPS",
    Estimator.THROUGHPUT: "throughput",
    Estimator.CPU_TIME: "frames per CPU second",
}
BY_FPS = EstimatorChoice(Estimator.FPS)


def surviving_speed(rows: pd.DataFrame) -> tuple[pd.DataFrame, EstimatorChoice]:
    """The rows with the speed that survives in the column `fps`, and which it is; `rows` themselves where it is FPS.

    `rows`: usable rows of one stratum. The speed is blank in rows that do not have it; how many is part of the reason.
    """
    known = rows[rows["fps"].notna()]
    if "throughput" not in rows or known.empty:
        return rows, BY_FPS
    names = ("threads", "fps", "throughput", "cpu_ms", "waiting", "stolen")
    columns = (known[name] if name in known else [None] * len(known) for name in names)
    choice = choose(
        (0 if _is_missing(threads) else int(threads), Speed(None, fps, throughput, _seconds(cpu_ms), *shares))
        for threads, fps, throughput, cpu_ms, *shares in zip(*(map(_number, c) for c in columns), strict=True)
    )
    if choice.estimator is Estimator.FPS:
        return rows, choice
    out = rows.copy()
    out.attrs = dict(rows.attrs)
    if choice.estimator is Estimator.THROUGHPUT:
        speed = rows["throughput"].astype(float)
    else:
        speed = 1e3 / rows["cpu_ms"].astype(float)
    out["fps"] = speed.where(rows["fps"].notna())
    missing = int(out.loc[known.index, "fps"].isna().sum())
    if missing:
        runs = f"{plural(missing, 'run')} without {SPEED[choice.estimator]}"
        choice = dataclasses.replace(choice, why=f"{choice.why}; {runs}")
    return out, choice


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: float | None) -> float | None:
    return None if _is_missing(value) else value


def _seconds(value: float | None) -> float | None:
    number = _number(value)
    return None if number is None else number / 1e3
