"""What seeded data have to be, by what a graph does with an input; and states that are told by their names."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper

from hwprof.networks.images import synthetic_frames, synthetic_inputs
from hwprof.networks.inputs import InputSpec, TensorSpec
from hwprof.networks.uses import Uses, paired_states
from tests.onnx_models import make_model


def use(nodes: list[object], name: str, dtype: str, **constants: object) -> str:
    model = make_model(nodes, {name: [1]}, {"y": [1]})
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items())
    return Uses(model.graph).of(name, dtype)


node = helper.make_node


def test_indices_of_a_table_are_found_behind_what_only_shapes_them() -> None:
    nodes = [node("Cast", ["x"], ["a"], to=7), node("Unsqueeze", ["a", "s"], ["b"]), node("Gather", ["t", "b"], ["y"])]
    assert use(nodes, "x", "int32", t=np.zeros((17, 4), np.float32)) == "ids:17"


def test_a_table_may_be_dequantised_or_a_constant_node() -> None:
    quantised = [node("DequantizeLinear", ["t", "s"], ["d"]), node("Gather", ["d", "x"], ["y"])]
    assert use(quantised, "x", "int64", t=np.zeros((9, 2), np.int8), s=np.float32(1)) == "ids:9"
    value = numpy_helper.from_array(np.zeros((5, 2), np.float32))
    assert use([node("Constant", [], ["t"], value=value), node("Gather", ["t", "x"], ["y"])], "x", "int64") == "ids:5"


def test_what_is_gathered_from_is_no_index() -> None:
    assert use([node("Gather", ["x", "i"], ["y"])], "x", "float32", i=np.int64(0)) == ""


def test_a_mask_is_ones_and_one_that_is_added_zeros() -> None:
    assert (
        use([node("Cast", ["attention_mask"], ["a"], to=1), node("Mul", ["a", "a"], ["y"])], "attention_mask", "int64")
        == "ones"
    )
    assert use([node("Unsqueeze", ["mask", "s"], ["a"]), node("Add", ["a", "b"], ["y"])], "mask", "float32") == "zeros"
    assert use([node("Not", ["mask"], ["y"])], "mask", "bool") == "ones"


def test_a_number_that_is_compared_takes_what_it_is_compared_with() -> None:
    assert use([node("Equal", ["sr", "c"], ["y"])], "sr", "int64", c=np.int64(16000)) == "value:16000"


def test_text_is_taken_from_the_table_that_encodes_it() -> None:
    nodes = [
        node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_strings=["red", "green"], values_int64s=[0, 1])
    ]
    assert use(nodes, "x", "str") == "words:red green"


@pytest.mark.parametrize(
    ("outputs", "inputs", "expected"),
    [
        ({"out": (1, 2), "hn": (1, 8)}, {"x": (1, 4), "h0": (1, 8)}, (("hn", "h0"),)),
        ({"y": (1,), "hn": (2, 8), "cn": (2, 8)}, {"x": (1,), "h": (2, 8), "c": (2, 8)}, (("hn", "h"), ("cn", "c"))),
        (
            {"output": (1, 1), "stateN": (2, "N", 128)},
            {"input": (1, 512), "state": (2, "N", 128)},
            (("stateN", "state"),),
        ),
        ({"state_out": (1, 3)}, {"state_in": (1, 3), "x": (1,)}, (("state_out", "state_in"),)),
        ({"present.0.key": (1, "a")}, {"past.0.key": (1, "b")}, ()),  # another symbol: a cache that grows
        ({"y": (1, 8)}, {"x": (1, 8)}, ()),
        ({"output": (1, 8)}, {"input": (1, 8)}, ()),
        ({"output": (1, 8)}, {"input": (1, 4)}, ()),
        ({"hn": (1, 8)}, {"h0": (2, 8)}, ()),
    ],
)
def test_states_pair_up_by_name_and_shape(
    outputs: dict[str, tuple[int | str, ...]], inputs: dict[str, tuple[int | str, ...]], expected: object
) -> None:
    assert paired_states(outputs, inputs) == expected


def frames(*inputs: TensorSpec, count: int = 3, states: tuple[tuple[str, str], ...] = ()) -> list[list[np.ndarray]]:
    return synthetic_frames(InputSpec.of(inputs, (), states), count, 7)


def test_images_are_the_same_as_ever() -> None:
    spec = InputSpec("x", (4, 3, 32, 32))
    for (frame,), image in zip(synthetic_frames(spec, 3, 7), synthetic_inputs(spec.of_batch(1), 3, 7), strict=True):
        np.testing.assert_array_equal(frame, image)


def test_seeded_data_have_the_type_and_the_use_of_their_input() -> None:
    made = frames(
        TensorSpec("ids", (4, 100), "int64", 0, "ids:50"),
        TensorSpec("mask", (4, 100), "float32", 0, "zeros"),
        TensorSpec("flags", (4, 100), "bool"),
        TensorSpec("sr", (), "int64", None, "value:16000"),
        TensorSpec("picture", (4, 64, 48, 3), "uint8"),
        TensorSpec("half", (4, 10), "float16"),
        TensorSpec("words", (2,), "str", None, "words:red green"),
        TensorSpec("count", (1,), "int32", None),
    )
    ids, mask, flags, rate, picture, half, words, count = made[0]
    assert ids.dtype == np.int64
    assert ids.shape == (1, 100)
    assert ids.min() >= 0
    assert 10 < ids.max() < 50
    assert not mask.any()
    assert flags.all()
    assert flags.dtype == bool
    assert rate.shape == ()
    assert rate == 16000
    assert picture.dtype == np.uint8
    assert picture.shape == (1, 64, 48, 3)
    assert picture.std() > 20
    assert half.dtype == np.float16
    assert set(words) <= {"red", "green"}
    assert count == 1
    assert not np.array_equal(made[0][0], made[1][0]), "every frame is another"


def test_channels_last_are_channels() -> None:
    (((last,), *_), *_) = [frames(TensorSpec("x", (1, 64, 64, 3)))]
    near = np.corrcoef(last[0, :, :-1, 0].ravel(), last[0, :, 1:, 0].ravel())[0, 1]
    assert near > 0.5, "neighbours in a row are alike"


def test_a_state_begins_as_zeros() -> None:
    ((_, state), *_) = frames(TensorSpec("x", (1, 4)), TensorSpec("h0", (1, 8)), states=(("hn", "h0"),))
    assert state.shape == (1, 8)
    assert not state.any()
