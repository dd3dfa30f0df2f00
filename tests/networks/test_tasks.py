"""The built-in networks of every task: drawn as shipped, counted by hand, of order one, the same everywhere."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from hwprof.errors import UnknownNetwork, UsageError
from hwprof.networks import fill, find, positions, table
from hwprof.networks.inputs import TensorSpec
from hwprof.networks.size import size_of
from hwprof.plan import cases, experiment
from tests.networks.drawn import draw_networks, error, feed, fixed, run, run_double

DRAWN = sorted(draw_networks.DRAWN)
# Side at which a network of images is computed here; 0: its own input.
SIDES = {"ssdlite": 128, "unet": 64, "vit_tiny": 0, "bert_mini": 0, "llama_prefill": 0, "llama_decode": 0}
SIDES["gru_keywords"] = 0
# Multiply-accumulates by the formulas of their layers.
TOKENS, SEEN = 128, 129
ATTENTION = 2 * TOKENS * TOKENS * 256
BY_HAND = {
    "bert_mini": 4 * (TOKENS * (4 * 256 * 256 + 2 * 256 * 1024) + ATTENTION),
    "llama_prefill": 4 * (TOKENS * (2 * 256 * 256 + 2 * 256 * 64 + 3 * 256 * 704) + ATTENTION) + 256 * 8192,
    "llama_decode": 4 * (2 * 256 * 256 + 2 * 256 * 64 + 3 * 256 * 704 + 2 * SEEN * 256) + 256 * 8192,
    "gru_keywords": 98 * (3 * 128 * (40 + 128) + 3 * 128 * (128 + 128)) + 128 * 12,
    "vit_tiny": 196 * 768 * 192 + 12 * (197 * 12 * 192 * 192 + 2 * 197 * 197 * 192) + 192 * 1000,
}


@cache
def written(name: str, seed: int = 7, size: int = 0) -> onnx.ModelProto:
    """The network with its weights."""
    network = find.resolve(name)
    model: onnx.ModelProto = network.model(size or None)
    fill.fill_weights(model, weights(name, seed))
    return model


@cache
def weights(name: str, seed: int) -> Any:
    """Of every size."""
    return find.resolve(name).weights(seed)


@pytest.mark.parametrize("name", DRAWN)
def test_a_shipped_graph_is_what_the_script_draws(name: str) -> None:
    packed = (resources.files("hwprof.networks") / "graphs" / f"{name}.onnx.gz").read_bytes()
    drawn = draw_networks.DRAWN[name]()
    assert gzip.decompress(packed) == drawn.SerializeToString(deterministic=True)
    assert len(packed) < 8_000


def test_shipped_gains_are_what_the_script_finds() -> None:
    found = draw_networks.gains_of("tiny_cnn", draw_networks.tiny_cnn())
    shipped = json.loads((resources.files("hwprof.networks") / "graphs" / "tiny_cnn.json").read_text())
    assert found == pytest.approx(shipped, rel=1e-3)


@pytest.mark.parametrize("name", DRAWN)
def test_parameters_are_the_elements_of_all_learned_tensors(name: str) -> None:
    learned = [t for t in draw_networks.DRAWN[name]().graph.initializer if fill.is_empty(t)]
    counted = sum(
        math.prod(t.dims)
        for t in learned
        if positions.formula(t.name, t.dims) is None and not t.name.endswith(("running_mean", "running_var"))
    )
    assert counted == table.info(name).params == find.resolve(name).params()


@pytest.mark.parametrize("name", DRAWN)
def test_what_the_table_says_is_counted_from_the_graph_too(name: str) -> None:
    size = size_of(find.resolve(name).model())
    assert (size.macs, size.params) == (table.info(name).macs, table.info(name).params)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_macs_are_those_of_the_formulas_of_the_layers(name: str) -> None:
    assert table.info(name).macs == BY_HAND[name]
    batch = 1 if name == "gru_keywords" else 4
    assert find.resolve(name).macs(None, batch) == batch * BY_HAND[name]


def test_weights_of_older_networks_stay_as_they_were() -> None:
    # no normalisation, so that no rounding of a matrix product is in it
    digest = hashlib.sha256()
    for name, values in sorted(weights("squeezenet1_1", 0).items()):
        digest.update(name.encode() + values.tobytes())
    assert digest.hexdigest() == "ab1428cc268c1ff5996cf80512bfde15ac69cf62557c3e7969fae6e28347ffe9"


@pytest.mark.parametrize("name", sorted(SIDES))
def test_a_written_network_is_valid_and_takes_what_the_table_says(name: str) -> None:
    size, network = SIDES[name], find.resolve(name)
    model, spec = written(name, size=size), network.input_spec(size or None, 1)
    onnx.checker.check_model(model, full_check=True)
    for value, one in zip(model.graph.input, spec.inputs, strict=True):
        dims = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        assert TensorSpec(value.name, tuple(dims), str(kind), use=one.use) == one
    names = tuple(output.name for output in model.graph.output)
    assert spec.outputs == (names if len(names) > 1 else ())
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Shape", "Range", "Expand", "LessOrEqual", "Cast"})


@pytest.mark.parametrize("name", sorted(SIDES))
@pytest.mark.parametrize("seed", [7, 8])
def test_outputs_are_of_order_one_and_differ_between_inputs(name: str, seed: int) -> None:
    size, network = SIDES[name], find.resolve(name)
    model, spec = written(name, seed, size), network.input_spec(size or None, 1)
    one, two = (run(model, feed(spec, number)) for number in (0, 1))
    for output, a, b in zip(model.graph.output, one, two, strict=True):
        dims = [dim.dim_value or 1 for dim in output.type.tensor_type.shape.dim]
        assert list(a.shape) == dims
        assert np.isfinite(a).all()
        assert 0.1 < np.abs(a).max() < 15
        assert (a - b).std() > 0.05 * a.std()


@pytest.mark.parametrize("name", sorted(SIDES))
def test_onnxruntime_and_opencv_agree_with_double_precision(name: str) -> None:
    size, network = SIDES[name], find.resolve(name)
    model, spec = written(name, size=size), network.input_spec(size or None, 1)
    inputs = feed(spec, 3)
    right = run_double(model, inputs)
    assert error(run(model, inputs), right) < 1e-4
    assert error(opencv(fixed(model, spec), inputs), right) < 1e-4


@pytest.mark.parametrize("name", sorted(set(SIDES) - {"gru_keywords"}))
def test_frames_of_a_batch_do_not_mix(name: str) -> None:
    size, network = SIDES[name], find.resolve(name)
    model, single, double = written(name, size=size), *(network.input_spec(size or None, n) for n in (1, 2))
    assert (double.batch, single.batch) == (2, 1)
    frames = [feed(single, number) for number in (0, 1)]
    both = {one.name: np.concatenate([frame[one.name] for frame in frames]) for one in double.inputs}
    expected = [np.concatenate(outputs) for outputs in zip(*(run(model, frame) for frame in frames), strict=True)]
    assert error(run(model, both), expected) < 1e-5
    assert error(opencv(fixed(model, double), both), expected) < 1e-4


def opencv(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """All outputs in OpenCV."""
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    for name, value in inputs.items():
        network.setInput(value, name)
    found: list[np.ndarray] = list(network.forward([output.name for output in model.graph.output]))
    return found


def test_the_decoder_continues_what_the_prefill_began() -> None:
    whole = draw_networks.llama("whole", SEEN, 0)
    fill.fill_weights(whole, fill.weights(whole, {}, 7))
    spec = find.resolve("llama_decode").input_spec(None, 1)
    ids = np.random.default_rng(0).integers(0, table.LLAMA_WORDS, (1, SEEN))
    zeros = np.zeros((1, 1, 1, SEEN), np.float32)
    past = run(written("llama_prefill"), {"ids": ids[:, :-1], "mask": zeros[..., :-1]})[1:]
    step: dict[str, np.ndarray] = dict(zip((one.name for one in spec.inputs), [ids[:, -1:], zeros, *past], strict=True))
    found = run(written("llama_decode"), step)
    assert error(found, run(whole, {"ids": ids, "mask": zeros})) < 1e-5
    other = run(written("llama_decode"), {**step, "past_value_0": step["past_value_0"][:, ::-1].copy()})
    assert error(other[:1], found[:1]) > 1e-2


def test_no_token_sees_those_behind_it_and_a_mask_hides_a_position() -> None:
    model, spec = written("llama_prefill"), find.resolve("llama_prefill").input_spec(None, 1)
    inputs = feed(spec, 0)
    changed = {**inputs, "ids": np.concatenate([inputs["ids"][:, :64], inputs["ids"][:, 64:] ^ 1], axis=1)}
    early = [[output[:, :, :64] for output in run(model, one)[1:]] for one in (inputs, changed)]
    assert error(early[0], early[1]) < 1e-6
    hidden = np.where(np.arange(TOKENS) < 64, np.float32(positions.HIDDEN), np.float32(0)).reshape(1, 1, 1, -1)
    bert = feed(find.resolve("bert_mini").input_spec(None, 1), 0)
    masked = [
        run(written("bert_mini"), {"ids": ids, "mask": hidden})[0][:, 64:]
        for ids in (bert["ids"], np.concatenate([bert["ids"][:, :64] ^ 1, bert["ids"][:, 64:]], axis=1))
    ]
    assert error([masked[0]], [masked[1]]) < 1e-6


@pytest.mark.parametrize(
    ("name", "size", "batch", "says"),
    [
        ("bert_mini", 64, 1, "takes no images"),
        ("unet", 100, 1, "multiples of 8 pixels, not 100"),
        ("ssdlite", 64, 1, "at least 96"),
        ("vit_tiny", 96, 1, "224 pixels only"),
        ("gru_keywords", None, 2, "batch of 1 only, not 2"),
    ],
)
def test_what_a_network_of_a_task_cannot_take_is_refused(name: str, size: int | None, batch: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find.resolve(name).input_spec(size, batch)


def test_many_inputs_of_one_shape_are_named_by_the_first_and_the_last() -> None:
    spec = find.resolve("llama_decode").input_spec(None, 1)
    assert spec.frame == "ids 1 int64, mask 1x1x129, past_key_0 ... past_value_3 2x128x32"
    assert find.resolve("bert_mini").input_spec(None, 2).title == "ids 2x128 int64, mask 2x1x1x128"
    assert find.resolve("gru_keywords").input_spec(None, 1).title == table.info("gru_keywords").input_title == "1x98x40"


def test_maps_of_another_size_are_declared_with_it() -> None:
    for name, size in (("ssdlite", 192), ("unet", 96)):
        model = find.resolve(name).model(size)
        fill.fill_weights(model, weights(name, 7))
        onnx.checker.check_model(model, full_check=True)
        found = run(model, feed(find.resolve(name).input_spec(size, 1), 0))
        for output, value in zip(model.graph.output, found, strict=True):
            assert [dim.dim_value for dim in output.type.tensor_type.shape.dim][1:] == list(value.shape[1:])


def test_only_networks_of_torchvision_have_real_weights() -> None:
    assert find.resolve("vgg16:pretrained").real
    for name in ("bert_mini", "unet", "tiny_cnn"):
        with pytest.raises(UnknownNetwork):
            find.resolve(f"{name}:pretrained")


@pytest.mark.torch
def test_vgg16_has_the_names_of_torchvisions_tensors() -> None:
    models: Any = pytest.importorskip("tests.networks.vision").models()
    theirs = models.vgg16(weights=None, init_weights=False).state_dict()
    ours = {t.name: tuple(t.dims) for t in find.resolve("vgg16").model().graph.initializer}
    assert ours == {name: tuple(value.shape) for name, value in theirs.items()}


@pytest.mark.slow
def test_vgg16_gives_the_same_in_two_frameworks() -> None:
    model, spec = written("vgg16"), find.resolve("vgg16").input_spec(None, 1)
    inputs = feed(spec, 0)
    found = run(model, inputs)
    assert 0.1 < np.abs(found[0]).max() < 15
    assert error(opencv(fixed(model, spec), inputs), found) < 2e-4


def test_the_experiment_of_tasks_has_one_network_of_each() -> None:
    planned = cases.plan(experiment.load("tasks"))
    names = list(dict.fromkeys(one.case.network for one in planned))
    assert [table.info(name).task for name in names] == [
        "classification",
        "classification",
        "detection",
        "segmentation",
        "encoder",
        "prefill",
        "decode",
        "keywords",
    ]
    assert {info.task for info in map(table.info, table.names())} == {table.info(name).task for name in names}
    assert all(one.macs == table.info(one.case.network).macs for one in planned)
