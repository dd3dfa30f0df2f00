"""ONNX Runtime on its CPU provider."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotAvailable, UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.named_inputs import TYPES, require_inputs
from hwprof.frameworks.precision import QUANTISED, confirm, dot_product, saturates, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import Switch
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, Value

XNNPACK = "XnnpackExecutionProvider"
LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}


class OnnxRuntimeModel:
    """A session with all of its inputs and outputs bound."""

    def __init__(self, session: Any, artifact: Path, module: Any, case: Case, spec: InputSpec) -> None:
        self._session, self._artifact, self._module, self._case, self._spec = session, artifact, module, case, spec
        self._names = list(spec.outputs) or [output.name for output in session.get_outputs()]
        self._inputs = require_inputs("ONNX Runtime", spec, [entry.name for entry in session.get_inputs()])
        self._has_sequences = not all(output.type.startswith("tensor") for output in session.get_outputs())

    def bind(self, *batch: Array) -> Any:
        """An IOBinding on the arrays' memory, which it keeps alive.

        The first run allocates the outputs, further runs of the same binding write to the same place.
        """
        binding = self._session.io_binding()
        for name, array in zip(self._inputs, batch, strict=True):
            binding.bind_cpu_input(name, array)
        for name in self._names:
            binding.bind_output(name)
        if self._has_sequences:
            binding.batch = batch  # see `outputs`
        return binding

    def infer(self, bound: Any) -> Any:
        """One run; complete when it returns. The outputs are the binding's, in the order of the graph."""
        self._session.run_with_iobinding(bound)
        return bound

    def outputs(self, out: Any) -> list[Value]:
        """Copies of all outputs: the binding's next run writes to the same place.

        A sequence can't be read from a binding: such a network is computed once more.
        """
        if self._has_sequences:
            values: list[Value] = self._session.run(self._names, dict(zip(self._inputs, out.batch, strict=True)))
            return values
        return [value.numpy().copy() for value in out.get_outputs()]

    def facts(self) -> Mapping[str, Any]:
        """Settings as the session reports them."""
        options = self._session.get_session_options()
        spin = options.get_session_config_entry("session.intra_op.allow_spinning")
        return {
            "version": self._module.__version__,
            "build": self._module.get_build_info(),
            "threads": options.intra_op_num_threads,
            "inter_op_threads": options.inter_op_num_threads,
            "providers": self._session.get_providers(),
            "graph_level": self._case.option("graph", "all"),
            "spin": spin == "1",
            "precision": self._case.precision,
            **(self._quantised() if self._case.precision in QUANTISED else {}),
        }

    def computed(self) -> Mapping[str, int]:
        """Precision -> convolutions and matrix products in it, by one profiled run of a second session on zeros."""
        import numpy as np

        from hwprof.frameworks.onnxruntime.computed import read_products

        feeds = {
            name: np.zeros(one.shape, object if one.dtype == "str" else one.dtype)
            for name, one in zip(self._inputs, self._spec.inputs, strict=True)
        }
        return read_products(self._module, self._artifact, options_of(self._module, self._case), feeds)

    def _quantised(self) -> Mapping[str, Any]:
        """What one profiled run of a second session computed, kernel by kernel."""
        kernels = count_kernels(self._module, self._artifact, self._case, self._spec)
        computed = {p: sum(count for name, count in kernels.items() if (name, p) in PRODUCTS) for p in ("int8", "fp32")}
        return {
            "computed": confirm("ONNX Runtime", "int8", computed),
            "kernels": kernels,
            "weight_bits": 7 if saturates() else 8,
            "dot_product": dot_product(),
        }


class TextModel(OnnxRuntimeModel):
    """A session of a network that takes text, which no binding can hold: its inputs are handed over in each call."""

    def bind(self, *batch: Array) -> Any:
        """The arrays by name."""
        return dict(zip(self._inputs, batch, strict=True))

    def infer(self, bound: Any) -> Any:
        """One run; complete when it returns."""
        return self._session.run(self._names, bound)

    def outputs(self, out: Any) -> list[Value]:
        """All outputs, which each run makes anew."""
        return list(out)

    def facts(self) -> Mapping[str, Any]:
        """Settings as the session reports them, and the call."""
        return {**super().facts(), "call": "run"}


