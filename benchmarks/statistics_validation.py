"""Does the correlation engine keep its promises? Planted drivers, many draws, and what the engine says of them.

    x_jnf = b_j M_n + a_jn + u_jf + w_jnf          y_nf = -M_n + A_n + U_f - g (x_driver1 + x_driver2) + s_n e_nf

per network n, framework f, metric j: 8 blocks of 5 metrics that go together (r .8), three rounds of 3 %, ten windows
of 1 %, 5 % of the values missing. Two metrics of different blocks drive FPS (g = 1), or none does (g = 0).

A second plant goes through the whole engine: size acts by instructions alone, no metric acts, and instructions are
counted everywhere, missing or zero in one of forty cells, or counted nowhere. Nothing may be claimed in any of them.

A third is `hwprof compare` where sessions have noise of their own: of the same program, and of one that lost 8 %.

    python benchmarks/statistics_validation.py [--draws 300] [--seed 1]

Prints a table and exits 1 where a figure is outside its bounds.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.analysis.comparison.calibration import as_noises, calibrate
from hwprof.analysis.comparison.compare import Judgement, compare
from hwprof.analysis.comparison.measured import RunSummary
from hwprof.analysis.correlation import analyse
from hwprof.analysis.statistics import pooled
from hwprof.analysis.statistics.partial import benjamini_hochberg, partial
from hwprof.records import Case, Kind
from hwprof.speed import Speed

Floats = NDArray[np.float64]

BLOCKS, PER_BLOCK = 8, 5
METRICS = BLOCKS * PER_BLOCK
DRIVERS = (0, PER_BLOCK)  # the first metric of the first two blocks
TRUE_BLOCKS = (0, 1)
ALPHA = 0.05
SESSION_SD, ROUND_SD = 0.02, 0.01
MOVED = (Judgement.FASTER, Judgement.SLOWER, Judgement.REGRESSION)
EFFECT_SD, NETWORK_SD, ERROR_SD, FRAMEWORK_SD = 0.22, 0.2, 0.12, 0.3


@dataclass(frozen=True, slots=True)
class Draw:
    """x (metrics, networks, frameworks), NaN: missing; y (networks, frameworks); size (networks,). All logs."""

    x: Floats
    y: Floats
    size: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: `value` must lie within `low` and `high`; `se`: Monte-Carlo standard error, in its favour."""

    what: str
    value: float
    low: float
    high: float
    se: float = 0.0

    @property
    def kept(self) -> bool:
        """Within bounds, give or take two standard errors of the simulation."""
        return self.low - 2 * self.se <= self.value <= self.high + 2 * self.se


def _blocks(rng: np.random.Generator, sd: float, *shape: int) -> Floats:
    """(metrics, *shape) normal with r .8 within a block."""
    common = np.repeat(rng.standard_normal((BLOCKS, *shape)), PER_BLOCK, axis=0)
    return np.asarray(sd * (np.sqrt(0.8) * common + np.sqrt(0.2) * rng.standard_normal((METRICS, *shape))))


def draw(rng: np.random.Generator, networks: int, frameworks: int, g: float, gaps: float = 0.05) -> Draw:
    """One data set, already collapsed to network means (what rounds and windows leave is added as noise)."""
    size = rng.normal(0, 1.2, networks)
    x = rng.normal(1, 0.3, METRICS)[:, None, None] * size[:, None]
    x = x + _blocks(rng, NETWORK_SD, networks)[:, :, None] + _blocks(rng, FRAMEWORK_SD, frameworks)[:, None, :]
    x = x + _blocks(rng, EFFECT_SD, networks, frameworks)
    noise = np.exp(rng.normal(0, 0.3, networks))[:, None] * rng.normal(0, ERROR_SD, (networks, frameworks))
    y = -size[:, None] + rng.normal(0, NETWORK_SD, networks)[:, None] + rng.normal(0, FRAMEWORK_SD, frameworks)
    y = y - g * sum(x[d] for d in DRIVERS) + noise
    measured = np.sqrt(0.03**2 / 3 + 0.01**2 / 30)
    x, y = x + rng.normal(0, measured, x.shape), y + rng.normal(0, measured, y.shape)
    return Draw(np.where(rng.random(x.shape) < gaps, np.nan, x), y, size)


