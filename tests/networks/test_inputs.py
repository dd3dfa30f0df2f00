"""Inputs of users' files: their batch axis, shapes that a user says, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from hwprof.errors import BadModel, UsageError
from hwprof.networks import find
from hwprof.networks.inputs import InputChoice, InputSpec, OpenInput, TensorSpec, give_shapes
from hwprof.networks.users import find_batch_axis, users_network
from tests.onnx_models import make_model, write_model

IMAGE = OpenInput("x", ("N", 3, "H", "W"))
PAIR = (OpenInput("ids", ("N", "seq"), "int64"), OpenInput("mask", ("N", "seq")))


def shapes(
    inputs: tuple[OpenInput, ...], size: int | None = None, batch: int = 1, **said: object
) -> list[tuple[int, ...]]:
    return [one.shape for one in give_shapes("net", inputs, size, batch, InputChoice(**said))]  # type: ignore[arg-type]


def test_shapes_come_from_sizes_names_and_whole_shapes() -> None:
    assert shapes((IMAGE,), 64, 2) == [(2, 3, 64, 64)]
    assert shapes((IMAGE,), dims=(("H", 48), ("W", 320))) == [(1, 3, 48, 320)]
    assert shapes((IMAGE,), batch=4, shapes=(("", (1, 3, 48, 320)),)) == [(4, 3, 48, 320)]
    assert shapes((IMAGE,), shapes=(("x", (4, 3, 48, 320)),)) == [(4, 3, 48, 320)], "the batch is said by the shape"
    assert shapes(PAIR, batch=3, dims=(("seq", 128),)) == [(3, 128), (3, 128)]
    assert shapes(PAIR, shapes=(("ids", (1, 8)), ("mask", (1, 8)))) == [(1, 8), (1, 8)]
    assert shapes((OpenInput("sr", (), "int64", batch_axis=None),)) == [()]
    assert shapes(PAIR, dims=(("N", 4), ("seq", 8))) == [(4, 8), (4, 8)], "the batch is said by its name"


@pytest.mark.parametrize(
    ("inputs", "size", "batch", "said", "why"),
    [
        ((IMAGE,), None, 1, {}, "takes any size: say which"),
        ((IMAGE,), None, 1, {"dims": (("H", 48),)}, r"Input x of net is open: \[N, 3, H, W\]"),
        ((IMAGE,), 64, 1, {"dims": (("K", 48),)}, "no open dimension 'K'"),
        ((IMAGE,), 64, 2, {"shapes": (("", (4, 3, 8, 8)),)}, "different batches"),
        ((IMAGE,), None, 1, {"shapes": (("", (1, 4, 8, 8)),)}, r"takes \[N, 3, H, W\], not 1,4,8,8"),
        ((IMAGE,), None, 1, {"shapes": (("", (3, 8, 8)),)}, "not 3,8,8"),
        ((IMAGE,), None, 1, {"shapes": (("y", (1, 3, 8, 8)),)}, "no input 'y'"),
        (PAIR, None, 1, {"shapes": (("", (1, 8)),)}, "2 inputs: say whose shape"),
        (PAIR, None, 1, {}, r"Input ids of net is open: \[N, seq\]"),
        ((OpenInput("x", (4, 3, 8, 8)),), None, 1, {}, "fixed batch of 4, not 1"),
        ((OpenInput("x", ("N", 3, 60, 160)),), 64, 1, {}, "takes 3x60x160 only, not 64 pixels"),
        ((OpenInput("x", ("N", 3, 48, "W")),), 320, 1, {}, r"takes \[N, 3, 48, W\] only, not 320 pixels"),
        ((OpenInput("x", (3, 8), batch_axis=None),), None, 2, {}, "has no batch axis"),
        ((IMAGE,), 64, 1, {"batch_axis": "first"}, "neither a number nor 'none'"),
        ((IMAGE,), 64, 1, {"batch_axis": "7"}, "has an axis 7"),
        ((IMAGE,), 64, 0, {}, "at least 1"),
    ],
)
def test_what_is_open_or_contradicts_is_named(
    inputs: tuple[OpenInput, ...], size: int | None, batch: int, said: dict[str, object], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        shapes(inputs, size, batch, **said)


def test_a_batch_axis_can_be_said() -> None:
    audio = OpenInput("audio", ("T", "N", 40), batch_axis=0)
    (found,) = give_shapes("net", [audio], None, 4, InputChoice(dims=(("T", 100),), batch_axis="1"))
    assert (found.shape, found.batch_axis, found.frame_shape) == ((100, 4, 40), 1, (100, 40))
    (whole,) = give_shapes("net", [audio], None, 1, InputChoice(dims=(("T", 100), ("N", 2)), batch_axis="none"))
    assert (whole.shape, whole.batch_axis) == ((100, 2, 40), None)


def axes(*dims: tuple[int | str, ...], outputs: tuple[tuple[int | str, ...], ...] = ()) -> list[int | None]:
    return [one.batch_axis for one in find_batch_axis([OpenInput(str(i), d) for i, d in enumerate(dims)], outputs)]


def test_the_batch_is_the_symbol_that_most_inputs_begin_with() -> None:
    assert axes(("N", 3, 8, 8)) == [0]
    assert axes(("N", "seq"), ("N", "seq"), (2, "N", 64), ()) == [0, 0, 1, None]
    assert axes(("", 3, 8, 8)) == [0]
    assert axes(("", "seq"), ("other",)) == [0, None]
    assert axes((12, "N", 6)) == axes((12, "batch_size", 6)) == [1]
    assert axes((12, "T", 6)) == [None]


def test_a_fixed_batch_is_told_from_a_first_axis_that_is_none() -> None:
    assert axes((4, 3, 8, 8)) == [0]
    assert axes((1, 128), (1, 128)) == [0, 0]
    assert axes((1, 16, 40), (2, 1, 64)) == [0, None]
    assert axes((32, 784), outputs=((32, 10),)) == [0]
    assert axes((100, 40), outputs=((10,),)) == [None]
    assert axes((512,)) == [None]
    assert axes((), (16000,)) == [None, None]


def test_a_case_is_headed_by_what_goes_in() -> None:
    assert InputSpec("x", (4, 3, 64, 64)).frame == ""
    assert InputSpec("x", (1, 3, 60, 160)).frame == "3x60x160"
    assert InputSpec("x", (1, 1, 28, 28)).frame == "1x28x28"
    assert InputSpec("x", (1, 64, 64, 3)).frame == "64x64x3"
    ids, scalar = TensorSpec("ids", (2, 128), "int64"), TensorSpec("sr", (), "int64", None)
    spec = InputSpec.of([ids, scalar])
    assert (spec.frame, spec.title, spec.batch) == (
        "ids 128 int64, sr scalar int64",
        "ids 2x128 int64, sr scalar int64",
        2,
    )
    assert spec.of_batch(5).inputs == (TensorSpec("ids", (5, 128), "int64"), scalar)


def test_weights_among_the_inputs_and_a_batch_of_minus_one_are_as_if_they_were_not(tmp_path: Path) -> None:
    model = make_model([helper.make_node("Add", ["x", "w"], ["y"])], {"w": [3], "x": [-1, 3]}, {"y": [-1, 3]})
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [3], [1, 2, 3]))
    onnx.save(model, str(tmp_path / "mine.onnx"))
    network = users_network(tmp_path / "mine.onnx")
    assert network.inputs == (OpenInput("x", ("", 3)),)
    assert network.input_spec(None, 4) == InputSpec("x", (4, 3))
    network.write(tmp_path / "written.onnx", 0)
    (value,) = onnx.load(str(tmp_path / "written.onnx")).graph.input
    assert [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] == ["batch", 3]


def test_a_file_is_written_with_the_shapes_of_its_case(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    path = write_model(tmp_path / "mine.onnx", nodes, {"x": ["N", 3, 48, "W"]}, {"y": ["N", 3, 48, "W"]}, {})
    network = dataclasses.replace(find.resolve(str(path)), choice=InputChoice(dims=(("W", 320),)))
    network.write(tmp_path / "written.onnx", 0)
    written = onnx.load(str(tmp_path / "written.onnx")).graph
    for value in (written.input[0], written.output[0]):
        assert [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] == ["N", 3, 48, 320]
    spec = network.input_spec(None, 2)
    assert network.place(None, spec) == (0, "3x48x320")
    other = dataclasses.replace(network, choice=InputChoice(dims=(("W", 640),)))
    assert network.identity(0, None) != other.identity(0, None)


def test_a_normalisation_has_its_epsilon_written_out(tmp_path: Path) -> None:
    nodes = [helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])]
    weights = {name: [1.0, 1.0] for name in "sbmv"}
    path = write_model(tmp_path / "mine.onnx", nodes, {"x": ["N", 2, 4, 4]}, {"y": ["N", 2, 4, 4]}, weights)
    find.resolve(str(path)).write(tmp_path / "written.onnx", 0)
    (node,) = onnx.load(str(tmp_path / "written.onnx")).graph.node
    assert [(a.name, round(a.f, 8)) for a in node.attribute] == [("epsilon", 1e-5)]


def test_what_is_open_can_stay_open(tmp_path: Path) -> None:
    body = [
        helper.make_graph([helper.make_node(op, ["x"], ["z"])], op, [], [helper.make_tensor_value_info("z", 1, None)])
        for op in ("Relu", "Neg")
    ]
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=body[0], else_branch=body[1])]
    model = make_model(nodes, {"x": ["N", "T"]}, {"y": ["N", "T"]})
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    onnx.save(model, str(tmp_path / "mine.onnx"))
    network = dataclasses.replace(find.resolve(str(tmp_path / "mine.onnx")), choice=InputChoice(dims=(("T", 5),)))
    for keep_open, length in ((True, "T"), (False, 5)):
        network.write(tmp_path / "written.onnx", 0, keep_open=keep_open)
        (value,) = onnx.load(str(tmp_path / "written.onnx")).graph.input
        assert [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] == ["N", length]
    assert network.input_spec(None, 2).shape == (2, 5)


def test_a_size_of_a_fixed_file_makes_no_case_of_its_own(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    path = write_model(tmp_path / "mine.onnx", nodes, {"x": ["N", 3, 60, 160]}, {"y": ["N", 3, 60, 160]}, {})
    network = find.resolve(str(path))
    found = {network.place(size, network.input_spec(size, 1)) for size in (None, 60, 160)}
    assert found == {(0, "3x60x160")}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1])), "is a sequence: s"),
        (helper.make_tensor_type_proto(TensorProto.BFLOAT16, [1]), "type bfloat16: s"),
        (helper.make_tensor_type_proto(TensorProto.FLOAT, None), "'shape' of 'type' is required"),
    ],
)
def test_an_input_that_can_not_be_fed_is_named(kind: onnx.TypeProto, why: str, tmp_path: Path) -> None:
    model = make_model([helper.make_node("Identity", ["s"], ["y"])], {}, {})
    model.graph.input.append(helper.make_value_info("s", kind))
    model.graph.output.append(helper.make_value_info("y", kind))
    onnx.save(model, str(tmp_path / "mine.onnx"))
    with pytest.raises(BadModel, match=why):
        users_network(tmp_path / "mine.onnx")


def test_the_inputs_of_a_built_in_network_are_not_to_be_said() -> None:
    network = dataclasses.replace(find.resolve("tiny_cnn"), choice=InputChoice(dims=(("H", 48),)))
    with pytest.raises(UsageError, match="is built in"):
        network.input_spec(None, 1)
