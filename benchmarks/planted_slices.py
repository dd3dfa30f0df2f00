"""What is said of counters within runs where the truth is known: walks that drift by themselves, and one that drives.

Every run has a level of its own, and of its slices every quantity is an autoregression with the persistence `a`: 0
is independent noise, 1 a random walk. Twenty counters drift by themselves. Where one drives, the log of latency has
`EFFECT` times its standardised values beside drift of the same size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from promises import Row, rate
from scenarios import Scenario

from hwprof.analysis.over_time.comovement import WithinRuns, estimate
from hwprof.records import Case, Role, Run, SliceCounts, Slices, Window

Floats = NDArray[np.float64]
COUNTERS, ROUNDS = 20, 3
EFFECT = 0.03
MS = 1_000_000
DRIVER = "driver"
# (persistence, slices of a run): a run of `--quick` has 14, an ordinary one 50, a long one 200
NULLS = ((0.0, 14), (0.0, 50), (0.9, 50), (1.0, 14), (1.0, 50), (1.0, 200))
# the least share of cases in which the driver is found
POWER: Mapping[tuple[float, int], float] = {(0.0, 20): 0.8, (0.5, 50): 0.95, (0.9, 50): 0.8}


def drift(rng: np.random.Generator, slices: int, a: float) -> Floats:
    """An autoregression of `slices` values, with a standard deviation of 1 around their mean."""
    values = np.empty(slices + 200)
    values[0] = 0.0
    for i, noise in enumerate(rng.normal(size=slices + 199), 1):
        values[i] = a * values[i - 1] + noise
    found = values[200:] - values[200:].mean()
    return np.asarray(found / found.std())


def planted_run(rng: np.random.Generator, number: int, slices: int, a: float, drives: bool) -> Run:
    """One inference a slice; counters have the level of their run."""
    driver = drift(rng, slices, a)
    log = EFFECT * (driver * drives + drift(rng, slices, a)) + rng.normal(0, 0.1)
    latencies = tuple(int(t) for t in 40 * MS * np.exp(log))
    columns = {DRIVER: driver} | {f"counter-{i}": drift(rng, slices, a) for i in range(COUNTERS)}
    counts = tuple(
        SliceCounts(name, tuple(int(v) for v in rng.uniform(1e5, 1e6) + 1e4 * values))
        for name, values in columns.items()
    )
    t0 = tuple(50 * MS * i for i in range(slices))
    t1 = tuple(begin + latency for begin, latency in zip(t0, latencies, strict=True))
    sliced = Slices(t0, t1, (1,) * slices, tuple(range(slices)), counts)
    window = Window(0, Role.COUNTED, 0, 0, t1[-1], latencies, slices=sliced)
    return Run(str(number), Case("planted", "planted", "", 32), round=number, windows=(window,))


def planted_case(rng: np.random.Generator, slices: int, a: float, drives: bool) -> WithinRuns:
    """What is said of three rounds."""
    found = estimate(planted_run(rng, number, slices, a, drives) for number in range(ROUNDS))
    assert found is not None
    return found


def nothing_drives(draws: int, a: float, slices: int) -> Scenario:
    """How often anything is said of a case in which all drift by themselves."""

    def one(rng: np.random.Generator) -> bool:
        return bool(planted_case(rng, slices, a, False).found)

    what = f"within runs: said of {COUNTERS} walks, a = {a}, {slices} slices"
    return Scenario(one, lambda said: [rate(what, said, 0.0, 0.05)], draws)


def one_drives(draws: int, a: float, slices: int) -> Scenario:
    """How often the driver is found; the share of cases with a false sentence among them."""

    def one(rng: np.random.Generator) -> tuple[bool, float, bool]:
        case = planted_case(rng, slices, a, True)
        said = {c.metric: c for c in case.found}
        others = len(said) - (DRIVER in said)
        return DRIVER in said, others / max(1, len(said)), DRIVER in said and said[DRIVER].r > 0

    def rows(found: list[tuple[bool, float, bool]]) -> list[Row]:
        what = f"a = {a}, {slices} slices"
        false = float(np.mean([share for _, share, _ in found]))
        se = float(np.std([share for _, share, _ in found]) / np.sqrt(len(found)))
        return [
            rate(f"within runs: driver found, {what}", [hit for hit, _, _ in found], POWER[a, slices], 1.0),
            rate(f"within runs: its sign is right, {what}", [s for hit, _, s in found if hit], 0.99, 1.0),
            Row(f"within runs: false discoveries, {what}", false, 0.0, 0.05, se),
        ]

    return Scenario(one, rows, draws)


def scenarios_of(draws: int) -> dict[str, Scenario]:
    """All of them by name."""
    nulls = {f"within runs, walks {a} {n}": nothing_drives(draws, a, n) for a, n in NULLS}
    return nulls | {f"within runs, driver {a} {n}": one_drives(draws, a, n) for a, n in POWER}
