"""Arithmetic of readings, and the JSON form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hwprof.collectors.readings import between
from hwprof.records import (
    Case,
    Counter,
    Doubt,
    Exactness,
    Failure,
    Fidelity,
    Origin,
    Reading,
    Role,
    Run,
    Series,
    Snapshot,
    Window,
    from_json,
    missing,
    to_json,
)

CYCLES = Counter("cycles", origin=Origin.HARDWARE, source="perf:cycles")


def snap(raw: int | None, enabled: int, running: int) -> Snapshot:
    return Snapshot(enabled, (raw,), enabled, running)


def test_a_counter_that_ran_throughout_is_exact() -> None:
    reading = between(CYCLES, snap(100, 0, 0), snap(350, 10, 10), 0)
    assert (reading.value, reading.exactness, reading.running) == (250, Exactness.EXACT, 1.0)


def test_a_wrapped_counter_gives_the_difference_modulo_its_range() -> None:
    rapl = Counter("energy", "J", modulus=262143328850, scale=1e-6)
    reading = between(rapl, snap(262143328000, 0, 0), snap(150, 10, 10), 0)
    assert reading.raw == 1000
    assert reading.value == pytest.approx(1e-3)


def test_a_counter_that_ran_part_of_the_time_is_scaled_and_says_so() -> None:
    reading = between(CYCLES, snap(0, 0, 0), snap(250, 100, 25), 0)
    assert (reading.value, reading.raw, reading.exactness, reading.running) == (1000, 250, Exactness.SCALED, 0.25)


@pytest.mark.parametrize(
    ("after", "why"),
    [(snap(0, 100, 0), "never ran"), (snap(None, 100, 100), "could not be read"), (snap(5, 0, 0), "not enabled")],
)
def test_what_was_not_counted_is_missing_and_not_zero(after: Snapshot, why: str) -> None:
    reading = between(CYCLES, snap(0, 0, 0), after, 0)
    assert reading.value is None
    assert reading.exactness is Exactness.MISSING
    assert why in reading.why


def test_a_true_zero_stays_zero() -> None:
    assert between(CYCLES, snap(7, 0, 0), snap(7, 10, 10), 0).value == 0.0


def test_a_reading_cannot_be_missing_with_a_value() -> None:
    with pytest.raises(ValueError, match="missing"):
        Reading("x", 0.0, exactness=Exactness.MISSING)
    with pytest.raises(ValueError, match="missing"):
        Reading("x", None)


def full_run() -> Run:
    case = Case("onnxruntime", "tiny_cnn", "builtin-1 seed 0", 32, 2, 1, (0,), "fp32", (("spin", False),))
    readings = (
        Reading("cycles", 12.5, raw=25, enabled_ns=4, running_ns=2, running=0.5),
        missing("energy", "no sensor"),
    )
    return Run(
        uid="c0ffee00",
        case=case,
        load_ns=3,
        windows=(Window(0, Role.COUNTED, 1, 10, 20, (4, 5), readings),),
        series=(Series("power", "W", at_ns=(1, 2), values=(None, 2.5)),),
        facts={"threads": 1, "nested": {"a": [1, None]}},
        fidelity=Fidelity(1e-6, 1e-7, 1.0, 8, 1e-3),
        doubts=(Doubt("noisy", {"ratio": 1.5}, 0),),
        failure=Failure("killed", "ä died"),
    )


def test_a_run_survives_json_unchanged() -> None:
    run = full_run()
    assert from_json(Run, json.loads(json.dumps(to_json(run)))) == run


def test_the_key_of_a_case_depends_on_every_field() -> None:
    import dataclasses

    case = full_run().case
    changes: list[dict[str, Any]] = [
        {"framework": "opencv"},
        {"recipe": "builtin-2 seed 0"},
        {"size": 64},
        {"batch": 4},
        {"threads": 2},
        {"cpus": (1,)},
        {"precision": "int8"},
        {"options": ()},
        {"shape": "3x48x320"},
    ]
    keys = {case.key} | {dataclasses.replace(case, **change).key for change in changes}
    assert len(keys) == len(changes) + 1
    assert from_json(Case, to_json(case)).key == case.key


def test_a_case_without_a_shape_has_the_key_of_before_there_were_shapes() -> None:
    case = Case("onnxruntime", "resnet18", "builtin-3 seed 0", 224)
    assert "shape" not in case.form
    assert case.key == "f01450c2bfadb88824ff90971db07ff8aab1f188c201e52cf78a0efa15af8752"