def claims(data: Draw) -> tuple[NDArray[np.bool_], Floats]:
    """What the engine would call associated (q < .05 of the pooled slopes), and the p-values, per metric."""
    p = pooled.slopes(data.x, data.y).p
    q = np.full(METRICS, np.nan)
    finite = np.isfinite(p)
    q[finite] = benjamini_hochberg(p[finite])
    return np.asarray(q < ALPHA), p


def _share(hits: list[bool]) -> tuple[float, float]:
    value = float(np.mean(hits))
    return value, float(np.sqrt(max(value * (1 - value), 0.25 / len(hits)) / len(hits)))


def discovery(rng: np.random.Generator, draws: int, networks: int, frameworks: int, power: float) -> list[Row]:
    """False discoveries, power for a driver's block and whether such a block comes first; then claims of nothing."""
    block = np.arange(METRICS) // PER_BLOCK
    false_share, found, first, nothing = [], [], [], []
    for _ in range(draws):
        claimed, p = claims(draw(rng, networks, frameworks, 1.0))
        false_share.append(float(np.isin(block[claimed], TRUE_BLOCKS, invert=True).mean()) if claimed.any() else 0.0)
        found += [bool(claimed[block == b].any()) for b in TRUE_BLOCKS]
        first.append(bool(block[int(np.nanargmin(p))] in TRUE_BLOCKS))
        nothing.append(bool(claims(draw(rng, networks, frameworks, 0.0))[0].any()))
    where = f"{networks} networks x {frameworks} frameworks"
    fdr_se = float(np.std(false_share) / np.sqrt(draws))
    rows = [Row(f"false discovery rate, {where}", float(np.mean(false_share)), 0.0, 0.12, fdr_se)]
    for what, hits, low, high in (
        ("power for a driver's block", found, power, 1.0),
        ("a driver's block comes first", first, 0.95, 1.0),
        ("any claim where nothing drives", nothing, 0.0, 0.12),
    ):
        value, se = _share(hits)
        rows.append(Row(f"{what}, {where}", value, low, high, se))
    return rows


def pooled_coverage(rng: np.random.Generator, draws: int, networks: int, frameworks: int = 4) -> Row:
    """How often the 95 % interval of the driver's pooled slope holds the planted -1."""
    hits = []
    for _ in range(draws):
        data = draw(rng, networks, frameworks, 1.0)
        fit = pooled.slopes(data.x[list(DRIVERS)], data.y)
        hits += [bool(lo <= -1 <= hi) for lo, hi in zip(fit.low, fit.high, strict=True) if np.isfinite(lo)]
    value, se = _share(hits)
    high = 1.0 if networks < 6 else 0.98
    return Row(f"coverage of the pooled slope, {networks} networks x {frameworks}", value, 0.93, high, se)


def fisher_coverage(rng: np.random.Generator, draws: int, networks: int) -> Row:
    """How often the Fisher-z interval of one framework, given size, holds the population's partial correlation."""
    metric = NETWORK_SD**2 + EFFECT_SD**2
    spread = np.exp(2 * 0.3**2)  # mean of s_n squared
    truth = -metric / np.sqrt(metric * (NETWORK_SD**2 + 2 * metric + spread * ERROR_SD**2))
    hits = []
    for _ in range(draws):
        data = draw(rng, networks, 1, 1.0, gaps=0.0)
        one = partial(data.x[0, :, 0], data.y[:, 0], data.size[:, None])
        hits.append(one.low is not None and one.high is not None and bool(one.low <= truth <= one.high))
    value, se = _share(hits)
    return Row(f"coverage of r given size (Fisher-z), {networks} networks", value, 0.93, 0.98, se)


