"""`hwprof predict` on networks that take no square images: facts of the graph are those of each case's own inputs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from hwprof.analysis import models
from hwprof.cli import main
from hwprof.networks import find, traffic
from hwprof.records import Run
from hwprof.store import Results
from tests.cli.test_report import stored
from tests.factories import make_case, make_run
from tests.onnx_models import write_model

MEASURED = ("bert_mini", "llama_prefill", "gru_keywords", "tiny_cnn", "mobilenet_v3_small", "ssdlite")


def run_of(name: str) -> Run:
    """A run whose speed follows from its MACs."""
    network = find.resolve(name)
    size, shape = network.place(None, network.input_spec(None, 1))
    macs, params = network.macs(None, 1), network.params()
    assert macs
    run = make_run(case=make_case(network=name, size=size, shape=shape), fps=1e10 / macs, metrics={})
    return dataclasses.replace(run, macs=macs, params=params)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return stored(tmp_path / "r.db", [run_of(name) for name in MEASURED])


@pytest.fixture
def lines(tmp_path: Path) -> str:
    """A convolution of two images at a time of a fixed height and any width."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    weights = {"w": np.zeros((8, 3, 3, 3))}
    path = tmp_path / "lines.onnx"
    return str(write_model(path, nodes, {"x": (2, 3, 16, "width")}, {"y": (2, 8, 16, "width")}, weights))


def test_every_case_has_the_facts_of_its_own_inputs(results: Path) -> None:
    with Results.open(results) as opened:
        cases = models.inputs_of(opened.frame())
    assert sum(bool(shape) for _, _, shape in cases) == 3
    found = traffic.facts(cases)
    assert {name for name, _, _ in found} == set(MEASURED)
    assert all(fact > 0 for facts in found.values() for fact in facts.values())


def test_a_prediction_is_of_the_shape_and_of_one_frame(
    results: Path, lines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "-n", lines, "-f", "onnxruntime", "-b", "1", "--results", str(results)]
    for width in (64, 128):
        assert main([*words, "--dim", f"width={width}", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        pixels = 16 * width
        assert said["facts"] == {"macs": 216.0 * pixels, "params": 216.0, "activations": 11.0 * pixels, "layers": 1.0}
        assert said["predictions"][0]["networks"] == len(MEASURED)
    assert main([*words, "--shape", "2,3,16,64"]) == 0
    assert capsys.readouterr().out.startswith("lines 3x16x64: macs 221,184")
    assert main(words) == 2
    assert "--dim width=N" in capsys.readouterr().err


def test_activations_of_networks_without_square_images_may_predict(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--evaluate", "--results", str(results), "--json"]) == 0
    said = capsys.readouterr().out
    assert "it is unknown of" not in said
    assert '"activations"' in said
