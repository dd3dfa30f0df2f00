"""What pnnx is told of a network's inputs, and what it and its files tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.ncnn import pnnx
from hwprof.frameworks.ncnn.adapter import SeveralInputsNcnn, outputs_of
from hwprof.networks.inputs import InputSpec, TensorSpec
from hwprof.records import Case


def spec(*others: TensorSpec, **first: Any) -> InputSpec:
    return InputSpec(**{"name": "x", "shape": (1, 3, 8, 8), **first}, others=others)


def test_one_float_input_is_told_as_ever() -> None:
    assert pnnx.input_shapes(spec()) == "[1,3,8,8]"


def test_several_inputs_have_their_types() -> None:
    ids = spec(TensorSpec("mask", (1, 1, 4)), name="ids", shape=(1, 8), dtype="int64")
    assert pnnx.input_shapes(ids) == "[1,8]i64,[1,1,4]f32"
    assert pnnx.input_shapes(spec(dtype="int32")) == "[1,3,8,8]i32"


def test_a_scalar_and_other_types_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="pnnx takes no scalar, and input scale is one"):
        pnnx.input_shapes(spec(TensorSpec("scale", ())))
    with pytest.raises(UnsupportedModel, match="ncnn takes no bool, and input keep is bool"):
        pnnx.input_shapes(spec(TensorSpec("keep", (1, 8), "bool")))
    with pytest.raises(UnsupportedModel, match="ncnn crashes on an input without values, and input past is 1x2x0x4"):
        pnnx.input_shapes(spec(TensorSpec("past", (1, 2, 0, 4))))


def test_the_axis_of_the_batch_is_that_of_its_own_script() -> None:
    script = """
            ex.input("in0", ncnn.Mat(in0.numpy(), batch_index=0).clone())
            ex.input("in1", ncnn.Mat(in1.numpy(), batch_index=233).clone())
            ex.input("in2", ncnn.Mat(in2.numpy(), batch_index=1).clone())
            out.append(torch.from_numpy(out0.numpy(batch_index=0)))
    """
    assert pnnx.batch_axes(script) == {"in0": 0, "in2": 1}


def test_the_reason_names_what_is_unsupported() -> None:
    said = "pass_level1\nlayer Foo not exists\nlayer Foo not exists\nunsupported operator Bar\nmodel inputshape = [1]\n"
    assert pnnx.reason(said) == "layer Foo not exists; unsupported operator Bar"
    assert pnnx.reason("one\n\nlast words") == "last words"
    assert pnnx.reason("") == "no word"
    bound = "\x1b[0;93m[W:onnxruntime:pnnx, x] error\x1b[m\nort Run failed: indices out of data bounds, idx=7 must be"
    assert pnnx.reason(bound) == "it tries the network with index 7, and a table of the network has fewer rows"


PARAM = """7767517
5 6
Input                    in0                      0 1 in0
Split                    s                        1 2 in0 1 2
{}                    embed                    1 1 1 3 0=8 1=32
MemoryData               token                    0 1 4 0=8
Concat                   cat_0                    2 1 3 4 out0 0=0
"""


def test_integers_are_for_tables_only() -> None:
    ids = spec(name="ids", shape=(1, 8), dtype="int64")
    pnnx.check_integers(pnnx.lines(PARAM.format("Embed")), ids)
    pnnx.check_integers(pnnx.lines(PARAM.format("ReLU")), spec())
    with pytest.raises(UnsupportedModel, match="layer ReLU takes floats, and input ids is int64"):
        pnnx.check_integers(pnnx.lines(PARAM.format("ReLU")), ids)


def test_what_pnnx_left_as_it_was_is_no_layer() -> None:
    pnnx.check_layers(pnnx.lines(PARAM.format("Embed")))
    with pytest.raises(UnsupportedModel, match=r"no layer for Tensor\.to, as pnnx"):
        pnnx.check_layers(pnnx.lines(PARAM.format("Tensor.to")))


def test_a_batch_that_is_joined_with_a_constant_is_refused() -> None:
    layers = pnnx.lines(PARAM.format("Embed"))
    pnnx.check_batch(layers, 1)
    with pytest.raises(UnsupportedModel, match=r"crashes where a batch of 2 is joined with a constant, .* cat_0"):
        pnnx.check_batch(layers, 2)


class Matrix:
    """Of ncnn: remembers what it was made of."""

    def __init__(self, array: Any, axis: int | None = None) -> None:
        self.array, self.axis = np.array(array), axis

    def clone(self) -> Matrix:
        return self


class Net:
    """Takes anything."""

    fed: list[tuple[str, Any]]

    def input_names(self) -> list[str]:
        return ["in1", "in0"]

    def output_names(self) -> list[str]:
        return ["in0", "out0"]

    def create_extractor(self) -> Any:
        self.fed = []
        input_ = lambda name, matrix: self.fed.append((name, matrix))  # noqa: E731
        return type("Extractor", (), {"input": staticmethod(input_), "extract": staticmethod(lambda name: (0, name))})


def test_ncnn_is_fed_every_input_under_the_number_of_its_place() -> None:
    net, module = Net(), type("Module", (), {"Mat": Matrix})
    model = SeveralInputsNcnn(net, module, Case("ncnn", "n", "", 0), outputs_of(net, ()), {"in0": 0, "in2": 1})
    arrays = [np.array([[3, 4]]), np.ones((1, 1, 4), np.float32), np.ones((4, 2), np.float32)]
    assert model.infer(model.bind(*arrays)) == ["out0"]  # not in0, which nothing takes
    made = {name: (matrix.array.shape, matrix.array.dtype.name, matrix.axis) for name, matrix in net.fed}
    assert made == {
        "in0": ((2,), "int32", None),
        "in1": ((1, 1, 4), "float32", None),
        "in2": ((4, 2), "float32", 1),
    }


def test_integers_that_have_no_room_in_32_bits_are_refused() -> None:
    net, module = Net(), type("Module", (), {"Mat": Matrix})
    model = SeveralInputsNcnn(net, module, Case("ncnn", "n", "", 0), ["out0"], {})
    with pytest.raises(UnsupportedModel, match="ncnn takes integers of 32 bits"):
        model.bind(np.array([[1 << 40]]))
