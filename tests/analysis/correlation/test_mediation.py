"""What goes through instructions is total less direct, with an interval between networks or parents."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.findings import percent_per_tenth
from hwprof.analysis.correlation.mediation import through_instructions
from hwprof.reports.page import associations
from tests.analysis.correlation.test_analyse import frame, of

Floats = NDArray[np.float64]
NETWORKS = [f"net{i}" for i in range(12)]


def planted(rng: np.random.Generator, path: float, direct: float, names: list[str]) -> tuple[Floats, Floats, Floats]:
    """A metric that makes `path` of instructions, which cost -1, and acts with `direct` beside them."""
    size = rng.normal(18, 1.0, len(names))
    parents = {name: rng.normal(0, 0.3) for name in sorted({n.partition("/")[0] for n in names})}
    shared = np.array([parents[n.partition("/")[0]] for n in names]) if names[0].startswith("block:") else 0.0
    x = size + rng.normal(0, 0.5, len(names)) + shared
    work = size + path * (x - size) + rng.normal(0, 0.2, len(names))
    y = -work + direct * (x - size) + rng.normal(0, 0.2, len(names)) + shared
    return x, y, np.column_stack([size, work])


def test_it_is_the_product_of_the_two_paths() -> None:
    x, y, z = planted(np.random.default_rng(1), 0.6, -0.2, NETWORKS)
    found = through_instructions(x, y, z, NETWORKS)
    assert found is not None
    to = sm.OLS(z[:, 1], sm.add_constant(np.column_stack([x, z[:, 0]]))).fit().params[1]
    on = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit().params[-1]
    assert found.slope == pytest.approx(to * on)
    assert found.df == 11


@pytest.mark.parametrize("names", [NETWORKS, [f"block:net{i % 8}/{i}-1x1" for i in range(48)]], ids=["whole", "blocks"])
@pytest.mark.parametrize("path", [0.0, 0.8])
def test_its_interval_covers_what_is_planted(names: list[str], path: float) -> None:
    rng = np.random.default_rng(2)
    covered, draws = 0, 200
    for _ in range(draws):
        found = through_instructions(*planted(rng, path, -0.3, names), names)
        assert found is not None
        low, high = found.interval(0.95)
        covered += low < -path < high
    assert covered / draws > 0.9


def test_too_few_networks_or_parents_have_none() -> None:
    few = NETWORKS[:6]
    assert through_instructions(*planted(np.random.default_rng(3), 0.6, 0.0, few), few) is None
    blocks = [f"block:net{i % 3}/{i}-1x1" for i in range(30)]
    assert through_instructions(*planted(np.random.default_rng(3), 0.6, 0.0, blocks), blocks) is None


def test_the_page_says_what_acts_through_instructions_and_nothing_of_what_does_not() -> None:
    data = frame(networks=14)
    own = np.random.default_rng(4).normal(0, 0.1, 14)[data["network"].str[3:].astype(int)]
    work = 0.8 * np.log(data["driver"] / data["macs"] * np.exp(5)) + own
    data["instructions"], data["fps"] = data["macs"] * np.exp(work - 2), data["fps"] * np.exp(-work)
    (analysis,) = analyse.analyse(data)
    driver = of(analysis, "driver")
    assert driver.through is not None
    (line,) = associations.mediation(analysis, "f")
    total = percent_per_tenth((driver.partial.slope or 0.0) + driver.through.slope)
    assert line.startswith(f"driver per frame: +10 % of it with {total:+.1f} % FPS controlling for MACs (total)")
    (plain,) = analyse.analyse(frame(networks=14))
    assert associations.mediation(plain, "f") == []


def test_ranks_and_what_is_not_tested_have_none() -> None:
    data = frame()
    data.loc[data["network"] == "net1", "null"] = 0.0
    assert of(analyse.analyse(data)[0], "null").through is None
    assert of(analyse.analyse(data.drop(columns="instructions"))[0], "driver").through is None
