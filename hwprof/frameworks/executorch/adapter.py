"""ExecuTorch with the XNNPACK delegate or with its portable kernels."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel, UsageError
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.conversions import ONNX, Conversion, reached
from hwprof.frameworks.named_inputs import TYPES, require_types
from hwprof.frameworks.precision import QUANTISED, confirm, dot_product, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks.inputs import InputSpec
from hwprof.printable import plural
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array


class ExecuTorchModel:
    """The program's method `forward`."""

    def __init__(self, method: Any, torch: Any, case: Case, facts: Mapping[str, Any], program: Any = None) -> None:
        self.program = program
        self._method, self._torch, self._case, self._facts = method, torch, case, facts

    def bind(self, *batch: Array) -> list[Any]:
        """The argument list: a tensor on each array's memory, in the network's order."""
        return [self._torch.from_numpy(array) for array in batch]

    def infer(self, bound: list[Any]) -> Any:
        """One call; complete when it returns."""
        return self._method.execute(bound)

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs, which the method returns in the network's order."""
        return [tensor.numpy().copy() for tensor in out]

    def facts(self) -> Mapping[str, Any]:
        """Threads of the pool as it has them, and what the program delegates."""
        backend = self._case.option("backend", "xnnpack")
        return {**self._facts, "precision": self._case.precision, "backend": backend}


class ExecuTorch(BuiltInAdapter):
    """Adapter of ExecuTorch: the network as torch modules, exported and lowered."""

    name = "executorch"
    consumes = ("pte",)
    precisions = ("fp32", "int8")
    options: Mapping[str, tuple[Any, ...]] = {"backend": ("xnnpack", "portable")}
    tunable = ("backend",)
    every_output = every_input = True
    portable = True
    input_types = TYPES
    traces = False  # whether the program writes down what its operators take, see profile.py
    environment = Environment(
        ("executorch", "torch"),
        "hwprof env create executorch",
        "executorch",
        requirements=("torch==2.13.0", "executorch==1.5.1", "torchao>=0.18,<0.19", "onnx>=1.17", "numpy"),
    )
    form_means = "ExecuTorch's program"
    conversions = (
        Conversion("pt2", "torch", "torch.export.load", "executorch"),
        Conversion(ONNX, "torch", "hwprof: a walk over the graph", "executorch"),
        Conversion("torch", "exported", "torch.export", "executorch"),
        Conversion("exported", "pte", "ExecuTorch: lowered", "executorch"),
    )
    dli: Mapping[str, str] = {"ExecuTorch": "", "ExecuTorch Cpp": "cpp"}

    profile = profile_beside(__name__)

    def prepare(self, job: PrepareJob) -> Path:
        """A .pte for the case's shape. Raises NotInstalled, UnsupportedModel with operator and node."""
        with import_of(self.name, self.environment.install):
            import torch
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower
        from hwprof.frameworks.pytorch.source import examples, module_of, origin

        require_types("ExecuTorch", job.input, self.input_types)
        if job.case.precision in QUANTISED:
            calibration.require_images(job.input)
        module: Any = module_of(job.source, job.input.inputs)
        reached("torch", "pt2" if origin(job.source) == "pt2" else "")
        example = examples(job.input)
        delegated = job.case.option("backend", "xnnpack") == "xnnpack"
        partitioner = [XnnpackPartitioner()] if delegated else []
        if job.case.precision in QUANTISED:
            if not delegated:
                raise UsageError("ExecuTorch computes int8 in XNNPACK only", "backend=portable is for fp32")
            module = self._quantise(job, module)
        try:
            with torch.no_grad():
                exported = torch.export.export(module, example)
                reached("exported")
                edge = to_edge_transform_and_lower(exported, partitioner=partitioner)
                found = tally(precisions_of(edge.exported_program().graph_module))
                program = edge.to_executorch()
        except Exception as error:  # the exporter and the passes raise what they like
            raise UnsupportedModel(f"ExecuTorch can't lower the network: {reason_of(error)}") from error
        path = job.directory / "network.pte"
        path.write_bytes(program.buffer)
        (job.directory / "products.json").write_text(json.dumps(found))
        return path

    def _quantise(self, job: PrepareJob, module: Any) -> Any:
        """Marked for XNNPACK: activations per tensor, weights per channel, both signed."""
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )

        from hwprof.frameworks.pytorch.pt2e import quantise

        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        return quantise(job, module, quantizer, self.environment.install)

    def cache_key(self, case: Case) -> str:
        """The backend decides how the program is lowered, the precision what it holds."""
        return f"{case.option('backend', 'xnnpack')} {case.precision}"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ExecuTorchModel]:
        """The program with a pool of `case.threads` threads. Raises NotInstalled, UnsupportedModel."""
        with import_of(self.name, self.environment.install):
            import torch
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime
        portable_lib._unsafe_reset_threadpool(case.threads)
        runtime = Runtime.get()
        try:
            program = runtime.load_program(artifact, enable_etdump=self.traces)
            method = program.load_method("forward")
        except RuntimeError as error:
            raise UnsupportedModel(f"ExecuTorch can't load the network: {reason_of(error)}") from error
        given = method.metadata.num_outputs()
        if spec.outputs and given != len(spec.outputs):
            raise UnsupportedModel(f"the program gives {given} of the network's {plural(len(spec.outputs), 'output')}")
        facts = {
            "version": importlib.metadata.version("executorch"),  # its modules have no version
            "threads": portable_lib._threadpool_get_thread_count(),
            "backends": list(runtime.backend_registry.registered_backend_names),
            "torch": torch.__version__,
        }
        if case.precision in QUANTISED:  # as the program was lowered: the runtime does not report it
            computed = json.loads((artifact.parent / "products.json").read_text())
            facts |= {"computed": confirm("ExecuTorch", case.precision, computed), "dot_product": dot_product()}
        yield ExecuTorchModel(method, torch, case, facts, program)


def precisions_of(graph: Any) -> list[str]:
    """The precision of every convolution and matrix product of a lowered program, delegated or not."""
    from executorch.exir.lowered_backend_module import get_lowered_submodules

    from hwprof.frameworks.pytorch.pt2e import products

    parts = [module.original_module.graph_module for _, module, _ in get_lowered_submodules(graph)]
    return [precision for part in (graph, *parts) for precision in products(part.graph.nodes)]


ADAPTER = ExecuTorch()
