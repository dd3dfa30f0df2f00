"""OpenVINO on its CPU plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotAvailable, UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.named_inputs import TYPES, require_inputs, require_types
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.precision import QUANTISED, confirm, dot_product, int8_key, require, saturates, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import ONEDNN, Switch
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

# The precision hint that is asked for. Without one the plugin takes bf16 on cores with AMX.
# What INT8 leaves in floating point is FP32.
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
# Kernels that multiply, as the plugin calls them.
PRODUCTS = frozenset({"Convolution", "Deconvolution", "FullyConnected", "MatMul"})
OUR_NAMES = {
    "u8": "int8",
    "i8": "int8",
    "f32": "fp32",
    "float32": "fp32",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "f16": "fp16",
    "float16": "fp16",
}


class OpenVinoModel:
    """A compiled model with a request for each batch."""

    def __init__(
        self,
        compiled: Any,
        core: Any,
        module: Any,
        precision: str,
        outputs: Sequence[str] = (),
        inputs: Sequence[str] = (),
    ) -> None:
        self._compiled, self._core, self._module, self._precision = compiled, core, module, precision
        self._ports = [compiled.output(name) for name in outputs] or [compiled.output(0)]
        self._entries = [compiled.input(name) for name in inputs] if len(inputs) > 1 else [compiled.input(0)]

    def bind(self, *batch: Array) -> tuple[Any, Any]:
        """A request of its own, with its inputs: tensors on the arrays' memory, which no request keeps alive."""
        request = self._compiled.create_infer_request()
        tensors = [self._module.Tensor(array, shared_memory=True) for array in batch]
        for entry, tensor in zip(self._entries, tensors, strict=True):
            request.set_tensor(entry, tensor)
        return request, tensors

    def infer(self, bound: tuple[Any, Any]) -> Any:
        """One synchronous request; without `share_outputs` it copies every output."""
        request = bound[0]
        request.infer(share_outputs=True)
        return request

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs: the request writes its next ones to the same place."""
        return [out.get_tensor(port).data.copy() for port in self._ports]

    def facts(self) -> Mapping[str, Any]:
        """Settings as the plugin reports them."""
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
            **self._computed(),
        }

    def computed(self) -> Mapping[str, int]:
        """Precision (`product_precision`) -> convolutions and matrix products of the executed model in it."""
        infos = [node.get_rt_info() for node in self._compiled.get_runtime_model().get_ordered_ops()]
        told = (
            tuple(str(info[name].value) for name in ("layerType", "runtimePrecision", "primitiveType"))
            for info in infos
        )
        return tally(product_precision(precision, kernel) for kind, precision, kernel in told if kind in PRODUCTS)

    def _computed(self) -> Mapping[str, Any]:
        """Kernels of the executed model, by the precision that the plugin reports for each."""
        found = [(k, OUR_NAMES.get(p, p)) for k, p in kernels(self._compiled)]
        facts: dict[str, Any] = {"kernels": tally(f"{kind} {precision}" for kind, precision in found)}
        if self._precision == "fp32":
            return facts
        facts["computed"] = confirm("OpenVINO", self._precision, tally(p for kind, p in found if kind in PRODUCTS))
        if self._precision in QUANTISED:
            facts |= {"overflow_fix": saturates(), "dot_product": dot_product()}
        return facts


def product_precision(precision: str, kernel: str) -> str:
    """Of a kernel that multiplies, by what the plugin reports of it: `u8`, `brgconv_avx512_I8` is int8.

    Where its weights alone are integers, the precision is theirs and the kernel's name has another type: `u4`,
    `brgemm_avx512_f32` is `int4 weights`. Whether it quantises activations as it runs (by
    DYNAMIC_QUANTIZATION_GROUP_SIZE) is not reported.
    """
    if precision in ("u8", "i8", "u4", "i4") and not kernel.endswith("_I8"):
        return f"int{precision[1:]} weights"
    return OUR_NAMES.get(precision, precision)


def kernels(compiled: Any) -> list[tuple[str, str]]:
    """(kind, precision) of every kernel of the graph that the plugin runs."""
    nodes = compiled.get_runtime_model().get_ordered_ops()
    told = [(node.get_rt_info()["layerType"], node.get_rt_info()["runtimePrecision"]) for node in nodes]
    return [(str(kind.value), str(precision.value)) for kind, precision in told]


class OpenVino(BuiltInAdapter):
    """Adapter of OpenVINO: reads .onnx as it is, for the shapes of the case."""

    name = "openvino"
    consumes = ("onnx",)
    precisions = tuple(PRECISIONS)
    options: Mapping[str, tuple[Any, ...]] = {"pinning": (True, False), "hyper_threading": (True, False)}
    tunable = ("pinning", "hyper_threading")
    call = "infer(share_outputs)"  # until it was this, one request was given each input, and its outputs were copied
    every_output = every_input = True
    portable = True
    input_types = TYPES
    environment = Environment(
        ("openvino",),
        "pip install 'hwprof[openvino]'",
        "openvino",
        requirements=("openvino==2026.4.1", "nncf==3.4.0", "numpy<2.5"),
        converts_with=("nncf",),
    )
    switches: Mapping[str, Switch] = {"simd": Switch(ONEDNN, "SSE4.1 stays; reorders and its own kernels may not obey")}
    dli: Mapping[str, str] = {"OpenVINO DLDT": ""}

    asks: Mapping[str, Any] = {}  # of the plugin, beside what the case does (profiling)

    profile = profile_beside(__name__)

    def prepare(self, job: PrepareJob) -> Path:
        """The source itself; for INT8 OpenVINO's own format, quantised by NNCF. Raises NotInstalled, NotAvailable."""
        require(job.case.precision)
        return quantise(job) if job.case.precision in QUANTISED else job.source

    def cache_key(self, case: Case) -> str:
        """The artifact is the source; for INT8 one for this kind of CPU."""
        return f"{int8_key()}, ranges of all images" if case.precision in QUANTISED else ""

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OpenVinoModel]:
        """One stream of `case.threads` threads.

        Raises UnsupportedModel, NotInstalled, NotAvailable (no such precision).
        """
        with import_of(self.name, self.environment.install):
            import openvino
        require(case.precision)
        require_types("OpenVINO", spec, TYPES)
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
            names = require_inputs("OpenVINO", spec, names_of(model.inputs, [one.name for one in spec.inputs]))
            reshape(model, spec)
            compiled = core.compile_model(model, "CPU", {**asked, **self.asks})
        except RuntimeError as error:
            raise UnsupportedModel(f"OpenVINO can't load the network: {reason_of(error, -1)}") from error
        told = compiled.get_property("INFERENCE_PRECISION_HINT")
        precision = OUR_NAMES.get(told.to_string() if hasattr(told, "to_string") else str(told), str(told))
        if case.precision in QUANTISED:
            precision = case.precision  # facts() reports it by kernel
        if precision != case.precision:
            raise NotAvailable(
                f"OpenVINO computes {precision} on this CPU although {case.precision} was asked for",
                f"leave --precision {case.precision} to a CPU that has it",
            )
        require_outputs("OpenVINO", spec.outputs, [name for port in compiled.outputs for name in port.get_names()])
        yield OpenVinoModel(compiled, core, openvino, precision, spec.outputs, names)


