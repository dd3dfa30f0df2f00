"""Does the correlation engine keep its promises? Planted truths, many draws, and what a report would say of them.

    x_jnf = b_j M_n + a_jn + u_jf + w_jnf          y_nf = -M_n + A_n + U_f - g (x_driver1 + x_driver2) + s_n e_nf

per network n, framework f, metric j: 8 groups of 5 metrics that go together (r .8), three rounds of 3 %, ten windows
of 1 %, 5 % of the values missing. Two metrics of different groups drive FPS (g = 1), or none does (g = 0).

Further plants (benchmarks/planted_reports.py) are whole results in which nothing drives FPS, and which have gone wrong
before: missing and zero values, timers, cycles under other names, one wild network, a fixed cost, many strata. A report
may say a false sentence in at most one of twenty; where something drives, silence fails.

benchmarks/planted_sessions.py is `hwprof compare` where sessions have noise of their own. benchmarks/planted_factors.py
has the factors that `hwprof explain` names, and benchmarks/planted_checks.py those of `bottlenecks`, `roofline`,
`models`, `predict` and `tune`. benchmarks/planted_slices.py has what drifts and what drives within runs.

    python benchmarks/statistics_validation.py [--draws 300] [--jobs 1] [--seed 1] [--only WORDS]

Every scenario has this many draws. The same seed gives the same table, whatever is asked for and by however many jobs.
Prints a table, each scenario as soon as it is drawn, and exits 1 where a figure is outside its bounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial as with_arguments
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.findings import Analysis
from hwprof.analysis.statistics import pooled
from hwprof.analysis.statistics.partial import partial
from hwprof.analysis.statistics.shuffles import shuffle

sys.path += map(str, Path(__file__).resolve().parents[:2])  # last: what lies beside this file shadows nothing
import planted_checks
import planted_factors
import planted_reports as plants
import planted_slices
import scenarios
from planted_sessions import comparisons
from promises import Row, rate
from promises import share as _share
from scenarios import Scenario, at_once

Floats = NDArray[np.float64]

GROUPS, PER_GROUP = 8, 5
METRICS = GROUPS * PER_GROUP
DRIVERS = (0, PER_GROUP)  # the first metric of the first two groups
TRUE_GROUPS = (0, 1)
ALPHA = 0.05
EFFECT_SD, NETWORK_SD, ERROR_SD, FRAMEWORK_SD = 0.22, 0.2, 0.12, 0.3


@dataclass(frozen=True, slots=True)
class Draw:
    """x (metrics, networks, frameworks), NaN: missing; y (networks, frameworks); size (networks,). All logs."""

    x: Floats
    y: Floats
    size: Floats


def _groups(rng: np.random.Generator, sd: float, *shape: int) -> Floats:
    """(metrics, *shape) normal with r .8 within a group."""
    common = np.repeat(rng.standard_normal((GROUPS, *shape)), PER_GROUP, axis=0)
    return np.asarray(sd * (np.sqrt(0.8) * common + np.sqrt(0.2) * rng.standard_normal((METRICS, *shape))))


def draw(rng: np.random.Generator, networks: int, frameworks: int, g: float, gaps: float = 0.05) -> Draw:
    """One data set, already collapsed to network means (what rounds and windows leave is added as noise)."""
    size = rng.normal(0, 1.2, networks)
    x = rng.normal(1, 0.3, METRICS)[:, None, None] * size[:, None]
    x = x + _groups(rng, NETWORK_SD, networks)[:, :, None] + _groups(rng, FRAMEWORK_SD, frameworks)[:, None, :]
    x = x + _groups(rng, EFFECT_SD, networks, frameworks)
    noise = np.exp(rng.normal(0, 0.3, networks))[:, None] * rng.normal(0, ERROR_SD, (networks, frameworks))
    y = -size[:, None] + rng.normal(0, NETWORK_SD, networks)[:, None] + rng.normal(0, FRAMEWORK_SD, frameworks)
    y = y - g * sum(x[d] for d in DRIVERS) + noise
    measured = np.sqrt(0.03**2 / 3 + 0.01**2 / 30)
    x, y = x + rng.normal(0, measured, x.shape), y + rng.normal(0, measured, y.shape)
    return Draw(np.where(rng.random(x.shape) < gaps, np.nan, x), y, size)


def results(rng: np.random.Generator, data: Draw) -> pd.DataFrame:
    """The draw as a results frame; instructions grow with the size and differ a little between frameworks."""
    work = data.size[:, None] + rng.normal(0, 0.1, data.y.shape)
    metrics = {f"metric{j:02d}": values + 13 for j, values in enumerate(data.x)}
    return plants.Plant(data.size + 18, work + 18, data.y + 2, metrics).frame(rng)


def sentences(frame: pd.DataFrame) -> set[str]:
    """The metrics of which a report says a sentence."""
    found = analyse.analyse(frame)
    return {one.metric.name for a in found for one in a.found}


def discovery(draws: int, networks: int, frameworks: int, power: float) -> Scenario:
    """False discoveries, power for a driver's group and whether such a group comes first; then claims of nothing."""
    group = {f"metric{j:02d}": j // PER_GROUP for j in range(METRICS)}

    def one(rng: np.random.Generator) -> tuple[list[int], int, bool]:
        """(groups that are claimed, the group that comes first, whether anything is said where nothing drives)."""
        analyses = analyse.analyse(results(rng, draw(rng, networks, frameworks, 1.0)))
        claimed = [group[one.metric.name] for a in analyses for one in a.found]
        nothing = bool(sentences(results(rng, draw(rng, networks, frameworks, 0.0))))
        return claimed, _leading(analyses, group), nothing

    def rows(shown: list[tuple[list[int], int, bool]]) -> list[Row]:
        where = f"{networks} networks x {frameworks} frameworks"
        false = [float(np.mean([g not in TRUE_GROUPS for g in c])) if c else 0.0 for c, _, _ in shown]
        error = float(np.std(false) / np.sqrt(len(false)))
        out = [Row(f"false discovery rate, {where}", float(np.mean(false)), 0.0, 0.05, error)]
        for what, hits, low, high in (
            ("power for a driver's group", [g in c for c, _, _ in shown for g in TRUE_GROUPS], power, 1.0),
            ("a driver's group comes first", [first in TRUE_GROUPS for _, first, _ in shown], 0.95, 1.0),
            ("a sentence where nothing drives", [nothing for _, _, nothing in shown], 0.0, 0.05),
        ):
            value, se = _share(hits)
            out.append(Row(f"{what}, {where}", value, low, high, se))
        return out

    return Scenario(one, rows, draws)


def _leading(analyses: list[Analysis], group: dict[str, int]) -> int:
    """Group of the metric that leads the pooled slopes."""
    return group[min((s for a in analyses for s in a.pooled), key=lambda s: s.rank).metric.name]


def _shares(
    what: str, one: Callable[[np.random.Generator], list[bool]], draws: int, low: float, high: float
) -> Scenario:
    """The share of hits, of which a draw has none, one or several."""

    def rows(shown: list[list[bool]]) -> list[Row]:
        value, se = _share([hit for hits in shown for hit in hits] or [False])
        return [Row(what, value, low, high, se)]

    return Scenario(one, rows, draws)


def pooled_coverage(draws: int, networks: int, frameworks: int = 4) -> Scenario:
    """How often the 95 % interval of the driver's pooled slope holds the planted -1."""

    def one(rng: np.random.Generator) -> list[bool]:
        data = draw(rng, networks, frameworks, 1.0)
        fit = pooled.slopes(data.x[list(DRIVERS)], data.y)
        return [bool(lo <= -1 <= hi) for lo, hi in zip(fit.low, fit.high, strict=True) if np.isfinite(lo)]

    what = f"coverage of the pooled slope, {networks} networks x {frameworks}"
    return _shares(what, one, draws, 0.93, 1.0 if networks < 6 else 0.98)


def fisher_coverage(draws: int, networks: int) -> Scenario:
    """How often the Fisher-z interval of one framework, given size, holds the population's partial correlation."""
    metric = NETWORK_SD**2 + EFFECT_SD**2
    spread = np.exp(2 * 0.3**2)  # mean of s_n squared
    truth = -metric / np.sqrt(metric * (NETWORK_SD**2 + 2 * metric + spread * ERROR_SD**2))

    def one(rng: np.random.Generator) -> list[bool]:
        data = draw(rng, networks, 1, 1.0, gaps=0.0)
        found = partial(data.x[0, :, 0], data.y[:, 0], data.size[:, None])
        return [found.low is not None and found.high is not None and bool(found.low <= truth <= found.high)]

    return _shares(f"coverage of r given size (Fisher-z), {networks} networks", one, draws, 0.93, 0.98)


def size_alone(draws: int, networks: int = 10) -> Scenario:
    """A metric without influence: r as it is, and how often it is called significant given size."""

    def one(rng: np.random.Generator) -> tuple[float, bool]:
        data = draw(rng, networks, 1, 0.0, gaps=0.0)
        x, y = data.x[METRICS - 1, :, 0], data.y[:, 0]
        r, p = partial(x, y, np.empty((networks, 0))).r, partial(x, y, data.size[:, None]).p
        return r if r is not None else np.nan, p is not None and p < ALPHA

    def rows(shown: list[tuple[float, bool]]) -> list[Row]:
        raw, (value, se) = float(np.nanmean([r for r, _ in shown])), _share([false for _, false in shown])
        return [
            Row("raw r of a metric without influence (size alone)", raw, -1.0, -0.8),
            Row("the same given size, rejected at 5 %", value, 0.0, 0.08, se),
        ]

    return Scenario(one, rows, draws)


def family_wise(draws: int, shuffles: int = 199) -> Scenario:
    """max-T where nothing drives: how often any metric of the family is below .05."""

    def one(rng: np.random.Generator) -> list[bool]:
        data = draw(rng, 10, 4, 0.0, gaps=0.0)
        seed = int(rng.integers(1 << 31))
        return [bool((shuffle(data.x, data.y, draws=shuffles, seed=seed).p < ALPHA).any())]

    return _shares("any max-T claim where nothing drives, 10 networks x 4", one, draws, 0.0, 0.08)


NULLS: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
    "everything counted": lambda rng: plants.null(rng).frame(rng),
    "gaps in one of 20 cells": plants.with_gaps,
    "instructions missing in one of 40 cells": with_arguments(plants.without_a_value, value=np.nan),
    "instructions zero in one of 40 cells": with_arguments(plants.without_a_value, value=0.0),
    "no instructions": plants.nowhere,
    "one zero in a metric": plants.one_zero,
    "a timer, 8 x 2": with_arguments(plants.timer, networks=8, frameworks=2),
    "a timer, 10 x 4": plants.timer,
    "a timer, 10 x 4, three rounds": with_arguments(plants.timer, rounds=3),
    "cycles by another name, 6 %": with_arguments(plants.renamed_cycles, efficiency=0.06),
    "cycles by another name, 12 %": with_arguments(plants.renamed_cycles, efficiency=0.12),
    "one wild network": plants.wild_network,
    "one wild network in one framework": with_arguments(plants.wild_network, frameworks=1),
    "a fixed cost, 10 networks": plants.bent,
    "a fixed cost, 30 networks": with_arguments(plants.bent, networks=30),
    "six strata": plants.strata,
    "two versions of every framework": plants.versions,
    "blocks of ten networks": plants.blocks,
}
FREE_WORK: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
    "work that costs nothing, 10 networks": plants.free_work,
    "work that costs nothing, 30 networks": with_arguments(plants.free_work, networks=30),
    "work that costs nothing, a fixed cost": with_arguments(plants.free_work, networks=30, fixed_cost=True),
    "work of blocks that costs nothing": with_arguments(plants.blocks, work_costs=False),
}


