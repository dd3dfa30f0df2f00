"""PyTorch on the CPU: eager, compiled by inductor, or TorchScript."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotAvailable, UnsupportedModel, UsageError
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_inputs import TYPES as INPUT_TYPES
from hwprof.frameworks.named_inputs import require_types
from hwprof.frameworks.precision import QUANTISED, confirm, dot_product, require, saturates, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import ONEDNN, OPENMP, Switch
from hwprof.networks.inputs import InputSpec
from hwprof.printable import plural
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

TYPES = {"bf16": "bfloat16", "fp16": "float16"}
# As the profiler calls the kernels that multiply: those that call no other.
PRODUCT = re.compile(
    r"^(onednn::q(conv|linear)\w*|mkldnn::_(convolution|linear)_pointwise\w*|aten::(mkldnn_convolution|addmm|mm|bmm"
    r"|thnn_conv2d|_slow_conv2d_forward|_conv_depthwise2d))$"
)
QUANTISED_PRODUCT = re.compile(r"^onednn::q")
INSTALL = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


class TorchModel:
    """A module that is called under inference mode."""

    def __init__(self, module: Any, torch: Any, mode: str, case: Case, spec: InputSpec, origin: str) -> None:
        self._module, self._torch, self._mode, self._case, self._spec = module, torch, mode, case, spec
        self._origin = origin
        self._type = getattr(torch, TYPES.get(case.precision, "float32"))
        self._channels_last = bool(case.option("channels_last", False))

    def bind(self, *batch: Array) -> Any:
        """A tensor on the array's memory.

        A copy with the channels last, or of half precision, where the case says so.
        """
        return self._tensor(batch[0])

    def _tensor(self, array: Array) -> Any:
        tensor = self._torch.from_numpy(array)
        if tensor.dtype == self._torch.float32:
            tensor = tensor.to(self._type)
        if not self._channels_last or not is_map(tensor):
            return tensor
        return tensor.to(memory_format=self._torch.channels_last)

    def infer(self, bound: Any) -> Any:
        """One call; the CPU backend is synchronous. `load` has entered inference mode."""
        return self._module(bound)

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs."""
        tensors = self._torch.utils._pytree.tree_leaves(out)
        return [(t.float() if t.is_floating_point() else t).numpy().copy() for t in tensors]

    def facts(self) -> Mapping[str, Any]:
        """Threads, SIMD level, libraries, and the precision that products are computed in."""
        torch = self._torch
        return {
            "version": torch.__version__,
            "mode": self._mode,
            "modules_from": self._origin,
            "channels_last": self._channels_last,
            "threads": torch.get_num_threads(),
            "inter_op_threads": torch.get_num_interop_threads(),
            "simd": torch.backends.cpu.get_cpu_capability(),
            "matmul_precision": torch.get_float32_matmul_precision(),
            "mkldnn": torch.backends.mkldnn.is_available(),
            "build": torch.__config__.show(),
            "precision": self._case.precision,
            **(self._computed() if self._case.precision != "fp32" else {}),
        }

    def _computed(self) -> Mapping[str, Any]:
        """Kernels that multiply, of one inference under torch's own profiler."""
        from hwprof.frameworks.pytorch.source import examples

        torch, example = self._torch, self.bind(*(tensor.numpy() for tensor in examples(self._spec)))
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            self.infer(example)
        counts = {event.key: event.count for event in profile.key_averages()}
        kernels = {key: count for key, count in sorted(counts.items()) if PRODUCT.search(key)}
        told: list[str] = []
        for key, count in kernels.items():
            plain = "fp32" if self._case.precision in QUANTISED else self._case.precision
            told += ["int8" if QUANTISED_PRODUCT.search(key) else plain] * count
        computed = confirm("PyTorch", self._case.precision, tally(told))
        return {"computed": computed, "kernels": kernels, "dot_product": dot_product(), "reduced_range": saturates()}


class SeveralInputsTorch(TorchModel):
    """A module of several tensors."""

    def bind(self, *batch: Array) -> Any:
        """A tensor for each array, as for one."""
        return tuple(map(self._tensor, batch))

    def infer(self, bound: Any) -> Any:
        """One call."""
        return self._module(*bound)


def is_map(tensor: Any) -> bool:
    """Whether a tensor has channels that can be laid last."""
    return tensor.dim() == 4 and bool(tensor.is_floating_point())


