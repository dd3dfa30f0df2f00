"""Blocks: the layers of networks as networks of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from hwprof.errors import UnknownNetwork, UsageError
from hwprof.frameworks.onnxruntime import ADAPTER as ONNXRUNTIME
from hwprof.frameworks.opencv import ADAPTER as OPENCV
from hwprof.networks import blocks, cut, find
from hwprof.networks.evaluate import evaluate_batches
from hwprof.networks.images import synthetic_inputs
from hwprof.networks.table import info, names
from hwprof.records import Case
from tests.onnx_models import write_model
from tests.reference_outputs import evaluate_first

# those of the built-in experiment
BUILT_IN = [name for name in names() if info(name).torchvision and name != "vgg16"]
SIDE = 96


def built_in_blocks(size: int = 224, most: int = 0) -> list[blocks.BlockNetwork]:
    """Of all built-in networks."""
    return blocks.distinct([find.resolve(name) for name in BUILT_IN if size == 224 or name != "alexnet"], size, most)


def outputs_of(block: blocks.BlockNetwork, size: int, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(double precision, ONNX Runtime, OpenCV), of two images."""
    path = folder / "block.onnx"
    block.write(path, 7, size)
    onnx.checker.check_model(str(path), full_check=True)
    spec = block.input_spec(size, 1)
    images = synthetic_inputs(spec, 2, 7)
    found = [evaluate_first(path, images)]
    for adapter in (ONNXRUNTIME, OPENCV):
        with adapter.load(path, Case(adapter.name, block.name, "", size), spec) as model:
            found.append(np.concatenate([model.outputs(model.infer(model.bind(image)))[0] for image in images]))
    return found[0], found[1], found[2]


def check(block: blocks.BlockNetwork, size: int, folder: Path) -> None:
    """Finite, of moderate size, dependent on the image, and the same everywhere."""
    truth, *others = outputs_of(block, size, folder)
    assert np.isfinite(truth).all()
    assert 1e-3 < np.abs(truth).max() < 1e3
    assert np.abs(truth[0] - truth[1]).max() > 1e-3 * np.abs(truth).max()
    for other in others:
        assert other.shape == truth.shape
        assert np.abs(other - truth).max() < 1e-4 * np.abs(truth).max()


def test_ten_networks_have_hundreds_of_distinct_layers_and_a_limit_leaves_some_of_each() -> None:
    every, some = built_in_blocks(), built_in_blocks(most=10)
    assert len(every) > 300
    assert 60 <= len(some) <= 100
    assert {b.parent.name for b in some} == set(BUILT_IN)
    kinds = [b.name.partition("-")[2] for b in some]
    assert all(kinds.count(kind) >= 7 for kind in ("depthwise", "1x1", "3x3", "dense"))
    assert {b.name for b in some} <= {b.name for b in every}


def test_no_two_blocks_are_the_same_layer_and_a_shared_one_belongs_to_the_first_network() -> None:
    every = built_in_blocks()
    digests = [b.layer(224).digest for b in every]
    assert len(set(digests)) == len(digests) == len({b.name for b in every})
    both = [find.resolve(name) for name in ("resnet50", "resnet18")]
    shared = {one.digest for one in blocks.cut(both[0], 224).layers} & {
        one.digest for one in blocks.cut(both[1], 224).layers
    }
    owners = {b.parent.name for b in blocks.distinct(both, 224) if b.layer(224).digest in shared}
    assert shared
    assert owners == {"resnet50"}


def test_a_block_has_one_input_of_four_dimensions_and_one_output() -> None:
    for block in built_in_blocks(most=6):
        model = block.model(224)
        dims = model.graph.input[0].type.tensor_type.shape.dim
        assert (len(model.graph.input), len(dims), len(model.graph.output)) == (1, 4, 1)
        assert block.input_spec(224, 3).shape == (3, *[d.dim_value for d in dims[1:]])


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_b0", "googlenet", "densenet121"])
def test_blocks_of_every_kind_give_the_same_in_double_precision_and_in_two_frameworks(
    name: str, tmp_path: Path
) -> None:
    found = {b.name.partition("-")[2]: b for b in blocks.distinct([find.resolve(name)], SIDE)}
    assert len(found) >= 3
    for block in found.values():
        check(block, SIDE, tmp_path)


@pytest.mark.slow
def test_every_block_of_the_built_in_experiment_gives_the_same_everywhere(tmp_path: Path) -> None:
    for block in built_in_blocks(most=3):
        check(block, 224, tmp_path)


