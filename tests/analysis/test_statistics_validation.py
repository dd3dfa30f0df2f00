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


def test_promises_are_kept(validation: ModuleType) -> None:
    rows = validation.validate(draws=20, seed=4)
    assert len(rows) > 10
    assert [r.what for r in rows if not r.kept] == []


def test_taking_rows_for_units_would_break_them(validation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds can fail: p-values that ignore networks claim what is not there."""
    monkeypatch.setattr(
        validation.pooled, "slopes", lambda x, y: type("Naive", (), {"p": np.full(len(x), 0.001), "n": 10})()
    )
    rows = validation.discovery(np.random.default_rng(1), 10, 10, 4, 0.5)
    assert not all(r.kept for r in rows)


def test_the_plant_is_claimed_without_the_control_for_instructions(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plant can fail: with MACs alone taken out, size is found in every metric."""
    monkeypatch.setattr(validation.analyse.Covariates, "of", lambda self, metric: ("macs",))
    monkeypatch.setattr(validation.analyse, "without_test", lambda found, why: found)
    found, sentences, _ = validation.control(np.random.default_rng(5), 5, "counted")
    assert found.value > 0.3
    assert sentences.value > 0.3


def test_rounds_of_one_session_as_units_would_call_the_same_program_different(
    validation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plant can fail: without the noise of sessions a third of the null comparisons claim something."""

    def by_rounds(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]], noise: object) -> object:
        return pairing.estimate(old[0], new[0]), pairing.Pairing.SESSIONS, ""

    monkeypatch.setattr(pairing, "over_sessions", by_rounds)
    rows = validation.comparisons(np.random.default_rng(3), 60, 1, 3)
    assert [r.kept for r in rows] == [False, False, True]
    assert rows[0].value > 0.2