def false_sentences(draws: int, name: str) -> Scenario:
    """How often a report of a plant in which nothing drives, or nothing but work, says any other sentence."""

    def one(rng: np.random.Generator) -> bool:
        if name in NULLS:
            return bool(sentences(NULLS[name](rng)))
        found = analyse.analyse(FREE_WORK[name](rng))
        return any(a.found or any(c.is_found for c in a.work) for a in found)

    return Scenario(
        one,
        lambda hits: [rate(f"a false sentence: {name}", hits, 0.0, 0.05)],
        draws,
    )


def one_zero(draws: int) -> Scenario:
    """How often a metric with a zero, which is ranked, has p < .05 where nothing drives."""

    def one(rng: np.random.Generator) -> list[bool]:
        (found,) = analyse.analyse(plants.one_zero(rng))
        return [c.partial.p is not None and c.partial.p < ALPHA for c in found.correlations if c.zeros]

    return _shares("p < .05 of a metric with one zero, where nothing drives", one, draws, 0.03, 0.07)


def single_driver(draws: int, r: float, power: float, networks: int) -> Scenario:
    """How often a driver is found that one framework has, among twenty metrics."""

    def one(rng: np.random.Generator) -> list[bool]:
        return ["metric0" in sentences(plants.single_driver(rng, r, networks))]

    return _shares(f"a driver of partial r {r:+.2f} found, {networks} networks x 1", one, draws, power, 1.0)