def size_alone(rng: np.random.Generator, draws: int, networks: int = 10) -> list[Row]:
    """A metric without influence: r as it is, and how often it is called significant given size."""
    raw, false = [], []
    for _ in range(draws):
        data = draw(rng, networks, 1, 0.0, gaps=0.0)
        x, y = data.x[METRICS - 1, :, 0], data.y[:, 0]
        r, p = partial(x, y, np.empty((networks, 0))).r, partial(x, y, data.size[:, None]).p
        raw.append(r if r is not None else np.nan)
        false.append(p is not None and p < ALPHA)
    value, se = _share(false)
    return [
        Row("raw r of a metric without influence (size alone)", float(np.nanmean(raw)), -1.0, -0.8),
        Row("the same given size, rejected at 5 %", value, 0.0, 0.08, se),
    ]


def family_wise(rng: np.random.Generator, draws: int, shuffles: int = 199) -> Row:
    """max-T where nothing drives: how often any metric of the family is below .05."""
    hits = []
    for _ in range(draws):
        data = draw(rng, 10, 4, 0.0, gaps=0.0)
        seed = int(rng.integers(1 << 31))
        hits.append(bool((pooled.max_t(data.x, data.y, draws=shuffles, seed=seed) < ALPHA).any()))
    value, se = _share(hits)
    return Row("any max-T claim where nothing drives, 10 networks x 4", value, 0.0, 0.08, se)


def sizes_only(
    rng: np.random.Generator, instructions: str, networks: int = 10, frameworks: int = 4, metrics: int = 20
) -> pd.DataFrame:
    """A results frame in which instructions per frame make FPS and every metric, and no metric has an influence.

    `instructions`: counted | missing or zero (in the last network of the last framework) | nowhere.
    """
    size = rng.normal(18, 1.2, networks)
    work = size[:, None] + rng.normal(0, 0.4, (networks, frameworks)) + rng.normal(0, 0.3, frameworks)
    speed = 20 - work + rng.normal(0, NETWORK_SD, work.shape)
    n, f = np.divmod(np.arange(work.size), frameworks)
    counts: dict[str, Floats] = {}
    for metric in range(metrics):
        own = rng.normal(0, NETWORK_SD, networks)[:, None] + rng.normal(0, 0.3, work.shape)
        counts[f"metric{metric}"] = np.exp(work - 5 + own)[n, f]
    if instructions != "nowhere":
        counts["instructions"] = np.exp(work)[n, f]
        if instructions != "counted":
            counts["instructions"][-1] = 0.0 if instructions == "zero" else np.nan
    frame = pd.DataFrame(
        {
            "framework": [f"f{i}" for i in f],
            "network": [f"net{i}" for i in n],
            "batch": 1,
            "round": 0,
            "status": "ok",
            "fps": np.exp(speed)[n, f],
            "macs": np.exp(size)[n],
            **counts,
        }
    )
    frame.attrs["metrics"] = {name: {"origin": "hardware", "per": "frame"} for name in counts}
    return frame


def control(rng: np.random.Generator, draws: int, instructions: str) -> list[Row]:
    """False findings of the framework with the gap, and false sentences of the summary, where nothing drives."""
    findings, sentences, over_all = [], [], []
    for _ in range(draws):
        (found,) = analyse.analyse(sizes_only(rng, instructions))
        last = [c for c in found.correlations if c.framework == found.frameworks[-1] and c.status == "tested"]
        findings += [c.partial.p is not None and c.partial.p < ALPHA for c in last]
        sentences.append(any(c.q is not None and c.q < ALPHA for c in found.correlations))
        over_all.append(any(s.p_family is not None and s.p_family < ALPHA for s in found.pooled))
    rows = []
    for what, hits in (("finding", findings), ("sentence", sentences), ("pooled claim", over_all)):
        # not one test is a kept promise too: there is nothing to be false
        value, se = _share(hits) if hits else (0.0, 0.0)
        rows.append(Row(f"false {what}, instructions {instructions}, 10 networks x 4", value, 0.0, 0.08, se))
    return rows


