"""OpenVINO on its CPU plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable, NotInstalled, UnsupportedModel
from hwprof.frameworks.protocol import Environment, InputSpec, PrepareJob
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

# What is asked of the plugin, and what it tells of itself when it does so. Unasked, it takes bf16 on cores with AMX.
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
TOLD = {"f32": "fp32", "float32": "fp32", "bf16": "bf16", "bfloat16": "bf16", "f16": "fp16", "float16": "fp16"}


class OpenVinoModel:
    """A compiled model with one request."""

    def __init__(self, compiled: Any, core: Any, module: Any, precision: str) -> None:
        self._compiled, self._core, self._module, self._precision = compiled, core, module, precision
        self._request = compiled.create_infer_request()

    def bind(self, batch: Array) -> Any:
        """A tensor on the array's memory."""
        return self._module.Tensor(batch, shared_memory=True)

    def infer(self, bound: Any) -> Any:
        """One synchronous request."""
        self._request.set_input_tensor(bound)
        self._request.infer()
        return self._request.get_output_tensor(0)

    def numpy(self, out: Any) -> Array:
        """A copy: the request writes its next output to the same place."""
        array: Array = out.data.copy()
        return array

    def facts(self) -> Mapping[str, Any]:
        """What the plugin says that it does."""
        told = self._compiled.get_property
        return {
            "version": self._module.__version__,
            "plugin": self._core.get_versions("CPU")["CPU"].build_number,
            "threads": told("INFERENCE_NUM_THREADS"),
            "streams": told("NUM_STREAMS"),
            "hint": str(told("PERFORMANCE_HINT")).rsplit(".", 1)[-1],
            "pinning": told("ENABLE_CPU_PINNING"),
            "hyper_threading": told("ENABLE_HYPER_THREADING"),
            "denormals_are_zero": told("CPU_DENORMALS_OPTIMIZATION"),
            "simd": requirement(self._compiled, "isa"),
            "precision": self._precision,
        }


class OpenVino:
    """Adapter of OpenVINO: reads .onnx as it is, for the shape of the case."""

    name = "openvino"
    consumes = ("onnx",)
    precisions = tuple(PRECISIONS)
    options: Mapping[str, tuple[Any, ...]] = {"pinning": (True, False), "hyper_threading": (True, False)}
    tunable = ("pinning", "hyper_threading")
    environment = Environment(
        ("openvino",), "pip install 'hwprof[openvino]'", "openvino", requirements=("openvino==2026.4.1", "numpy<2.6")
    )

    def environ(self, case: Case) -> Mapping[str, str]:
        """Threads are TBB's and given to the plugin; numpy's BLAS gets one."""
        return {"OMP_NUM_THREADS": str(case.threads), "OPENBLAS_NUM_THREADS": "1"}

    def prepare(self, job: PrepareJob) -> Path:
        """Nothing to convert."""
        return job.source

    def cache_key(self, case: Case) -> str:
        """The artifact is the source, whatever the case."""
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OpenVinoModel]:
        """One stream of `case.threads` threads. Raises UnsupportedModel, NotInstalled, NotAvailable (no such precision)."""
        try:
            import openvino
        except ImportError as error:
            raise NotInstalled(self.name, self.environment.install) from error
        core = openvino.Core()
        asked = {
            "INFERENCE_NUM_THREADS": case.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": PRECISIONS[case.precision],
            "ENABLE_CPU_PINNING": bool(case.option("pinning", True)),
            "ENABLE_HYPER_THREADING": bool(case.option("hyper_threading", True)),
        }
        try:
            model = core.read_model(str(artifact))
            model.reshape(list(spec.shape))
            compiled = core.compile_model(model, "CPU", asked)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise UnsupportedModel(f"OpenVINO can't load the network: {(lines or ['no reason given'])[-1][:300]}") from error
        told = compiled.get_property("INFERENCE_PRECISION_HINT")
        precision = TOLD.get(told.to_string() if hasattr(told, "to_string") else str(told), str(told))
        if precision != case.precision:
            raise NotAvailable(
                f"OpenVINO computes {precision} on this CPU although {case.precision} was asked for",
                f"leave --precision {case.precision} to a CPU that has it",
            )
        yield OpenVinoModel(compiled, core, openvino, precision)


def requirement(compiled: Any, name: str) -> str | None:
    """A word of what the compiled model requires at run time, e.g. its instruction set; None where it isn't told."""
    try:
        words = str(compiled.get_property("RUNTIME_REQUIREMENTS")).split(";")
    except RuntimeError:  # older than 2025
        return None
    return dict(word.partition("=")[::2] for word in words).get(name)


ADAPTER = OpenVino()