def driver_of_blocks(draws: int, slope: float = -0.5) -> Scenario:
    """How often a driver is found over blocks of ten networks, and the share of false discoveries."""

    def one(rng: np.random.Generator) -> list[bool]:
        return [f.metric.name == "metric0" for a in analyse.analyse(plants.blocks(rng, slope)) for f in a.found]

    def rows(right: list[list[bool]]) -> list[Row]:
        false = [1 - float(np.mean(own)) if own else 0.0 for own in right]
        error = float(np.std(false) / np.sqrt(draws))
        return [
            rate("a driver found over blocks of ten networks", [any(own) for own in right], 0.8, 1.0),
            Row("false discovery rate over blocks and their kinds", float(np.mean(false)), 0.0, 0.05, error),
        ]

    return Scenario(one, rows, draws)


def picked_coverage(draws: int) -> Scenario:
    """How often the interval of the pooled slope that leads a report holds its true value, which allows for picking."""

    def one(rng: np.random.Generator) -> list[bool]:
        hits = []
        for analysis in analyse.analyse(results(rng, draw(rng, 12, 6, 1.0, gaps=0.0))):
            found = [s for s in analysis.pooled if s.is_found and s.metric.name in ("metric00", "metric05")]
            hits += [s.bounds is not None and s.bounds[0] <= -1 <= s.bounds[1] for s in found]
        return hits

    return _shares("coverage of picked pooled slopes, 12 networks x 6", one, draws, 0.93, 1.0)


