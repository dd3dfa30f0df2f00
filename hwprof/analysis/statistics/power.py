"""The smallest effect that a test of some size could have seen: what stands in the place of "none"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from hwprof.analysis.statistics.partial import Partial

LEVEL, POWER = 0.05, 0.8


def of_size(n: int, k: int, tests: float = 1) -> float | None:
    """Smallest |partial r| of `n` independent networks, controlling for `k` covariates, that is found with power .8.

    `tests`: metrics of the family; the first one found has a level of 5 % / `tests` (as Bonferroni, and as
    Benjamini-Hochberg where only one has an effect). None: no degree of freedom. Noncentral t(n - 2 - k).
    """
    df = n - 2 - k
    if df < 1:
        return None
    reach = noncentrality(df, tests)
    return reach / math.sqrt(df + reach * reach)


def of_clusters(se: float, clusters: int, tests: float = 1) -> float | None:
    """As `of_size`, where atanh(r) has the standard error `se` between clusters and is tested by t(clusters - 1)."""
    return math.tanh(noncentrality(clusters - 1, tests) * se) if clusters > 1 else None


def of_shuffles(critical: float, df: int) -> float | None:
    """Smallest |r| that is found with power .8 where it must exceed `critical` by `df`; None: nothing exceeds it."""
    if not critical < 1:
        return None
    reach = float(special.nctdtrinc(df, 1 - POWER, critical * math.sqrt(df / (1 - critical * critical))))
    return reach / math.sqrt(df + reach * reach)


def planned_se(n: int, k: int, clusters: int, alike: float) -> float | None:
    """Standard error of atanh(r) of `n` blocks of `clusters` parents, before anything is measured.

    `alike`: the share of the variance, of metric and of speed, that is the parent's; the design effect of a product is
    1 + (n / clusters - 1) x alike^2. None: no degree of freedom.
    """
    if n - k - 3 <= 0 or clusters < 1:
        return None
    return math.sqrt((1 + (n / clusters - 1) * alike * alike) / (n - k - 3))


def of_partial(found: Partial, tests: float = 1) -> float | None:
    """Smallest |r| that a coefficient's own test could have found with power .8; None: it has no test."""
    if found.p is None:
        return None
    if not found.clusters:
        return of_size(found.n, found.k, tests)
    return None if found.error is None else of_clusters(found.error, found.clusters, tests)


def of_family(tested: Sequence[Partial], tests: float | None = None) -> float | None:
    """The median of `of_partial` over a family of tests: what half of them could have seen; None: there is no test.

    `tests`: what each p counts among, where the family is larger than these or weighted.
    """
    found = [reach for one in tested if (reach := of_partial(one, tests or len(tested))) is not None]
    return sorted(found)[len(found) // 2] if found else None


def noncentrality(df: float, tests: float) -> float:
    """Of the t that exceeds the two-sided critical value with power POWER."""
    critical = float(special.stdtrit(df, 1 - LEVEL / tests / 2))
    return float(special.nctdtrinc(df, 1 - POWER, critical))
