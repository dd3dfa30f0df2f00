"""MNN on its CPU backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks.graph import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, Profiled

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
        self._outputs = [interpreter.getSessionOutput(session, name) for name in outputs]

    def bind(self, batch: Array) -> tuple[Any, Array]:
        """A host tensor in NCHW order, with the array to keep its memory alive."""
        module = self._module
        return module.Tensor(batch.shape, module.Halide_Type_Float, batch, module.Tensor_DimensionType_Caffe), batch

    def infer(self, bound: tuple[Any, Array]) -> Any:
        """Copy in, run."""
        self._input.copyFrom(bound[0])
        self._interpreter.runSession(self._session)
        return self._output

    def numpy(self, out: Any) -> Array:
        """The output copied out of MNN's layout."""
        import numpy as np

        return self._copied(out, self._module.Halide_Type_Float, np.float32)

    def _copied(self, tensor: Any, kind: Any, dtype: Any) -> Array:
        import numpy as np

        module, shape = self._module, tensor.getShape()
        place = np.zeros(shape, dtype)
        host = module.Tensor(shape, kind, place, module.Tensor_DimensionType_Caffe)
        tensor.copyToHostTensor(host)
        return np.array(host.getNumpyData(), dtype).reshape(shape)

    def outputs(self, out: Any) -> list[Array]:
        """All outputs copied out of MNN's layout, float32 or int32; a session computes every one."""
        import numpy as np

        whole = self._module.Halide_Type_Int
        return [
            self._copied(tensor, whole, np.int32) if tensor.getDataType() == whole else self.numpy(tensor)
            for tensor in self._outputs
        ]

    def facts(self) -> Mapping[str, Any]:
        """MNN tells its memory and work, but not its threads: what was asked for is marked so."""
        told = self._interpreter.getSessionInfo
        return {
            "version": self._module.version(),
            "threads_asked": self._case.threads,
            "memory_mb": told(self._session, MEMORY_MB),
            "mflops": told(self._session, MFLOPS),
            "winograd_level": self._case.option("winograd_level", 2),
            "precision": self._case.precision,
        }


class Mnn:
    """Adapter of MNN: .onnx by its own converter."""

    name = "mnn"
    consumes = ("mnn",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"winograd_level": (2, 0, 1, 3)}
    every_output = True
    environment = Environment(("MNN",), "pip install 'hwprof[mnn]'", "MNN", requirements=("MNN==3.6.1", "numpy"))
    form_means = ".mnn"
    conversions = (Conversion(ONNX, "mnn", "MNN's converter", "mnn"),)

    def environ(self, case: Case) -> Mapping[str, str]:
        """Threads are MNN's own."""
        return {"OMP_NUM_THREADS": str(case.threads), "OPENBLAS_NUM_THREADS": "1"}

    def prepare(self, job: PrepareJob) -> Path:
        """An .mnn file. Raises UnsupportedModel."""
        try:
            # Not MNN.tools.mnnconvert, which installs a package for its maker's telemetry when it is imported.
            import _tools
        except ImportError as error:
            raise NotInstalled(self.name, self.environment.install) from error
        path = job.directory / "network.mnn"
        words = ["mnnconvert", "-f", "ONNX", "--modelFile", str(job.source), "--MNNModel", str(path)]
        _tools.mnnconvert([*words, "--bizCode", "hwprof", "--keepInputFormat", "1"])
        if not path.exists():
            raise UnsupportedModel("MNN's converter made no file; the worker's output names the operator")
        return path

    def cache_key(self, case: Case) -> str:
        """The file is the same for every case."""
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[MnnModel]:
        """A session of `case.threads` threads in full precision. Raises UnsupportedModel, NotInstalled."""
        try:
            import MNN
        except ImportError as error:
            raise NotInstalled(self.name, self.environment.install) from error
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

    def profile(self, artifact: Path, case: Case, spec: InputSpec) -> AbstractContextManager[Profiled]:
        """See profile.py, which a measured run does not load."""
        from hwprof.frameworks.mnn.profile import profile

        return profile(self, artifact, case, spec)


ADAPTER = Mnn()
