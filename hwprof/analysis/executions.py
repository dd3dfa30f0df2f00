"""How long the executions of one program took: their spread, and which of them are outliers. Pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hwprof.records import Run

# A median absolute deviation times this estimates a standard deviation (of a normal distribution). Beyond ten of them
# from the median an execution is an outlier: the rule of hyperfine (src/outlier_detection.rs).
MAD_TO_DEVIATION, DEVIATIONS = 1.4826, 10.0
# Below, a deviation from the median is not known well enough.
FEWEST = 5


@dataclass(frozen=True, slots=True)
class ExecutionTimes:
    """Times in s, in order, of executions that did not fail. `outliers`: their places.

    `deviation`: the standard deviation of a sample; None of a single execution.
    """

    times_s: tuple[float, ...]
    median_s: float
    deviation_s: float | None
    outliers: tuple[int, ...]

    @property
    def is_first_slow(self) -> bool:
        """Whether the first one is an outlier above the others, as where caches were not yet filled."""
        return 0 in self.outliers and self.times_s[0] > self.median_s


def execution_times(runs: Sequence[Run]) -> ExecutionTimes | None:
    """Of every execution of every round; None where no round recorded any."""
    found = [
        execution["elapsed_ns"] / 1e9
        for run in runs
        for execution in run.facts.get("executions", ())
        if execution.get("elapsed_ns") and not execution.get("exit_code")
    ]
    if not found:
        return None
    deviation = statistics.stdev(found) if len(found) > 1 else None
    return ExecutionTimes(tuple(found), statistics.median(found), deviation, outliers(found))


def outliers(values: Sequence[float]) -> tuple[int, ...]:
    """Places of values that lie more than DEVIATIONS robust standard deviations from the median (Iglewicz and Hoaglin,
    How to Detect and Handle Outliers, 1993: modified Z-scores); none of fewer than FEWEST values.
    """
    if len(values) < FEWEST:
        return ()
    middle = statistics.median(values)
    distances = [abs(value - middle) for value in values]
    limit = DEVIATIONS * MAD_TO_DEVIATION * statistics.median(distances)
    return tuple(place for place, distance in enumerate(distances) if distance > limit > 0)
