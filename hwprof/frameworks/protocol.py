"""What a framework adapter is. Its module imports no framework at top level: the launcher imports it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hwprof.environments.environment import Environment as Environment
from hwprof.networks.inputs import InputSpec as InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Value = NDArray[np.generic] | Sequence[NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """Turn `source` (an .onnx with weights) into what `load` takes, below `directory`. Runs in a process of its own."""

    source: Path
    case: Case
    input: InputSpec
    directory: Path
    seed: int = 0
    calibration: Path | None = None  # images to quantise with, see calibration.batches


class Model(Protocol):
    """A loaded network, ready to infer."""

    def bind(self, *batch: Array) -> Any:
        """The framework's own inputs for this batch, one array for each; conversion happens here, outside the timer.

        A model of an adapter without `every_input` is given one array only, in float32.
        """

    def infer(self, bound: Any) -> Any:
        """One inference, complete when it returns."""

    def outputs(self, out: Any) -> Sequence[Value]:
        """Every output, in the network's order, valid after further inferences (copied where needed).

        A tensor is an array, a sequence a list of them. Types and shapes are the framework's own.
        """

    def facts(self) -> Mapping[str, Any]:
        """Read back, not assumed: threads, precision, SIMD backend, spin, providers, version, build.

        A model may have `computed() -> Mapping[str, int]` beside: precision -> convolutions and matrix products in it,
        as the framework reports them. It is asked of files with a precision of their own, outside of windows.
        """


class Adapter(Protocol):
    """One framework."""

    name: str
    consumes: tuple[str, ...]  # formats load() takes: "onnx", ...
    precisions: tuple[str, ...]
    options: Mapping[str, tuple[Any, ...]]  # what a case may ask for: name -> values, the default first
    environment: Environment
    # The attributes below are optional. Each has a default where it is used.
    # `tunable: tuple[str, ...]`: those of its options that change how fast it computes and not what. `hwprof tune`
    # varies them. Default: none.
    # `call: str`, how `infer` calls the framework, once a change of that call has changed what an inference costs.
    # Runs of different calls are never pooled; see `store.columns.call_of`.
    # `every_output = True`: of a network with several outputs its artifact has them all, and its models compute and
    # return all of `InputSpec.outputs`. Without it such a network is refused before anything is converted.
    # `every_input = True`: its artifact has all of `InputSpec.inputs`, and `bind` takes an array for each, in the
    # network's order. Without it a network of several inputs, or of another type than float32, is refused before
    # anything is converted. `input_types: tuple[str, ...]`: the types that it takes, as NumPy calls them ("str": text).
    # `switches: Mapping[str, switches.Switch]`: by "spin" and "simd" the options that stop its threads from spinning
    # while they wait, and that keep it from wide vectors on x86. `hwprof explain --test` reruns cases with them.
    # `conversions: tuple[conversions.Step, ...]`: the steps of `prepare`; `form`: the target of the last one, where it
    # is not `consumes[0]`; `form_means`: what it is, in words.
    # `profile(artifact, case, spec)`: as `load`, of a model that is `Profiled`; `no_profile`: why there is none.
    # `portable = True`: of an FP32 case the artifact is the same whatever machine prepares it, so that it may be in a
    # bundle of `hwprof prepare`. Without it a bundle names the case as not prepared.
    # `debian: tuple[str, ...]`: its packages in Debian, for emulated boards and for the simulator of riscv64.
    # `dli: Mapping[str, str]`: its names in the tables of the DLI benchmark -> the language where that is not Python.

    def environ(self, case: Case) -> Mapping[str, str]:
        """Variables that must exist before the process does (OMP_NUM_THREADS, ...)."""

    def prepare(self, job: PrepareJob) -> Path:
        """Make the artifact; the source itself where the framework reads it as it is. Raises UnsupportedModel."""

    def cache_key(self, case: Case) -> str:
        """What of the case changes the artifact ("" when only the source matters)."""

    def load(self, artifact: Path, case: Case, spec: InputSpec) -> AbstractContextManager[Model]:
        """Load it. Raises UnsupportedModel with operator and node where the framework reports them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a framework's own profile. `ns` per inference; `tells`: names of the network's nodes or tensors.

    Where it names none: `kind` is the ONNX operator that it computes; `form` the elements of its weights (convolutions,
    matrix products) and of its output; `into` the index of the step that it goes on with if it is no node's work;
    `feeds` the node or tensor whose input it only prepares. `parts`: (kind, form) of each node that it computes, where
    it stands for several.
    """

    name: str
    op: str
    ns: float | None
    tells: tuple[str, ...] = ()
    counts: Mapping[str, float] = field(default_factory=dict)  # metric -> per inference, where it was stepped
    kind: str = ""
    form: tuple[int, ...] | None = None
    into: int | None = None
    feeds: str = ""
    parts: tuple[tuple[str, tuple[int, ...]], ...] = ()


class Profiled(Model, Protocol):
    """A loaded network whose framework reports the time of each step."""

    def begin(self) -> None:
        """Forget what was profiled so far (the warm-up)."""

    def steps(self) -> Sequence[Step]:
        """What was profiled since `begin`, in the order of execution; called once, after the last inference."""
