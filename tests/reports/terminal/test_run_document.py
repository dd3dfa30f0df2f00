"""The JSON document of `hwprof run`: all that a program needs, with its quality."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

import hwprof
from hwprof.records import Case, Failure, Kind, Role, Run, Window, from_json, missing
from hwprof.reports.terminal import run_document
from tests.factories import make_run, make_simulated_run


def document(*runs: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(run_document.document(runs), allow_nan=False))
    return found


def test_it_has_its_format_the_version_and_the_case() -> None:
    found = document(make_run(batch=2, metrics={"cycles": 5.0}))
    assert (found["format"], found["hwprof"]) == (run_document.FORMAT, hwprof.__version__)
    assert (found["case"]["network"], found["case"]["batch"]) == ("mobilenet_v2", 2)
    assert (found["kind"], found["rounds"]) == ("native", 1)


def test_speeds_have_their_intervals_and_what_these_are_of() -> None:
    found = document(*(make_run(fps=40.0 + i, round=i) for i in range(3)))["speed"]
    assert found["fps"]["value"] == pytest.approx(41, rel=0.01)
    assert found["fps"]["low"] < found["fps"]["value"] < found["fps"]["high"]
    assert found["interval"] == "95 % between rounds, within this session"
    assert found["throughput"]["low"] is not None
    assert found["cpu_s"] is None, "the synthetic runs have no CPU time: unknown is not 0"
    assert found["ranked_by"] == "FPS"


def test_latency_has_its_percentiles_over_all_durations() -> None:
    latency = document(make_run(fps=40.0))["speed"]["latency_ns"]
    assert latency["latency"] == pytest.approx(25e6)
    assert latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    assert latency["inferences"] == 31


def test_every_reading_has_its_quality_and_a_missing_one_its_reason() -> None:
    run = make_run(metrics={"cycles": 7.0})
    bare, window = run.windows
    readings = (*window.readings, missing("slots", "not on this CPU"))
    cycles, slots = document(dataclasses.replace(run, windows=(bare, dataclasses.replace(window, readings=readings))))[
        "readings"
    ]
    assert cycles["value"] == pytest.approx(7)
    assert (cycles["per"], cycles["exactness"], cycles["origin"]) == ("frame", "exact", "hardware")
    assert (slots["value"], slots["exactness"], slots["why"]) == (None, "missing", "not on this CPU")


def test_the_records_are_in_it_as_they_are_stored() -> None:
    runs = (make_run(), make_simulated_run(metrics={"instructions": 3.0}))
    told = document(*runs)["runs"]
    del told[0]["facts"]["over_time"]
    assert tuple(from_json(Run, one) for one in told) == runs


def test_a_case_that_failed_has_no_speed_but_its_failures() -> None:
    found = document(make_run(failure=Failure("killed", "out of memory")))
    assert found["speed"] is None
    assert [(f["round"], f["code"]) for f in found["failures"]] == [(0, "killed")]


def test_the_speed_that_a_command_reported_is_its_speed() -> None:
    case = Case("command", "bench", "", 0)
    window = Window(0, Role.COUNTED, 0, 0, 10**9, (10**9,))
    runs = [
        Run(f"{n}", case, Kind.COMMAND, round=n, windows=(window,), facts={"fps": 40.0 + n, "fps_source": "output"})
        for n in range(2)
    ]
    found = document(*runs)["speed"]
    assert found["fps"]["value"] == pytest.approx(40.5, rel=1e-3)
    assert found["latency_ns"] is None
