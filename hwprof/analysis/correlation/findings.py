"""What the correlation analysis finds: one record per metric and framework, per metric, and per stratum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwprof.analysis.correlation.metrics import Disguise, Metric
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, Partial


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
    """One metric against FPS in one framework. `raw` is mostly network size; `partial` controls for `covariates`."""

    framework: str
    metric: Metric
    raw: Partial
    partial: Partial
    covariates: tuple[str, ...] = ()
    method: str = "pearson of logs"
    cells: int = 0
    batches: tuple[int, ...] = ()
    zeros: int = 0  # values <= 0, which have no logarithm
    spread: float | None = None  # 90th over 10th percentile between networks
    leave_out: tuple[float, float, str] | None = None  # lowest, highest r, and the network that moves it most
    reliability: float | None = None
    family: int = 0  # tests in its family; 0: not tested
    q: float | None = None
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
    covariate: str
    slope: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None = None
    p_family: float | None = None  # max-T: of the whole family
    family: int = 0
    same_sign: tuple[int, int] = (0, 0)  # k of F
    group: int = -1
    why: str = ""
    target: str = "FPS"


@dataclass(frozen=True, slots=True)
class Analysis:
    """All correlations of one stratum. `refusal`: why there are none; `untested`: metrics left out, and why.

    `why`: why the target is a speed other than FPS. `remarks`: what limits the stratum as a whole.
    """

    stratum: Stratum
    frameworks: tuple[str, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    pooled: tuple[PooledSlope, ...] = ()
    disguises: tuple[tuple[str, str, Disguise], ...] = ()
    untested: tuple[tuple[Metric, str], ...] = ()
    families: Mapping[tuple[str, ...], int] | None = None
    groups: tuple[tuple[str, ...], ...] = ()
    unchecked: int = 0
    refusal: str = ""
    target: str = "FPS"
    why: str = ""
    remarks: tuple[str, ...] = ()
