"""The networks: torchvision's architectures by their counts, outputs that mean something, users' own files."""

from __future__ import annotations

import gzip
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from hwprof.errors import BadModel, NotInstalled, UnknownNetwork, UsageError
from hwprof.frameworks.onnxruntime import ADAPTER as ONNXRUNTIME
from hwprof.frameworks.opencv import ADAPTER as OPENCV
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import find
from hwprof.networks import network as networks_network
from hwprof.networks import table as networks_table
from hwprof.networks.images import synthetic_inputs
from hwprof.networks.inputs import InputSpec
from hwprof.networks.size import layers, size_of
from hwprof.records import Case
from tests.onnx_models import write_model

# torchvision 0.28, meta of each network's weights: num_params, and _ops in 10^9 multiply-accumulates at 224 pixels.
TORCHVISION = {
    "alexnet": (61_100_840, 0.714),
    "densenet121": (7_978_856, 2.834),
    "efficientnet_b0": (5_288_548, 0.386),
    "googlenet": (6_624_904, 1.498),
    "mobilenet_v2": (3_504_872, 0.301),
    "mobilenet_v3_small": (2_542_856, 0.057),
    "resnet18": (11_689_512, 1.814),
    "resnet50": (25_557_032, 4.089),
    "shufflenet_v2_x1_0": (2_278_604, 0.145),
    "squeezenet1_1": (1_235_496, 0.349),
    "vgg16": (138_357_544, 15.47),
}
LIGHT = ("squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0", "efficientnet_b0", "resnet18")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the networks of this file lie."""
    return tmp_path_factory.mktemp("networks")


@cache
def outputs(name: str, folder: Path, seed: int, size: int, images: int = 4) -> np.ndarray:
    """Outputs of ONNX Runtime, (images, classes), of the network written to NAME-SEED-SIZE.onnx."""
    network = find.resolve(name)
    path = folder / f"{name}-{seed}-{size}.onnx"
    network.write(path, seed, size)
    spec = network.input_spec(size, 1)
    with ONNXRUNTIME.load(path, Case("onnxruntime", name, "", size), spec) as model:
        made = synthetic_inputs(spec, images, seed)
        return np.concatenate([model.outputs(model.infer(model.bind(i)))[0] for i in made])


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_parameters_and_macs_counted_from_the_graph_are_torchvisions(name: str) -> None:
    size = size_of(find.resolve(name).model())
    assert size.macs is not None
    assert (size.params, round(size.macs / 1e9, 3)) == TORCHVISION[name]
    assert (size.bytes, size.notes, size.unknown) == (4 * TORCHVISION[name][0], (), "")
    assert (size.macs, size.params) == (networks_table.info(name).macs, networks_table.info(name).params)


def test_the_small_network_is_listed_with_its_own_counts() -> None:
    size = size_of(find.resolve("tiny_cnn").model())
    assert (size.macs, size.params) == (networks_table.info("tiny_cnn").macs, 32_858)
    assert set(TORCHVISION) == {name for name in networks_table.names() if networks_table.info(name).torchvision}


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize(("seed", "size"), [(0, 64), (1, 32), (2, 64), (3, 128)])
def test_outputs_are_of_order_one_and_depend_on_the_image(name: str, seed: int, size: int, folder: Path) -> None:
    found = outputs(name, folder, seed, size)
    assert np.isfinite(found).all()
    assert 0.1 < np.abs(found).max() < 15
    # far more than the tolerance of FP32, or a framework that ignores its input would pass for faithful
    assert found.std(axis=0).mean() > 0.005 * found.std()
    smallest = np.abs(found[found != 0]).min()
    assert smallest > np.finfo(np.float32).tiny  # not denormal


def test_the_same_seed_gives_the_same_network_and_another_seed_another(tmp_path: Path) -> None:
    network = find.resolve("tiny_cnn")
    for label, seed in (("a", 1), ("b", 1), ("c", 2)):
        network.write(tmp_path / label, seed)
    a, b, c = ((tmp_path / label).read_bytes() for label in "abc")
    assert a == b != c
    assert network.identity(1, 32) != network.identity(2, 32)


@pytest.mark.parametrize("name", LIGHT)
def test_opencv_computes_the_same_network_at_batch_2(name: str, folder: Path, tmp_path: Path) -> None:
    reference = outputs(name, folder, 0, 64)
    network = find.resolve(name)
    spec = network.input_spec(64, 2)
    case = Case("opencv", name, "", 64, batch=2)
    artifact = OPENCV.prepare(PrepareJob(folder / f"{name}-0-64.onnx", case, spec, tmp_path))
    images = synthetic_inputs(network.input_spec(64, 1), 2, 0)
    with OPENCV.load(artifact, case, spec) as model:
        found = model.outputs(model.infer(model.bind(np.concatenate(images))))[0]
    assert np.abs(found - reference[:2]).max() < 1e-3 * np.abs(reference).max()


def test_a_layer_has_its_macs_and_shape() -> None:
    first = layers(find.resolve("resnet18").model())[0]
    assert (first.op, first.macs, first.params, first.shape) == (
        "Conv",
        112 * 112 * 64 * 3 * 49,
        64 * 3 * 49,
        (1, 64, 112, 112),
    )
    assert size_of(find.resolve("resnet18").model(), batch=4).macs == 4 * networks_table.info("resnet18").macs


def test_graphs_hold_no_weights_and_nothing_of_the_exporting_machine() -> None:
    folder = resources.files("hwprof.networks") / "graphs"
    for name in networks_table.names():
        packed = (folder / f"{name}.onnx.gz").read_bytes()
        assert len(packed) < 40_000
        plain = gzip.decompress(packed)
        assert not any(mark in plain for mark in (b"/home", b"/root", b"site-packages", b".py"))


@pytest.mark.parametrize(
    ("name", "size", "batch", "says"),
    [("alexnet", 96, 1, "224 pixels only"), ("resnet18", 16, 1, "at least 32"), ("resnet18", None, 0, "batch")],
)
def test_what_a_network_cannot_take_is_refused(name: str, size: int | None, batch: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find.resolve(name).input_spec(size, batch)


def users_model(path: Path, batch: int | str = "batch", inputs: int = 1, side: int | str = 8) -> Path:
    """A user's .onnx: one convolution."""
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(inputs)]
    nodes = [helper.make_node("Conv", [names[0], "w"], ["y"], name="conv", pads=[1, 1, 1, 1])]
    nodes += [helper.make_node("Relu", [n], [f"{n}_relu"]) for n in names[1:]]
    shapes = {name: [batch, 3, side, side] for name in names}
    return write_model(path, nodes, shapes, {"y": [batch, 4, side, side]}, {"w": rng.standard_normal((4, 3, 3, 3))})


