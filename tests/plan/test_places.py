"""Networks of a matrix, and the blocks that they are cut into."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.errors import BadExperiment
from hwprof.plan import experiment
from hwprof.plan.cases import plan
from hwprof.plan.experiment import parse

BLOCKS = """
format = 1
[matrix]
frameworks = ["onnxruntime"]
networks = ["resnet18", "mobilenet_v2"]
size = [64, 96]
blocks = true
most_blocks = 3
"""


def test_a_matrix_of_blocks_has_layers_of_each_network_at_each_size() -> None:
    found = parse(BLOCKS, "x.toml").choices
    assert len(found) == 2 * 2 * 3
    assert {(c.network.partition("/")[0], c.size) for c in found} == {
        (f"block:{network}", size) for network in ("resnet18", "mobilenet_v2") for size in (64, 96)
    }


def test_blocks_are_planned_as_any_network_is() -> None:
    for planned in plan(parse(BLOCKS, "x.toml")):
        assert planned.case.network.startswith("block:")
        assert planned.case.recipe == "builtin-2 blocks-2 seed 0"
        assert len(planned.spec.shape) == 4
        assert planned.macs
        assert planned.params


def test_the_recipe_of_a_block_has_the_seed_that_its_weights_are_of() -> None:
    one, other = (plan(parse(f"seed = {seed}\n{BLOCKS}", "x.toml"))[0] for seed in (1, 2))
    assert one.case.recipe != other.case.recipe
    assert one.source_key != other.source_key


def test_a_limit_without_blocks_is_an_error() -> None:
    with pytest.raises(BadExperiment, match="most_blocks without blocks"):
        parse(BLOCKS.replace("blocks = true", ""), "x.toml")


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    text = BLOCKS.replace('"mobilenet_v2"', '"mine.onnx"').replace("blocks = true\nmost_blocks = 3", "")
    assert str(tmp_path.resolve() / "mine.onnx") in {c.network for c in parse(text, "x.toml", tmp_path).choices}


def test_the_built_in_experiment_has_sixty_to_a_hundred_blocks_in_two_frameworks() -> None:
    found = experiment.load("blocks")
    assert {c.framework for c in found.choices} == {"onnxruntime", "opencv"}
    assert 60 <= len({c.network for c in found.choices}) <= 100
    assert found.simulation.when == "no-pmu"
