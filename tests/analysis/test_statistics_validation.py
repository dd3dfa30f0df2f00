"""The engine keeps its promises on planted data (the full simulation: benchmarks/statistics_validation.py)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hwprof.analysis.comparison import pairing
from hwprof.analysis.correlation import coefficients, disguises
from hwprof.analysis.correlation.covariates import Covariates
from hwprof.analysis.correlation.findings import LeftOut
from hwprof.analysis.factors import ratio
from hwprof.analysis.units import SESSIONS, Units

PATH = Path(__file__).parents[2] / "benchmarks" / "statistics_validation.py"


@pytest.fixture(scope="module")
def validation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("statistics_validation", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["statistics_validation"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("only", "draws"),
    [
        ("size alone", 25),
        ("coverage", 25),
        ("max-T", 5),
        ("zero", 5),
        ("instructions", 5),
        ("timer", 5),
        ("cycles", 5),
        ("wild", 5),
        ("gaps", 5),
        ("compar", 25),
        ("explanations", 25),
    ],
)
def test_promises_are_kept(validation: ModuleType, only: str, draws: int) -> None:
    rows = [r for _, own in validation.validate(draws, seed=4, only=only) for r in own]
    assert rows
    assert [r.what for r in rows if not r.kept] == []


@pytest.mark.slow
def test_promises_of_power_are_kept(validation: ModuleType) -> None:
    rows = [
        r
        for only in ("discovery", "picked", "driver of", "fixed", "strata", "versions")
        for _, own in validation.validate(6, 4, only)
        for r in own
    ]
    assert [r.what for r in rows if not r.kept] == []


def spoken(validation: ModuleType, name: str, draws: int = 6) -> float:
    return float(validation.false_sentences(draws, name).judge([5])[0].value)


def test_without_leaving_out_networks_a_wild_one_would_speak(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LeftOut, "holds", True)
    assert spoken(validation, "one wild network", 12) > 0.1


def test_without_the_control_for_instructions_size_is_found_in_every_metric(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Covariates, "of", lambda self, metric: ("macs",))
    monkeypatch.setattr(coefficients, "_split_covariates", lambda logs, base, chosen: (chosen, ""))
    rng = np.random.default_rng(5)
    said = [bool(validation.sentences(validation.plants.null(rng, networks=20).frame(rng))) for _ in range(5)]
    assert np.mean(said) > 0.3


def test_without_the_checks_a_timer_and_cycles_by_another_name_are_found(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disguises.Disguises, "find", lambda self, metric, chosen: None)
    assert spoken(validation, "a timer, 10 x 4, three rounds") > 0.3
    assert spoken(validation, "cycles by another name, 6 %") > 0.3


def test_without_powers_of_the_instructions_a_fixed_cost_is_found_in_metrics(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Covariates, "_bend", lambda self, straight: ((), ""))
    assert spoken(validation, "a fixed cost, 10 networks") > 0.3


def test_rounds_of_one_session_as_units_would_call_the_same_program_different(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plant can fail: without the noise of sessions a third of the null comparisons claim something."""

    def by_rounds(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]], noise: object) -> object:
        return pairing.estimate(old[0], new[0]), pairing.Pairing.SESSIONS, ""

    monkeypatch.setattr(pairing, "over_sessions", by_rounds)
    rows = validation.comparisons(60, 1, 3).judge([3])
    assert [r.kept for r in rows] == [False, False, True]
    assert rows[0].value > 0.2


def equal_factors_named(validation: ModuleType, draws: int = 60) -> float:
    factors = validation.planted_factors.factors(np.random.default_rng(7), draws, 5, 1.05, "noisy")
    return float(np.mean(next(factors)[1]))


def test_one_test_for_each_factor_as_if_it_were_alone_would_name_equal_ones(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plant can fail: at 95 % for each factor a tenth of the reports and more would name one that is equal."""
    assert equal_factors_named(validation) <= 0.05
    monkeypatch.setattr(ratio, "CONFIDENCE", 1 - 0.05 * len(validation.planted_factors.SCALE))
    assert equal_factors_named(validation) > 0.1


def test_rounds_of_several_sessions_as_units_would_not_cover_the_ratio(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pooled(x: Sequence[str], y: Sequence[str]) -> Units:
        return Units(tuple((i,) for i in range(len(x))), tuple((i,) for i in range(len(y))), SESSIONS, False)

    monkeypatch.setattr(ratio, "choose_units", pooled)
    rows = validation.planted_factors.sessions(np.random.default_rng(7), 100, 4, False)
    coverage = next(hits for what, hits, *_ in rows if what.startswith("coverage"))
    assert np.mean(coverage) < 0.9