def names_of(ports: Sequence[Any], wanted: Sequence[str]) -> list[str]:
    """A name of each port, which may have several: one that is wanted where it has it."""
    return [min(port.get_names(), key=lambda name: (name not in wanted, name), default="") for port in ports]


def reshape(model: Any, spec: InputSpec) -> None:
    """Give each input its shape of the case."""
    if spec.others:
        model.reshape({one.name: list(one.shape) for one in spec.inputs})
    else:
        model.reshape(list(spec.shape))


def quantise(job: PrepareJob) -> Path:
    """An .xml with its .bin, quantised with the calibration images. Raises NotInstalled, UnsupportedModel."""
    calibration.require_images(job.input)
    with import_of("nncf, which quantises for OpenVINO,", "hwprof env create openvino, or pip install nncf"):
        import nncf
        import openvino
        from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    batches = list(calibration.batches(job))
    try:
        model = openvino.Core().read_model(str(job.source))
        model.reshape(list(job.input.shape))
        quantised = nncf.quantize(
            model,
            nncf.Dataset(batches),
            subset_size=len(batches),
            advanced_parameters=AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE if saturates() else OverflowFix.DISABLE,
                # its default averages the extremes of the images, which cuts off what the brightest ones have; the
                # other frameworks' tools take the extremes of all
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            ),
        )
    except RuntimeError as error:
        raise UnsupportedModel(f"NNCF can't quantise the network: {reason_of(error, -1)}") from error
    path = job.directory / "network.xml"
    openvino.save_model(quantised, str(path), compress_to_fp16=False)
    return path


def requirement(compiled: Any, name: str) -> str | None:
    """A run-time requirement of the compiled model, e.g. its instruction set; None where it is not reported."""
    try:
        words = str(compiled.get_property("RUNTIME_REQUIREMENTS")).split(";")
    except RuntimeError:  # older than 2025
        return None
    return dict(word.partition("=")[::2] for word in words).get(name)


ADAPTER = OpenVino()
