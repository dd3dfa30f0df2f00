"""Draw the built-in networks that are not exported from torchvision: one or two of each task.

    python tools/draw_networks.py [NAME ...]

Needs onnx only. Writes hwprof/networks/graphs/NAME.onnx.gz and NAME.json. The graphs are plain, so that as many
frameworks as possible take them: shapes are fixed but for the batch, positions are constants, masks are numbers that
are added. Tensors named causal and rotary are filled in by formula (hwprof.networks.positions).
"""

from __future__ import annotations

import math
import sys

import onnx
from drawing import Draw, Drawing, Inputs, Shape, calibrate, write
from onnx import TensorProto

from hwprof.networks import fill, network
from hwprof.networks.table import BERT_WORDS, LLAMA_CACHE, LLAMA_LAYERS, LLAMA_WORDS, TOKENS, info


def attend(draw: Drawing, label: str, query: str, key: str, value: str, masks: str, channels: int) -> str:
    """softmax(query key / sqrt(channels) + masks) value; keys lie as (batch, heads, channels, positions)."""
    scores = draw.node("MatMul", [query, key], f"{label}.scores")
    scale = draw.constant("attention.scale", 1 / math.sqrt(channels), "float32")
    scores = draw.node("Mul", [scores, scale], f"{label}.scaled")
    if masks:
        scores = draw.node("Add", [scores, masks], f"{label}.masked")
    return draw.node("MatMul", [draw.node("Softmax", [scores], f"{label}.shares", axis=-1), value], f"{label}.mixed")


def self_attention(draw: Drawing, source: str, label: str, width: int, heads: int, mask: str = "") -> str:
    """Multi-head attention of a sequence to itself, as in BERT and ViT."""
    size = width // heads

    def split(part: str, order: list[int]) -> str:
        made = draw.linear(source, f"{label}.{part}", width, width)
        return draw.node(
            "Transpose",
            [draw.reshaped(made, f"{label}.{part}.split", 0, -1, heads, size)],
            f"{label}.{part}.heads",
            perm=order,
        )

    query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
    mixed = attend(draw, label, query, key, value, mask, size)
    joined = draw.node("Transpose", [mixed], f"{label}.joined", perm=[0, 2, 1, 3])
    return draw.linear(draw.reshaped(joined, f"{label}.flat", 0, -1, width), f"{label}.out", width, width)


def gelu(draw: Drawing, source: str, label: str) -> str:
    """x / 2 (1 + erf(x / sqrt 2)), as exporters write it."""
    root = draw.constant("gelu.root", math.sqrt(2), "float32")
    one, half = draw.constant("gelu.one", 1, "float32"), draw.constant("gelu.half", 0.5, "float32")
    share = draw.node("Erf", [draw.node("Div", [source, root], f"{label}.div")], f"{label}.erf")
    grown = draw.node("Mul", [source, draw.node("Add", [share, one], f"{label}.plus")], f"{label}.grown")
    return draw.node("Mul", [grown, half], label)


def feed_forward(draw: Drawing, source: str, label: str, width: int, inner: int) -> str:
    """Two dense layers with a GELU between them."""
    hidden = gelu(draw, draw.linear(source, f"{label}.up", width, inner), f"{label}.gelu")
    return draw.linear(hidden, f"{label}.down", inner, width)


def bert_mini() -> onnx.ModelProto:
    """4 layers of 256; one segment, whose row of the table of types is part of the positions."""
    draw, width = Drawing("bert_mini"), 256
    x = draw.node("Gather", [draw.learned("words.weight", BERT_WORDS, width), "ids"], "words")
    x = draw.node("Add", [x, draw.learned("positions.weight", 1, TOKENS, width)], "positions")
    x = draw.normalised(x, "embedded", width, 1e-12)
    for i in range(4):
        label = f"layers.{i}"
        x = draw.node("Add", [self_attention(draw, x, f"{label}.attention", width, 4, "mask"), x], f"{label}.seen")
        x = draw.normalised(x, f"{label}.norm1", width, 1e-12)
        x = draw.node("Add", [feed_forward(draw, x, f"{label}.ffn", width, 4 * width), x], f"{label}.sum")
        x = draw.normalised(x, "output" if i == 3 else f"{label}.norm2", width, 1e-12)
    inputs: Inputs = {
        "ids": (["batch", TOKENS], TensorProto.INT64),
        "mask": (["batch", 1, 1, TOKENS], TensorProto.FLOAT),
    }
    return draw.finish(inputs, {"output": ["batch", TOKENS, width]})


