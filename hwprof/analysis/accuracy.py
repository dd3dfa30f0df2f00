"""How many images are classified rightly, how sure that is, and whether two frameworks differ.

Pure functions on arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `of`, with Wilson's interval for the share (Wilson 1927)."""

    right: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.right / self.of


@dataclass(frozen=True, slots=True)
class Score:
    """One framework on one set.

    `top5` None: the network has no more than five classes. `invalid`: not finite, wrong.
    """

    name: str
    top1: Share
    top5: Share | None
    invalid: int


@dataclass(frozen=True, slots=True)
class McNemarPair:
    """Two frameworks on the same images, by top-1. `difference`: the second's share less the first's.

    `p`: McNemar's exact test, two-sided, of the images that only one of them has right; `p_holm`: of all pairs.
    """

    first: str
    second: str
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    agreement: float  # the share of images that both call the same, right or wrong


def share(right: int, of: int) -> Share:
    """With its 95 % interval. Raises ValueError for no images."""
    from statsmodels.stats.proportion import proportion_confint

    if of < 1 or not 0 <= right <= of:
        raise ValueError(f"{right} of {of}")
    low, high = proportion_confint(right, of, alpha=1 - LEVEL, method="wilson")
    return Share(right, of, float(low), float(high))


def score(name: str, top: NDArray[np.int32], labels: NDArray[np.int64], classes: int) -> Score:
    """Of `top` (images, 5), -1 where there is no answer, and the true classes (images,)."""
    count = len(labels)
    first = int((top[:, 0] == labels).sum())
    five = int((top == labels[:, None]).any(axis=1).sum())
    invalid = int((top[:, 0] < 0).sum())
    return Score(name, share(first, count), share(five, count) if classes > top.shape[1] else None, invalid)


def pairs(tops: Mapping[str, NDArray[np.int32]], labels: NDArray[np.int64]) -> tuple[McNemarPair, ...]:
    """Every two frameworks, in order; their p-values adjusted together (Holm 1979)."""
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    found: list[McNemarPair] = []
    for first, second in itertools.combinations(tops, 2):
        a, b = tops[first][:, 0], tops[second][:, 0]
        one, two = a == labels, b == labels
        table = [[int((x & y).sum()) for y in (two, ~two)] for x in (one, ~one)]
        only_first, only_second = table[0][1], table[1][0]
        low, high = paired_interval(only_first, only_second, len(labels))
        found.append(
            McNemarPair(
                first,
                second,
                only_first,
                only_second,
                difference=(only_second - only_first) / len(labels),
                low=low,
                high=high,
                p=(p := float(mcnemar(table, exact=True).pvalue)),
                p_holm=p,
                agreement=float(((a == b) & (a >= 0)).mean()),
            )
        )
    if not found:
        return ()
    adjusted = multipletests([one.p for one in found], method="holm")[1]
    return tuple(replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True))


def paired_interval(only_first: int, only_second: int, of: int) -> tuple[float, float]:
    """95 % interval of a difference of paired shares.

    Wald's with one image added to each cell (Bonett and Price 2012).
    """
    from scipy.stats import norm

    first, second = (only_first + 1) / (of + 2), (only_second + 1) / (of + 2)
    middle = second - first
    reach = float(norm.ppf(0.5 + LEVEL / 2)) * math.sqrt((first + second - middle**2) / (of + 2))
    return max(-1.0, middle - reach), min(1.0, middle + reach)


def holds(pair: McNemarPair, points: float) -> bool | None:
    """Whether the difference is within `points` percent: True or False where the interval says so, else None.

    False also wants the test, of all pairs together: of many intervals one is off by chance.
    """
    inside = max(abs(pair.low), abs(pair.high)) * 100 <= points
    outside = (pair.low * 100 > points or pair.high * 100 < -points) and pair.p_holm < 1 - LEVEL
    return True if inside else False if outside else None
