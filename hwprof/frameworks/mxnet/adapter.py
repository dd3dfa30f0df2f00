"""Apache MXNet 1.9.1 (retired, but the source of many published figures): a symbol built from the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.mxnet import int8
from hwprof.frameworks.named_inputs import require_inputs, require_types
from hwprof.frameworks.precision import QUANTISED
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import ONEDNN, OPENMP, Switch
from hwprof.frameworks.walk import Attributes, OnnxGraph, check_product, clip_limits, even_pads, integers
from hwprof.networks.inputs import InputSpec, TensorSpec
from hwprof.printable import plural
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array


class MxnetModel:
    """A bound executor; the input is copied into it by each inference."""

    def __init__(self, executor: Any, mx: Any, names: Sequence[str], case: Case, symbol: Any) -> None:
        self._executor, self._mx, self._case, self._symbol = executor, mx, case, symbol
        self._places = [executor.arg_dict[name] for name in names]
        self._place = self._places[0]

    def bind(self, *batch: Array) -> Any:
        """An array of MXNet's own."""
        return self._mx.nd.array(batch[0], dtype="float32")

    def infer(self, bound: Any) -> Any:
        """Copy in, one pass. MXNet computes asynchronously: wait for the output."""
        bound.copyto(self._place)
        out = self._executor.forward(is_train=False)[0]
        out.wait_to_read()
        return out

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs."""
        return [array.asnumpy() for array in (out if isinstance(out, list) else [out])]

    def facts(self) -> Mapping[str, Any]:
        """Version and features of the build. The threads are OpenMP's, and MXNet does not report them."""
        features = self._mx.runtime.Features()
        return {
            "version": self._mx.__version__,
            "threads_asked": self._case.threads,
            "features": sorted(name for name in features if features.is_enabled(name)),
            "precision": self._case.precision,
            **(int8.facts(self._symbol) if self._case.precision in QUANTISED else {}),
        }


class SeveralInputsMxnet(MxnetModel):
    """A bound executor of several inputs."""

    def bind(self, *batch: Array) -> Any:
        """An array of MXNet's own for each input."""
        return [self._mx.nd.array(array if array.ndim else array.reshape(1), dtype="float32") for array in batch]

    def infer(self, bound: Any) -> Any:
        """Copy every input in, one pass, and wait for every output."""
        for array, place in zip(bound, self._places, strict=True):
            array.copyto(place)
        found = self._executor.forward(is_train=False)
        for out in found:
            out.wait_to_read()
        return found


class SeveralOutputsModel(MxnetModel):
    """A bound executor of one input and several outputs."""

    def infer(self, bound: Any) -> Any:
        """Copy in, one pass, and wait for every output."""
        bound.copyto(self._place)
        found = self._executor.forward(is_train=False)
        for out in found:
            out.wait_to_read()
        return found