def test_a_small_layer_is_repeated_until_a_fast_core_would_take_it_a_millisecond() -> None:
    for block in built_in_blocks():
        layer = block.layer(224)
        least = max(layer.macs / cut.MACS_PER_S, 4 * layer.moved / cut.BYTES_PER_S)
        assert 1 <= layer.copies <= cut.MOST_COPIES
        assert layer.copies * least >= cut.FLOOR_S or layer.copies == 1
        assert (layer.copies - 1) * least < cut.FLOOR_S


def test_macs_and_parameters_are_those_of_all_copies() -> None:
    block = find.resolve("block:mobilenet_v2/48-depthwise")
    assert isinstance(block, blocks.BlockNetwork)
    layer = block.layer(224)
    assert layer.copies > 1
    assert block.macs(224, 1) == layer.copies * layer.macs
    assert block.params(224) == layer.copies * layer.shape[0] * (9 + 2)


def test_copies_follow_one_another_where_shape_and_scale_stay_and_stand_side_by_side_elsewhere(users: Path) -> None:
    chain = find.resolve("block:mobilenet_v2/25-depthwise").model(224)  # stride 1
    beside = find.resolve("block:mobilenet_v2/4-depthwise").model(96)  # stride 2
    unscaled = find.resolve(f"block:{users}/0").model(None)  # x * sigmoid(x) would die out
    for model, sources in ((chain, 1), (beside, None), (unscaled, None)):
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        from_input = [node for node in convolutions if node.input[0] == "input"]
        assert len(convolutions) > 1
        assert len(from_input) == (sources or len(convolutions))
        weights = {node.input[1] for node in convolutions}
        assert len(weights) == len(convolutions)  # no two are merged into one


@pytest.mark.parametrize(
    ("name", "size"), [("resnet18/18-add", 224), ("mobilenet_v2/9-add", 224), ("densenet121/161-norm", 224)]
)
def test_every_copy_of_a_chain_stays_at_one_scale(name: str, size: int, tmp_path: Path) -> None:
    """FP16 ends at 65,504: a chain that grows by a standard deviation a copy, or sharpens, comes near it."""
    block = find.resolve(f"block:{name}")
    assert isinstance(block, blocks.BlockNetwork)
    copies = block.layer(size).copies
    assert copies > 8
    path = tmp_path / "block.onnx"
    block.write(path, 7, size)
    model = onnx.load(str(path))
    known = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.output[0] not in known:
            model.graph.output.append(helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None))
    onnx.save(model, str(path))
    spec = block.input_spec(size, 1)
    made, _ = evaluate_batches(path, spec, [synthetic_inputs(spec, 1, 7)])
    values = dict(zip([value.name for value in model.graph.output], made[0], strict=True))
    assert max(np.abs(v).max() for v in values.values()) < 1e2
    ends = [values[block.model(size).graph.node[i].output[0]] for i, node in enumerate(model.graph.node)
            if node.op_type in ("Relu", "Add")]  # fmt: skip
    spread = [float(end.std()) for end in ends]
    assert len(ends) >= copies
    assert max(spread) < 4 * min(spread)


def test_an_addition_gets_the_input_by_two_paths_and_a_dense_layer_begins_with_a_flatten() -> None:
    add = next(b for b in built_in_blocks() if b.name.endswith("-add")).model(224)
    first = next(node for node in add.graph.node if node.op_type == "Add")
    makers = {node.output[0]: node for node in add.graph.node}
    assert "input" in first.input
    other = next(name for name in first.input if name != "input")
    assert makers[other].input[0] == "input"
    dense = find.resolve("block:alexnet/9-dense").model(224)
    assert [node.op_type for node in dense.graph.node[:2]] == ["Flatten", "Gemm"]
    assert [d.dim_value for d in dense.graph.input[0].type.tensor_type.shape.dim[1:]] == [256, 6, 6]


def test_a_layer_has_the_same_number_and_kind_at_every_size() -> None:
    for name in ("mobilenet_v2", "googlenet"):
        small, large = (blocks.cut(find.resolve(name), size).layers for size in (64, 224))
        assert [(one.index, one.kind) for one in small] == [(one.index, one.kind) for one in large]


