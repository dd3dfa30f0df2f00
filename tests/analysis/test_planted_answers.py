"""The first sentence of an answer names the planted cause, or says that it is not separable; and the plants can fail.

A tenth of the draws of benchmarks/planted_answers.py.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hwprof.analysis.answer import weights, wording
from hwprof.reports.html.gather import gather
from hwprof.store import Results

FOLDER = Path(__file__).parents[2] / "benchmarks"
DRAWS = 20
CAUSES = (
    *("work", "cache misses", "dependent instructions", "clock", "waiting threads", "spinning threads"),
    *("another process", "several causes"),
)


@pytest.fixture(scope="module")
def planted() -> Iterator[ModuleType]:
    """The benchmark."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("planted_answers")


def count(planted: ModuleType, **chosen: Any) -> tuple[Counter[str], int]:
    """Words over all settings that have these fields, and of how many draws."""
    found: Counter[str] = Counter()
    draws = 0
    for number, setting in enumerate(planted.settings()):
        if all(getattr(setting, name) == value for name, value in chosen.items()):
            found.update(planted.tally(np.random.default_rng([2, number]), setting, DRAWS))
            draws += DRAWS
    assert draws
    return found, draws


def test_every_cause_is_planted(planted: ModuleType) -> None:
    assert tuple(dict.fromkeys(setting.cause for setting in planted.settings())) == CAUSES


@pytest.mark.parametrize("noise", ["small", "large"])
@pytest.mark.parametrize("cause", CAUSES)
def test_the_first_sentence_names_what_was_planted_or_says_that_it_is_not_separable(
    planted: ModuleType, cause: str, noise: str
) -> None:
    found, draws = count(planted, cause=cause, noise=noise)
    assert found[planted.Word.WRONG] <= planted.MOST_WRONG * draws
    if noise == "small":
        assert found[planted.Word.SILENT] <= planted.MOST_SILENT * draws


def test_what_counters_separate_is_named(planted: ModuleType) -> None:
    """Silence and 'not separable' keep every limit on what is wrong; where noise is small they are no answer."""
    found, draws = count(planted, cause="clock", counters=True, noise="small")
    assert found[planted.Word.RIGHT] > 0.9 * draws


def test_intervals_that_always_exclude_one_would_name_wrong_causes(
    planted: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "excludes_one", lambda factor: True)
    found, draws = count(planted, cause="clock", frameworks=2, counters=True, noise="large")
    assert found[planted.Word.WRONG] > planted.MOST_WRONG * draws


@pytest.mark.parametrize(
    ("sentence", "cause", "word"),
    [
        ("onnxruntime is 1.50 times as fast as opencv: mainly accounted for by the clock 1.50x.", "clock", "RIGHT"),
        ("onnxruntime is 1.50 times as fast as opencv: mainly accounted for by the clock 1.50x.", "work", "WRONG"),
        ("opencv is 1.50 times as fast as onnxruntime: mainly accounted for by the clock 1.50x.", "clock", "WRONG"),
        (
            "onnxruntime is 1.50 times as fast as opencv: partly accounted for by the clock 1.20x and instructions per "
            "frame 1.20x",
            "clock",
            "WRONG",
        ),
        (
            "onnxruntime is the fastest of 3 frameworks: the lead of onnxruntime is partly accounted for by "
            "instructions per frame and the clock (1.50x and 1.20x against opencv)",
            "work",
            "WRONG",
        ),
        (
            "onnxruntime is 1.50 times as fast as opencv: mainly accounted for by CPU time per frame (clock, IPC and "
            "work, not separable) 1.50x",
            "cache misses",
            "INSEPARABLE",
        ),
        (
            "onnxruntime is 1.50 times as fast as opencv: mainly accounted for by parallelism, ipc, work (not "
            "separable) 1.50x",
            "spinning threads",
            "INSEPARABLE",
        ),
        (
            "onnxruntime is 1.50 times as fast as opencv: mainly accounted for by instructions per cycle 1.50x "
            "with last-level misses per instruction 4.00x, consistent with up to 90 % of it",
            "cache misses",
            "RIGHT",
        ),
        (
            "onnxruntime is 1.50 times as fast as opencv: mainly accounted for by instructions per cycle 1.50x "
            "with last-level misses per instruction 4.00x, consistent with up to 90 % of it",
            "dependent instructions",
            "WRONG",
        ),
        (
            "onnxruntime is 1.50 times as fast as opencv: mainly accounted for by instructions per cycle 1.50x",
            "cache misses",
            "INSEPARABLE",
        ),
        (
            "onnxruntime is 1.50 times as fast as opencv: the factors are not distinguishable by these measurements: "
            "the clock 1.50x [0.90, 2.00]",
            "clock",
            "SILENT",
        ),
        (
            "onnxruntime and opencv are not distinguishable by CPU time per frame, by CPU time per frame, as runs are "
            "disturbed (others took up to 33 % of the time of opencv): no factor is distinguishable either",
            "another process",
            "RIGHT",
        ),
    ],
)
def test_a_sentence_is_judged_by_the_factors_that_it_names(
    planted: ModuleType, sentence: str, cause: str, word: str
) -> None:
    assert planted.judge(sentence, planted.Setting(cause, 2, True, "small")) is planted.Word[word]


def test_one_framework_is_judged_by_its_bottleneck(planted: ModuleType) -> None:
    setting = planted.Setting("another process", 1, True, "small")
    named = "onnxruntime alone was measured, other-load in 2 of 4 cases."
    assert planted.judge(named, setting) is planted.Word.RIGHT
    assert planted.judge(named, setting._replace(cause="clock")) is planted.Word.WRONG
    assert planted.judge("onnxruntime alone was measured", setting) is planted.Word.SILENT
    assert planted.judge("onnxruntime alone was measured", setting._replace(cause="work")) is planted.Word.INSEPARABLE


def test_every_factor_that_a_sentence_can_name_is_known_to_the_plants(planted: ModuleType) -> None:
    assert set(planted.NAMED) == set(wording.NAMES)


@pytest.mark.parametrize("frameworks", [2, 3])
def test_a_report_of_the_planted_results_begins_with_the_judged_sentence(
    planted: ModuleType, tmp_path: Path, frameworks: int
) -> None:
    setting = planted.Setting("cache misses", frameworks, True, "small")
    expected = planted.draw_sentence(np.random.default_rng(3), setting)
    runs = planted.plants.runs_of(np.random.default_rng(3), setting)
    with Results.create(tmp_path / "planted.db") as results:
        results.add_all([run for own in runs.values() for run in own])
        answer = gather(results).report.answer
    assert answer is not None
    assert planted.first_sentence(answer.paragraph) == expected
