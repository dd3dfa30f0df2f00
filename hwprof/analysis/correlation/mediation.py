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
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, slopes_left_out, take_out
from hwprof.networks.blocks import parents_of


def through_instructions(x: Floats, y: Floats, covariates: Floats, networks: Sequence[str]) -> Through | None:
    """Of the logs x and y (n,); `covariates` (n, k): log MACs, then those of the instructions.

    The error is between networks, or between the parents of blocks (jackknife). None: too few of them, or nothing is
    left of the metric without one of them.
    """
    size, parents = covariates[:, :1], np.array(parents_of(networks))
    if len(parents):
        rests = [parents != name for name in sorted(set(parents))]
        left = np.array([_slope(x[r], y[r], size[r]) - _slope(x[r], y[r], covariates[r]) for r in rests])
    else:
        left = slopes_left_out(x, y, size) - slopes_left_out(x, y, covariates)
    count = len(left)
    if count < (MIN_PARENTS if len(parents) else MIN_TESTED) or not np.isfinite(left).all():
        return None
    whole = _slope(x, y, size) - _slope(x, y, covariates)
    return Through(whole, math.sqrt((count - 1) / count * float(((left - whole) ** 2).sum())), count - 1)


def _slope(x: Floats, y: Floats, covariates: Floats) -> float:
    rx, ry = take_out(np.column_stack([x, y]), covariates)[0].T
    return float(rx @ ry / (rx @ rx)) if rx @ rx > 1e-18 else math.nan
