"""TensorFlow on the CPU: a SavedModel, run as a compiled function."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.frameworks.builtin import BuiltInAdapter, import_of
from hwprof.frameworks.conversions import ONNX, Conversion, reached
from hwprof.frameworks.named_inputs import TYPES, require_types
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import ONEDNN, Switch
from hwprof.frameworks.tensorflow import layout
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}


class TensorFlowModel:
    """A concrete function of one tensor."""

    def __init__(self, function: Any, module: Any, case: Case, layouts: tuple[list[bool], list[bool]]) -> None:
        self._function, self._module, self._case = function, module, case
        self._inputs_last, self._outputs_last = layouts

    def bind(self, *batch: Array) -> Any:
        """Images channels last."""
        return self.tensor(batch[0], self._inputs_last[0])

    def tensor(self, array: Any, last: bool) -> Any:
        """An array as it lies in the network."""
        return self._module.constant(layout.to_ours(array, last))

    def infer(self, bound: Any) -> Any:
        """One call; on a CPU it is complete when it returns."""
        return self._function(bound)

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs; a feature map is brought back to (batch, channels, height, width)."""
        found = out if isinstance(out, (list, tuple)) else [out]
        return [layout.to_graphs(v.numpy().copy(), last) for v, last in zip(found, self._outputs_last, strict=True)]

    def facts(self) -> Mapping[str, Any]:
        """Threads as TensorFlow has them, and how it was built."""
        tf = self._module
        build = tf.sysconfig.get_build_info()
        return {
            "version": tf.__version__,
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "") != "0",
            "xla": bool(self._case.option("xla", False)),
            "build": {name: str(value) for name, value in build.items()},
            "precision": "fp32",
        }


class SeveralInputsTensorFlow(TensorFlowModel):
    """A concrete function of several tensors, in the network's order."""

    def bind(self, *batch: Array) -> Any:
        """A tensor for each array."""
        return tuple(self.tensor(array, last) for array, last in zip(batch, self._inputs_last, strict=True))

    def infer(self, bound: Any) -> Any:
        """One call."""
        return self._function(*bound)


class TensorFlow(BuiltInAdapter):
    """Adapter of TensorFlow: .onnx by operators of our own, channels last."""

    name = "tensorflow"
    consumes = ("savedmodel",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"onednn": (True, False), "xla": (False, True)}
    tunable = ("onednn", "xla")
    every_output = every_input = True
    input_types = TYPES
    environment = Environment(
        ("tensorflow-cpu", "tensorflow"),
        "pip install 'hwprof[tensorflow]'",
        "tensorflow",
        requirements=("tensorflow-cpu==2.21.0", "onnx>=1.17"),
    )
    switches: Mapping[str, Switch] = {
        "simd": Switch(ONEDNN, "oneDNN's kernels alone; Eigen's keep what they were compiled for")
    }
    form_means = "TensorFlow's SavedModel"
    conversions = (
        Conversion(ONNX, "tf-function", "hwprof: a walk over the graph", "tensorflow"),
        Conversion("tf-function", "savedmodel", "TensorFlow: traced and saved", "tensorflow"),
    )
    no_profile = "its profiler traces threads and kernels of a fused function, not layers"
    dli: Mapping[str, str] = {"TensorFlow": ""}

    def environ(self, case: Case) -> Mapping[str, str]:
        """oneDNN is chosen before TensorFlow is loaded."""
        return {
            **QUIET,
            **super().environ(case),
            "TF_ENABLE_ONEDNN_OPTS": "1" if case.option("onednn", True) else "0",
        }

    def prepare(self, job: PrepareJob) -> Path:
        """A SavedModel of the case's shape. Raises NotInstalled, UnsupportedModel with operator and node."""
        with import_of(self.name, self.environment.install):
            import tensorflow as tf
        from hwprof.frameworks.tensorflow.graph import TfGraph

        require_types("TensorFlow", job.input, self.input_types)
        network = TfGraph(job.source, job.input.inputs)
        path = job.directory / "savedmodel"
        function = tf.function(network.walk, input_signature=network.signature)
        network.serve = function
        concrete = function.get_concrete_function()
        reached("tf-function")
        tf.saved_model.save(network, str(path), signatures=concrete)
        layout.write(job.directory, network.inputs_last, network.outputs_last)
        return path

    def cache_key(self, case: Case) -> str:
        """The shape, which is part of every key already, and the conversion's own version."""
        return "static shape, conversion 2"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[TensorFlowModel]:
        """`case.threads` threads within an operator, one between them. Raises NotInstalled."""
        with import_of(self.name, self.environment.install):
            import tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(case.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        network = tf.saved_model.load(str(artifact))
        function = network.serve
        if case.option("xla", False):
            function = tf.function(function, jit_compile=True)
        layouts = layout.read(artifact.parent)
        signature = [
            tf.TensorSpec(layout.stored(one.shape, last), tf.as_dtype(one.dtype))
            for one, last in zip(spec.inputs, layouts[0], strict=True)
        ]
        model = SeveralInputsTensorFlow if spec.others else TensorFlowModel
        yield model(function.get_concrete_function(*signature), tf, case, layouts)


ADAPTER = TensorFlow()
