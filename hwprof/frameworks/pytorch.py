"""PyTorch on the CPU: eager, compiled by inductor, or TorchScript."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable, NotInstalled
from hwprof.frameworks.protocol import Environment, InputSpec, PrepareJob
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

INSTALL = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


class TorchModel:
    """A module that is called under inference mode."""

    def __init__(self, module: Any, torch: Any, mode: str, channels_last: bool = False) -> None:
        self._module, self._torch, self._mode, self._channels_last = module, torch, mode, channels_last

    def bind(self, batch: Array) -> Any:
        """A tensor on the array's memory, or a copy with the channels last."""
        tensor = self._torch.from_numpy(batch)
        return tensor.to(memory_format=self._torch.channels_last) if self._channels_last else tensor

    def infer(self, bound: Any) -> Any:
        """One call; the CPU backend is synchronous."""
        with self._torch.inference_mode():
            return self._module(bound)

    def numpy(self, out: Any) -> Array:
        """A copy."""
        array: Array = out.numpy().copy()
        return array

    def facts(self) -> Mapping[str, Any]:
        """Threads, SIMD level, libraries, and the precision that products are computed in."""
        torch = self._torch
        return {
            "version": torch.__version__,
            "mode": self._mode,
            "channels_last": self._channels_last,
            "threads": torch.get_num_threads(),
            "inter_op_threads": torch.get_num_interop_threads(),
            "simd": torch.backends.cpu.get_cpu_capability(),
            "matmul_precision": torch.get_float32_matmul_precision(),
            "mkldnn": torch.backends.mkldnn.is_available(),
            "build": torch.__config__.show(),
            "precision": "fp32",
        }


class PyTorch:
    """Adapter of PyTorch: rebuilds the network from .onnx as torch.nn modules."""

    name = "pytorch"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {
        "mode": ("eager", "inductor", "torchscript"),
        "channels_last": (False, True),
        # what idle OpenMP threads do; unset: as the library was built
        "wait": ("unset", "passive", "active"),
    }
    tunable = ("channels_last", "wait")
    environment = Environment(("torch",), INSTALL, "torch", requirements=("torch==2.13.0", "onnx>=1.17", "numpy"))

    def environ(self, case: Case) -> Mapping[str, str]:
        """The OpenMP pool's size; compiling needs no more processes than one."""
        threads, wait = str(case.threads), str(case.option("wait", "unset"))
        return {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            **({} if wait == "unset" else {"OMP_WAIT_POLICY": wait}),
            "OPENBLAS_NUM_THREADS": "1",
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
        }

    def prepare(self, job: PrepareJob) -> Path:
        """Nothing to convert: modules are built when loading."""
        return job.source

    def cache_key(self, case: Case) -> str:
        """The artifact is the source."""
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[TorchModel]:
        """Modules with `case.threads` threads, compiled where the mode says so (in the load time, not the warm-up).

        Raises NotInstalled, UnsupportedModel with operator and node, NotAvailable without a C++ compiler.
        """
        try:
            import torch
        except ImportError as error:
            raise NotInstalled("pytorch", self.environment.install) from error
        from hwprof.frameworks.torch_graph import build

        mode = str(case.option("mode", "eager"))
        if mode == "inductor" and not (shutil.which("g++") or shutil.which("clang++")):
            raise NotAvailable("inductor compiles C++, and there is no compiler", "apt-get install g++")
        torch.set_num_threads(case.threads)
        if torch.get_num_interop_threads() != 1:  # can be set once per process only
            torch.set_num_interop_threads(1)
        torch.set_float32_matmul_precision("highest")  # no bf16 in disguise
        module: Any = build(artifact)
        example = torch.zeros(spec.shape)
        channels_last = bool(case.option("channels_last", False))
        if channels_last:
            if len(spec.shape) != 4:
                raise NotAvailable(
                    f"channels_last is for images, not for inputs of {len(spec.shape)} axes", "leave it off"
                )
            module, example = (x.to(memory_format=torch.channels_last) for x in (module, example))
        with torch.inference_mode():
            if mode == "torchscript":
                traced = torch.jit.trace(module, example)
                module = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
            elif mode == "inductor":
                import torch._inductor.config as inductor

                inductor.freezing = True
                module = torch.compile(module, backend="inductor", fullgraph=True)
            module(example)
        yield TorchModel(module, torch, mode, channels_last)


ADAPTER = PyTorch()
