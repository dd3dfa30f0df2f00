"""What the benchmarks compute from what they measured."""

from __future__ import annotations

import importlib
import math
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hwprof.records import Case, Role, Run, Slices, Window

FOLDER = Path(__file__).parents[1] / "benchmarks"
MS = 1_000_000


@pytest.fixture
def benchmark_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A benchmark by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def sliced(framework: str, milliseconds: list[float], turns: list[int] | None = None, **facts: Any) -> Run:
    """A run whose bare slices have these latencies, three inferences each; its counted slices are twice as slow."""
    turns = list(range(len(milliseconds))) if turns is None else turns
    windows = []
    for index, (role, factor) in enumerate(((Role.PAIRED, 1), (Role.COUNTED, 2))):
        latencies = tuple(round(ms * factor * MS) for ms in milliseconds for _ in range(3))
        edges = tuple(sum(latencies[: 3 * i]) for i in range(len(milliseconds) + 1))
        slices = Slices(edges[:-1], edges[1:], (3,) * len(milliseconds), tuple(turns))
        pass_ = -1 if role is Role.PAIRED else 0
        windows.append(Window(index, role, pass_, 0, edges[-1], latencies, slices=slices))
    return Run(f"{framework}-{facts}", Case(framework, "resnet18", "", 64), windows=tuple(windows), facts=facts)


def test_the_interval_of_a_change_lies_around_its_median(benchmark_of: Any) -> None:
    found = benchmark_of("paired").change([1.01**i for i in range(-10, 11)])
    assert (round(found.percent, 6), found.pairs) == (0.0, 21)
    # of 21 values the 5th from either end: P(Binomial(21, 1/2) < 5) = .4 %, P(< 6) = 1.3 %, more than half of 2 %
    assert found.high == pytest.approx(100 * (1.01**6 - 1))
    assert found.low == pytest.approx(100 * (1 / (1 + found.high / 100) - 1))
    assert found.covers_zero


def test_a_change_of_every_pair_is_found(benchmark_of: Any) -> None:
    found = benchmark_of("paired").change([1.05] * 12)
    assert found[:3] == pytest.approx((5.0, 5.0, 5.0))
    assert not found.covers_zero


def test_few_pairs_have_no_interval(benchmark_of: Any) -> None:
    paired = benchmark_of("paired")
    with pytest.raises(ValueError, match="6 pairs are too few"):
        paired.change([1.0] * 6)
    assert paired.change([1.0] * 7).pairs == 7


def test_shares_have_their_exact_interval(benchmark_of: Any) -> None:
    exact = benchmark_of("paired").clopper_pearson
    assert exact(0, 200) == pytest.approx((0.0, 1 - 0.025 ** (1 / 200)))  # the rule of three, exactly
    assert exact(200, 200) == pytest.approx((0.025 ** (1 / 200), 1.0))
    low, high = exact(10, 200)
    assert (round(low, 4), round(high, 4)) == (0.0242, 0.0900)


@pytest.mark.parametrize(
    ("low", "high", "control", "word"),
    [(-0.2, 0.4, 0.1, "kept"), (0.2, 0.9, 1.0, "kept"), (0.2, 0.9, 0.3, "not shown"), (0.6, 0.9, 0.3, "BROKEN")],
)
def test_slices_cost_less_than_half_a_percent_or_than_noise(
    benchmark_of: Any, low: float, high: float, control: float, word: str
) -> None:
    change = benchmark_of("paired").Change
    row, noise = change((low + high) / 2, low, high, 20), change(0.0, -control, control, 20)
    assert benchmark_of("slice_cost").judge(row, noise) == word


@pytest.mark.parametrize(
    ("low", "high", "word"), [(-1.0, 1.9, "within"), (-1.0, 2.1, "not shown"), (2.1, 9.0, "NAMED")]
)
def test_what_moves_by_more_than_two_percent_is_named(benchmark_of: Any, low: float, high: float, word: str) -> None:
    change = benchmark_of("paired").Change
    assert benchmark_of("side_by_side").judge(change((low + high) / 2, low, high, 20)) == word


def test_turns_in_the_set_are_laid_beside_those_alone(benchmark_of: Any) -> None:
    run = sliced("opencv", [9.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    turns = [None, (0, "onnxruntime", 0), (0, "onnxruntime", 1), (0, "onnxruntime", 2), (1, "onnxruntime", 0), None]
    (triple,) = benchmark_of("side_by_side").of_run(run, turns)["onnxruntime"]  # the second block was not completed
    assert [math.exp(latency) for latency, _ in triple] == pytest.approx([MS, 2 * MS, 3 * MS])
    assert [cpu for _, cpu in triple] == pytest.approx([math.nan] * 3, nan_ok=True)  # not counted, and not zero


def test_sets_give_the_ratio_of_their_turns(benchmark_of: Any) -> None:
    drift = [1.0, 1.5, 2.0, 3.0, 2.5]  # the machine's, the same for both
    runs = [
        sliced(name, [cost * d for d in drift], set={"id": number}, number=number)
        for number in range(3)
        for name, cost in (("onnxruntime", 2.0), ("opencv", 3.0))
    ]
    found = benchmark_of("quick_widths").ratio(runs, "FPS")
    assert found == pytest.approx((1.5, 1.5, 1.5))


def test_without_sets_rounds_are_compared_by_welch(benchmark_of: Any) -> None:
    found = benchmark_of("quick_widths").welch([100.0, 110.0, 121.0], [50.0, 50.0, 50.0])
    # three values with a standard deviation of log 1.1, against none: t(2) = 4.303
    half = 4.302653 * math.log(1.1) / math.sqrt(3)
    assert found == pytest.approx((2.2, 2.2 * math.exp(-half), 2.2 * math.exp(half)), rel=1e-6)


def test_a_false_word_is_counted(benchmark_of: Any) -> None:
    tally = benchmark_of("false_words").Tally()
    tally.ask([sliced("onnxruntime", [1.0] * 20)])  # twice as slow while counting
    assert (tally.asked, tally.doubted, tally.covered, tally.unknown) == (1, 1, 0, 0)
    assert not tally.is_broken()  # one of one shows nothing about 5 %: [.025 ... 1]
    tally.ask([sliced("onnxruntime", [1.0] * 20)])
    assert tally.is_broken()


def test_draws_depend_neither_on_processes_nor_on_what_else_is_drawn(benchmark_of: Any) -> None:
    scenarios = benchmark_of("scenarios")
    uniform = partial(scenarios.Scenario, np.random.Generator.random, list)
    few: Any = partial(dict, one=uniform(12))
    many: Any = partial(dict, other=uniform(3), one=uniform(17))
    drawn = dict(scenarios.judge(few, seed=4))["one"]
    assert len(set(drawn)) == 12
    assert dict(scenarios.judge(few, seed=4, jobs=2)) == {"one": drawn}
    assert dict(scenarios.judge(many, seed=4))["one"][:12] == drawn
    assert dict(scenarios.judge(few, seed=5))["one"] != drawn
