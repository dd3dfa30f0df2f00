"""OpenCV's DNN module on its own CPU backend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_inputs import TYPES, as_int32, require_types
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.precision import tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import Switch
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

FACTS = {
    "parallel": r"Parallel framework:\s*(.+)",
    "cpu_baseline": r"Baseline:\s*(.+)",
    "cpu_dispatch": r"Dispatched code generation:\s*(.+)",
    "lapack": r"Lapack:\s*(.+)",
}
# Layers that multiply, by their types (of OpenCV 4, then those that are OpenCV 5's alone), and the precision they do it
# in.
PRODUCTS = {
    **dict.fromkeys(("Convolution", "Deconvolution", "InnerProduct", "MatMul", "Gemm", "LSTM", "GRU", "RNN"), "fp32"),
    **dict.fromkeys(("ConvolutionInt8", "InnerProductInt8"), "int8"),
    **dict.fromkeys(("Conv2", "ConvTranspose2"), "fp32"),
    **dict.fromkeys(("Conv2Int8", "MatMulInt8", "GemmInt8"), "int8"),
}


class OpenCvModel:
    """A net; its input must be set before each forward pass, which is part of an inference."""

    def __init__(self, net: Any, cv2: Any, case: Case, outputs: Sequence[str] = ()) -> None:
        self._net, self._cv2, self._case, self._outputs = net, cv2, case, list(outputs)

    def bind(self, *batch: Array) -> Any:
        """The array itself: setInput takes it as it is. Raises UnsupportedModel for numbers beyond its types."""
        (array,) = batch
        return self.blob(array)

    def blob(self, array: Any) -> Any:
        """An array as setInput takes it: with an axis at least, and of a type that OpenCV 4 has.

        setInput would make int32 of int64 in every inference.
        """
        import numpy as np

        if array.dtype == np.int64:
            array = as_int32("OpenCV", array)
        elif array.dtype == np.bool_:
            array = array.astype(np.uint8)
        return array if array.ndim else array.reshape(1)

    def infer(self, bound: Any) -> Any:
        """setInput and forward. Without names of outputs, forward computes the last output only."""
        self._net.setInput(bound)
        return self._net.forward(self._outputs) if self._outputs else self._net.forward()

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs: the net writes its next ones to the same place."""
        return [array.copy() for array in (out if self._outputs else [out])]

    def computed(self) -> Mapping[str, int]:
        """Precision -> convolutions and matrix products in it, by the types of the net's layers."""
        layers = (self._net.getLayer(name).type for name in self._net.getLayerNames())
        return tally(PRODUCTS[kind] for kind in layers if kind in PRODUCTS)

    def facts(self) -> Mapping[str, Any]:
        """Threads as OpenCV has them now, and how it was built."""
        build = self._cv2.getBuildInformation()
        found = {name: re.search(pattern, build) for name, pattern in FACTS.items()}
        return {
            "version": self._cv2.__version__,
            "threads": self._cv2.getNumThreads(),
            "backend": "opencv",
            "target": "cpu",
            "precision": "fp32",
            "winograd": bool(self._case.option("winograd", True)),
            "fusion": bool(self._case.option("fusion", True)),
            **{name: match[1].strip() for name, match in found.items() if match},
        }


class NamedInputsModel(OpenCvModel):
    """A net of several inputs, each of which is set by its name before each forward pass."""

    def __init__(self, net: Any, cv2: Any, case: Case, outputs: Sequence[str], inputs: Sequence[str]) -> None:
        super().__init__(net, cv2, case, outputs)
        self._inputs = inputs

    def bind(self, *batch: Array) -> Any:
        """(array, name) of each input. Raises UnsupportedModel for numbers beyond OpenCV's types."""
        return [(self.blob(array), name) for array, name in zip(batch, self._inputs, strict=True)]

    def infer(self, bound: Any) -> Any:
        """setInput for each input, and forward."""
        for array, name in bound:
            self._net.setInput(array, name)
        return self._net.forward(self._outputs) if self._outputs else self._net.forward()