def promised(draws: int) -> Mapping[str, Scenario]:
    """All scenarios, of `draws` data sets each."""
    sessions = ((0, 3, 0), (0, 4, 0), (1, 3, 0), (1, 10, 0), (3, 3, 0), (1, 3, 6), (1, 1, 6))
    return {
        "size alone": size_alone(draws),
        **{f"coverage of r, {n} networks": fisher_coverage(draws, n) for n in (6, 10)},
        **{f"coverage of pooled slopes, {n} networks": pooled_coverage(draws, n) for n in (4, 6, 10)},
        "max-T": family_wise(draws),
        "discovery 12 x 6": discovery(draws, 12, 6, 0.85),
        "discovery 10 x 4": discovery(draws, 10, 4, 0.5),
        "picked": picked_coverage(draws),
        "zero": one_zero(draws),
        "driver of one framework": single_driver(draws, -0.86, 0.8, 30),
        "driver of blocks": driver_of_blocks(draws),
        **{name: false_sentences(draws, name) for name in (*NULLS, *FREE_WORK)},
        **{f"comparisons {how}": comparisons(draws, *how) for how in sessions},
        "explanations": at_once(lambda rng: [rate(*one) for one in planted_factors.promises(rng, draws)]),
        **planted_checks.of(draws),
        **planted_slices.scenarios_of(draws),
    }


def validate(draws: int, seed: int = 1, only: str = "", jobs: int = 1) -> Iterator[tuple[str, list[Row]]]:
    """The promises of each scenario with `only` in its name."""
    yield from scenarios.judge(with_arguments(promised, draws), seed, only, jobs)


def main() -> int:
    """Print the table; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=300, help="of every scenario (default: 300)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="the scenarios with these words in their names")
    args = parser.parse_args()
    print(f"{'':62}   value    +- se   bounds           {args.draws} draws, seed {args.seed}", flush=True)
    kept, began = True, time.monotonic()
    for name, rows in validate(args.draws, args.seed, args.only, args.jobs):
        for r in rows:
            verdict = "ok" if r.kept else "BROKEN"
            print(f"{r.what:62}  {r.value:6.3f}  {r.se:6.3f}   {r.low:5.2f} ... {r.high:4.2f}   {verdict}", flush=True)
            kept = kept and r.kept
        print(f"{time.monotonic() - began:7.0f} s: {name}", file=sys.stderr, flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