def vit_tiny() -> onnx.ModelProto:
    """12 layers of 192 on 14x14 patches; the class token is the first row of the positions, on a row of zeros."""
    draw, width, patches = Drawing("vit_tiny"), 192, 196
    patch = [draw.learned("patches.weight", width, 3, 16, 16), draw.learned("patches.bias", width)]
    x = draw.node("Conv", ["input", *patch], "patches", kernel_shape=[16, 16], strides=[16, 16])
    x = draw.node("Transpose", [draw.reshaped(x, "patches.flat", 0, width, -1)], "tokens", perm=[0, 2, 1])
    pads = [draw.constant("token.pads", [0, 1, 0, 0, 0, 0]), draw.constant("token.empty", 0, "float32")]
    x = draw.node("Pad", [x, *pads], "tokens.padded", mode="constant")
    x = draw.node("Add", [x, draw.learned("positions.weight", 1, patches + 1, width)], "positions")
    for i in range(12):
        label = f"layers.{i}"
        seen = draw.normalised(x, f"{label}.norm1", width, 1e-6)
        x = draw.node("Add", [x, self_attention(draw, seen, f"{label}.attention", width, 3)], f"{label}.seen")
        seen = draw.normalised(x, f"{label}.norm2", width, 1e-6)
        x = draw.node("Add", [x, feed_forward(draw, seen, f"{label}.mlp", width, 4 * width)], f"{label}.sum")
    x = draw.normalised(x, "norm", width, 1e-6)
    x = draw.node("Gather", [x, draw.constant("token.first", 0)], "token", axis=1)
    draw.classifier(x, "head", width, 1000, "output")
    return draw.finish_image(224, {"output": ["batch", 1000]})


def rms_norm(draw: Drawing, source: str, label: str, width: int) -> str:
    """x / sqrt(mean(x^2) + epsilon) times a learned scale, as exporters write it."""
    squares = draw.node("Mul", [source, source], f"{label}.squares")
    mean = draw.node("ReduceMean", [squares], f"{label}.mean", axes=[-1], keepdims=1)
    epsilon = draw.constant("norm.epsilon", 1e-5, "float32")
    root = draw.node("Sqrt", [draw.node("Add", [mean, epsilon], f"{label}.sum")], f"{label}.root")
    plain = draw.node("Div", [source, root], f"{label}.plain")
    return draw.node("Mul", [plain, draw.learned(f"{label}.weight", width)], label)