class OpenCv(BuiltInAdapter):
    """Adapter of OpenCV 4: reads .onnx of static shapes (with an open batch, a batch other than 1 comes out wrong)."""

    name = package = "opencv"
    title = "OpenCV"
    model: type[OpenCvModel] = OpenCvModel
    model_by_name: type[NamedInputsModel] = NamedInputsModel
    consumes = ("onnx",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"winograd": (True, False), "fusion": (True, False)}
    tunable: tuple[str, ...] = ("winograd", "fusion")
    every_output = every_input = True
    portable = True
    input_types: tuple[str, ...] = TYPES
    environment = Environment(
        ("opencv-python-headless", "opencv-python"), "pip install 'hwprof[opencv]'", "cv2", versions="<5"
    )
    switches: Mapping[str, Switch] = {
        "graph": Switch({"fusion": False}, "only the fusion of layers"),
        "spin": Switch(
            {
                "env.OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER": "0",
                "env.OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN": "0",
            },
            "the worker threads of its own pool",
        ),
        # Beyond its x86 baseline (SSE3); features that the CPU lacks may be named
        "simd": Switch(
            {"env.OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FMA3,AVX,FP16,SSE4.2,SSE4.1"},
            "its baseline (SSE3) stays",
        ),
    }
    form, form_means = "static-onnx", "ONNX of one static input shape"
    conversions: tuple[Conversion, ...] = (Conversion(ONNX, "static-onnx", "onnx: the shape fixed", "opencv"),)
    debian: tuple[str, ...] = ("python3-opencv",)
    dli: Mapping[str, str] = {"OpenCV DNN Python": "", "OpenCV DNN Cpp": "cpp"}

    profile = profile_beside(__name__)

    def prepare(self, job: PrepareJob) -> Path:
        """The same graph with its inputs' shapes fixed, in one file. Raises UnsupportedModel."""
        from hwprof.frameworks.opencv.static import write_static

        return write_static(job.source, job.input, job.directory / "static.onnx")

    def cache_key(self, case: Case) -> str:
        """The shape is part of every key already."""
        return "static shape"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OpenCvModel]:
        """A net with `case.threads` threads. Raises UnsupportedModel with operator and node, NotInstalled.

        Errors of OpenCV within the `with` block, as of an inference, become UnsupportedModel too.
        """
        with import_of(self.package, self.environment.install):
            import cv2
        require_types(self.title, spec, self.input_types)
        cv2.setNumThreads(case.threads)
        try:
            net = self.read(cv2, artifact, case)
            net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
            net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
            net.enableFusion(bool(case.option("fusion", True)))
            if hasattr(net, "enableWinograd"):
                net.enableWinograd(bool(case.option("winograd", True)))
        except cv2.error as error:
            raise UnsupportedModel(f"OpenCV can't read the network: {explain(error)}") from error
        layers = self.layers(net, artifact, spec.outputs)
        try:
            if spec.others:
                yield self.model_by_name(net, cv2, case, layers, [one.name for one in spec.inputs])
            else:
                yield self.model(net, cv2, case, layers)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:  # not the network's fault
                raise
            why = explain(error).rpartition(" error: ")[2]
            raise UnsupportedModel(f"{self.title} can't run the network: {why}", self.remedy(case)) from error

    def remedy(self, case: Case) -> str:
        """What may help where an inference fails; "": nothing is known."""
        return ""

    def layers(self, net: Any, artifact: Path, outputs: Sequence[str]) -> Sequence[str]:
        """What the net is asked for, in the order of `outputs`; nothing where there is one. Raises UnsupportedModel."""
        require_outputs(self.title, outputs, net.getUnconnectedOutLayersNames())
        return outputs

    def read(self, cv2: Any, artifact: Path, case: Case) -> Any:
        """The net of the artifact; an adapter of another reader or another OpenCV has its own."""
        return cv2.dnn.readNetFromONNX(str(artifact))


def explain(error: Exception) -> str:
    """Operator and node out of OpenCV's message, else its last line."""
    node = re.search(r"Node \[(?P<op>\w+)@?(?P<domain>[\w.]*)\]:\(?(?P<name>[^)\s]*)", str(error))
    if node:
        return f"operator {node['op']} of node {node['name'].strip('()')}"
    return reason_of(error, -1)


ADAPTER = OpenCv()
