"""OpenCV's DNN module on its own CPU backend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import Switch
from hwprof.networks.graph import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, Profiled

FACTS = {
    "parallel": r"Parallel framework:\s*(.+)",
    "cpu_baseline": r"Baseline:\s*(.+)",
    "cpu_dispatch": r"Dispatched code generation:\s*(.+)",
    "lapack": r"Lapack:\s*(.+)",
}


class OpenCvModel:
    """A net; its input must be set before each forward pass, which is part of an inference."""

    def __init__(self, net: Any, cv2: Any, case: Case, outputs: Sequence[str] = ()) -> None:
        self._net, self._cv2, self._case, self._outputs = net, cv2, case, list(outputs)

    def bind(self, batch: Array) -> Array:
        """The array itself: setInput takes it as it is."""
        return batch

    def infer(self, bound: Array) -> Any:
        """setInput and forward, which computes the last output only unless it is told of the others."""
        self._net.setInput(bound)
        return self._net.forward(self._outputs) if self._outputs else self._net.forward()

    def numpy(self, out: Any) -> Array:
        """A copy: the net writes its next output to the same place."""
        array: Array = out.copy()
        return array

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs."""
        return [array.copy() for array in out]

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


class OpenCv:
    """Adapter of OpenCV 4: reads .onnx of a static shape (with an open batch, a batch other than 1 comes out wrong)."""

    name = "opencv"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"winograd": (True, False), "fusion": (True, False)}
    tunable: tuple[str, ...] = ("winograd", "fusion")
    every_output = True
    environment = Environment(
        ("opencv-python-headless", "opencv-python"), "pip install 'hwprof[opencv]'", "cv2", versions="<5"
    )
    switches: Mapping[str, Switch] = {
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

    def environ(self, case: Case) -> Mapping[str, str]:
        """For builds on OpenMP; the usual ones take the number from setNumThreads."""
        return {"OMP_NUM_THREADS": str(case.threads), "OPENBLAS_NUM_THREADS": "1"}

    def prepare(self, job: PrepareJob) -> Path:
        """The same graph with its input's shape fixed."""
        import onnx

        model = onnx.load(str(job.source))
        dims = model.graph.input[0].type.tensor_type.shape.dim
        if [d.dim_value for d in dims] == list(job.input.shape):
            return job.source
        for dim, value in zip(dims, job.input.shape, strict=True):
            dim.dim_value = value
        for output in model.graph.output:
            batch = output.type.tensor_type.shape.dim
            if batch and not batch[0].dim_value:
                batch[0].dim_value = job.input.shape[0]
        del model.graph.value_info[:]
        path = job.directory / "static.onnx"
        onnx.save(model, str(path))
        return path

    def cache_key(self, case: Case) -> str:
        """The shape is part of every key already."""
        return "static shape"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OpenCvModel]:
        """A net with `case.threads` threads. Raises UnsupportedModel with operator and node, NotInstalled."""
        try:
            import cv2
        except ImportError as error:
            raise NotInstalled("opencv", self.environment.install) from error
        cv2.setNumThreads(case.threads)
        try:
            net = cv2.dnn.readNetFromONNX(str(artifact))
            self.configure(net, cv2, case)
        except cv2.error as error:
            raise UnsupportedModel(f"OpenCV can't read the network: {explain(str(error))}") from error
        require_outputs("OpenCV", spec.outputs, net.getUnconnectedOutLayersNames())
        yield OpenCvModel(net, cv2, case, spec.outputs)

    def configure(self, net: Any, cv2: Any, case: Case) -> None:
        """Backend, target and the options of the case."""
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        net.enableFusion(bool(case.option("fusion", True)))
        if hasattr(net, "enableWinograd"):
            net.enableWinograd(bool(case.option("winograd", True)))

    def profile(self, artifact: Path, case: Case, spec: InputSpec) -> AbstractContextManager[Profiled]:
        """See profile.py, which a measured run does not load."""
        from hwprof.frameworks.opencv.profile import profile

        return profile(self, artifact, case, spec)


def explain(text: str) -> str:
    """Operator and node out of OpenCV's message, else its last line."""
    node = re.search(r"Node \[(?P<op>\w+)@?(?P<domain>[\w.]*)\]:\(?(?P<name>[^)\s]*)", text)
    if node:
        return f"operator {node['op']} of node {node['name'].strip('()')}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given"


ADAPTER = OpenCv()