class Mxnet(BuiltInAdapter):
    """Adapter of MXNet: .onnx as a symbol and its parameters."""

    name = "mxnet"
    consumes = ("mxnet",)
    precisions = ("fp32", "int8")
    options: Mapping[str, tuple[Any, ...]] = {"onednn": (True, False)}
    tunable = ("onednn",)
    every_output = every_input = True
    input_types = ("float32",)
    call = "copyto, forward"  # until it was this, `forward` was given the input, which it assigns by way of a slice
    environment = Environment(
        ("mxnet",),
        "hwprof env create mxnet",
        "mxnet",
        requirements=("mxnet==1.9.1", "numpy<1.24", "onnx>=1.15"),
        pythons=">=3.11,<3.12",
    )
    switches: Mapping[str, Switch] = {"spin": Switch(OPENMP), "simd": Switch(ONEDNN, "oneDNN's kernels alone")}
    form_means = "a symbol and its parameters"
    conversions = (Conversion(ONNX, "mxnet", "hwprof: a walk over the graph", "mxnet"),)
    dli: Mapping[str, str] = {"MXNet": ""}

    profile = profile_beside(__name__)

    def environ(self, case: Case) -> Mapping[str, str]:
        """Threads are OpenMP's; the engine gets no more than one of its own."""
        return {
            **super().environ(case),
            "MXNET_CPU_WORKER_NTHREADS": "1",
            "MXNET_ONEDNN_ENABLED": "1" if case.option("onednn", True) else "0",
            "MXNET_MKLDNN_ENABLED": "1" if case.option("onednn", True) else "0",
            # operators are fused when the symbol is loaded, see load(); not once more when it is bound
            "MXNET_SUBGRAPH_BACKEND": "NONE",
        }

    def prepare(self, job: PrepareJob) -> Path:
        """A symbol (.json) and its parameters. Raises NotInstalled, UnsupportedModel with operator and node."""
        mx = self._module()
        require_types("MXNet", job.input, self.input_types)
        symbol, constants = build(mx, job.source, job.input.inputs)
        parameters: Mapping[str, Any] = {n: mx.nd.array(v, dtype="float32") for n, v in constants.items()}
        if job.case.precision in QUANTISED:
            int8.require_onednn(job.case)
            calibration.require_images(job.input)
            symbol, parameters = int8.quantise(mx, symbol, parameters, job.input.name, job)
        path = job.directory / "network.json"
        symbol.save(str(path))
        mx.nd.save(str(path.with_suffix(".params")), dict(parameters))
        return path

    def cache_key(self, case: Case) -> str:
        """The symbol is the same for every case of a precision; its shape is given when it is bound."""
        return "int8" if case.precision in QUANTISED else ""

    def _module(self) -> Any:
        with import_of(self.name, self.environment.install):
            import mxnet
        return mxnet

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[MxnetModel]:
        """The symbol bound for the case's shape. Raises NotInstalled, NotAvailable, UnsupportedModel."""
        mx = self._module()
        shapes = {one.name: one.shape or (1,) for one in spec.inputs}
        # a file without any is loaded as an empty list
        parameters: Mapping[str, Any] = mx.nd.load(str(artifact.with_suffix(".params"))) or {}
        symbol = mx.sym.load(str(artifact))
        require_inputs("MXNet", spec, [name for name in symbol.list_arguments() if name in shapes])
        types = None
        if case.precision in QUANTISED:  # fused already, with integers among the parameters
            int8.require_onednn(case)
            types = {**dict.fromkeys(shapes, "float32"), **{n: v.dtype for n, v in parameters.items()}}
        try:
            if types is None and case.option("onednn", True):
                symbol = symbol.optimize_for("MKLDNN")
            executor = symbol.simple_bind(mx.cpu(), grad_req="null", type_dict=types, **shapes)
            arguments = set(symbol.list_arguments())
            executor.copy_params_from(
                {n: v for n, v in parameters.items() if n in arguments},
                {n: v for n, v in parameters.items() if n not in arguments},
            )
        except (mx.MXNetError, RuntimeError) as error:
            raise UnsupportedModel(f"MXNet can't bind the network: {reason_of(error, -1)}") from error
        given = len(symbol.list_outputs())
        if given != max(1, len(spec.outputs)):
            raise UnsupportedModel(
                f"MXNet's symbol gives {given} of the network's {plural(len(spec.outputs), 'output')}"
            )
        model = SeveralInputsMxnet if spec.others else SeveralOutputsModel if spec.outputs else MxnetModel
        yield model(executor, mx, list(shapes), case, symbol)


def build(mx: Any, path: Path, inputs: Sequence[TensorSpec]) -> tuple[Any, dict[str, Any]]:
    """(symbol, parameters by name) of an .onnx file. Raises UnsupportedModel."""
    graph = OnnxGraph(path, "MXNet", OPERATORS, inputs)
    constants = graph.constants
    values: dict[str, Any] = {name: mx.sym.Variable(name) for name in graph.sources}
    used: dict[str, Any] = {}

    def weight(name: str) -> Any:
        used[name] = constants[name] if constants[name].ndim else constants[name].reshape(1)  # it has no scalars
        return mx.sym.Variable(name, shape=used[name].shape)

    for node in graph.nodes:
        given = [NodeInputs(n, values.get(n), constants.get(n), weight) for n in node.inputs]
        made = graph.convert(node, mx, node.attributes, given, node.label.strip("/").replace("/", "_"))
        for index, name in enumerate(node.outputs):
            values[name] = made[index] if len(node.outputs) > 1 else made
    if lost := [name for name in graph.results if name not in values]:
        raise UnsupportedModel(f"MXNet: output {lost[0]} is a constant, which is no symbol")
    found = [values[name] for name in graph.results]
    return found[0] if len(found) == 1 else mx.sym.Group(found), used


class NodeInputs:
    """An input of a node: a symbol, or a constant that becomes a variable where it is used as one."""

    def __init__(self, name: str, symbol: Any, value: Any, weight: Callable[[str], Any]) -> None:
        self.name, self._symbol, self.value, self._weight = name, symbol, value, weight

    @property
    def symbol(self) -> Any:
        return self._symbol if self._symbol is not None else self._weight(self.name)


Inputs = Sequence[NodeInputs]