def rotary(draw: Drawing, source: str, label: str, size: int, tables: tuple[str, str]) -> str:
    """Turn channel pairs (i, i + size / 2) of (batch, heads, tokens, size) by the angles of their position."""
    zero, half, end = (
        draw.constant(f"turn.{name}", [n]) for name, n in (("zero", 0), ("half", size // 2), ("end", size))
    )
    axis = draw.constant("turn.axis", [3])
    first = draw.node("Slice", [source, zero, half, axis], f"{label}.first")
    second = draw.node("Slice", [source, half, end, axis], f"{label}.second")
    turned = draw.node("Concat", [draw.node("Neg", [second], f"{label}.neg"), first], f"{label}.swapped", axis=3)
    straight = draw.node("Mul", [source, tables[0]], f"{label}.cos")
    return draw.node("Add", [straight, draw.node("Mul", [turned, tables[1]], f"{label}.sin")], label)


def llama(name: str, tokens: int, past: int) -> onnx.ModelProto:
    """4 layers of 256, 8 heads that share 2 of keys and values; logits of the last token alone.

    The heads that share keys stand behind one another along the tokens ((batch, 2, 4 x tokens, channels)), so that no
    key is repeated.
    """
    draw, width, inner = Drawing(name), 256, 704
    shared, _, size = LLAMA_CACHE
    heads, seen = width // size, past + tokens
    group = heads // shared
    tables = tuple(draw.learned(f"rotary.{part}.from{past}", 1, 1, tokens, size) for part in ("cos", "sin"))

    def split(source: str, label: str, count: int, output: str = "") -> str:
        made = draw.reshaped(source, f"{label}.split", 0, -1, count, size)
        return draw.node("Transpose", [made], f"{label}.heads", output=output, perm=[0, 2, 1, 3])

    mask = "mask"
    if tokens > 1:
        causal = draw.learned(f"causal.{group}", 1, 1, group * tokens, seen)
        mask = draw.node("Add", [mask, causal], "masks")
    outputs: dict[str, Shape] = {"logits": ["batch", LLAMA_WORDS]}
    x = draw.node("Gather", [draw.learned("words.weight", LLAMA_WORDS, width), "ids"], "words")
    for i in range(LLAMA_LAYERS):
        label = f"layers.{i}"
        y = rms_norm(draw, x, f"{label}.norm1", width)
        query = split(draw.linear(y, f"{label}.query", width, width, bias=False), f"{label}.query", heads)
        query = rotary(draw, query, f"{label}.query.turned", size, (tables[0], tables[1]))
        query = draw.reshaped(query, f"{label}.query.groups", 0, shared, -1, size)
        cached = {}
        for part in ("key", "value"):
            made = draw.linear(y, f"{label}.{part}", width, shared * size, bias=False)
            present = f"present_{part}_{i}"
            own = split(made, f"{label}.{part}", shared, present if part == "value" and not past else "")
            if part == "key":
                own = rotary(draw, own, f"{label}.key.turned" if past else present, size, (tables[0], tables[1]))
            if past:
                draw.node("Concat", [f"past_{part}_{i}", own], present, axis=2)
            outputs[present] = ["batch", shared, seen, size]
            cached[part] = present
        key = draw.node("Transpose", [cached["key"]], f"{label}.key.across", perm=[0, 1, 3, 2])
        mixed = attend(draw, f"{label}.attention", query, key, cached["value"], mask, size)
        mixed = draw.reshaped(mixed, f"{label}.ungrouped", 0, heads, -1, size)
        mixed = draw.node("Transpose", [mixed], f"{label}.joined", perm=[0, 2, 1, 3])
        mixed = draw.linear(
            draw.reshaped(mixed, f"{label}.flat", 0, -1, width), f"{label}.out", width, width, bias=False
        )
        x = draw.node("Add", [x, mixed], f"{label}.seen")
        y = rms_norm(draw, x, f"{label}.norm2", width)
        gate = draw.linear(y, f"{label}.gate", width, inner, bias=False)
        gate = draw.node("Mul", [gate, draw.node("Sigmoid", [gate], f"{label}.sigmoid")], f"{label}.silu")
        both = draw.node("Mul", [gate, draw.linear(y, f"{label}.up", width, inner, bias=False)], f"{label}.gated")
        x = draw.node("Add", [x, draw.linear(both, f"{label}.down", inner, width, bias=False)], f"{label}.sum")
    x = draw.node("Gather", [x, draw.constant("token.last", tokens - 1)], "token", axis=1)
    x = rms_norm(draw, x, "norm", width)
    draw.node("MatMul", [x, draw.learned("head.weight", width, LLAMA_WORDS)], "logits")
    inputs: Inputs = {
        "ids": (["batch", tokens], TensorProto.INT64),
        "mask": (["batch", 1, 1, seen], TensorProto.FLOAT),
    }
    for i in range(LLAMA_LAYERS if past else 0):
        for part in ("key", "value"):
            inputs[f"past_{part}_{i}"] = (["batch", shared, past, size], TensorProto.FLOAT)
    return draw.finish(inputs, outputs)


def llama_prefill() -> onnx.ModelProto:
    """A prompt, with nothing before it."""
    return llama("llama_prefill", TOKENS, 0)


def llama_decode() -> onnx.ModelProto:
    """One token after a prompt."""
    return llama("llama_decode", 1, LLAMA_CACHE[1])


def inverted(draw: Drawing, source: str, label: str, cin: int, cout: int, stride: int, expansion: int) -> str:
    """MobileNetV2's block: wide inside, narrow at its ends, with a path around it where the shape stays."""
    x, inner = source, cin * expansion
    if expansion > 1:
        x = draw.block(x, f"{label}.expand", cin, inner, 1)
    x = draw.block(x, f"{label}.depthwise", inner, inner, 3, stride, inner)
    x = draw.block(x, f"{label}.project", inner, cout, 1, activation="")
    return draw.node("Add", [source, x], f"{label}.sum") if stride == 1 and cin == cout else x


def ssdlite() -> onnx.ModelProto:
    """MobileNetV2 at half its width, with boxes (6 anchors x 4) and scores (6 x 21 classes) at three strides."""
    draw = Drawing("ssdlite")
    x, cin, stride, number = draw.block("input", "stem", 3, 16, 3, 2), 16, 2, 0
    maps = {}
    # expansion, channels, blocks, stride of the first; the last makes the coarsest map
    plan = (
        (1, 8, 1, 1),
        (6, 16, 2, 2),
        (6, 16, 3, 2),
        (6, 32, 4, 2),
        (6, 48, 3, 1),
        (6, 80, 3, 2),
        (6, 160, 1, 1),
        (2, 160, 1, 2),
    )
    for expansion, cout, count, first in plan:
        for step in (first, *[1] * (count - 1)):
            x = inverted(draw, x, f"blocks.{number}", cin, cout, step, expansion)
            cin, stride, number = cout, stride * step, number + 1
        maps[stride] = (x, cin)
    outputs: dict[str, Shape] = {}
    for stride in (16, 32, 64):
        source, channels = maps[stride]
        side = 320 // stride
        for part, count in (("boxes", 24), ("scores", 126)):
            name = f"{part}_{stride}"
            seen = draw.block(source, f"heads.{name}", channels, channels, 3, 1, channels)
            draw.conv(seen, name, channels, count, 1)
            outputs[name] = ["batch", count, side, side]
    return draw.finish_image(320, outputs)


def unet() -> onnx.ModelProto:
    """U-Net of 16 to 128 channels with batch normalisation and padding; 21 classes for every pixel."""
    draw, side = Drawing("unet"), 224

    def double(source: str, label: str, cin: int, cout: int) -> str:
        return draw.block(draw.block(source, f"{label}.0", cin, cout, 3), f"{label}.1", cout, cout, 3)

    x, cin, left = "input", 3, []
    for width in (16, 32, 64):
        x = double(x, f"down.{width}", cin, width)
        left.append((x, width))
        x = draw.node("MaxPool", [x], f"pool.{width}", kernel_shape=[2, 2], strides=[2, 2])
        cin = width
    x = double(x, "bottom", cin, 128)
    cin = 128
    for skip, width in reversed(left):
        learned = [draw.learned(f"up.{width}.weight", cin, width, 2, 2), draw.learned(f"up.{width}.bias", width)]
        x = draw.node("ConvTranspose", [x, *learned], f"up.{width}", kernel_shape=[2, 2], strides=[2, 2])
        x = draw.node("Concat", [skip, x], f"joined.{width}", axis=1)
        x = double(x, f"right.{width}", 2 * width, width)
        cin = width
    draw.conv(x, "classes", cin, 21, 1, output="output")
    return draw.finish_image(side, {"output": ["batch", 21, side, side]})


def gru_keywords() -> onnx.ModelProto:
    """98 steps of 40 features (one second), two GRU layers of 128, 12 classes from the last step."""
    draw, width, steps, features = Drawing("gru_keywords"), 128, 98, 40
    x = draw.node("Transpose", ["input"], "steps", perm=[1, 0, 2])
    for i in range(2):
        label = f"gru.{i}"
        learned = [
            draw.learned(f"{label}.weight_ih", 1, 3 * width, features),
            draw.learned(f"{label}.weight_hh", 1, 3 * width, width),
            draw.learned(f"{label}.bias", 1, 6 * width),
        ]
        start = draw.constant("gru.start", [[[0.0] * width]], "float32")
        # the reset gate behind the product, as in PyTorch and cuDNN
        x = draw.node("GRU", [x, *learned, "", start], label, hidden_size=width, linear_before_reset=1)
        x = draw.node("Squeeze", [x, draw.constant("gru.direction", [1])], f"{label}.states")
        features = width
    x = draw.node("Gather", [x, draw.constant("step.last", steps - 1)], "state", axis=0)
    draw.classifier(x, "classifier", width, 12, "output")
    return draw.finish({"input": ([1, steps, 40], TensorProto.FLOAT)}, {"output": [1, 12]})


def vgg16() -> onnx.ModelProto:
    """torchvision's VGG-16 under its names; its adaptive pool keeps 7x7, so it is left out."""
    draw, x, cin, number = Drawing("vgg16"), "input", 3, 0
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = draw.node("Relu", [draw.conv(x, f"features.{number}", cin, width, 3)], f"features.{number + 1}")
            cin, number = width, number + 2
        x = draw.node("MaxPool", [x], f"features.{number}", kernel_shape=[2, 2], strides=[2, 2])
        number += 1
    x = draw.node("Flatten", [x], "flat", axis=1)
    for number, cin, cout in ((0, 512 * 49, 4096), (3, 4096, 4096)):
        x = draw.node("Relu", [draw.classifier(x, f"classifier.{number}", cin, cout)], f"classifier.{number + 1}")
    draw.classifier(x, "classifier.6", 4096, 1000, "output")
    return draw.finish_image(224, {"output": ["batch", 1000]})


def tiny_cnn() -> onnx.ModelProto:
    """A network for tests and emulated boards: 1x3x32x32, ordinary, depthwise and pointwise convolutions."""
    draw = Drawing("tiny_cnn", epsilon=None)  # as it has been
    x = draw.block("input", "stem", 3, 16, 3, 2)
    x = draw.block(x, "depthwise1", 16, 16, 3, 1, 16)
    x = first = draw.block(x, "pointwise1", 16, 48, 1)
    x = draw.block(x, "depthwise2", 48, 48, 3, 1, 48)
    x = draw.block(x, "pointwise2", 48, 48, 1)
    x = draw.block(draw.node("Add", [first, x], "add"), "down", 48, 64, 3, 2)
    x = draw.node("Flatten", [draw.node("GlobalAveragePool", [x], "pool")], "flat", axis=1)
    draw.classifier(x, "classifier", 64, 10, "output")
    return draw.finish_image(32, {"output": ["batch", 10]})


DRAWN: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (vgg16, vit_tiny, ssdlite, unet, bert_mini, llama_prefill, llama_decode, gru_keywords, tiny_cnn)
}
# What needs gains: layers whose scale neither a normalisation nor a saturation settles.
CALIBRATED = ("vgg16", "ssdlite", "unet", "tiny_cnn")


def gains_of(name: str, model: onnx.ModelProto) -> dict[str, float]:
    """The gains of a drawn network."""
    if name not in CALIBRATED:
        return {}
    known = info(name)
    return calibrate(network.resize_graph(model, known.calibration_size or fill.SIZE, known.size))


def main() -> None:
    """Draw all, or the named ones."""
    for name in sys.argv[1:] or DRAWN:
        model = DRAWN[name]()
        write(name, model, gains_of(name, model))


if __name__ == "__main__":
    main()
