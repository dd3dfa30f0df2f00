"""Apache TVM: the network compiled ahead of time by Relax for this CPU."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside, reason_of
from hwprof.frameworks.conversions import ONNX, Conversion, reached
from hwprof.frameworks.named_inputs import TYPES, require_types
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import Switch
from hwprof.frameworks.tvm.tuning import FILE, TRIALS, tune
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array


class TvmModel:
    """A virtual machine with its main function."""

    def __init__(
        self,
        machine: Any,
        module: Any,
        case: Case,
        target: Mapping[str, Any],
        tuning: Mapping[str, Any] | None,
        count: int = 1,
    ) -> None:
        self.machine = machine
        self._main, self._module, self._case, self._target = machine["main"], module, case, target
        self._tuning, self._count = tuning, count

    def bind(self, *batch: Array) -> Any:
        """A tensor of TVM's own."""
        return self._module.runtime.tensor(batch[0])

    def infer(self, bound: Any) -> Any:
        """One call; complete when it returns on a CPU."""
        return self._main(bound)

    def outputs(self, out: Any) -> list[Any]:
        """Copies of all outputs, which the function returns in the network's order; one by itself.

        Of a network of one, several tensors are a sequence.
        """
        found = [value.numpy().copy() for value in ([out] if hasattr(out, "numpy") else out)]
        return [found] if self._count == 1 and len(found) > 1 else found

    def facts(self) -> Mapping[str, Any]:
        """The target that the code was compiled for, and the size of the thread pool as TVM reports it."""
        threads = self._module.get_global_func("runtime.config_threadpool", allow_missing=True)
        count = self._module.get_global_func("runtime.NumThreads", allow_missing=True)
        return {
            "version": self._module.__version__,
            "target": self._target,
            "threads": int(count()) if count else None,
            "threads_asked": self._case.threads,
            "pool_configurable": threads is not None,
            "level": self._case.option("level", 3),
            "tuning": self._tuning,  # None: TVM's default schedules
            "precision": "fp32",
        }


class SeveralInputsTvm(TvmModel):
    """A virtual machine whose main function takes several tensors, in the network's order."""

    def bind(self, *batch: Array) -> Any:
        """A tensor of TVM's own for each array."""
        return tuple(map(self._module.runtime.tensor, batch))

    def infer(self, bound: Any) -> Any:
        """One call; complete when it returns on a CPU."""
        return self._main(*bound)


class Tvm(BuiltInAdapter):
    """Adapter of Apache TVM: .onnx through Relax, compiled by LLVM; tuned by meta-schedule where asked."""

    name = "tvm"
    consumes = ("tvm",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {"level": (3, 0, 1, 2), "tuning": TRIALS}
    tunable = ("level",)
    every_output = every_input = True
    input_types = TYPES
    environment = Environment(
        ("apache-tvm", "apache-tvm-ffi"),
        "hwprof env create tvm",
        "tvm",
        # later builds of its foreign function interface crash when tuning
        requirements=("apache-tvm==0.27.0.post1", "apache-tvm-ffi==0.1.14.post0", "onnx>=1.17", "numpy"),
    )
    switches: Mapping[str, Switch] = {"spin": Switch({"env.TVM_THREAD_POOL_SPIN_COUNT": "0"})}
    form_means = "machine code for this CPU in a shared library"
    conversions = (Conversion(ONNX, "relax", "TVM's ONNX frontend", "tvm"), Conversion("relax", "tvm", "LLVM", "tvm"))
    dli: Mapping[str, str] = {"TVM": ""}

    profile = profile_beside(__name__)

    def environ(self, case: Case) -> Mapping[str, str]:
        """The pool reads its size when it is made."""
        return {"TVM_NUM_THREADS": str(case.threads), **super().environ(case)}

    def prepare(self, job: PrepareJob) -> Path:
        """A shared library for the case's shape and this CPU. Raises NotInstalled, UnsupportedModel."""
        with import_of(self.name, self.environment.install):
            import tvm
            from tvm import relax
            from tvm.relax.frontend import onnx as frontend
        import onnx

        require_types("TVM", job.input, self.input_types)
        model = onnx.load(str(job.source))
        shapes = {one.name: list(one.shape) for one in job.input.inputs}
        types = {one.name: one.dtype for one in job.input.inputs}
        trials = int(job.case.option("tuning", 0) or 0)
        told = target(tvm, job.case.threads if trials else 0)
        try:
            module = frontend.from_onnx(model, shape_dict=shapes, dtype_dict=types, keep_params_in_input=False)
            reached("relax")
            module = relax.transform.DecomposeOpsForInference()(module)
            wanted = tvm.target.Target(told)
            if trials:
                module = tune(module, wanted, trials, job.seed, job.directory)
            with tvm.transform.PassContext(opt_level=int(job.case.option("level", 3) or 0)):
                built = tvm.compile(module, target=wanted)
        except Exception as error:  # its frontend and its passes raise what they like
            raise UnsupportedModel(f"TVM can't compile the network: {reason_of(error, -1)}") from error
        path = job.directory / "network.so"
        built.export_library(str(path))
        (job.directory / "target.json").write_text(json.dumps(told))
        return path

    def cache_key(self, case: Case) -> str:
        """The level, the CPU that the code is for, and what it was tuned for."""
        from hwprof.machine.facts import hardware  # not at import: it loads importlib.metadata

        trials = case.option("tuning", 0)
        search = f" tuned by {trials} trials for {case.threads} threads" if trials else ""
        return f"level {case.option('level', 3)} for {platform.machine()} {hardware().get('model', '')}{search}"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[TvmModel]:
        """A virtual machine on the CPU. Raises NotInstalled."""
        with import_of(self.name, self.environment.install):
            import tvm
            from tvm import relax
        machine = relax.VirtualMachine(tvm.runtime.load_module(str(artifact)), tvm.cpu())
        search = artifact.with_name(FILE)
        found = json.loads(search.read_text()) if search.is_file() else None
        model = SeveralInputsTvm if spec.others else TvmModel
        yield model(
            machine,
            tvm,
            case,
            json.loads((artifact.parent / "target.json").read_text()),
            found,
            max(1, len(spec.outputs)),
        )


def target(module: Any, cores: int = 0) -> dict[str, Any]:
    """What the code is compiled for: this very CPU, as LLVM calls it; `cores`: a search wants to know how many."""
    host = module.get_global_func("target.llvm_get_system_cpu", allow_missing=True)
    name = str(host()) if host else ""
    return {"kind": "llvm", **({"mcpu": name} if name else {}), **({"num-cores": cores} if cores else {})}


ADAPTER = Tvm()
