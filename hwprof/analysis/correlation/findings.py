"""What the correlation analysis finds: one record per metric and framework, per metric, and per stratum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy import special

from hwprof.analysis.correlation.disguises import Disguise
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.statistics.partial import FOUND as FOUND
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, Partial

NOT_ASKED = "kinds of layers are tested where a metric is significant over all blocks"
RANKED = "pearson of log FPS and ranks of the metric"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A coefficient or slope as each network is left out: the least, the largest, and which network moves it most.

    `p`: of the weakest of these; 1 where one has another sign. `q`: of that p among all that was picked.
    """

    low: float
    high: float
    network: str
    p: float
    q: float | None = None

    @property
    def holds(self) -> bool:
        """The finding is there without any one network."""
        return self.q is not None and self.q < FOUND


@dataclass(frozen=True, slots=True)
class Through:
    """What of a slope goes through the instructions, or what grows with them: total slope less the direct one.

    Standard error `se` from leaving out each network, of blocks each parent; t of `df`.
    """

    slope: float
    se: float
    df: int

    def interval(self, level: float) -> tuple[float, float]:
        """The interval of the difference."""
        half = float(special.stdtrit(self.df, 0.5 + level / 2)) * self.se
        return self.slope - half, self.slope + half


@dataclass(frozen=True, slots=True)
class Points:
    """The values of one correlation, one per network: logs, and their residuals on the covariates."""

    networks: tuple[str, ...]
    x: Floats
    y: Floats
    rx: Floats
    ry: Floats


@dataclass(frozen=True, slots=True)
class Correlation:
    """One metric against FPS in one framework. `raw` is mostly network size; `partial` controls for `covariates`.

    `sized` controls for MACs alone: what acts through instructions is in it, and is not in `partial`.
    """

    framework: str
    metric: Metric
    raw: Partial
    partial: Partial
    sized: Partial
    covariates: tuple[str, ...] = ()
    method: str = "pearson of logs"
    cells: int = 0
    batches: tuple[int, ...] = ()
    zeros: int = 0  # values <= 0, which have no logarithm
    spread: float | None = None  # 90th over 10th percentile between networks
    leave_out: LeftOut | None = None
    through: Through | None = None  # None: nothing is tested, or ranks
    reliability: float | None = None
    family: int = 0  # tests in its family; 0: not tested
    among: float = 0.0  # tests that its p counts among where nothing else is found: the family by its weight
    q: float | None = None
    level: float | None = None  # of intervals that allow for its having been picked from the family
    group: int = -1
    points: Points | None = None
    notes: tuple[str, ...] = ()
    target: str = "FPS"  # what it is correlated with (analyse.TARGETS, target.SPEED)
    omissions: tuple[tuple[str, str], ...] = ()  # (network, covariate that it lacks)
    is_asked: bool = True  # False: a kind of layer, and nothing was found of the metric over all blocks

    @property
    def status(self) -> str:
        """missing (no coefficient) | descriptive (no test) | exploratory (4 to 6 networks) | tested; see `why`."""
        if self.partial.r is None:
            return "missing"
        if self.partial.p is None or not self.is_asked:
            return "descriptive"
        return "tested" if self.partial.n >= MIN_TESTED else "exploratory"

    @property
    def why(self) -> str:
        """Why it is not tested; "": it is."""
        return self.partial.why or ("" if self.is_asked else f"not tested: {NOT_ASKED}")

    @property
    def is_found(self) -> bool:
        """A sentence may be said: the interval excludes 0, q is below .05, and it holds without any one network."""
        sure = self.q is not None and self.q < FOUND and self.status == "tested"
        return sure and self.partial.excludes_zero and self.leave_out is not None and self.leave_out.holds

    @property
    def elasticity(self) -> float | None:
        """Change of the target in percent per 10 % more of the metric."""
        return None if self.partial.slope is None else percent_per_tenth(self.partial.slope)


