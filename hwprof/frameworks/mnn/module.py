"""MNN's module interface, for what its sessions do not run: branches, loops, and shapes that depend on data.

Imported where one is loaded: `MNN.nn` and `MNN.expr` are no part of a session's process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import reason_of
from hwprof.frameworks.named_inputs import as_int32
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

# Beside the artifact: the names of the network's outputs.
OUTPUTS = "outputs.json"


class MnnModule:
    """A module; its inputs are MNN's own variables, made once, and each inference makes new outputs."""

    def __init__(self, module: Any, mnn: Any, case: Case) -> None:
        import MNN.expr

        self._module, self._mnn, self._case, self._expr = module, mnn, case, MNN.expr

    def bind(self, *batch: Array) -> list[Any]:
        """A variable for each input. Raises UnsupportedModel where the module computes nothing from them."""
        bound = [self._variable(array) for array in batch]
        try:
            computed = self._module.onForward(bound)
        except Exception as error:
            raise UnsupportedModel(f"MNN can't run the network: {reason_of(error, -1)}") from error
        if not computed or any(not out.shape and not out.size for out in computed):
            raise UnsupportedModel("MNN can't run the network; the worker's output names the operator")
        return bound

    def _variable(self, array: Any) -> Any:
        """float32, int32 or uint8 in the order of the network's axes; a copy."""
        import numpy as np

        expr = self._expr
        if array.dtype == np.uint8:
            kind = expr.uint8
        elif array.dtype.kind == "f":
            array, kind = array.astype(np.float32, copy=False), expr.float
        else:
            array, kind = as_int32("MNN", array), expr.int
        return expr.const(array, list(array.shape), expr.NCHW, kind)

    def infer(self, bound: list[Any]) -> Any:
        """One pass; its modules compute before they return."""
        return self._module.onForward(bound)

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs."""
        import numpy as np

        expr = self._expr
        return [np.array(expr.convert(value, expr.NCHW).read()).reshape(value.shape) for value in out]

    def facts(self) -> Mapping[str, Any]:
        """What was asked for: MNN reports nothing of a module."""
        return {
            "version": self._mnn.version(),
            "threads_asked": self._case.threads,
            "winograd_level": self._case.option("winograd_level", 2),
            "precision": self._case.precision,
            "interface": "module",
        }


def load_module(mnn: Any, artifact: Path, case: Case, spec: InputSpec, hint: tuple[int, int]) -> MnnModule:
    """The module of a network. Raises UnsupportedModel."""
    import MNN.nn

    manager = MNN.nn.create_runtime_manager(({"backend": "CPU", "precision": "high", "numThread": case.threads},))
    manager.set_hint(*hint)
    try:
        inputs = [one.name for one in spec.inputs]
        module = MNN.nn.load_module_from_file(
            str(artifact), inputs, read_names(artifact, spec), runtime_manager=manager
        )
    except Exception as error:  # a SystemError without text
        raise UnsupportedModel(
            "MNN loads the network neither as a session nor as a module; the worker's output says more"
        ) from error
    return MnnModule(module, mnn, case)


def read_names(artifact: Path, spec: InputSpec) -> Sequence[str]:
    """The names of the outputs, which a case has only where they are several."""
    found: list[str] = json.loads(artifact.with_name(OUTPUTS).read_text())
    return list(spec.outputs) or found
