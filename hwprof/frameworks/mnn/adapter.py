"""MNN on its CPU backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

# getSessionInfo's codes: memory in MB, multiply-accumulates in 10^6 per second counted by MNN, backend.
MEMORY_MB, MFLOPS = 0, 1
# setSessionHint's code: how large the tiles of Winograd convolutions may be. By itself MNN takes 3, whose largest tiles
# put ResNet-50's outputs off by 1.2 % of the largest one; 2 is as fast, and within 1e-4.
WINOGRAD_LEVEL = 3


class MnnModel:
    """A session; its input is copied into MNN's own layout by each inference, its output back out of it."""

    def __init__(self, interpreter: Any, session: Any, module: Any, case: Case, outputs: Sequence[str] = ()) -> None:
        self._interpreter, self._session, self._module, self._case = interpreter, session, module, case
        self._input = interpreter.getSessionInput(session)
        self._output = interpreter.getSessionOutput(session)
        named = [interpreter.getSessionOutput(session, name) for name in outputs]
        self._outputs = named or [self._output]

    def bind(self, batch: Array) -> tuple[Any, Array]:
        """A host tensor in NCHW order, with the array to keep its memory alive."""
        module = self._module
        return module.Tensor(batch.shape, module.Halide_Type_Float, batch, module.Tensor_DimensionType_Caffe), batch

    def infer(self, bound: tuple[Any, Array]) -> Any:
        """Copy in, run."""
        self._input.copyFrom(bound[0])
        self._interpreter.runSession(self._session)
        return self._output

    def outputs(self, out: Any) -> list[Array]:
        """All outputs, copied out of MNN's layout; a session computes every one."""
        return [self._read(tensor) for tensor in self._outputs]

    def _read(self, out: Any) -> Array:
        """A tensor as float32 or int32."""
        import numpy as np

        module, shape = self._module, out.getShape()
        whole = out.getDataType() == module.Halide_Type_Int
        kind, dtype = (module.Halide_Type_Int, np.int32) if whole else (module.Halide_Type_Float, np.float32)
        host = module.Tensor(shape, kind, np.zeros(shape, dtype), module.Tensor_DimensionType_Caffe)
        out.copyToHostTensor(host)
        return np.array(host.getNumpyData(), dtype).reshape(shape)

    def facts(self) -> Mapping[str, Any]:
        """Memory and work as MNN reports them, and `threads_asked`: MNN does not report its threads."""
        told = self._interpreter.getSessionInfo
        return {
            "version": self._module.version(),
            "threads_asked": self._case.threads,
            "memory_mb": told(self._session, MEMORY_MB),
            "mflops": told(self._session, MFLOPS),
            "winograd_level": self._case.option("winograd_level", 2),
            "precision": self._case.precision,
        }


class Mnn(BuiltInAdapter):
    """Adapter of MNN: .onnx by its own converter."""

    name = "mnn"
    consumes = ("mnn",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"winograd_level": (2, 0, 1, 3)}
    every_output = True
    environment = Environment(("MNN",), "pip install 'hwprof[mnn]'", "MNN", requirements=("MNN==3.6.1", "numpy"))
    form_means = ".mnn"
    conversions = (Conversion(ONNX, "mnn", "MNN's converter", "mnn"),)

    profile = profile_beside(__name__)

    def prepare(self, job: PrepareJob) -> Path:
        """An .mnn file. Raises UnsupportedModel."""
        with import_of(self.name, self.environment.install):
            # Not MNN.tools.mnnconvert, which installs a package for its maker's telemetry when it is imported.
            import _tools
        path = job.directory / "network.mnn"
        words = ["mnnconvert", "-f", "ONNX", "--modelFile", str(job.source), "--MNNModel", str(path)]
        _tools.mnnconvert([*words, "--bizCode", "hwprof", "--keepInputFormat", "1"])
        if not path.exists():
            raise UnsupportedModel("MNN's converter made no file; the worker's output names the operator")
        return path

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[MnnModel]:
        """A session of `case.threads` threads in full precision. Raises UnsupportedModel, NotInstalled."""
        with import_of(self.name, self.environment.install):
            import MNN
        interpreter = MNN.Interpreter(str(artifact))
        interpreter.setSessionHint(WINOGRAD_LEVEL, int(case.option("winograd_level", 2) or 0))
        session = interpreter.createSession({"backend": "CPU", "precision": "high", "numThread": case.threads})
        if session is None:
            raise UnsupportedModel("MNN can't make a session of the network; the worker's output says more")
        entry = interpreter.getSessionInput(session)
        if tuple(entry.getShape()) != spec.shape:
            interpreter.resizeTensor(entry, spec.shape)
            interpreter.resizeSession(session)
        require_outputs("MNN", spec.outputs, interpreter.getSessionOutputAll(session))
        yield MnnModel(interpreter, session, MNN, case, spec.outputs)


ADAPTER = Mnn()
