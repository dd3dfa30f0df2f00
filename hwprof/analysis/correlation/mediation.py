"""What of a metric's association with the target goes through instructions: the total slope less the direct one.

The total slope controls for MACs, the direct one for instructions too (Baron and Kenny 1986; with least squares on the
same networks the difference is the product of the two paths). What goes through instructions may as well go through
what grows with them: an association, no path of causes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hwprof.analysis.correlation.findings import Through
from hwprof.analysis.statistics.clusters import MIN_PARENTS
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, left_out, take_out
from hwprof.networks.blocks import parents_of


def through_instructions(x: Floats, y: Floats, covariates: Floats, networks: Sequence[str]) -> Through | None:
    """Of the logs x and y (n,); `covariates` (n, k): log MACs, then those of the instructions.

    The error is between networks, or between the parents of blocks (jackknife). None: too few of them, or nothing is
    left of the metric without one of them.
    """
    return through_instructions_of_each(x[:, None], y, covariates, networks)[0]


def through_instructions_of_each(
    x: Floats, y: Floats, covariates: Floats, networks: Sequence[str]
) -> list[Through | None]:
    """The same of each column of x (n, m)."""
    size, parents = covariates[:, :1], np.array(parents_of(networks))
    if len(parents):
        rests = [parents != name for name in sorted(set(parents))]
        left = np.array([_slopes(x[r], y[r], size[r]) - _slopes(x[r], y[r], covariates[r]) for r in rests])
    else:
        left = left_out(x, y, size)[1] - left_out(x, y, covariates)[1]
    count, whole = len(left), _slopes(x, y, size) - _slopes(x, y, covariates)
    enough = np.isfinite(left).all(axis=0) & (count >= (MIN_PARENTS if len(parents) else MIN_TESTED))
    squares = ((left - whole) ** 2).sum(axis=0)
    return [
        Through(slope, math.sqrt((count - 1) / count * rest), count - 1) if there else None
        for slope, rest, there in zip(whole.tolist(), squares.tolist(), enough.tolist(), strict=True)
    ]


def _slopes(x: Floats, y: Floats, covariates: Floats) -> Floats:
    left = take_out(np.column_stack([x, y]), covariates)[0]
    rx, ry = left[:, :-1], left[:, -1]
    squares = (rx * rx).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 1e-18, ry @ rx / squares, np.nan)