def _conv(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    weight = given[1].value
    return mx.sym.Convolution(
        given[0].symbol,
        *[g.symbol for g in given[1:]],
        kernel=tuple(weight.shape[2:]),
        num_filter=weight.shape[0],
        stride=tuple(a.get("strides", [1, 1])),
        dilate=tuple(a.get("dilations", [1, 1])),
        pad=even_pads(a),
        num_group=a.get("group", 1),
        no_bias=len(given) < 3,
        name=label,
    )


def _batch_norm(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    return mx.sym.BatchNorm(
        *[g.symbol for g in given[:5]],
        eps=a.get("epsilon", 1e-5),
        fix_gamma=False,
        use_global_stats=True,
        name=label,
    )


def _gemm(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    check_product(a)
    if not a.get("transB", 0):
        raise ValueError("transB = 0 is not supported")
    hidden = given[1].value.shape[0]
    symbols = [g.symbol for g in given]
    return mx.sym.FullyConnected(*symbols, num_hidden=hidden, no_bias=len(given) < 3, flatten=False, name=label)


def _pool(kind: str) -> Callable[..., Any]:
    def make(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
        pads = even_pads(a)
        ceil = bool(a.get("ceil_mode", 0))
        if kind == "avg" and any(pads) and not a.get("count_include_pad", 0):
            raise ValueError("averages without their padding")
        return mx.sym.Pooling(
            given[0].symbol,
            kernel=tuple(a["kernel_shape"]),
            stride=tuple(a.get("strides", [1, 1])),
            pad=pads,
            pool_type=kind,
            # "full" is a ceiling
            pooling_convention="full" if ceil else "valid",
            name=label,
        )

    return make


def _clip(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    low, high = clip_limits(a, [g.value for g in given])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("a limit that is absent or no constant")
    return mx.sym.clip(given[0].symbol, low, high, name=label)


def _hard_sigmoid(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    return mx.sym.hard_sigmoid(given[0].symbol, alpha=a.get("alpha", 0.2), beta=a.get("beta", 0.5), name=label)


def _hard_swish(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    x = given[0].symbol
    return mx.sym.broadcast_mul(x, mx.sym.hard_sigmoid(x, alpha=1 / 6, beta=0.5), name=label)


def _mean(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    axes = tuple(integers(a, "axes", [g.value for g in given]))
    return mx.sym.mean(given[0].symbol, axis=axes, keepdims=bool(a.get("keepdims", 1)), name=label)


def _reshape(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    return mx.sym.reshape(given[0].symbol, shape=tuple(integers(a, "shape", [g.value for g in given])), name=label)


def _split(mx: Any, a: Attributes, given: Inputs, label: str) -> Any:
    sizes = integers(a, "split", [g.value for g in given])
    edges = [sum(sizes[:i]) for i in range(len(sizes))]
    return mx.sym.split_v2(given[0].symbol, tuple(edges[1:]), axis=a.get("axis", 0))


def _activation(kind: str) -> Callable[..., Any]:
    return lambda mx, a, given, label: mx.sym.Activation(given[0].symbol, act_type=kind, name=label)


def _binary(name: str) -> Callable[..., Any]:
    return lambda mx, a, given, label: getattr(mx.sym, name)(given[0].symbol, given[1].symbol, name=label)


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MaxPool": _pool("max"),
    "AveragePool": _pool("avg"),
    "GlobalAveragePool": lambda mx, a, given, label: mx.sym.Pooling(
        given[0].symbol, global_pool=True, pool_type="avg", kernel=(1, 1), name=label
    ),
    "ReduceMean": _mean,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Relu": _activation("relu"),
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Softmax": lambda mx, a, given, label: mx.sym.softmax(given[0].symbol, axis=a.get("axis", -1), name=label),
    "Dropout": lambda mx, a, given, label: mx.sym.identity(given[0].symbol, name=label),
    "Identity": lambda mx, a, given, label: mx.sym.identity(given[0].symbol, name=label),
    "Add": _binary("broadcast_add"),
    "Sub": _binary("broadcast_sub"),
    "Mul": _binary("broadcast_mul"),
    "Div": _binary("broadcast_div"),
    "Concat": lambda mx, a, given, label: mx.sym.concat(*[g.symbol for g in given], dim=a["axis"], name=label),
    "Reshape": _reshape,
    "Transpose": lambda mx, a, given, label: mx.sym.transpose(given[0].symbol, axes=tuple(a["perm"]), name=label),
    "Flatten": lambda mx, a, given, label: mx.sym.flatten(given[0].symbol, name=label),
    "Split": _split,
}

ADAPTER = Mxnet()
