"""Instructions per frame at equal MACs: found where they cost time, not where they do not, and never among others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import Analysis
from hwprof.reports.html.answer import correlation_tile
from hwprof.reports.page import associations

INSTRUCTIONS = "instructions@callgrind"


def frame(cost: float, networks: int = 14, seed: int = 3, fixed_cost: float = 0.0) -> pd.DataFrame:
    """One framework whose FPS has the elasticity `cost` of instructions beyond MACs."""
    rng = np.random.default_rng(seed)
    size, beyond = rng.normal(18, 1.2, networks), rng.normal(0, 0.4, networks)
    fps = np.exp(22 - size + cost * beyond + rng.normal(0, 0.05, networks))
    made = pd.DataFrame(
        {
            "framework": "f",
            "network": [f"net{i}" for i in range(networks)],
            "batch": 1,
            "round": 0,
            "status": "ok",
            "fps": 1 / (1 / fps + fixed_cost),
            "macs": np.exp(size),
            INSTRUCTIONS: np.exp(size - 1 + beyond),
            "other": np.exp(size - 3 + rng.normal(0, 0.4, networks)),
        }
    )
    made.attrs["metrics"] = {name: {"origin": "simulated", "per": "frame"} for name in (INSTRUCTIONS, "other")}
    return made


def only(data: pd.DataFrame) -> Analysis:
    (analysis,) = analyse.analyse(data)
    return analysis


def test_instructions_that_cost_time_are_found_at_equal_macs_and_said() -> None:
    analysis = only(frame(-0.8))
    (work,) = analysis.work
    assert work.is_found
    assert work.covariates == ("macs",)
    assert work.partial.slope == pytest.approx(-0.8, abs=0.1)
    (said,) = [line for line in associations.sentences(analysis) if "at equal MACs" in line]
    assert "per frame correlate with FPS: r -0.9" in said
    assert said.endswith("An association, not a cause.")
    tile = correlation_tile([analysis])
    assert (tile.value, tile.label.rpartition("; ")[2]) == ("0 of 1", "instructions do at equal MACs in f")


def test_they_are_a_family_of_their_own() -> None:
    """A sure finding among the others would let more of them pass."""
    analysis = only(frame(-0.8))
    assert INSTRUCTIONS not in {c.metric.name for c in analysis.correlations}
    assert {c.family for c in analysis.correlations if c.q is not None} == {1}
    assert analysis.work[0].family == 1
    assert analysis.found == ()


def test_they_are_one_family_over_all_strata_and_targets_of_a_report() -> None:
    once = [only(frame(-0.8)), only(frame(0.0))]
    found = joint(once)
    assert [work.family for a in found for work in a.work] == [2, 2]
    assert found[0].work[0].q == pytest.approx(2 * (once[0].work[0].q or 0.0))
    assert joint(found) == found


def test_instructions_that_cost_nothing_are_not_found_and_this_is_said_with_what_was_seen() -> None:
    analysis = only(frame(0.0))
    (work,) = analysis.work
    assert work.q is not None
    assert not work.is_found
    (said,) = [line for line in associations.sentences(analysis) if "at equal MACs" in line]
    assert "it is not shown that" in said
    assert "as each network is left out" in said
    assert "equal MACs" not in correlation_tile([analysis]).label


def test_a_single_network_makes_no_sentence() -> None:
    data = frame(0.0)
    odd = np.arange(len(data)) == 0
    data[INSTRUCTIONS] = data[INSTRUCTIONS] * np.where(odd, 60, 1)
    data["fps"] = data["fps"] / np.where(odd, 5, 1)
    (work,) = only(data).work
    assert work.q is not None
    assert work.q < 0.05
    assert not work.is_found


def test_where_the_line_is_bent_powers_of_macs_are_controlled_for() -> None:
    (work,) = only(frame(-0.8, 30, fixed_cost=0.02)).work
    assert work.covariates[:2] == ("macs", "macs^2")


def test_without_instructions_or_enough_networks_nothing_is_said() -> None:
    few = only(frame(-0.8, networks=5))
    assert [c.q for c in few.work] == [None]
    uncounted = frame(-0.8).drop(columns=INSTRUCTIONS)
    for data in (few, only(uncounted)):
        assert not any("at equal MACs" in line for line in associations.sentences(data))
    assert only(uncounted).work == ()
