"""Time in other units and what happens per second are found in the data; a cause of the time is not taken for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from hwprof.analysis.correlation import metrics, strata
from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.disguises import Disguise, Disguises

Floats = NDArray[np.float64]
NETWORKS, FRAMEWORKS = 10, 3


class Planted:
    """Ten networks, three frameworks, some rounds: logs of size, time and what a metric counts."""

    def __init__(self, rounds: int = 3, seed: int = 2) -> None:
        self.rng = np.random.default_rng(seed)
        self.n, self.f, self.r = (a.ravel() for a in np.indices((NETWORKS, FRAMEWORKS, rounds)))
        self.size = self.rng.normal(18, 1.2, NETWORKS)[self.n]
        self.work = self.size + self.cell(0.3) + self.rng.normal(0, 0.3, FRAMEWORKS)[self.f]
        self.own = self.cell(0.3)
        self.time = self.work - 20 + self.cell(0.2) + self.noise(0.01)
        self.names = [f"net{i}" for i in self.n]

    def cell(self, sd: float) -> Floats:
        """One value for each network and framework."""
        return np.asarray(self.rng.normal(0, sd, (NETWORKS, FRAMEWORKS))[self.n, self.f])

    def noise(self, sd: float) -> Floats:
        """One value for each run."""
        return np.asarray(self.rng.normal(0, sd, len(self.n)))

    def frame(self, metric: Floats, time: Floats, **columns: Floats) -> pd.DataFrame:
        """Labelled results in which `x` is what the metric counts."""
        counts = {"instructions": np.exp(self.work), "x": metric}
        frame = pd.DataFrame(
            {
                "framework": [f"f{i}" for i in self.f],
                "network": self.names,
                "batch": 1,
                "round": self.r,
                "status": "ok",
                "fps": np.exp(-time),
                "macs": np.exp(self.size),
                **counts,
                **columns,
            }
        )
        frame.attrs["metrics"] = {name: {"per": "frame"} for name in counts | columns}
        return strata.label(frame)

    def find(self, metric: Floats, time: Floats | None = None, **columns: Floats) -> Disguise | None:
        """What counts of `metric` are in fact."""
        frame = self.frame(metric, self.time if time is None else time, **columns)
        logs = {v: Logs(frame, v) for v in sorted(frame[strata.VARIANT].unique())}
        return Disguises(logs, metrics.classify(frame)).find("x", ("macs", "instructions"))


def test_time_by_another_name_is_found_and_another_power_of_it_is_not() -> None:
    plant = Planted()
    found = plant.find(np.exp(plant.time + plant.noise(0.01)))
    assert found is not None
    assert found.why == "follows the speed itself"
    inverse = plant.find(np.exp(-plant.time))
    assert inverse is not None
    assert plant.find(np.exp(plant.work + 2 * (plant.time - plant.work) + plant.cell(0.02))) is None


def test_cycles_by_another_name_are_found_by_the_cpu_time_that_they_are_made_of() -> None:
    plant = Planted()
    cpu_time = plant.time + plant.cell(0.12)
    cycles = np.exp(cpu_time + 21 + plant.cell(0.01))
    found = plant.find(cycles, cpu_ms=1e3 * np.exp(cpu_time))
    assert found is not None
    assert found.why == "is cpu_ms in other units"
    by_cycles = plant.find(cycles, cycles=np.exp(cpu_time + 21))
    assert by_cycles is not None
    assert by_cycles.why == "is cycles in other units"


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_timer_is_found(rounds: int) -> None:
    plant = Planted(rounds)
    found = plant.find(np.exp(plant.time + 3 + plant.noise(0.1)))
    assert found is not None
    assert "constant rate per second" in found.why


def test_a_timer_with_zeros_is_found() -> None:
    """Fewer than two in a frame, of which small networks have none."""
    plant = Planted()
    frames = 200
    counts = plant.rng.poisson(np.exp(plant.time - plant.time.mean()) * 0.02 * frames) / frames
    assert (counts == 0).any()
    found = plant.find(counts)
    assert found is not None
    assert "constant rate per second" in found.why


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("effect", [0.6, 1.0])
def test_what_makes_the_time_is_no_timer(rounds: int, effect: float) -> None:
    plant = Planted(rounds)
    time = plant.time + effect * plant.own
    assert plant.find(np.exp(plant.work - 5 + plant.own), time) is None


@pytest.mark.parametrize("rounds", [1, 3])
def test_what_grows_with_the_work_alone_is_no_timer(rounds: int) -> None:
    plant = Planted(rounds)
    assert plant.find(np.exp(plant.work - 5 + plant.own)) is None
    zeros = np.exp(plant.work - 5 + plant.own)
    zeros[4] = 0.0
    assert plant.find(zeros) is None


class Blocks(Planted):
    """Twelve blocks of each of six networks in two frameworks; `alike`: what the blocks of a network have in common."""

    def __init__(self, rounds: int = 3, seed: int = 2) -> None:
        self.rng = np.random.default_rng(seed)
        self.n, self.f, self.r = (a.ravel() for a in np.indices((72, 2, rounds)))
        self.parent = self.n % 6
        self.size = self.rng.normal(18, 1.2, 72)[self.n]
        self.work = self.size + self.rng.normal(0, 0.1, 72)[self.n]
        self.alike = self.rng.normal(0, 0.3, (2, 6))[:, self.parent]
        self.time = self.work - 20 + self.rng.normal(0, 0.1, 72)[self.n] + self.alike[0]
        self.names = [f"block:net{p}/{n}-1x1" for p, n in zip(self.parent, self.n, strict=True)]

    def pair(self, metric: Floats) -> tuple[float, bool]:
        """(p of the metric with the time, whether it is a copy of it)."""
        frame = self.frame(metric, self.time)
        logs = {v: Logs(frame, v) for v in sorted(frame[strata.VARIANT].unique())}
        names = dict.fromkeys(logs, "x")
        found = Disguises(logs, {})._pair(names, "fps", -1.0, ("macs", "instructions"))
        assert found is not None
        return found.p, found.is_copy()


def test_what_a_parent_has_in_common_is_no_evidence_of_all_its_blocks() -> None:
    """Of twelve metrics that have nothing of the time, few are beyond size between parents."""
    hits = []
    for seed in range(12):
        plant = Blocks(seed=seed)
        hits.append(plant.pair(np.exp(plant.work - 5 + plant.alike[1]))[0] < 0.05)
    assert sum(hits) <= 3
    driven = Blocks()
    noise = driven.rng.normal(0, 0.1, 72)[driven.n]
    assert driven.pair(np.exp(driven.time + noise))[0] < 0.05


def test_one_odd_parent_makes_no_copy_of_the_time() -> None:
    plant = Blocks()
    time = plant.time - plant.alike[0]
    plant.time = time + 3.0 * (plant.parent == 0)
    noise = plant.rng.normal(0, 0.1, 72)[plant.n]
    assert not plant.pair(np.exp(plant.work + noise + 3.0 * (plant.parent == 0)))[1]
    assert plant.pair(np.exp(plant.time))[1]


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_timer_is_found_in_blocks(rounds: int) -> None:
    plant = Blocks(rounds)
    found = plant.find(np.exp(plant.time + 3 + plant.noise(0.1)))
    assert found is not None
    assert "constant rate per second" in found.why
