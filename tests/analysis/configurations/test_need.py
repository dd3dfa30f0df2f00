"""Conditions in words: what they mean, and one clear line for what they can't mean."""

from __future__ import annotations

import pytest

from hwprof.analysis.configurations.need import QUANTITIES, parse
from hwprof.errors import UsageError


@pytest.mark.parametrize(
    ("text", "quantity", "operator", "limit", "shown"),
    [
        ("fps>=25", "fps", ">=", 25.0, "fps >= 25"),
        ("FPS > 25 fps", "fps", ">", 25.0, "fps > 25 fps"),
        ("throughput>=1e3", "throughput", ">=", 1000.0, "throughput >= 1e3"),
        ("power<=5W", "power", "<=", 5.0, "power <= 5 W"),
        ("power<5", "power", "<", 5.0, "power < 5 W"),
        ("power<=500 mW", "power", "<=", 0.5, "power <= 500 mW"),
        ("latency<=40ms", "latency", "<=", 40.0, "latency <= 40 ms"),
        ("p50<=0.04s", "latency", "<=", 40.0, "latency <= 0.04 s"),
        ("latency p90<=40000us", "latency p90", "<=", 40.0, "latency p90 <= 40000 us"),
        ("p99 < 40 ms", "latency p99", "<", 40.0, "latency p99 < 40 ms"),
        ("cpu-time<=.5ms", "cpu time", "<=", 0.5, "cpu time <= .5 ms"),
        ("energy<=200mJ", "energy", "<=", 0.2, "energy <= 200 mJ"),
        ("energy<=0.2J/frame", "energy", "<=", 0.2, "energy <= 0.2 J/frame"),
        ("memory<=200MiB", "memory", "<=", 200.0, "memory <= 200 MiB"),
        ("memory<1GiB", "memory", "<", 1024.0, "memory < 1 GiB"),
        ("memory<=1MB", "memory", "<=", 1e6 / 2**20, "memory <= 1 MB"),
        ("top1>=70", "top1", ">=", 70.0, "top1 >= 70 %"),
        ("top-5 = 90.5 %", "top5", "=", 90.5, "top5 = 90.5 %"),
    ],
)
def test_a_condition_in_words_is_a_limit(text: str, quantity: str, operator: str, limit: float, shown: str) -> None:
    (found,) = parse(text)
    assert (found.quantity.name, found.operator, found.text) == (quantity, operator, shown)
    assert found.limit == pytest.approx(limit)


def test_conditions_are_separated_by_commas_and_may_be_a_range() -> None:
    assert [c.text for c in parse("fps>=25, fps<100,power<=5W,")] == ["fps >= 25", "fps < 100", "power <= 5 W"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no condition"),
        (" , ", "names no condition"),
        ("fps", "'fps' is no condition"),
        ("fps>>3", "'fps>>3' is no condition"),
        ("fps=>3", "'fps=>3' is no condition"),
        ("fps>=", "'fps>=' is no condition"),
        ("fps>=fast", "'fps>=fast' is no condition"),
        ("fps>=-3", "'fps>=-3' is no condition"),
        ("fps>=nan", "'fps>=nan' is no condition"),
        ("25<=fps", "'25<=fps' is no condition"),
        ("fps>=25 power<=5", "'power<=5' is no unit of fps"),
        ("speed>=25", "unknown quantity 'speed'"),
        ("fps>=0", "must be a finite number above 0"),
        ("fps>=1e999", "must be a finite number above 0"),
        ("latency<=40", "latency needs a unit in 'latency<=40'"),
        ("memory<=200", "memory needs a unit"),
        ("energy<=1", "energy needs a unit"),
        ("power<=5MW", "'MW' is no unit of power"),
        ("fps>=25ms", "'ms' is no unit of fps"),
    ],
)
def test_what_is_no_condition_is_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    line = str(caught.value)
    assert says in line
    assert "\n" not in line


def test_the_line_of_an_error_names_every_quantity_and_its_units() -> None:
    with pytest.raises(UsageError) as caught:
        parse("speed>=25")
    line = str(caught.value)
    for quantity in QUANTITIES:
        assert quantity.words[-1] in line or quantity.name in line
        for unit in quantity.units:
            assert unit in line or unit in ("fps", "µs", "J/frame", "mJ/frame")
    assert ">= <= > < =" in line


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("fps>=25", 25.0, True),
        ("fps>=25", 25.0 * (1 - 1e-12), True),  # a mean of logarithms
        ("fps>25", 25.0, False),
        ("fps<25", 25.0, False),
        ("fps<=25", 25.0 * (1 + 1e-12), True),
        ("fps<=25", 25.1, False),
        ("fps=25", 25.2, True),
        ("fps=25", 25.3, False),
    ],
)
def test_an_operator_holds_at_its_limit_as_it_says(text: str, value: float, holds: bool) -> None:
    (condition,) = parse(text)
    assert condition.holds(value) is holds


def test_a_miss_is_a_share_of_the_limit() -> None:
    (more,), (less,) = parse("fps>=25"), parse("latency<=40ms")
    assert more.miss(20.0) == pytest.approx(0.2)
    assert less.miss(50.0) == pytest.approx(0.25)