class OnnxRuntime(BuiltInAdapter):
    """Adapter of ONNX Runtime: reads .onnx as it is."""

    name = "onnxruntime"
    consumes = ("onnx",)
    precisions = ("fp32", "int8")
    options: Mapping[str, tuple[Any, ...]] = {"graph": tuple(LEVELS), "spin": (True, False), "xnnpack": (False, True)}
    tunable = ("graph", "spin", "xnnpack")
    # Until it was this, `run_with_ort_values`, which throws and catches a C++ exception in every call.
    call = "run_with_iobinding"
    every_output = every_input = True
    portable = True
    input_types = (*TYPES, "str")
    environment = Environment(("onnxruntime",), "pip install 'hwprof[onnxruntime]'", "onnxruntime")
    switches: Mapping[str, Switch] = {"spin": Switch({"spin": False}), "graph": Switch({"graph": "disabled"})}
    debian = ("python3-onnxruntime",)
    dli: Mapping[str, str] = {"ONNX Runtime": "cpp", "ONNX Runtime Python": ""}

    profiles_to = ""  # a prefix of files: sessions are profiled into them

    profile = profile_beside(__name__)

    def prepare(self, job: PrepareJob) -> Path:
        """The source itself; for INT8 a graph with quantisation marked (QDQ), ranges from the calibration images."""
        if job.case.precision not in QUANTISED:
            return job.source
        return quantise(job)

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OnnxRuntimeModel]:
        """A session with `case.threads` threads on the CPU provider. Raises UnsupportedModel, NotInstalled."""
        with import_of("onnxruntime", self.environment.install):
            import onnxruntime as ort
        options = options_of(ort, case)
        if self.profiles_to:
            options.enable_profiling, options.profile_file_prefix = True, self.profiles_to
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
            raise UnsupportedModel(f"ONNX Runtime can't load the network: {load_error(error)}") from error
        model = TextModel if any(one.dtype == "str" for one in spec.inputs) else OnnxRuntimeModel
        yield model(session, artifact, ort, case, spec)


def load_error(error: Exception) -> str:
    """Why a session can't be made, without the path of the file and the place in ONNX Runtime's own sources."""
    text = " ".join(str(error).split()) or type(error).__name__
    return (re.split(r"failed:|[\w/.]+\.(?:cc|h):\d+ .*\) ", text)[-1].strip() or text)[:300]


def options_of(ort: Any, case: Case) -> Any:
    """Session options as the case wants them."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = case.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    level = str(case.option("graph", "all"))
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[level])
    spin = "1" if case.option("spin", True) else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    options.log_severity_level = 3
    return options


def quantise(job: PrepareJob) -> Path:
    """A QDQ graph: weights per channel and symmetric, activations unsigned. Raises NotInstalled, UnsupportedModel."""
    calibration.require_images(job.input)
    with import_of("onnx, which quantises for ONNX Runtime,", "pip install onnx"):  # it needs onnx
        from onnxruntime import quantization as quant
        from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quant.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.feeds = ({job.input.name: images} for images in calibration.batches(job))

        def get_next(self) -> Any:
            return next(self.feeds, None)

    folded, path = job.directory / "folded.onnx", job.directory / "network.onnx"
    try:
        # Batch normalisations become part of their convolutions first: ranges are then those of what is computed.
        quant_pre_process(str(job.source), str(folded), skip_symbolic_shape=True)
        quant.quantize_static(
            str(folded),
            str(path),
            Reader(),
            quant_format=quant.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=saturates(),
            activation_type=quant.QuantType.QUInt8,
            weight_type=quant.QuantType.QInt8,
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise UnsupportedModel(f"ONNX Runtime can't quantise the network: {reason_of(error)}") from error
    folded.unlink()
    return path


# Kernels that multiply, and the precision they do it in.
PRODUCTS = frozenset(
    [(name, "int8") for name in ("QLinearConv", "QGemm", "QLinearMatMul", "MatMulInteger", "ConvInteger")]
    + [(name, "int8") for name in ("MatMulIntegerToFloat", "DynamicQuantizeMatMul")]
    + [(name, "fp32") for name in ("Conv", "FusedConv", "NhwcFusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")]
)


def count_kernels(ort: Any, artifact: Path, case: Case, spec: InputSpec) -> dict[str, int]:
    """Kernels of one inference, counted by operator, as the runtime's own profile lists them."""
    import numpy as np

    options = options_of(ort, case)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="hwprof-profile-") as folder:
        options.profile_file_prefix = f"{folder}/run"
        session = ort.InferenceSession(str(artifact), options, providers=["CPUExecutionProvider"])
        names = require_inputs("ONNX Runtime", spec, [entry.name for entry in session.get_inputs()])
        zeros = [np.zeros(one.shape, object if one.dtype == "str" else one.dtype) for one in spec.inputs]
        session.run(None, dict(zip(names, zeros, strict=True)))
        events = json.loads(Path(session.end_profiling()).read_text())
    done = [e["args"]["op_name"] for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    return tally(done)


ADAPTER = OnnxRuntime()