@dataclass(frozen=True, slots=True)
class PooledSlope:
    """One metric against FPS over all frameworks: slope of what differs between frameworks on the same network."""

    metric: Metric
    n: int
    frameworks: int
    covariates: tuple[str, ...]
    slope: float | None
    low: float | None
    high: float | None
    p: float | None  # by leaving out each network
    se: float | None = None
    r: float | None = None  # partial correlation, of which p_family is; None over blocks
    clusters: int = 0  # parents that the networks are blocks of; 0: each network stands for itself
    p_family: float | None = None  # by chance over all metrics of the stratum
    q: float | None = None
    bounds: tuple[float, float] | None = None  # interval that allows for its having been picked from the family
    leave_out: LeftOut | None = None
    family: int = 0
    same_sign: tuple[int, int] = (0, 0)  # k of F
    group: int = -1
    why: str = ""
    target: str = "FPS"

    @property
    def excludes_zero(self) -> bool:
        """The interval exists and does not contain 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def rank(self) -> tuple[float, float, str]:
        """The order of slopes: the smallest q first, then the largest |r|, over blocks the smallest p."""
        strength = -abs(self.r) if self.r is not None else 2.0 if self.p is None else self.p
        return 2.0 if self.q is None else self.q, strength, self.metric.name

    @property
    def df(self) -> int:
        """Degrees of freedom of r in a table without gaps; powers are covariates of each framework."""
        count = len(self.covariates)
        return max((self.n - 1) * (self.frameworks - 1) - 1 - (count if count < 2 else count * self.frameworks), 1)

    @property
    def is_found(self) -> bool:
        """A sentence may be said: as of a Correlation, and networks shuffled agree with networks left out."""
        sure = self.q is not None and self.q < FOUND and self.p_family is not None and self.p_family < FOUND
        return sure and self.excludes_zero and self.leave_out is not None and self.leave_out.holds

    def simultaneous(self, critical: float | None) -> tuple[float, float] | None:
        """Slopes that shuffled networks do not refuse, of all metrics at once, where |r| must exceed `critical`."""
        if self.slope is None or critical is None or critical >= 1 or not self.r:
            return None
        unit = abs(self.slope / self.r) * math.sqrt(max(1 - self.r * self.r, 0.0))
        half = unit * critical / math.sqrt(1 - critical * critical)
        return self.slope - half, self.slope + half

    def interval(self, level: float) -> tuple[float, float] | None:
        """The interval by leaving out each network, at another level than .95; None where there is none."""
        if self.slope is None or self.se is None:
            return None
        half = float(special.stdtrit(max(self.n - 1, 1), 0.5 + level / 2)) * self.se
        return self.slope - half, self.slope + half


@dataclass(frozen=True, slots=True)
class Tree:
    """A hierarchical clustering: `merges` of (one part, other part, distance). Parts are leaves, then merges so far."""

    leaves: tuple[str, ...]
    merges: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """All correlations of one stratum. `refusal`: why there are none; `untested`: metrics left out, and why.

    `why`: why the target is a speed other than FPS. `blocks`: the experiments and sessions of its rows. `remarks`:
    what limits the stratum as a whole. `chance`: the largest |r| of all pooled slopes in each draw without effect;
    `critical`: what a slope must exceed of it. Trees: which metrics, and which networks, deviate alike given size.
    `work`: instructions per frame of each framework, controlling for MACs alone; all others control for them.
    """

    stratum: Stratum
    frameworks: tuple[str, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    pooled: tuple[PooledSlope, ...] = ()
    disguises: tuple[Disguise, ...] = ()
    untested: tuple[tuple[Metric, str], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    unchecked: int = 0
    refusal: str = ""
    target: str = "FPS"
    why: str = ""
    blocks: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    chance: Floats | None = None
    critical: float | None = None
    metric_tree: Tree | None = None
    network_tree: Tree | None = None
    work: tuple[Correlation, ...] = ()

    @property
    def found(self) -> tuple[PooledSlope | Correlation, ...]:
        """What a sentence may be said of: over all frameworks, then of each."""
        return (*(s for s in self.pooled if s.is_found), *(c for c in self.correlations if c.is_found))


def count_significant(analyses: Iterable[Analysis]) -> tuple[int, int]:
    """(metrics that are significant in a framework or over all, metrics that were tested), each counted once."""
    every = list(analyses)
    tested = {c.metric.name for a in every for c in a.correlations if c.q is not None}
    found = {one.metric.name for a in every for one in a.found}
    return len(found), len(tested | found)


def percent_per_tenth(slope: float) -> float:
    """Change in percent of what has this slope in logs, per 10 % more; infinite beyond the range of floats.

    The bounds of a metric that hardly varies between networks may be in the thousands.
    """
    try:
        return float(100 * (1.1**slope - 1))
    except OverflowError:
        return math.inf