def test_a_name_says_parent_and_kind_and_leads_back_to_the_block() -> None:
    assert blocks.parse_name("block:mobilenet_v2/17-1x1") == blocks.BlockName("mobilenet_v2", 17, "1x1")
    assert blocks.parse_name("block:my net/3-add [sha256:1]") == blocks.BlockName("my net", 3, "add")
    assert blocks.parse_name("mobilenet_v2") is None
    for block in built_in_blocks(most=2):
        assert find.resolve(block.source) == find.resolve(block.source.rpartition("-")[0]) == block
        assert block.source == block.name
        assert block.recipe.startswith("builtin")


def test_the_title_of_an_input_invents_no_shape_of_a_block() -> None:
    assert blocks.input_title("resnet18", 64, 4) == "4x3x64x64"
    assert blocks.input_title("block:resnet18/3-3x3", 64, 4) == "batch 4 at 64 px"
    assert blocks.input_title("mine", 0, 4) == "batch 4"


@pytest.mark.parametrize(
    ("shape", "batch", "title"),
    [
        ("3x48x320", 4, "4x3x48x320"),
        ("3x60x160", 1, "1x3x60x160"),
        ("1x28x28", 1, "1x1x28x28"),
        ("64x64x3", 1, "1x64x64x3"),
        ("128 int64", 2, "2x128 int64"),
        ("ids 128, mask 128", 4, "batch 4, ids 128, mask 128"),
        ("0 128, 1 64", 1, "batch 1, 0 128, 1 64"),
        ("scalar", 1, "batch 1, scalar"),
    ],
)
def test_a_shape_is_titled_as_it_is(shape: str, batch: int, title: str) -> None:
    assert blocks.input_title("mine", 0, batch, shape) == title


@pytest.mark.parametrize("name", ["block:mobilenet_v2/17-3x3", "block:mobilenet_v2/999", "block:nothing/1"])
def test_a_block_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnknownNetwork):
        find.resolve(name)


def test_blocks_of_real_weights_and_layers_too_small_for_their_size_are_refused() -> None:
    with pytest.raises(UsageError, match="seeded weights"):
        find.resolve("block:resnet18:pretrained/0")
    with pytest.raises(UsageError, match=r"can't be measured at 32 pixels: too small: it would take [\d,]+ copies"):
        find.resolve("block:mobilenet_v2/48-depthwise").input_spec(32, 1)
    with pytest.raises(UsageError, match="at least 32 pixels"):
        find.resolve("block:mobilenet_v2/48-depthwise").input_spec(16, 1)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """A network with x * sigmoid(x), a MatMul of a flattened map, a Gemm of untransposed weights, a layer twice."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["in", "w"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c1"], ["s1"]),
        helper.make_node("Mul", ["c1", "s1"], ["m1"]),
        helper.make_node("Conv", ["m1", "w"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c2"], ["s2"]),
        helper.make_node("Mul", ["s2", "c2"], ["m2"]),
        helper.make_node("MaxPool", ["m2"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["d"]),
        helper.make_node("Relu", ["d"], ["r"]),
        helper.make_node("Gemm", ["r", "u"], ["out"]),
    ]
    shapes = {"w": (32, 32, 3, 3), "v": (32 * 8 * 8, 300), "u": (300, 400)}
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return write_model(tmp_path / "my net.onnx", nodes, {"in": [2, 32, 16, 16]}, {"out": [2, 400]}, weights)


def test_a_users_network_is_cut_as_well(users: Path, tmp_path: Path) -> None:
    found = blocks.distinct([find.resolve(str(users))], 0)
    assert [b.name for b in found] == ["block:my net/0-3x3", "block:my net/3-dense", "block:my net/4-dense"]
    assert [b.layer(None).shape for b in found] == [(32, 16, 16), (32, 8, 8), (300, 1, 1)]
    left = {one.kind: one.why for one in blocks.cut(find.resolve(str(users)), None).layers if not one.copies}
    assert left == {"pool": "too small: it would take 489 copies"}
    for block in found:
        assert find.resolve(block.source) == block
        check(block, 16, tmp_path)


def test_a_pool_that_shrinks_its_input_is_not_repeated_on_the_same_input() -> None:
    """Frameworks compute copies without weights once."""
    pool = next(one for one in blocks.cut(find.resolve("resnet18"), 224).layers if one.kind == "pool")
    assert (pool.copies, pool.why) == (
        0,
        "too small, and copies without weights on the same input would be computed once",
    )


def test_the_recipe_follows_the_users_file(users: Path) -> None:
    before = find.resolve(f"block:{users}/0").recipe
    model = onnx.load(str(users))
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, str(users))
    assert find.resolve(f"block:{users}/0").recipe != before
