"""The table of a simulator's counts by layer, and what it says of layers that stay scalar."""

from __future__ import annotations

import dataclasses
import json

from hwprof.collectors.riscv.counters import readings
from hwprof.records import Failure, Layer, Run
from hwprof.reports.terminal.simulated_layers import document, remarks, text
from tests.analysis.test_vector_work import CLASSES
from tests.factories import make_simulated_run

WIDTH = 100


def layer(name: str, macs: int | None = None, **counts: int) -> Layer:
    named = {key.replace("_", "-"): value for key, value in counts.items()}
    return Layer(name, "Conv", None, (name,), macs, tuple(readings({**dict.fromkeys(CLASSES, 0), **named})))


def made(*layers: Layer) -> Run:
    return dataclasses.replace(make_simulated_run(metrics={}), layers=layers, facts={"simulator": "riscv64-vlen512"})


CONV = layer("conv1", 2_000_000, instructions=8000, vector_arith=3000, vector_load=900, vector_store=100, vset=7)
RELU = layer("relu1", None, instructions=2000, fp_arith=500)
COPY = layer("flatten", None, instructions=50)


def test_each_layer_and_their_sum_have_a_row_and_the_longest_comes_first() -> None:
    lines = text([made(RELU, CONV, COPY)], 20, WIDTH).splitlines()
    assert "SIMULATED" in lines[0]
    assert "by riscv64-vlen512" in lines[2]
    names = [line.split()[0] for line in lines[4:8]]
    assert names == ["conv1", "relu1", "flatten", "all"]
    assert lines[4].split() == ["conv1", "Conv", "2.0", "8,000", "4,000", "900", "100", "7", "0", "50.0%"]
    assert lines[7].split() == ["all", "layers", "-", "10,050", "4,000", "900", "100", "7", "500", "39.8%"]
    assert all(len(line) <= WIDTH for line in lines)


def test_layers_that_stay_scalar_are_named_with_their_share_of_the_instructions() -> None:
    assert remarks(made(CONV, RELU, COPY)) == [
        "1 layer computes with scalar floating point alone (20% of the instructions): relu1."
    ]
    assert remarks(made(CONV)) == ["No layer computes with scalar floating point alone."]


def test_without_any_vector_nothing_is_said_to_be_vectorised() -> None:
    assert remarks(made(COPY)) == []
    assert remarks(made(RELU)) == [
        "1 layer computes with scalar floating point alone (100% of the instructions): relu1."
    ]


def test_what_was_not_counted_is_called_missing() -> None:
    lost = dataclasses.replace(CONV, readings=tuple(readings(dict.fromkeys(CLASSES, 0), lost=3)))
    row = next(line for line in text([made(lost)], 20, 160).splitlines() if line.split()[:1] == ["conv1"])
    assert row.split()[3:] == ["<missing>"] * 6 + ["-"]


def test_fewer_rows_are_the_longest_and_say_what_was_left_out() -> None:
    out = text([made(COPY, RELU, CONV)], 1, WIDTH)
    assert "conv1" in out
    assert "flatten" not in out
    assert "... 2 more: --top 0" in out
    assert "flatten" in text([made(COPY, RELU, CONV)], 0, WIDTH)


def test_a_failure_stands_beside_the_layers_of_the_others() -> None:
    failed = dataclasses.replace(
        make_simulated_run(metrics={}), failure=Failure("unavailable", "no riscv64 package of it", "", "simulate")
    )
    out = text([failed, made(CONV)], 20, WIDTH)
    assert "onnxruntime failed: No riscv64 package of it." in out
    assert "conv1" in out
    both = json.loads(json.dumps(document([failed, made(CONV)])))
    assert both["format"] == 1
    assert [one["message"] for one in both["failures"]] == ["No riscv64 package of it."]
    [found] = both["layers"].values()
    assert found["simulator"] == "riscv64-vlen512"
    assert found["layers"][0]["ns"] is None
