"""Seeded networks that know something: the last layer fitted to seeded classes of pictures, without any download.

A built-in network with seeded weights answers with whatever class comes out first by a hair, so that agreement between
two precisions on it says little. Here its features stay as they are and the last layer is fitted by ridge regression to
pictures of a few classes (a colour and stripes each, in changing light and under noise). What it then answers
to pictures it has not seen can be right or wrong, with margins as a trained classifier has them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwprof.networks import preprocess
from hwprof.networks.fill import LEAST_VARIANCE
from hwprof.networks.network import atomic_write

Floats = NDArray[np.float64]

CLASSES, FITTED_PER_CLASS = 8, 16
SIDE, FINE = 256, 32  # of a picture in pixels, of its noise in cells
PERIODS = (8.0, 40.0)  # of stripes, in pixels
COLOUR, STRIPES, NOISE, LIGHT = 36.0, 30.0, 12.0, 6.0  # standard deviations in grey levels (of 255)
RIDGE = 0.1  # of the mean square of a centred feature, times the number of pictures
BRANCH = 0.3  # what residual branches are scaled by
SETTLED_PER_CLASS = 4
# Raised when pictures or fit change.
FORMAT = 1


def picture(seed: int, label: int, number: int) -> NDArray[np.uint8]:
    """Picture `number` of a class, (SIDE, SIDE, 3): its colour, and its stripes somewhere in it, under noise."""
    of_class = np.random.Generator(np.random.PCG64([seed, label]))
    rng = np.random.Generator(np.random.PCG64([seed, label, 1 + number]))
    colour, stripes = of_class.standard_normal((2, 3))
    angle, period = np.pi * label / CLASSES, of_class.uniform(*PERIODS)
    rows, columns = np.mgrid[:SIDE, :SIDE] * (2 * np.pi / period)
    wave = np.sin(rows * np.sin(angle) + columns * np.cos(angle) + rng.uniform(0, 2 * np.pi))
    noise = rng.standard_normal((FINE, FINE, 3)).repeat(SIDE // FINE, axis=0).repeat(SIDE // FINE, axis=1)
    shown = 128 + COLOUR * colour + STRIPES * wave[:, :, None] * stripes + NOISE * noise + LIGHT * rng.standard_normal()
    pixels: NDArray[np.uint8] = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return pixels


def pictures(folder: Path, seed: int, per_class: int) -> tuple[Path, Path]:
    """(pictures to fit and to calibrate with, others to ask), each a folder per class of PNG files."""
    import cv2

    places = folder / f"fit-{seed}-{FORMAT}", folder / f"ask-{seed}-{per_class}-{FORMAT}"
    for place, first, count in ((places[0], 0, FITTED_PER_CLASS), (places[1], FITTED_PER_CLASS, per_class)):
        for label in range(CLASSES):
            (place / str(label)).mkdir(parents=True, exist_ok=True)
            for number in range(first, first + count):
                path = place / str(label) / f"{number:04d}.png"
                if not path.exists():
                    content = cv2.imencode(".png", picture(seed, label, number)[:, :, ::-1])[1].tobytes()
                    path.write_bytes(content)
    return places


def fitted(source: Path, name: str, folder: Path, shown: Path) -> Path:
    """The network `source` with its last layer fitted to the pictures below `shown`, as .onnx in `folder`.

    Its output has CLASSES values. Raises ValueError where the last layer is neither a convolution nor a Gemm.
    """
    import onnx
    from onnx import numpy_helper

    recipe = [FORMAT, RIDGE, BRANCH, PERIODS, COLOUR, STRIPES, NOISE, LIGHT, CLASSES, FITTED_PER_CLASS, shown.name]
    digest = hashlib.sha256(source.read_bytes() + json.dumps(recipe).encode()).hexdigest()[:12]
    path = folder / digest / f"{name}-fitted.onnx"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    model = onnx.load(str(source))
    last = next(node for node in reversed(model.graph.node) if node.op_type in ("Conv", "Gemm"))
    tensors = {t.name: t for t in model.graph.initializer}
    weight, bias = (tensors[name] for name in last.input[1:3])
    sides = model.graph.input[0].type.tensor_type.shape.dim[1:]
    given, labels = read(shown, tuple(d.dim_value for d in sides))
    tame(model, given[:: FITTED_PER_CLASS // SETTLED_PER_CLASS])
    features = seen(model, last.input[0], given)
    w, b = ridge(features.reshape(*features.shape[:2], -1).mean(axis=2), labels)
    if last.op_type == "Conv":  # a ReLU and a mean over places follow: nothing may be cut off
        b = b - np.einsum("cf,nfhw->nchw", w, features).min(axis=(0, 2, 3)).min() - b.min()
    shape = (CLASSES, *weight.dims[1:])
    weight.CopyFrom(numpy_helper.from_array(w.reshape(shape).astype(np.float32), weight.name))
    bias.CopyFrom(numpy_helper.from_array(b.astype(np.float32), bias.name))
    del model.graph.value_info[:]
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = CLASSES
    with atomic_write(path) as half:
        onnx.save(model, str(half))
    return path


def tame(model: Any, given: NDArray[np.float32]) -> None:
    """Residual branches scaled down, then every normalisation settled on `given`, in place.

    Branches count for little in a network as training begins and as it leaves them; at full strength with random
    filters each amplifies small differences, of pictures and of roundings alike.
    """
    from onnx import numpy_helper

    tensors = {t.name: t for t in model.graph.initializer}
    makers = {out: node for node in model.graph.node for out in node.output}
    taken = [name for node in model.graph.node for name in node.input]
    for add in (node for node in model.graph.node if node.op_type == "Add"):
        ends = [makers[i] for i in add.input if makers[i].op_type == "BatchNormalization" and taken.count(i) == 1]
        for name in ends[0].input[1:3] if ends else ():
            tensors[name].CopyFrom(numpy_helper.from_array(BRANCH * numpy_helper.to_array(tensors[name]), name))
    for name, values in statistics(model, given).items():
        tensors[name].CopyFrom(numpy_helper.from_array(values, name))


def statistics(model: Any, given: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Mean and variance of what every BatchNormalization gets, each normalised by its own before the next one.

    One pass of ONNX Runtime through a graph whose normalisations are spelled out.
    """
    import onnx
    from onnx import helper

    live = onnx.ModelProto()
    live.CopyFrom(model)
    wanted: list[tuple[str, str]] = []
    nodes = []
    for node in live.graph.node:
        if node.op_type != "BatchNormalization":
            nodes.append(node)
            continue
        x, scale, shift, mean, variance = node.input
        out = node.output[0]
        names = [f"{out}/{part}" for part in ("mean", "apart", "square", "variance", "bounded", "scale", "shift")]
        m, d, q, v, u, a, b = names
        nodes += [
            helper.make_node("ReduceMean", [x], [m], axes=[0, 2, 3]),
            helper.make_node("Sub", [x, m], [d]),
            helper.make_node("Mul", [d, d], [q]),
            helper.make_node("ReduceMean", [q], [v], axes=[0, 2, 3]),
            helper.make_node("ReduceMean", [v], [f"{u}/all"], axes=[1]),
            helper.make_node("Mul", [f"{u}/all", "least"], [f"{u}/least"]),
            helper.make_node("Max", [v, f"{u}/least"], [u]),
            helper.make_node("Sqrt", [u], [f"{u}/root"]),
            helper.make_node("Div", [d, f"{u}/root"], [f"{out}/normal"]),
            helper.make_node("Unsqueeze", [scale, "axes"], [a]),
            helper.make_node("Unsqueeze", [shift, "axes"], [b]),
            helper.make_node("Mul", [f"{out}/normal", a], [f"{out}/scaled"]),
            helper.make_node("Add", [f"{out}/scaled", b], [out]),
        ]
        wanted += [(mean, m), (variance, u)]
    if not wanted:
        return {}
    del live.graph.node[:], live.graph.output[:]
    live.graph.node.extend(nodes)
    live.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(LEAST_VARIANCE), "least"))
    live.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 2]), "axes"))
    for _, name in wanted:
        live.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = opened(live)
    found = session.run([name for _, name in wanted], {session.get_inputs()[0].name: given})
    return {tensor: values.reshape(-1) for (tensor, _), values in zip(wanted, found, strict=True)}


def opened(model: Any) -> Any:
    """A session of ONNX Runtime on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def read(shown: Path, shape: tuple[int, int, int]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(pictures as a network of input `shape` gets them, their classes)."""
    library, how = preprocess.decoder()[0], preprocess.Preprocess()
    paths = sorted(shown.glob("*/*.png"))
    crops = np.stack([preprocess.pixels(path, how, shape, library) for path in paths])
    return preprocess.normalise(crops, how), np.array([int(path.parent.name) for path in paths])


def seen(model: Any, tensor: str, given: NDArray[np.float32]) -> Floats:
    """Values of `tensor` for every picture."""
    import onnx

    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:]
    cut.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    session = opened(cut)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: one[None]})[0] for one in given]).astype(np.float64)


def ridge(features: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(weights (classes, features), biases): least squares to 1 for the class and 0 for the others, with a penalty."""
    targets = np.eye(CLASSES)[labels]
    centre, aim = features.mean(axis=0), targets.mean(axis=0)
    x = features - centre
    gram = x @ x.T  # fewer pictures than features
    penalty = RIDGE * np.trace(gram) / len(x)
    w = (x.T @ np.linalg.solve(gram + penalty * np.eye(len(x)), targets - aim)).T
    return w, aim - w @ centre
