"""Results frames with a planted truth, of which a whole report is made: benchmarks/statistics_validation.py judges it.

In all of them log FPS = 20 - work + noise, work is the log of instructions per frame, and each metric counts what grows
with the work. Nothing but a planted driver has an influence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NETWORK_SD = 0.2
METRICS = 20


@dataclass(slots=True)
class Plant:
    """Logs of shape (networks, frameworks): work, speed, and the metrics by name; `size` (networks,) of log MACs.

    `per_round`: standard deviation of a metric from round to round; `rounds` of every case.
    """

    size: Floats
    work: Floats
    speed: Floats
    metrics: dict[str, Floats]
    rounds: int = 1
    per_round: float = 0.03

    def frame(self, rng: np.random.Generator, columns: Mapping[str, str | Floats] | None = None) -> pd.DataFrame:
        """One row per run. `columns`: more of them, or in the place of `instructions`."""
        n, f, r = (a.ravel() for a in np.indices((*self.work.shape, self.rounds)))

        def noisy(logs: Floats, sd: float) -> Floats:
            spread = sd if self.rounds > 1 else 0.0
            return np.asarray(np.exp(logs[n, f] + spread * rng.standard_normal(len(n))))

        counts = {name: noisy(logs, self.per_round) for name, logs in self.metrics.items()}
        counts["instructions"] = np.exp(self.work)[n, f]
        counts |= {k: np.asarray(v) for k, v in (columns or {}).items() if k == "instructions"}
        frame = pd.DataFrame(
            {
                "framework": [f"f{i}" for i in f],
                "network": [f"net{i}" for i in n],
                "batch": 1,
                "round": r,
                "status": "ok",
                "fps": noisy(self.speed, 0.01),
                "macs": np.exp(self.size)[n],
                **counts,
            }
        )
        for name, values in (columns or {}).items():
            if name not in frame:
                frame[name] = values
        frame.attrs["metrics"] = {name: {"origin": "hardware", "per": "frame"} for name in counts}
        return frame


def null(rng: np.random.Generator, networks: int = 10, frameworks: int = 4, metrics: int = METRICS) -> Plant:
    """Instructions per frame make FPS and every metric, and no metric has an influence."""
    size = rng.normal(18, 1.2, networks)
    work = size[:, None] + rng.normal(0, 0.4, (networks, frameworks)) + rng.normal(0, 0.3, frameworks)
    speed = 20 - work + rng.normal(0, NETWORK_SD, work.shape)
    made = {}
    for number in range(metrics):
        own = rng.normal(0, NETWORK_SD, networks)[:, None] + rng.normal(0, 0.3, work.shape)
        made[f"metric{number}"] = work - 5 + own
    return Plant(size, work, speed, made)


def with_gaps(rng: np.random.Generator, share: float = 0.05) -> pd.DataFrame:
    """Of each metric, and of the speeds, this share of the cells is missing."""
    plant = null(rng)
    for values in (plant.speed, *plant.metrics.values()):
        values[rng.random(values.shape) < share] = np.nan
    return plant.frame(rng)


def without_a_value(rng: np.random.Generator, value: float) -> pd.DataFrame:
    """Instructions are `value` in the last network of the last framework."""
    plant = null(rng)
    instructions = np.exp(plant.work).ravel()
    instructions[-1] = value
    return plant.frame(rng, {"instructions": instructions})


def nowhere(rng: np.random.Generator) -> pd.DataFrame:
    """Instructions were not counted."""
    plant = null(rng)
    return plant.frame(rng, {"instructions": np.full(plant.work.size, np.nan)})


def one_zero(rng: np.random.Generator) -> pd.DataFrame:
    """A zero in one cell of each of three metrics."""
    plant = null(rng)
    frame = plant.frame(rng)
    for number in range(3):
        frame.loc[int(rng.integers(len(frame))), f"metric{number}"] = 0.0
    return frame


def timer(rng: np.random.Generator, networks: int = 10, frameworks: int = 4, rounds: int = 1) -> pd.DataFrame:
    """`metric0` happens twenty times a second, give or take 10 % a round, whatever is computed."""
    plant = null(rng, networks, frameworks)
    plant.metrics["metric0"] = 3.0 - plant.speed + rng.normal(0, 0.1 / np.sqrt(rounds), plant.work.shape)
    plant.rounds, plant.per_round = rounds, 0.1
    return plant.frame(rng)


def renamed_cycles(rng: np.random.Generator, efficiency: float) -> pd.DataFrame:
    """`metric0` is cycles under a name that nobody knows: CPU time times a clock that varies by 1 %.

    `efficiency`: standard deviation of the CPUs used, so that CPU time is not the time of a frame.
    """
    plant = null(rng)
    cpu_time = -plant.speed + rng.normal(0, efficiency, plant.work.shape)
    plant.metrics["metric0"] = cpu_time + 21 + rng.normal(0, 0.01, plant.work.shape)
    return plant.frame(rng, {"cpu_ms": 1e3 * np.exp(cpu_time).ravel()})


def wild_network(rng: np.random.Generator, frameworks: int = 4) -> pd.DataFrame:
    """One network is five times as slow for its work and counts sixty times of `metric0`, in some frameworks."""
    plant = null(rng)
    plant.speed[0, :frameworks] -= np.log(5)
    plant.metrics["metric0"][0, :frameworks] += np.log(60)
    return plant.frame(rng)


def bent(rng: np.random.Generator, networks: int = 10) -> pd.DataFrame:
    """A cost per inference that no network escapes, in time and in every count, each of another size; noise 6 %."""
    plant = null(rng, networks)
    middle = float(np.median(plant.work))
    least = rng.normal(middle, 0.3, plant.work.shape[1])
    plant.speed = 20 - np.logaddexp(least, plant.work) + rng.normal(0, 0.06, plant.work.shape)
    for name in plant.metrics:
        own = rng.normal(0, 0.2, plant.work.shape)
        plant.metrics[name] = np.logaddexp(rng.normal(middle, 1), plant.work) - 5 + own
    return plant.frame(rng)


def free_work(rng: np.random.Generator, networks: int = 10, fixed_cost: bool = False) -> pd.DataFrame:
    """Instructions beyond MACs cost nothing: speed follows MACs; with a cost per inference that bends its line."""
    plant = null(rng, networks)
    size = plant.size[:, None]
    cost = np.logaddexp(rng.normal(float(np.median(size)), 0.3, 4), size) if fixed_cost else size
    plant.speed = 20 - cost + rng.normal(0, NETWORK_SD, plant.work.shape)
    return plant.frame(rng)


def strata(rng: np.random.Generator, count: int = 6) -> pd.DataFrame:
    """Several strata in one report."""
    parts = [null(rng).frame(rng, {"precision": f"p{i}"}) for i in range(count)]
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs = parts[0].attrs
    return frame


def versions(rng: np.random.Generator) -> pd.DataFrame:
    """Two versions of every framework: the second is twice as fast, by equal instructions and nearly equal counts."""
    plant = null(rng)
    parts = []
    for version in ("1.0", "2.0"):
        parts.append(plant.frame(rng, {"version": version}))
        plant.speed = plant.speed + np.log(2) + rng.normal(0, 0.05, plant.speed.shape)
        plant.metrics = {name: logs + rng.normal(0, 0.1, logs.shape) for name, logs in plant.metrics.items()}
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs = parts[0].attrs
    return frame


def single_driver(rng: np.random.Generator, r: float, networks: int = 10, metrics: int = METRICS) -> pd.DataFrame:
    """In one framework `metric0` has the partial correlation `r` with FPS."""
    plant = null(rng, networks, 1, metrics)
    own = plant.metrics["metric0"] - plant.work
    own = own - own.mean()
    sd = np.sqrt(NETWORK_SD**2 + 0.3**2)
    plant.speed = 20 - plant.work + r * own / sd * 0.2 + rng.normal(0, 0.2 * np.sqrt(1 - r * r), plant.work.shape)
    return plant.frame(rng)


def blocks(
    rng: np.random.Generator, slope: float = 0.0, parents: int = 10, each: int = 8, work_costs: bool = True
) -> pd.DataFrame:
    """Blocks of four kinds in two frameworks, on which `metric0` acts with this slope.

    A third of the variance of the speed, and of every metric, is the parent's; of work too where it costs nothing.
    """
    parent = np.repeat(np.arange(parents), each)

    def shared(sd: float) -> Floats:
        """(blocks, frameworks) with this standard deviation, a third of the variance the parent's."""
        whole = np.repeat(rng.normal(0, sd * np.sqrt(1 / 3), parents), each)[:, None]
        return np.asarray(whole + rng.normal(0, sd * np.sqrt(2 / 3), (parents * each, 2)))

    size = rng.normal(18, 1.2, parents * each)
    work = size[:, None] + (rng.normal(0, 0.3, (parents * each, 2)) if work_costs else shared(0.3))
    own = {f"metric{number}": shared(0.4) for number in range(10)}
    speed = 20 - (work if work_costs else size[:, None]) + slope * own["metric0"] + shared(NETWORK_SD)
    plant = Plant(size, work, speed, {name: work - 5 + values for name, values in own.items()})
    kinds = ("1x1", "3x3", "depthwise", "add")
    names = {f"net{i}": f"block:parent{p}/{i}-{kinds[i % len(kinds)]}" for i, p in enumerate(parent)}
    frame = plant.frame(rng)
    frame["network"] = frame["network"].map(names)
    return frame
