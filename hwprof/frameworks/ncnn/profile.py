"""ncnn, stepped: one extractor per inference is asked for each layer's output in turn.

An extractor keeps the blobs it has, so that each request computes exactly the layers that are still missing: one. Its
layers of type Split copy nothing and are counted with the layer after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.ncnn.pnnx import Line, lines
from hwprof.frameworks.profiles.proxy import profile_by
from hwprof.frameworks.profiles.timed import Timed
from hwprof.frameworks.protocol import Step

if TYPE_CHECKING:
    from hwprof.frameworks.ncnn.adapter import NcnnModel

PACKED = 1  # of extract: the blob in ncnn's own packing, not unpacked for the caller
# Where a layer's parameters say how many elements its weights have.
WEIGHTS = {"Convolution": 6, "ConvolutionDepthWise": 6, "Deconvolution": 6, "InnerProduct": 2}
KINDS = {
    **{kind: kind for kind in ("HardSwish", "HardSigmoid", "Sigmoid", "Softmax", "Concat", "Reshape", "Flatten")},
    "Convolution": "Conv",
    "ConvolutionDepthWise": "Conv",
    "Deconvolution": "ConvTranspose",
    "InnerProduct": "Gemm",
    "ReLU": "Relu",
    "ReLU6": "Clip",
    "Clip": "Clip",
    "BatchNorm": "BatchNormalization",
    "Slice": "Split",
    "Permute": "Transpose",
    "Reduction": "ReduceMean",
    "MatMul": "MatMul",
    "Embed": "Gather",
    "LayerNorm": "LayerNormalization",
    "Gemm": "Gemm",
    "Padding": "Pad",
    **{kind: kind for kind in ("LSTM", "GRU", "RNN")},
}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div"}


def kind_of(layer: Line) -> str:
    """The ONNX operator that a layer computes; "": none that we know."""
    if layer.type == "BinaryOp":
        return BINARY.get(int(layer.parameters.get(0, "0")), "")
    if layer.type == "Pooling":
        pool = "AveragePool" if layer.parameters.get(0, "0") == "1" else "MaxPool"
        return f"Global{pool}" if layer.parameters.get(4, "0") == "1" else pool
    return KINDS.get(layer.type, "")


class SteppedNet(Timed):
    """A net whose blobs are extracted in turn."""

    def __init__(self, model: NcnnModel, layers: Sequence[Line]) -> None:
        super().__init__(model)
        self._ncnn = model
        self._source = {top: layer.bottoms[0] for layer in layers if layer.type == "Split" for top in layer.tops}
        self._layers = [layer for layer in layers if layer.type not in ("Input", "Split")]
        self._elements: list[int] = []

    def infer(self, bound: Any) -> Any:
        """One pass, layer by layer. The outputs come unpacked, as without profiling."""
        self.inferences += 1
        extractor = self._ncnn._net.create_extractor()
        self._ncnn.feed(extractor, bound)
        out, kept = None, {}
        for number, layer in enumerate(self._layers):
            top = layer.tops[0]
            out = None  # without another reference the layer can compute in place, as without profiling
            self.start()
            code, out = extractor.extract(top, 0 if top in self._ncnn._outputs else PACKED)
            self.stop(number)
            if code != 0:
                raise UnsupportedModel(f"ncnn ended with code {code} at layer {layer.name}")
            if len(self._elements) == number:
                self._elements.append(out.w * out.h * out.d * out.c * out.elempack * getattr(out, "n", 1))
            if top in self._ncnn._outputs:
                kept[top] = out
        # what comes out of a Split is there already
        return [kept[n] if n in kept else extractor.extract(n)[1] for n in self._ncnn._outputs]

    def steps(self) -> Sequence[Step]:
        """The net's layers; one without a node of its own goes on with the layer that gives its last input."""
        made: dict[str, int] = {}
        found = []
        for number, layer in enumerate(self._layers):
            bottoms = (self._source.get(blob, blob) for blob in layer.bottoms)
            found.append(
                Step(
                    layer.name,
                    layer.type,
                    self.ns(number),
                    counts=self.counts(number),
                    kind=kind_of(layer),
                    form=form(layer, self._elements[number]),
                    into=max((made[blob] for blob in bottoms if blob in made), default=None),
                    parts=parts(layer, self._elements[number]),
                )
            )
            made |= dict.fromkeys(layer.tops, number)
        return found


def form(layer: Line, elements: int) -> tuple[int, ...]:
    """What the layer has in common with its node: elements of its (largest) weights, and of its output."""
    if layer.type == "Gemm":  # C = A B, of M x K and K x N; the constant one is the weights
        m, n, k = (number(layer, place) for place in (7, 8, 9))
        return (max(m * k * number(layer, 4), n * k * number(layer, 5)), elements)
    if layer.type == "MatMul":  # of two activations
        return (0, elements)
    if layer.type in GATES:  # weights of the input, and of the state
        directions = 2 if number(layer, 2) == 2 else 1
        own = (number(layer, 3) if layer.type == "LSTM" else 0) or number(layer, 0)
        return (max(number(layer, 1), GATES[layer.type] * own * number(layer, 0) * directions), elements)
    place = WEIGHTS.get(layer.type)
    return (elements,) if place is None else (number(layer, place), elements)


def parts(layer: Line, elements: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The products of a self-attention: of query, key and value, of their scores and of the mixture, of the output.

    Empty for any other layer: of other attentions the lengths are not in the file.
    """
    if layer.type != "MultiHeadAttention" or len(layer.bottoms) != 1 or not number(layer, 0):
        return ()
    width, heads = number(layer, 0), number(layer, 1)
    steps = elements // width
    projections = [width * (number(layer, place) or width) for place in (3, 4)]
    weights = [number(layer, 2), *projections, number(layer, 2)]
    products = [(size, elements) for size in weights]
    return tuple(("MatMul", one) for one in (*products, (0, heads * steps * steps), (0, elements)))


def number(layer: Line, place: int) -> int:
    """A whole number among the parameters of a layer; 0 where it is not there, as ncnn has it."""
    return int(layer.parameters.get(place, "0"))


profile = profile_by(lambda model, artifact: SteppedNet(model, lines(artifact.read_text())))
