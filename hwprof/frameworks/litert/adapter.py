"""LiteRT (TensorFlow Lite) with its XNNPACK delegate or with its own kernels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.conversions import ONNX, Conversion, reached
from hwprof.frameworks.precision import QUANTISED, confirm, dot_product, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.tensorflow.adapter import QUIET, channels_first, channels_last
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array


# Operators that multiply, and the types of their tensors.
PRODUCTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"})
TYPES = {"int8": "int8", "uint8": "int8", "float32": "fp32", "float16": "fp16", "int32": "int32"}


class LiteRtModel:
    """An interpreter with its tensors allocated; the input is copied into it by each inference."""

    def __init__(self, interpreter: Any, module: Any, case: Case, count: int = 1) -> None:
        self._interpreter, self._module, self._case = interpreter, module, case
        self._input = interpreter.get_input_details()[0]["index"]
        self.results = in_order(interpreter.get_output_details(), count)
        self._outputs = [details["index"] for details in self.results]

    def bind(self, batch: Array) -> Array:
        """The images channels last."""
        return channels_last(batch)

    def infer(self, bound: Array) -> list[int]:
        """Copy in, run."""
        self._interpreter.set_tensor(self._input, bound)
        self._interpreter.invoke()
        return self._outputs

    def outputs(self, out: list[int]) -> list[Array]:
        """Copies of all outputs; a feature map is brought back to (batch, channels, height, width)."""
        return [channels_first(self._interpreter.get_tensor(index)) for index in out]

    def facts(self) -> Mapping[str, Any]:
        """Whether the delegate took the graph shows in its operators.

        Threads are not reported, hence `threads_asked`.
        """
        operators = [told["op_name"] for told in self._interpreter._get_ops_details()]
        return {
            "version": self._module.__version__,
            "threads_asked": self._case.threads,
            "delegates": sum(name == "DELEGATE" for name in operators),
            "operators": len(operators),
            "precision": self._case.precision,
            **(self._quantised() if self._case.precision in QUANTISED else {}),
        }

    def _quantised(self) -> Mapping[str, Any]:
        """Operators that multiply by the type of what they take; the delegate gets them with these types."""
        details = {told["index"]: told["dtype"].__name__ for told in self._interpreter.get_tensor_details()}
        products, kernels = [], []
        for told in self._interpreter._get_ops_details():
            kind = told["op_name"]
            if kind == "DELEGATE":
                continue
            types = [TYPES.get(details.get(int(index), ""), "") for index in told["inputs"][:2]]
            kernels.append(f"{kind} {types[0]}")
            if kind in PRODUCTS:
                products.append(types[0] if types[0] == types[-1] else "int8 weights only")
        return {
            "computed": confirm("LiteRT", "int8", tally(products)),
            "kernels": tally(kernels),
            "dot_product": dot_product(),
        }


def in_order(details: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """The outputs in the network's order, which the converter puts at the end of their names (none for the first).

    The file lists them in another one. Raises UnsupportedModel where they are not `count`, or names don't tell.
    """
    numbers = [re.search(r"[:_](\d+)$", str(one["name"])) for one in details]
    found = {int(number[1]) if number else 0: one for number, one in zip(numbers, details, strict=True)}
    if count == 1 and len(details) == 1:
        return list(details)
    if sorted(found) != list(range(count)) or len(details) != count:
        names = ", ".join(str(one["name"]) for one in details)
        raise UnsupportedModel(f"LiteRT's file has the outputs {names}, which are not {count} in an order")
    return [found[number] for number in range(count)]


class LiteRt(BuiltInAdapter):
    """Adapter of LiteRT: .onnx by TensorFlow operators and TensorFlow's converter, in TensorFlow's environment."""

    name = "litert"
    consumes = ("tflite",)
    precisions = ("fp32", "int8")
    options: Mapping[str, tuple[Any, ...]] = {"xnnpack": (True, False)}
    tunable = ("xnnpack",)
    every_output = True
    environment = Environment(
        ("ai-edge-litert",),
        "pip install 'hwprof[litert]'",
        "ai_edge_litert.interpreter",
        requirements=("ai-edge-litert==2.3.0", "numpy"),
        converter="tensorflow",
        converts_with=("tensorflow-cpu", "tensorflow"),
    )
    form_means = "LiteRT's flatbuffer"
    conversions = (
        Conversion(ONNX, "tf-function", "hwprof: a walk over the graph", "tensorflow"),
        Conversion("tf-function", "tflite", "TensorFlow's converter", "tensorflow"),
    )
    dli: Mapping[str, str] = {"TensorFlowLite": "", "TensorFlowLite Cpp": "cpp"}

    profile = profile_beside(__name__)

    def environ(self, case: Case) -> Mapping[str, str]:
        """Threads are given to the interpreter."""
        return {**QUIET, **super().environ(case)}

    def prepare(self, job: PrepareJob) -> Path:
        """A .tflite of the case's shape. Raises NotInstalled, UnsupportedModel with operator and node."""
        with import_of("tensorflow, which converts to .tflite,", "hwprof env create tensorflow"):
            import tensorflow as tf
        from hwprof.frameworks.tensorflow.graph import TfGraph

        network = TfGraph(job.source, job.input.shape, pads_apart=True)
        function = tf.function(network.walk, input_signature=[network.signature]).get_concrete_function()
        reached("tf-function")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], network)
        if job.case.precision in QUANTISED:

            def representative() -> Iterator[list[Array]]:
                for images in calibration.batches(job):
                    yield [channels_last(images)]

            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            # an operator without an integer kernel is an error, not one that runs in FP32 unseen
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        path = job.directory / "network.tflite"
        try:
            path.write_bytes(converter.convert())
        except Exception as error:  # its converter raises what it likes
            message = f"TensorFlow's converter can't convert the network: {reason_of(error)}"
            raise UnsupportedModel(message) from error
        return path

    def cache_key(self, case: Case) -> str:
        """The precision, and the conversion's own version; the shape is part of every key already."""
        return f"{'int8, ' if case.precision in QUANTISED else ''}static shape, conversion 2"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[LiteRtModel]:
        """An interpreter of `case.threads` threads. Raises NotInstalled, UnsupportedModel."""
        with import_of(self.name, self.environment.install):
            import ai_edge_litert
            from ai_edge_litert import interpreter as lite
        resolver = lite.OpResolverType
        kind = resolver.AUTO if case.option("xnnpack", True) else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            made = lite.Interpreter(str(artifact), num_threads=case.threads, experimental_op_resolver_type=kind)
            made.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise UnsupportedModel(f"LiteRT can't load the network: {reason_of(error)}") from error
        yield LiteRtModel(made, ai_edge_litert, case, max(1, len(spec.outputs)))


ADAPTER = LiteRt()
