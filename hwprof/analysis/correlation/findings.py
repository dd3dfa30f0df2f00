"""What the correlation analysis finds: one record per metric and framework, per metric, and per stratum."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from hwprof.analysis.correlation.disguises import Disguise
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, Partial

FOUND = 0.05  # q, and p of what is left without any one network, below which a sentence may be said
RANKED = "pearson of log FPS and ranks of the metric"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A coefficient or slope as each network is left out: the least, the largest, and which network moves it most.

    `p`: of the weakest of these; 1 where one has another sign.
    """

    low: float
    high: float
    network: str
    p: float

    @property
    def holds(self) -> bool:
        """The finding is there without any one network."""
        return self.p < FOUND


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

    @property
    def status(self) -> str:
        """missing (no coefficient) | descriptive (size not controlled for) | exploratory (4 to 6 networks) | tested."""
        if self.partial.r is None:
            return "missing"
        if self.partial.p is None:
            return "descriptive"
        return "tested" if self.partial.n >= MIN_TESTED else "exploratory"

    @property
    def is_found(self) -> bool:
        """A sentence may be said: the interval excludes 0, q is below .05, and it holds without any one network."""
        sure = self.q is not None and self.q < FOUND and self.status == "tested"
        return sure and self.partial.excludes_zero and self.leave_out is not None and self.leave_out.holds

    @property
    def stars(self) -> str:
        """By q, for tested ones only: *** below .001, ** below .01, * below .05."""
        if self.q is None or self.status != "tested":
            return ""
        return "***" if self.q < 0.001 else "**" if self.q < 0.01 else "*" if self.q < 0.05 else ""

    @property
    def elasticity(self) -> float | None:
        """Change of the target in percent per 10 % more of the metric."""
        return None if self.partial.slope is None else float(100 * (1.1**self.partial.slope - 1))


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
    p: float | None
    se: float | None = None
    q: float | None = None
    level: float | None = None  # of intervals that allow for its having been picked from the family
    p_family: float | None = None  # max-T: of the whole stratum
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
    def is_found(self) -> bool:
        """A sentence may be said: as of a Correlation, and networks permuted agree with networks left out."""
        sure = self.q is not None and self.q < FOUND and self.p_family is not None and self.p_family < FOUND
        return sure and self.excludes_zero and self.leave_out is not None and self.leave_out.holds

    def interval(self, level: float) -> tuple[float, float] | None:
        """The interval of the slope at another level than .95; None where there is none."""
        if self.slope is None or self.se is None:
            return None
        half = float(special.stdtrit(max(self.n - 1, 1), 0.5 + level / 2)) * self.se
        return self.slope - half, self.slope + half


@dataclass(frozen=True, slots=True)
class Analysis:
    """All correlations of one stratum. `refusal`: why there are none; `untested`: metrics left out, and why.

    `why`: why the target is a speed other than FPS. `blocks`: the experiments and sessions of its rows. `remarks`:
    what limits the stratum as a whole.
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

    @property
    def found(self) -> tuple[PooledSlope | Correlation, ...]:
        """What a sentence may be said of: over all frameworks, then of each."""
        return (*(s for s in self.pooled if s.is_found), *(c for c in self.correlations if c.is_found))
