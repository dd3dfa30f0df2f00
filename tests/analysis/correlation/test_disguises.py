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

    def cell(self, sd: float) -> Floats:
        """One value for each network and framework."""
        return np.asarray(self.rng.normal(0, sd, (NETWORKS, FRAMEWORKS))[self.n, self.f])

    def noise(self, sd: float) -> Floats:
        """One value for each run."""
        return np.asarray(self.rng.normal(0, sd, len(self.n)))

    def find(self, metric: Floats, time: Floats | None = None, **columns: Floats) -> Disguise | None:
        """What counts of `metric` are in fact."""
        time = self.time if time is None else time
        counts = {"instructions": np.exp(self.work), "x": metric}
        frame = pd.DataFrame(
            {
                "framework": [f"f{i}" for i in self.f],
                "network": [f"net{i}" for i in self.n],
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
        labelled = strata.label(frame)
        logs = {v: Logs(labelled, v) for v in sorted(labelled[strata.VARIANT].unique())}
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
