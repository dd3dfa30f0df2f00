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
from hwprof.frameworks.named_inputs import TYPES as INPUT_TYPES
from hwprof.frameworks.named_inputs import require_types
from hwprof.frameworks.precision import QUANTISED, confirm, dot_product, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.tensorflow import layout
from hwprof.frameworks.tensorflow.adapter import QUIET
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array


# Operators that multiply, and the types of their tensors.
PRODUCTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"})
TYPES = {"int8": "int8", "uint8": "int8", "float32": "fp32", "float16": "fp16", "int32": "int32"}


class LiteRtModel:
    """An interpreter with its tensors allocated; the input is copied into it by each inference."""

    def __init__(
        self, interpreter: Any, module: Any, case: Case, signature: Any, layouts: tuple[list[bool], list[bool]]
    ) -> None:
        self._interpreter, self._module, self._case = interpreter, module, case
        self._inputs_last, self._outputs_last = layouts
        self.keys = layout.input_keys(len(self._inputs_last)), layout.output_keys(len(self._outputs_last))
        self._inputs = indices("inputs", signature.get_input_details(), self.keys[0])
        self._outputs = indices("outputs", signature.get_output_details(), self.keys[1])
        self._input = self._inputs[0]

    def bind(self, *batch: Array) -> Any:
        """Images channels last."""
        return layout.to_ours(batch[0], self._inputs_last[0])

    def infer(self, bound: Any) -> list[int]:
        """Copy in, run."""
        self._interpreter.set_tensor(self._input, bound)
        self._interpreter.invoke()
        return self._outputs

    def outputs(self, out: list[int]) -> list[Array]:
        """Copies of all outputs; a feature map is brought back to (batch, channels, height, width)."""
        found = (self._interpreter.get_tensor(index) for index in out)
        return [layout.to_graphs(array, last) for array, last in zip(found, self._outputs_last, strict=True)]

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


class SeveralInputsLiteRt(LiteRtModel):
    """An interpreter of several inputs, each copied into it by each inference."""

    def bind(self, *batch: Array) -> Any:
        """The arrays as they lie, in the network's order, each with its tensor's index."""
        arrays = [layout.to_ours(array, last) for array, last in zip(batch, self._inputs_last, strict=True)]
        return list(zip(self._inputs, arrays, strict=True))

    def infer(self, bound: Any) -> list[int]:
        """Copy all in, run."""
        for index, array in bound:
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return self._outputs


def indices(what: str, details: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> list[int]:
    """The tensors of a signature's keys, in their order. Raises UnsupportedModel where there are others."""
    if sorted(details) != sorted(keys):
        raise UnsupportedModel(f"LiteRT's file has the {what} {', '.join(details)}, and not {', '.join(keys)}")
    return [int(details[key]["index"]) for key in keys]


def explain(error: Exception) -> str:
    """Operators that .tflite has none for, as TensorFlow calls them, else the first line of its converter's reason."""
    missing = sorted(set(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", str(error))))
    return f".tflite has no operator for {', '.join(missing)}" if missing else reason_of(error)


class LiteRt(BuiltInAdapter):
    """Adapter of LiteRT: .onnx by TensorFlow operators and TensorFlow's converter, in TensorFlow's environment."""

    name = "litert"
    consumes = ("tflite",)
    precisions = ("fp32", "int8")
    options: Mapping[str, tuple[Any, ...]] = {"xnnpack": (True, False)}
    tunable = ("xnnpack",)
    every_output = every_input = True
    portable = True
    input_types = INPUT_TYPES
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

        require_types("LiteRT", job.input, self.input_types)
        if job.case.precision in QUANTISED:
            calibration.require_images(job.input)
        network = TfGraph(job.source, job.input.inputs, lite=True)
        function = tf.function(network.walk, input_signature=network.signature).get_concrete_function()
        reached("tf-function")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], network)
        if job.case.precision in QUANTISED:

            def representative() -> Iterator[list[Array]]:
                for images in calibration.batches(job):
                    yield [layout.to_ours(images, network.inputs_last[0])]

            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            # an operator without an integer kernel is an error, not one that runs in FP32 unseen
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        path = job.directory / "network.tflite"
        try:
            path.write_bytes(converter.convert())
        except Exception as error:  # its converter raises what it likes
            message = f"TensorFlow's converter can't convert the network: {explain(error)}"
            raise UnsupportedModel(message) from error
        layout.write(job.directory, network.inputs_last, network.outputs_last)
        return path

    def cache_key(self, case: Case) -> str:
        """The precision, and the conversion's own version; the shape is part of every key already."""
        return f"{'int8, ' if case.precision in QUANTISED else ''}static shape, conversion 3"

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
        layouts = layout.read(artifact.parent)
        model = SeveralInputsLiteRt if spec.others else LiteRtModel
        yield model(made, ai_edge_litert, case, made.get_signature_runner(), layouts)


ADAPTER = LiteRt()