def test_a_users_file_works_like_a_built_in_network(tmp_path: Path) -> None:
    network = find.resolve(str(users_model(tmp_path / "mine.onnx")))
    assert network.name == "mine"
    assert network.recipe.startswith("sha256:")
    assert network.input_spec(None, 4) == InputSpec("x0", (4, 3, 8, 8))
    assert (network.macs(None, 1), network.params()) == (8 * 8 * 4 * 27, 4 * 27)


def test_a_users_file_of_fixed_batch_is_measured_as_it_is(tmp_path: Path) -> None:
    size = find.resolve(str(users_model(tmp_path / "mine.onnx", batch=4))).measure()
    assert (size.macs, size.params, size.bytes) == (4 * 8 * 8 * 4 * 27, 4 * 27, 4 * 4 * 27)


def test_what_is_not_known_of_a_users_file_has_a_reason(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["numbers"], to=1),
        helper.make_node("MatMul", ["w", "numbers"], ["y"], name="product"),
    ]
    source = write_model(tmp_path / "mine.onnx", nodes, {"x": ["n", 3, 8, 8]}, {"y": [2, "k"]}, {"w": np.ones((2, 4))})
    size = find.resolve(str(source)).measure()
    assert (size.macs, size.params) == (None, 8)
    assert size.unknown == "node 'product' (MatMul): the shape of 'y' is not known"


def test_a_users_file_of_fixed_batch_takes_no_other(tmp_path: Path) -> None:
    network = find.resolve(str(users_model(tmp_path / "mine.onnx", batch=1)))
    assert network.input_spec(None, 1).shape[0] == 1
    with pytest.raises(UsageError, match="fixed batch of 1, not 4"):
        network.input_spec(None, 4)


def test_a_users_file_of_open_size_wants_to_be_told(tmp_path: Path) -> None:
    network = find.resolve(str(users_model(tmp_path / "mine.onnx", side="side")))
    with pytest.raises(UsageError, match="say which"):
        network.input_spec(None, 1)
    assert network.input_spec(16, 1).shape == (1, 3, 16, 16)


def test_files_that_are_no_network_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name, says in (("text", "no valid ONNX"), ("empty", "no ONNX model"), ("absent", "no such file")):
        with pytest.raises(BadModel, match=says):
            find.resolve(str(tmp_path / f"{name}.onnx"))
    with pytest.raises(UnknownNetwork, match="Did you mean resnet18"):
        find.resolve("resnet81")


def test_real_weights_without_torchvision_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(NotInstalled, match="hwprof\\[pretrained\\]"):
        networks_network.write_pretrained(find.resolve("resnet18"), tmp_path / "x.onnx")


def test_real_weights_are_another_network_than_seeded_ones() -> None:
    real, seeded = find.resolve("resnet18:pretrained"), find.resolve("resnet18")
    assert real.source == "resnet18:pretrained"
    assert (real.name, real.recipe) == ("resnet18", "torchvision-default")
    assert real.identity(0, 224) != seeded.identity(0, 224)
    assert real.macs(None, 1) == seeded.macs(None, 1)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["mobilenet_v2", "shufflenet_v2_x1_0", "squeezenet1_1"])
def test_real_weights_go_to_their_places(name: str, tmp_path: Path) -> None:
    import torch

    with pytest.raises(UsageError, match="no weights"):  # declares the operators that torchvision's import wants
        networks_network.write_pretrained(find.resolve("tiny_cnn"), tmp_path / "x.onnx")
    from torchvision import models

    torch.manual_seed(0)
    module = getattr(models, name)(weights=None)
    for buffer in module.buffers():
        if buffer.is_floating_point():
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    module.eval()
    path = tmp_path / "n.onnx"
    networks_network.write_state(find.resolve(name), module.state_dict(), path)
    spec = find.resolve(name).input_spec(224, 1)
    image = synthetic_inputs(spec, 1, 0)[0]
    with ONNXRUNTIME.load(path, Case("onnxruntime", name, "", 224), spec) as model, torch.inference_mode():
        ours = model.outputs(model.infer(model.bind(image)))[0]
        theirs = module(torch.from_numpy(image)).numpy()
    assert np.abs(ours - theirs).max() <= 1e-4 * max(1e-3, np.abs(theirs).max())
