"""Metrics that are time in other units, or happen per second, whatever their names and units say: found in the data.

Cycles under any name are the time of a frame times a clock: given size, they are equal to it up to a constant. What a
timer does (ticks, preemptions, migrations) happens so often per second: per frame it is proportional to the time of a
frame. Both correlate with FPS and explain nothing. Blocks of one network are alike: what is shown of blocks must hold
between their parents.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from hwprof.analysis.correlation.collapse import Collapsed, Logs
from hwprof.analysis.correlation.metrics import Metric, MetricKind
from hwprof.analysis.statistics import clusters
from hwprof.analysis.statistics.partial import MIN_NETWORKS, Floats, Partial, partial, take_out
from hwprof.networks.blocks import parents_of

# Noise of a copy of time, as a share of what is left of it given size. Above this a clock or a true effect stays.
COPY = 0.2
FEWEST = 3  # degrees of freedom that decide anything
BEYOND_SIZE = 0.05  # p below which a metric correlates with time beyond size
# A rate per second is constant where its variance between networks is less than this many times what it is between runs
# of one. Of single runs: where its standard deviation is small, and framework, size and time do not explain it (p).
NOISY = 4.0
SMALL, CONSTANT = 0.15, 0.01
CPU_TIME = "cpu_ms"
# Seconds per frame, where the column `fps` holds another target.
FRAME_TIME = "frame_s"


@dataclass(frozen=True, slots=True)
class Disguise:
    """What a metric is in fact, in words, and the fit that shows it: r squared and slope on time, both given size."""

    metric: str
    why: str
    r2: float
    slope: float


@dataclass(frozen=True, slots=True)
class _Table:
    """A metric and a time in one framework, (networks, 2), with covariates (networks, k). `parents`: of blocks."""

    values: Floats
    covariates: Floats
    parents: tuple[str, ...]

    def without(self, parent: str) -> _Table:
        """The other parents' blocks."""
        keep = np.array([name != parent for name in self.parents], dtype=bool)
        rest = tuple(name for name in self.parents if name != parent)
        return _Table(self.values[keep], self.covariates[keep], rest)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of squares and products of what is left of a metric and a time in one framework; `df`: what they are of."""

    xx: float
    tt: float
    xt: float
    df: int

    @classmethod
    def of_each(cls, x: Floats, time: Floats, covariates: Floats) -> list[_Sums]:
        """Of each column of x (networks, m); nothing where there are too few networks."""
        if len(x) < MIN_NETWORKS:
            return [cls(0.0, 0.0, 0.0, 0)] * x.shape[1]
        left, k = take_out(np.column_stack([x, time]), covariates)
        rx, rt = left[:, :-1], left[:, -1].copy()
        tt, df = float(rt @ rt), max(0, len(x) - 1 - k)
        products = zip((rx * rx).sum(axis=0).tolist(), (rt @ rx).tolist(), strict=True)
        return [cls(xx, tt, xt, df) for xx, xt in products]


class _Pair:
    """A metric and a time over all frameworks, given size: sums of squares and products of residuals."""

    def __init__(self, several: Sequence[_Sums], tables: Sequence[_Table]) -> None:
        """`tables`: of blocks."""
        self._tables = tables
        self.xx, self.tt, self.xt = (math.fsum(getattr(one, name) for one in several) for name in ("xx", "tt", "xt"))
        self.df = sum(one.df for one in several)

    @classmethod
    def of_tables(cls, tables: Sequence[_Table]) -> _Pair:
        """From the values themselves."""
        several = [_Sums.of_each(t.values[:, :1], t.values[:, 1], t.covariates)[0] for t in tables]
        return cls(several, tables)

    @property
    def decides(self) -> bool:
        """There is enough of both."""
        return self.df >= FEWEST and self.xx > 1e-18 and self.tt > 1e-18

    @property
    def r(self) -> float:
        return self.xt / math.sqrt(self.xx * self.tt) if self.decides else math.nan

    @property
    def slope(self) -> float:
        return self.xt / self.tt

    def is_copy(self, sign: int = 1) -> bool:
        """x - t is nearly nothing beside both, and without the blocks of any one parent too; `sign` -1: x + t."""
        rest = self.xx - 2 * sign * self.xt + self.tt
        alike = rest < COPY**2 * min(self.xx, self.tt)
        return alike and all(one.is_copy(sign) for one in self._without_each() if one.decides)

    @property
    def p(self) -> float:
        """That x has nothing of t; between the parents of blocks."""
        t = abs(self.r) * math.sqrt((self.df - 1) / max(1 - self.r**2, 1e-300))
        alone = float(2 * special.stdtr(self.df - 1, -t))
        left_out = [one.r for one in self._without_each()]
        if alone >= BEYOND_SIZE or not left_out:
            return alone
        between = clusters.between_parents(Partial(self.df + 1, 0, self.r), left_out).p
        return 1.0 if between is None else between

    def _without_each(self) -> list[_Pair]:
        """Without the blocks of each parent; nothing of whole networks."""
        parents = sorted({name for table in self._tables for name in table.parents})
        return [_Pair.of_tables([t.without(name) for t in self._tables]) for name in parents if len(parents) > 1]


class Disguises:
    """Checks of the metrics of one stratum. `logs`: by framework variant."""

    def __init__(self, logs: Mapping[str, Logs], known: Mapping[str, Metric]) -> None:
        self._logs = logs
        self._events = [m.name for m in known.values() if m.kind is MetricKind.EXPLANATORY]
        self._left: dict[tuple[str, str, tuple[str, ...]], dict[str, tuple[_Sums, Collapsed]]] = {}
        self._times = [m.name for m in known.values() if m.kind is MetricKind.DEFINITIONAL and _is_time(m)]
        self._repeated = sum(len(own.networks) - len(set(own.networks)) for own in logs.values()) >= FEWEST
        columns = {column for own in logs.values() for column in own.part.columns}
        self._times += [CPU_TIME] if CPU_TIME in columns else []
        # log time of a frame = sign x log of the column
        self._time, self._sign = (FRAME_TIME, 1.0) if FRAME_TIME in columns else ("fps", -1.0)

    def find(self, metric: str, chosen: Sequence[str]) -> Disguise | None:
        """What the metric is in fact, controlling for `chosen`; None: an event like others, or too few to decide."""
        ranked = any((own.values(metric) <= 0).any() for own in self._logs.values())
        names = {variant: own.ranks(metric) if ranked else metric for variant, own in self._logs.items()}
        speed = self._pair(names, self._time, self._sign, chosen)
        if speed is not None and not ranked:
            if speed.is_copy() or speed.is_copy(-1):
                return Disguise(metric, "follows the speed itself", speed.r**2, speed.slope)
            for time in self._times:
                pair = self._pair(names, time, 1.0, chosen)
                if pair is not None and pair.is_copy():
                    return Disguise(metric, f"is {time} in other units", pair.r**2, pair.slope)
        if speed is None or speed.xt <= 0 or speed.p >= BEYOND_SIZE:
            return None
        if self._varies_less(names, ranked, chosen) and self._is_steady(metric, ranked):
            return Disguise(metric, "happens at a constant rate per second, as a timer", speed.r**2, speed.slope)
        return None

    def _pair(self, names: Mapping[str, str], time: str, sign: float, chosen: Sequence[str]) -> _Pair | None:
        several: list[_Sums] = []
        tables: list[_Table] = []
        for variant, own in self._logs.items():
            if time not in own.part.columns:
                continue
            base = (time, *(c for c in chosen if c != time))
            sums, both = self._sums(variant, names[variant], base)
            several.append(dataclasses.replace(sums, xt=sign * sums.xt))
            if parents := parents_of(both.networks):
                values = own.collapse([names[variant], *base]).values
                tables.append(_Table(values[:, :2] * (1.0, sign), values[:, 2:], parents))
        pair = _Pair(several, tables)
        return pair if pair.decides else None

    def _sums(self, variant: str, column: str, base: tuple[str, ...]) -> tuple[_Sums, Collapsed]:
        """Of a column and the first of `base`, the others taken out, and the networks that have them all.

        What is asked of one metric is asked of all: those with the same cells are solved together.
        """
        found = self._left.setdefault((variant, base[0], base[1:]), {})
        if column not in found:
            own = self._logs[variant]
            alike: dict[bytes, list[str]] = {}
            for one in dict.fromkeys((column, *(() if found else self._events))):
                alike.setdefault(own.cells([one, *base]).tobytes(), []).append(one)
            for columns in alike.values():
                both, x = own.together(base, columns)
                values = both.values[:, : len(base)]
                several = _Sums.of_each(x, values[:, 0] if len(x) else np.empty(0), values[:, 1:])
                found |= {one: (sums, both) for one, sums in zip(columns, several, strict=True)}
        return found[column]

    def _is_steady(self, metric: str, ranked: bool) -> bool:
        """Events per second differ hardly more between networks and frameworks than between runs of one.

        Of logs, or of square roots where there are zeros. True where every network has one run.
        """
        within = free = 0.0
        means, counts = [], []
        for own in self._logs.values():
            rates = own.values(metric) * own.values(self._time) ** -self._sign
            good = np.isfinite(rates)
            codes = own.networks[good]
            v = np.sqrt(rates[good]) if ranked else np.log(rates[good])
            size = np.bincount(codes)
            mean = np.bincount(codes, v) / np.maximum(size, 1)
            within += float(((v - mean[codes]) ** 2).sum())
            free += float(np.maximum(size - 1, 0).sum())
            means.append(mean[size > 0])
            counts.append(size[size > 0])
        mean, size = np.concatenate(means), np.concatenate(counts)
        if not self._repeated or free < FEWEST:
            return not self._repeated
        between = float((size * (mean - np.average(mean, weights=size)) ** 2).sum()) / max(len(mean) - 1, 1)
        return between < NOISY * within / free

    def _varies_less(self, names: Mapping[str, str], ranked: bool, chosen: Sequence[str]) -> bool:
        """Events per second vary less than events per frame given size.

        Where every network has one run they must vary little, and not with framework, size or time: else what makes the
        time could be taken for a timer. Of a metric with zeros the ranks take the place of logs, of the time as well.
        """
        parts: list[Floats] = []
        blocks: list[str] = []
        for variant, own in self._logs.items():
            both = own.collapse([names[variant], own.ranks(self._time) if ranked else self._time, *chosen])
            if len(both.networks) >= MIN_NETWORKS:
                parts.append(both.values)
                blocks += parents_of(both.networks)
        values = np.vstack(parts)
        which = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
        frameworks = (which[:, None] == np.arange(1, len(parts))).astype(float)
        x, time, size = values[:, 0], self._sign * values[:, 1], values[:, 2:]
        rate = take_out(x, time[:, None])[0] if ranked else take_out(x - time, np.empty((len(x), 0)))[0]
        n, used = len(x), int(ranked)
        (per_frame,), k = _residuals(x[:, None], np.column_stack([frameworks, size]))
        if n - 1 - k < 1 or rate @ rate / (n - 1 - used) > per_frame @ per_frame / (n - 1 - k):
            return False
        if self._repeated:
            return True
        explaining = np.column_stack([frameworks, size, time])
        (rest,), k = _residuals(rate[:, None], explaining)
        free = n - 1 - k
        if ranked or free < 1 or rate @ rate / (n - 1) > SMALL**2:
            return False
        if blocks:
            return _smallest_p(rate, explaining, blocks) > CONSTANT
        ratio = (rate @ rate - rest @ rest) / k / max(rest @ rest / free, 1e-300)
        return bool(special.fdtrc(k, free, max(ratio, 0.0)) > CONSTANT)


def _smallest_p(y: Floats, columns: Floats, parents: Sequence[str]) -> float:
    """The smallest p of the coefficients of `columns` between parents, for as many of them; 0: too few parents."""
    if len(set(parents)) < clusters.MIN_PARENTS:
        return 0.0
    found = []
    for j in range(columns.shape[1]):
        own, others = columns[:, j], np.delete(columns, j, axis=1)
        left_out = list(clusters.without_each(own, y, others, parents).values())
        found.append(clusters.between_parents(partial(own, y, others), left_out).p)
    return min((len(found) * p for p in found if p is not None), default=1.0)


def _is_time(metric: Metric) -> bool:
    """Made of seconds or cycles, whatever it is per."""
    return any(metric.exponents.get(quantity, 0) > 0 for quantity in ("s", "cpu_s", "cycles"))


def _residuals(values: Floats, covariates: Floats) -> tuple[Floats, int]:
    found, k = take_out(values, covariates)
    return found.T.copy(), k
