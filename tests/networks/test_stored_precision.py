"""The precision in which a user's file keeps its network, by its graph alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwprof.errors import UsageError
from hwprof.networks import blocks, find
from hwprof.networks.stored_precision import (
    arithmetic,
    asked,
    batch_wide_outputs,
    case_precision,
    has_rounded_activations,
    is_stored,
    main_precision,
    output_steps,
    stored_precision,
)
from tests import stored_models
from tests.onnx_models import make_model

FILES: dict[str, Callable[[Path], Path]] = {
    "int8 (QDQ)": lambda path: stored_models.static(path, "QDQ"),
    "int8 (QOperator)": lambda path: stored_models.static(path, "QOperator"),
    "int8 (dynamic)": stored_models.dynamic,
    "int8 weights": stored_models.quantised_weights,
    "int4 weights": stored_models.four_bit_weights,
    "int4 weights, fp16": lambda path: stored_models.four_bit_weights(path, half=True),
    "fp16 (stored)": stored_models.half,
    "fp16 weights": stored_models.half_weights,
    "bf16 (stored)": lambda path: stored_models.half(path, TensorProto.BFLOAT16),
    "fp64 (stored)": lambda path: stored_models.half(path, TensorProto.DOUBLE),
}
EXACT = {"fp16 weights", "fp64 (stored)"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_called_what_it_is(name: str, tmp_path: Path) -> None:
    network = find.resolve(str(FILES[name](tmp_path / "m.onnx")))
    assert network.stored == name
    assert is_stored(name)
    assert asked(name) == "fp32"
    assert has_rounded_activations(name) == (name not in EXACT)


def test_a_file_in_fp32_has_no_precision_of_its_own(tmp_path: Path) -> None:
    assert stored_precision(stored_models.plain()) == ""
    for name in ("fp32", "int8", "fp16", "bf16"):
        assert not is_stored(name)
        assert asked(name) == name


def test_doubles_among_shapes_make_no_fp64_network() -> None:
    model = stored_models.plain()
    model.graph.node.append(helper.make_node("Cast", ["e"], ["wide"], to=TensorProto.DOUBLE))
    model.graph.node.append(helper.make_node("ReduceMean", ["wide"], ["mean"]))
    assert stored_precision(model) == ""


def test_weights_of_four_bits_beside_half_precision_are_both_named() -> None:
    path_free = stored_models.plain()
    model = stored_models.in_half(path_free, TensorProto.FLOAT16)
    tensor = helper.make_tensor("packed", TensorProto.INT4, [4], [1, 2, 3, 4])
    model.graph.initializer.extend([tensor, helper.make_tensor("scale", TensorProto.FLOAT16, [], [0.5])])
    model.graph.node.append(helper.make_node("DequantizeLinear", ["packed", "scale"], ["wide"]))
    found = stored_precision(model)
    assert found == "int4 weights, fp16"
    assert has_rounded_activations(found)


def test_a_scale_that_is_computed_from_an_activation_is_dynamic() -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Div", ["m", "levels"], ["s"]),
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
        helper.make_node("Relu", ["x"], ["z"]),
    ]
    model = make_model(nodes, {"x": ("N", 4)}, {"y": ("N", 4), "z": ("N", 4)}, {"levels": np.array(255.0)})
    assert stored_precision(model) == "int8 (dynamic)"
    assert batch_wide_outputs(model) == ("y",)


def test_outputs_behind_a_dynamic_quantisation_depend_on_the_whole_batch(tmp_path: Path) -> None:
    assert batch_wide_outputs(onnx.load(str(stored_models.dynamic(tmp_path / "m.onnx")))) == (stored_models.OUTPUT,)
    assert batch_wide_outputs(onnx.load(str(stored_models.static(tmp_path / "s.onnx", "QDQ")))) == ()


def test_the_step_of_an_output_is_the_scale_that_it_was_dequantised_by() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
        helper.make_node("Mul", ["d", "s"], ["z"]),
    ]
    shapes = {"y": ("N", 3), "z": ("N", 3, 4, 4)}
    model = make_model(nodes, {"x": ("N", 3, 4, 4)}, shapes, {"s": np.array(0.25)})
    assert output_steps(model) == {"y": 0.25}


def test_a_quantised_file_is_not_quantised_again() -> None:
    assert case_precision("m", "int8 (QDQ)", "fp32") == "int8 (QDQ)"
    assert case_precision("m", "int8 (QDQ)", "int8 (QDQ)") == "int8 (QDQ)"  # planned anew from a stored run
    assert case_precision("m", "fp16 (stored)", "int8") == "int8"
    assert case_precision("m", "", "int8") == "int8"
    for wanted in ("int8", "fp16"):
        with pytest.raises(UsageError, match="m is quantised already: it is stored as int8"):
            case_precision("m", "int8 (QDQ)", wanted)
    with pytest.raises(UsageError, match=r"m is no int8 \(QDQ\): it is fp32"):
        case_precision("m", "", "int8 (QDQ)")


def test_a_quantised_file_has_no_blocks_which_would_be_in_fp32(tmp_path: Path) -> None:
    network = find.resolve(str(stored_models.static(tmp_path / "m.onnx", "QDQ")))
    with pytest.raises(UsageError, match=r"Blocks are in FP32, and m is stored as int8 \(QDQ\)"):
        find.resolve(f"block:{network.path}/0-3x3")
    with pytest.raises(UsageError, match="Blocks are in FP32"):
        blocks.distinct([network], 0)


def test_ceilings_of_a_file_are_of_what_was_computed() -> None:
    assert arithmetic("int8", None) == "int8"
    assert arithmetic("int8 (QDQ)", {"fp32": 4, "int8": 1}) == "fp32"
    assert arithmetic("int8 (QDQ)", None) == main_precision({"int8": 0}) == ""