def side(
    rng: np.random.Generator, log: float, noises: Floats, rounds: int, day: int, second: int = 0
) -> list[RunSummary]:
    """Rounds of one case of a true log speed, in a session a day with these noises; a round begins each minute."""
    runs = []
    for session, noise in enumerate(noises):
        for number, own in enumerate(rng.normal(0, ROUND_SD, rounds)):
            at = datetime.datetime(2000, 1, 1) + datetime.timedelta(day + session, 60 * number + second)
            case, speed = Case("framework", "network", "", 224), Speed(fps=float(np.exp(log + noise + own)))
            uid = f"{day} {session} {number} {second}"
            runs.append(RunSummary(uid, case, Kind.NATIVE, number, at.isoformat(), speed, machine={"label": "planted"}))
    return runs


def comparisons(rng: np.random.Generator, draws: int, sessions: int, rounds: int, calibrated: int = 0) -> list[Row]:
    """`hwprof compare` of one case, of which nothing or 8 % is lost, where sessions differ by 2 % and rounds by 1 %.

    `sessions` of each side, 0: both sides in one session, in turn. `calibrated`: sessions that the machine's noise is
    known from.
    """
    verdicts: dict[float, list[Judgement]] = {0.0: [], float(np.log(0.92)): []}
    covered = []
    for _ in range(draws):
        for loss, found in verdicts.items():
            old, new, known = (rng.normal(0, SESSION_SD, n) for n in (sessions or 1, sessions or 1, calibrated))
            noises = as_noises(calibrate(side(rng, 0.0, known, 3, 400), "")) if calibrated else {}
            day, second = (200, 0) if sessions else (0, 30)
            new = new if sessions else old
            both = side(rng, 0.0, old, rounds, 0), side(rng, loss, new, rounds, day, second)
            (change,) = compare(*both, noises=noises).changes
            found.append(change.verdict)
            if change.low is not None and change.high is not None:
                covered.append(bool(change.low <= np.exp(loss) <= change.high))
    how = f"{sessions} sessions a side of {rounds} rounds" if sessions else f"{rounds} rounds in turn"
    how += f", noise of {calibrated} sessions" if calibrated else ""
    false, null_se = _share([v in MOVED for v in verdicts[0.0]])
    power, se = _share([v in (Judgement.SLOWER, Judgement.REGRESSION) for v in verdicts[float(np.log(0.92))]])
    rows = [Row(f"compare, nothing lost, called different: {how}", false, 0.0, 0.05, null_se)]
    if not covered:  # no verdict, ever
        return rows
    coverage, coverage_se = _share(covered)
    rows.append(Row(f"compare, coverage: {how}", coverage, 0.93, 0.98, coverage_se))
    return [*rows, Row(f"compare, 8 % lost, found: {how}", power, 0.0 if sessions else 0.8, 1.0, se)]


def validate(draws: int, seed: int = 1) -> list[Row]:
    """All promises on `draws` data sets each (max-T on a tenth, the whole engine on a fifth)."""
    rng = np.random.default_rng(seed)
    rows = size_alone(rng, draws)
    rows += [fisher_coverage(rng, draws, n) for n in (6, 10)]
    rows += [pooled_coverage(rng, draws, n) for n in (4, 6, 10)]
    rows += discovery(rng, draws, 12, 6, 0.85)
    rows += discovery(rng, draws, 10, 4, 0.5)
    rows.append(family_wise(rng, max(5, draws // 10)))
    for instructions in ("counted", "missing", "zero", "nowhere"):
        rows += control(rng, max(5, draws // 5), instructions)
    for sessions, rounds, calibrated in ((0, 3, 0), (0, 4, 0), (1, 3, 0), (1, 10, 0), (3, 3, 0), (1, 3, 6), (1, 1, 6)):
        rows += comparisons(rng, draws, sessions, rounds, calibrated)
    return rows


def main() -> int:
    """Print the table; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rows = validate(args.draws, args.seed)
    width = max(len(r.what) for r in rows)
    print(f"{'':{width}}   value    +- se   bounds           {args.draws} draws, seed {args.seed}")
    for r in rows:
        verdict = "ok" if r.kept else "BROKEN"
        print(f"{r.what:{width}}  {r.value:6.3f}  {r.se:6.3f}   {r.low:5.2f} ... {r.high:4.2f}   {verdict}")
    return 0 if all(r.kept for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
