"""ONNX Runtime on its CPU provider."""

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

XNNPACK = "XnnpackExecutionProvider"
LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}


class OnnxRuntimeModel:
    """A session with its one input and first output."""

    def __init__(self, session: Any, options: Any, module: Any, level: str) -> None:
        self._session, self._options, self._module, self._level = session, options, module, level
        self._names = [session.get_outputs()[0].name]
        self._input = session.get_inputs()[0].name

    def bind(self, batch: Array) -> dict[str, Any]:
        """The feed; the array lies in memory of the runtime's own, so that no run copies it."""
        return {self._input: self._module.OrtValue.ortvalue_from_numpy(batch)}

    def infer(self, bound: dict[str, Any]) -> Any:
        """One run; complete when it returns."""
        return self._session.run_with_ort_values(self._names, bound)

    def numpy(self, out: Any) -> Array:
        """A copy of the first output."""
        array: Array = out[0].numpy().copy()
        return array

    def facts(self) -> Mapping[str, Any]:
        """What the session says of itself."""
        options = self._session.get_session_options()
        spin = options.get_session_config_entry("session.intra_op.allow_spinning")
        return {
            "version": self._module.__version__,
            "build": self._module.get_build_info(),
            "threads": options.intra_op_num_threads,
            "inter_op_threads": options.inter_op_num_threads,
            "providers": self._session.get_providers(),
            "graph_level": self._level,
            "spin": spin == "1",
            "precision": "fp32",
        }


class OnnxRuntime:
    """Adapter of ONNX Runtime: reads .onnx as it is."""

    name = "onnxruntime"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"graph": tuple(LEVELS), "spin": (True, False), "xnnpack": (False, True)}
    tunable = ("graph", "spin", "xnnpack")
    environment = Environment(("onnxruntime",), "pip install 'hwprof[onnxruntime]'", "onnxruntime")

    def environ(self, case: Case) -> Mapping[str, str]:
        """Builds with OpenMP and the BLAS of numpy obey this; the default build has a pool of its own."""
        return {"OMP_NUM_THREADS": str(case.threads), "OPENBLAS_NUM_THREADS": "1"}

    def prepare(self, job: PrepareJob) -> Path:
        """Nothing to convert."""
        return job.source

    def cache_key(self, case: Case) -> str:
        """The artifact is the source, whatever the case."""
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OnnxRuntimeModel]:
        """A session with `case.threads` threads on the CPU provider. Raises UnsupportedModel, NotInstalled."""
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise NotInstalled("onnxruntime", self.environment.install) from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = case.threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        level = str(case.option("graph", "all"))
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[level])
        spin = "1" if case.option("spin", True) else "0"
        options.add_session_config_entry("session.intra_op.allow_spinning", spin)
        options.log_severity_level = 3
        providers: list[Any] = ["CPUExecutionProvider"]
        if case.option("xnnpack", False):
            if XNNPACK not in ort.get_available_providers():
                raise NotAvailable("this build of ONNX Runtime has no XNNPACK provider", "build it with --use_xnnpack")
            # XNNPACK has a pool of its own, and the other one must not spin beside it
            providers.insert(0, (XNNPACK, {"intra_op_num_threads": str(case.threads)}))
            options.intra_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = ort.InferenceSession(str(artifact), options, providers=providers)
        except Exception as error:  # its exception classes differ between versions
            said = str(error).strip().splitlines()[0][:300]
            raise UnsupportedModel(f"ONNX Runtime can't load the network: {said}") from error
        yield OnnxRuntimeModel(session, options, ort, level)


ADAPTER = OnnxRuntime()
