"""MNN on its CPU backend."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_inputs import as_int32, require_inputs, require_types
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.mnn.module import MnnModule
    from hwprof.frameworks.protocol import Array

# getSessionInfo's codes: memory in MB, multiply-accumulates in 10^6 per second counted by MNN, 0 where it can run.
MEMORY_MB, MFLOPS, RESIZE_STATUS = 0, 1, 3
# setSessionHint's code: how large the tiles of Winograd convolutions may be. By itself MNN takes 3, whose largest tiles
# put ResNet-50's outputs off by 1.2 % of the largest one; 2 is as fast, and within 1e-4.
WINOGRAD_LEVEL = 3


class MnnModel:
    """A session; its input is copied into MNN's own layout by each inference, its output back out of it."""

    def __init__(self, interpreter: Any, session: Any, module: Any, case: Case, spec: InputSpec) -> None:
        self._interpreter, self._session, self._module, self._case = interpreter, session, module, case
        self._input = interpreter.getSessionInput(session)
        self._output = interpreter.getSessionOutput(session)
        named = [interpreter.getSessionOutput(session, name) for name in spec.outputs]
        self._outputs = named or [self._output]

    def bind(self, *batch: Array) -> Any:
        """A host tensor in NCHW order, with the array to keep its memory alive. Raises UnsupportedModel."""
        (array,) = batch
        return self._host(array, self._input)

    def _host(self, array: Any, place: Any) -> tuple[Any, Any]:
        """A host tensor of an array for an input of the session, and the array: of the types that a session has."""
        import numpy as np

        kind, dtype = self._kind(place)
        if np.dtype(dtype) == np.int32:
            array = as_int32("MNN", array)
        array = array.astype(dtype, copy=False)
        return self._module.Tensor(array.shape, kind, array, self._module.Tensor_DimensionType_Caffe), array

    def _kind(self, tensor: Any) -> tuple[Any, str]:
        """MNN's and NumPy's type of a tensor of the session."""
        module, found = self._module, tensor.getDataType()
        for kind, dtype in ((module.Halide_Type_Int, "int32"), (module.Halide_Type_Uint8, "uint8")):
            if found == kind:
                return kind, dtype
        return module.Halide_Type_Float, "float32"

    def copy_in(self, bound: Any) -> None:
        """What an inference begins with."""
        self._input.copyFrom(bound[0])

    def infer(self, bound: Any) -> Any:
        """Copy in, run."""
        self._input.copyFrom(bound[0])
        self._interpreter.runSession(self._session)
        return self._output

    def outputs(self, out: Any) -> list[Array]:
        """All outputs, copied out of MNN's layout; a session computes every one."""
        return [self._read(tensor) for tensor in self._outputs]

    def _read(self, out: Any) -> Array:
        """A tensor as float32, int32 or uint8."""
        import numpy as np

        module, shape = self._module, out.getShape()
        kind, dtype = self._kind(out)
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


class MnnInputsModel(MnnModel):
    """A session of several inputs, each of which is copied in by each inference."""

    def __init__(self, interpreter: Any, session: Any, module: Any, case: Case, spec: InputSpec) -> None:
        super().__init__(interpreter, session, module, case, spec)
        self._inputs = [interpreter.getSessionInput(session, one.name) for one in spec.inputs]

    def bind(self, *batch: Array) -> Any:
        """(input of the session, host tensor, array) of each. Raises UnsupportedModel."""
        return [(place, *self._host(array, place)) for array, place in zip(batch, self._inputs, strict=True)]

    def copy_in(self, bound: Any) -> None:
        """What an inference begins with."""
        for place, tensor, _ in bound:
            place.copyFrom(tensor)

    def infer(self, bound: Any) -> Any:
        """Copy in, run."""
        self.copy_in(bound)
        self._interpreter.runSession(self._session)
        return self._output


class Mnn(BuiltInAdapter):
    """Adapter of MNN: .onnx by its own converter."""

    name = "mnn"
    consumes = ("mnn",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"winograd_level": (2, 0, 1, 3)}
    every_output = every_input = True
    portable = True
    input_types = ("float32", "float16", "float64", "int16", "int32", "int64", "uint8", "bool")
    environment = Environment(("MNN",), "pip install 'hwprof[mnn]'", "MNN", requirements=("MNN==3.6.1", "numpy"))
    form_means = ".mnn"
    conversions = (Conversion(ONNX, "mnn", "MNN's converter", "mnn"),)

    profile = profile_beside(__name__)

    def prepare(self, job: PrepareJob) -> Path:
        """An .mnn file. Raises UnsupportedModel."""
        with import_of(self.name, self.environment.install):
            # Not MNN.tools.mnnconvert, which installs a package for its maker's telemetry when it is imported.
            import _tools
        from hwprof.frameworks.mnn.module import OUTPUTS
        from hwprof.frameworks.mnn.outputs import tensor_outputs

        path = job.directory / "network.mnn"
        path.with_name(OUTPUTS).write_text(json.dumps(tensor_outputs(job.source)))
        words = ["mnnconvert", "-f", "ONNX", "--modelFile", str(job.source), "--MNNModel", str(path)]
        _tools.mnnconvert([*words, "--bizCode", "hwprof", "--keepInputFormat", "1"])
        if not path.exists():
            raise UnsupportedModel("MNN's converter made no file; the worker's output names the operator")
        return path

    def cache_key(self, case: Case) -> str:
        """Nothing of the case; earlier artifacts had no names of outputs beside them."""
        return "names of outputs"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[MnnModel | MnnModule]:
        """A session of `case.threads` threads in full precision; a module where no session runs the network.

        Raises UnsupportedModel, NotInstalled.
        """
        with import_of(self.name, self.environment.install):
            import MNN
        require_types("MNN", spec, self.input_types)
        interpreter = MNN.Interpreter(str(artifact))
        level = int(case.option("winograd_level", 2) or 0)
        interpreter.setSessionHint(WINOGRAD_LEVEL, level)
        session = make_session(interpreter, case, spec)
        if session is None:
            from hwprof.frameworks.mnn.module import load_module

            yield load_module(MNN, artifact, case, spec, (WINOGRAD_LEVEL, level))
            return
        require_outputs("MNN", spec.outputs, interpreter.getSessionOutputAll(session))
        yield (MnnInputsModel if spec.others else MnnModel)(interpreter, session, MNN, case, spec)


def make_session(interpreter: Any, case: Case, spec: InputSpec) -> Any:
    """A session for the shapes of the case; None where MNN's sessions do not run the network.

    These are networks with branches, loops or shapes that depend on data. Of some MNN makes a session that computes
    nothing. Raises UnsupportedModel where an input is lost.
    """
    try:
        session = interpreter.createSession({"backend": "CPU", "precision": "high", "numThread": case.threads})
    except Exception as error:  # noqa: BLE001  of this very class
        print(error)
        return None
    if session is None:
        return None
    entries = interpreter.getSessionInputAll(session)
    names = require_inputs("MNN", spec, list(entries))
    other = [
        (name, one.shape)
        for name, one in zip(names, spec.inputs, strict=True)
        if tuple(entries[name].getShape()) != one.shape
    ]
    for name, shape in other:
        interpreter.resizeTensor(entries[name], shape)
    if other:
        interpreter.resizeSession(session)
    return None if interpreter.getSessionInfo(session, RESIZE_STATUS) else session


ADAPTER = Mnn()
