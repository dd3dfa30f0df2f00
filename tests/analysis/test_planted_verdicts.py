"""Bottlenecks, roofline, predictions, models and tuning keep their promises on planted data, and the plants can fail.

A tenth of the draws of the full simulation (benchmarks/statistics_validation.py), less where seconds count.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hwprof.analysis import prediction
from hwprof.analysis.bottlenecks import ceilings, certainty, cores, graph, system, threads
from hwprof.analysis.bottlenecks.certainty import Sure
from hwprof.studies.tuning import search

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = ("planted_checks", "planted_verdicts", "planted_searches", "planted_predictions")
DRAWS = 100
FEW = 30


@pytest.fixture(scope="module")
def planted() -> Iterator[dict[str, ModuleType]]:
    """The benchmarks' modules by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield {name: importlib.import_module(name) for name in NAMES}


def broken(planted: dict[str, ModuleType], words: str, draws: int = DRAWS) -> list[str]:
    checks = planted["planted_checks"].of(draws)
    chosen = [check for name, check in checks.items() if words in name]
    assert chosen
    return [r.what for n, check in enumerate(chosen) for r in check.judge([4, n]) if not r.kept]


@pytest.mark.parametrize("words", ["bottlenecks", "roofline", "tune"])
def test_verdicts_places_and_winners_keep_their_promises(planted: dict[str, ModuleType], words: str) -> None:
    assert broken(planted, words, FEW) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "draws"),
    [("bottlenecks", DRAWS), ("roofline", DRAWS), ("tune", DRAWS), ("predict", DRAWS), ("models", DRAWS // 5)],
)
def test_all_keep_their_promises_on_a_tenth_of_the_draws(
    planted: dict[str, ModuleType], words: str, draws: int
) -> None:
    assert broken(planted, words, draws) == []


def value(planted: dict[str, ModuleType], module: str, of: str, row: int, *arguments: Any) -> float:
    made = getattr(planted[module], of)(np.random.default_rng(5), *arguments)
    return float(made[row].value)


def test_without_intervals_high_certainty_would_be_false(
    planted: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ceilings, cores, system, threads, graph, certainty):
        monkeypatch.setattr(module, "certainty", lambda *_, **__: Sure.HIGH)
    made = planted["planted_verdicts"].rules(np.random.default_rng(5), 110)
    assert max(row.value for row in made) > 0.1


def test_without_a_word_on_silence_dead_events_would_rule_out(
    planted: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ceilings, cores, system):
        monkeypatch.setattr(module, "weaken", lambda sure, *_: sure)
    name = "events that do not count"
    assert value(planted, "planted_verdicts", "certain", 0, 100, name) > 0.05


def test_the_error_of_the_picked_predictors_alone_would_cover_too_little(
    planted: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = value(planted, "planted_predictions", "coverage", 0, 200, "normal", 8)
    monkeypatch.setattr(prediction, "_errors", lambda data: {"": 0.0})
    assert value(planted, "planted_predictions", "coverage", 0, 200, "normal", 8) < whole - 0.01


def test_an_interval_of_a_tenth_of_the_width_would_claim_a_best_where_all_are_equal(
    planted: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = search.interval

    def narrow(values: Any, confidence: float) -> tuple[float, float, float]:
        middle, low, high = true(values, confidence)
        return middle, middle + (low - middle) / 10, middle + (high - middle) / 10

    monkeypatch.setattr(search, "interval", narrow)
    assert value(planted, "planted_searches", "searches", 0, 50, "quiet") > 0.1
