"""The answer to a need as text, JSON and tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.analysis.configurations.judge import NeedAnswer, judge
from hwprof.analysis.configurations.need import parse
from hwprof.reports.page import need
from hwprof.reports.tables import Report
from tests.analysis.configurations.planted import frames, rounds


@pytest.fixture
def answer(tmp_path: Path) -> NeedAnswer:
    runs = [
        *rounds([100.0, 101.0, 102.0], metrics={"energy": 0.04, "power": 4.0}),
        *rounds([200.0, 202.0, 201.0], batch=2, metrics={"energy": 0.0265, "power": 5.3}),
        *rounds([20.0, 20.2, 20.1], batch=4, metrics={"energy": 0.04, "power": 4.0}),
        *rounds([90.0, 91.0, 92.0], batch=8),
    ]
    return judge(parse("fps>=25, power<=5W"), *frames(tmp_path, runs))


def test_a_terminal_has_each_outcome_with_its_values_in_80_columns(answer: NeedAnswer) -> None:
    text = need.text(answer)
    lines = text.splitlines()
    assert lines[0] == "Need: fps >= 25, power <= 5 W"
    assert lines[1].startswith("Of 4 configurations 1 meets it, 1 nearly, 1 does not, and 1 can't be judged.")
    heads = [line for line in lines if line.endswith(":")]
    assert heads == [
        "Meets it, in all of its interval:",
        "Nearly meets it:",
        "Can't be judged:",
        "Does not meet it:",
        "Next:",
    ]
    assert "  onnxruntime squeezenet1_1: fp32, 1 thread, batch 1" in lines
    assert "101 [98.5, 104] FPS; power 4.00 [4.00, 4.00] W" in text
    assert "power misses by 6.0 %" in text
    assert "power was not measured" in text
    prose = [line for line in lines if "hwprof run" not in line]  # a command is not broken
    assert max(map(len, prose)) <= 80


def test_values_are_in_the_unit_that_was_asked_for(tmp_path: Path) -> None:
    found = judge(parse("latency<=10000us, memory<=1GiB"), *frames(tmp_path, rounds([100.0, 100.0])))
    document = need.document(found)
    latency, memory = document["results"][0]["conditions"]
    assert latency["value"] == pytest.approx(10_000, rel=1e-6)
    assert memory["value"] == pytest.approx(96 / 1024)
    assert [c["unit"] for c in document["conditions"]] == ["us", "GiB"]
    assert document["conditions"][0]["limit"] == pytest.approx(10_000)


def test_what_was_not_measured_is_null_in_json(answer: NeedAnswer) -> None:
    document = need.document(answer)
    assert document["met"] is True
    assert [r["outcome"] for r in document["results"]] == ["meets", "nearly meets", "not measured", "does not meet"]
    power = document["results"][2]["conditions"][1]
    assert (power["value"], power["low"], power["high"], power["outcome"]) == (None, None, None, "not measured")
    assert "power" in document["not_measured"]


def test_a_report_has_the_answer_in_front(answer: NeedAnswer) -> None:
    report = need.extend(Report(("what else there is",), (), need=answer))
    assert report.summary[0] == "Need: fps >= 25, power <= 5 W."
    assert report.summary[-1] == "what else there is"
    assert report.tables[0].title == "Need: fps >= 25, power <= 5 W"
    assert [row[0] for row in report.tables[0].rows] == ["meets", "nearly meets", "not measured", "does not meet"]
    assert report.tables[0].rows[2][5] == "-"
    bare = Report((), ())
    assert need.extend(bare) is bare
