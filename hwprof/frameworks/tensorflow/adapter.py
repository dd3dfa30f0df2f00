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
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import ONEDNN, Switch
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}


def channels_last(batch: Array) -> Array:
    """Images (batch, channels, height, width) as TensorFlow's own networks take them."""
    import numpy as np

    return np.ascontiguousarray(batch.transpose(0, 2, 3, 1))


def channels_first(array: Array) -> Array:
    """A feature map brought back to (batch, channels, height, width); anything else as it is."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


class TensorFlowModel:
    """A concrete function of one channels-last tensor."""

    def __init__(self, function: Any, module: Any, case: Case) -> None:
        self._function, self._module, self._case = function, module, case

    def bind(self, batch: Array) -> Any:
        """The images channels last."""
        return self._module.constant(channels_last(batch))

    def infer(self, bound: Any) -> Any:
        """One call; on a CPU it is complete when it returns."""
        return self._function(bound)

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs; a feature map is brought back to (batch, channels, height, width)."""
        return [channels_first(v.numpy().copy()) for v in (out if isinstance(out, (list, tuple)) else [out])]

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


class TensorFlow(BuiltInAdapter):
    """Adapter of TensorFlow: .onnx by operators of our own, channels last."""

    name = "tensorflow"
    consumes = ("savedmodel",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"onednn": (True, False), "xla": (False, True)}
    tunable = ("onednn", "xla")
    every_output = True
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

        network = TfGraph(job.source, job.input.shape)
        path = job.directory / "savedmodel"
        function = tf.function(network.walk, input_signature=[network.signature])
        network.serve = function
        concrete = function.get_concrete_function()
        reached("tf-function")
        tf.saved_model.save(network, str(path), signatures=concrete)
        return path

    def cache_key(self, case: Case) -> str:
        """The shape, which is part of every key already."""
        return "static shape"

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
        batch, channels, *sides = spec.shape
        concrete = function.get_concrete_function(tf.TensorSpec((batch, *sides, channels), tf.float32))
        yield TensorFlowModel(concrete, tf, case)


ADAPTER = TensorFlow()