class PyTorch(BuiltInAdapter):
    """Adapter of PyTorch: rebuilds the network from .onnx as torch.nn modules."""

    name = "pytorch"
    consumes = ("onnx",)
    precisions = ("fp32", "bf16", "fp16", "int8")
    options: Mapping[str, tuple[Any, ...]] = {
        "mode": ("eager", "inductor", "torchscript"),
        "channels_last": (False, True),
        # what idle OpenMP threads do; unset: as the library was built
        "wait": ("unset", "passive", "active"),
    }
    tunable = ("channels_last", "wait")
    call = "module(tensor)"  # until it was this, inference mode was entered and left in every call
    every_output = every_input = True
    input_types = INPUT_TYPES
    environment = Environment(
        ("torch",),
        INSTALL,
        "torch",
        requirements=("torch==2.13.0", "torchao>=0.18,<0.19", "onnx>=1.17", "onnxscript>=0.5,<0.8", "numpy"),
        converts_with=("torchao",),
    )
    switches: Mapping[str, Switch] = {
        "spin": Switch(OPENMP),
        "simd": Switch({"env.ATEN_CPU_CAPABILITY": "default", **ONEDNN}, "SSE4.1 stays"),
    }
    form, form_means = "torch", "torch.nn modules, in memory"
    conversions = (
        Conversion("pt2", "torch", "torch.export.load", "pytorch"),
        Conversion(ONNX, "torch", "hwprof: a walk over the graph", "pytorch"),
    )
    debian = ("python3-torch",)
    dli: Mapping[str, str] = {"PyTorch": "", "PyTorch Cpp": "cpp"}

    profile = profile_beside(__name__)

    def environ(self, case: Case) -> Mapping[str, str]:
        """The OpenMP pool's size; compiling needs no more processes than one."""
        wait = str(case.option("wait", "unset"))
        return {
            **super().environ(case),
            "MKL_NUM_THREADS": str(case.threads),
            **({} if wait == "unset" else {"OMP_WAIT_POLICY": wait}),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
        }

    def prepare(self, job: PrepareJob) -> Path:
        """Nothing to convert: modules are built when loading.

        For INT8 a quantised graph (.pt2) for the case's shape.
        """
        require(job.case.precision)
        require_types("PyTorch", job.input, self.input_types)
        return self._quantise(job) if job.case.precision in QUANTISED else job.source

    def _quantise(self, job: PrepareJob) -> Path:
        mode_of(job.case)
        calibration.require_images(job.input)
        with import_of("torchao, which quantises for PyTorch,", "hwprof env create pytorch"):
            import torch
            from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
        from hwprof.frameworks.pytorch.pt2e import check_recurrent, quantise
        from hwprof.frameworks.pytorch.source import examples, module_of

        quantizer = x86.X86InductorQuantizer()
        quantizer.set_global(x86.get_default_x86_inductor_quantization_config(reduce_range=saturates()))
        module = quantise(job, module_of(job.source, job.input.inputs), quantizer, "hwprof env create pytorch")
        check_recurrent(module.graph.nodes)
        path = job.directory / "network.pt2"
        torch.export.save(torch.export.export(module, examples(job.input)), path)
        return path

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[TorchModel]:
        """Modules with `case.threads` threads, compiled where the mode asks for it (in the load time, not the warm-up).

        Raises NotInstalled, UnsupportedModel with operator and node, NotAvailable without a C++ compiler.
        """
        with import_of("pytorch", self.environment.install):
            import torch
        from hwprof.frameworks.pytorch.source import examples, module_of, origin

        mode = mode_of(case)
        require(case.precision)
        if mode == "inductor" and not (shutil.which("g++") or shutil.which("clang++")):
            raise NotAvailable("inductor compiles C++, and there is no compiler", "apt-get install g++")
        torch.set_num_threads(case.threads)
        if torch.get_num_interop_threads() != 1:  # can be set once per process only
            torch.set_num_interop_threads(1)
        torch.set_float32_matmul_precision("highest")  # no bf16 in disguise
        quantised = case.precision in QUANTISED
        module: Any = load_quantised(torch, artifact) if quantised else module_of(artifact, spec.inputs)
        example = examples(spec)
        channels_last = bool(case.option("channels_last", False))
        if channels_last:
            if not any(map(is_map, example)):
                raise NotAvailable(f"channels_last is for images, and the input is {spec.title}", "omit channels_last")
            if quantised:
                raise UsageError("PyTorch's int8 has a layout of its own", "omit channels_last")
            module = module.to(memory_format=torch.channels_last)
        if case.precision in TYPES:
            module = module.to(getattr(torch, TYPES[case.precision]))
        kind = SeveralInputsTorch if spec.others else TorchModel
        loaded = kind(module, torch, mode, case, spec, "quantised" if quantised else origin(artifact))
        with torch.inference_mode():  # until the end: to enter it costs every call some microseconds
            example = tuple(loaded._tensor(tensor.numpy()).clone() for tensor in example)  # as the inputs will be
            if mode == "torchscript":
                traced = torch.jit.trace(module, example)
                module = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
            elif mode == "inductor":
                import torch._inductor.config as inductor

                inductor.freezing = True
                module = torch.compile(module, backend="inductor", fullgraph=True)
            out = module(*example)
            if spec.outputs and (given := len(torch.utils._pytree.tree_leaves(out))) != len(spec.outputs):
                raise UnsupportedModel(
                    f"the torch module gives {plural(given, 'tensor')} for {plural(len(spec.outputs), 'output')}"
                )
            loaded._module = module
            yield loaded


def mode_of(case: Case) -> str:
    """Eager unless asked otherwise; INT8 exists compiled only. Raises UsageError."""
    quantised = case.precision in QUANTISED
    mode = str(case.option("mode", "inductor" if quantised else "eager"))
    if quantised and mode != "inductor":
        raise UsageError(f"PyTorch computes int8 in compiled code, not in mode {mode}", "mode=inductor, or omit mode")
    return mode


def load_quantised(torch: Any, artifact: Path) -> Any:
    """The quantised graph; its operators are declared by torchao. Raises NotInstalled."""
    with import_of("torchao, which quantises for PyTorch,", "hwprof env create pytorch"):
        import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer  # noqa: F401
    return torch.export.load(artifact).module()


ADAPTER = PyTorch()
