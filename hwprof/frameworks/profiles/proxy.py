"""A model that is profiled: everything but the profile is the adapter's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter, Array, Model, Value


class ModelProxy:
    """Hands on to `model`, and counts inferences: `inferences` of all, `before` of them before the window."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.inferences = self.before = 0

    def bind(self, *batch: Array) -> Any:
        """As without profiling."""
        return self.model.bind(*batch)

    def infer(self, bound: Any) -> Any:
        """One inference."""
        self.inferences += 1
        return self.model.infer(bound)

    def outputs(self, out: Any) -> Sequence[Value]:
        """As without profiling."""
        return self.model.outputs(out)

    def facts(self) -> dict[str, Any]:
        """As without profiling."""
        return dict(self.model.facts())

    def begin(self) -> None:
        """The inferences so far were warm-up."""
        self.before = self.inferences


def profile_by(make: Callable[[Any, Path], ModelProxy]) -> Callable[..., AbstractContextManager[ModelProxy]]:
    """The function `profile` of a framework that needs no other `load`: `make` is given its model and the artifact."""

    @contextmanager
    def profile(adapter: Adapter, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ModelProxy]:
        with adapter.load(artifact, case, spec) as model:
            yield make(model, artifact)

    return profile
