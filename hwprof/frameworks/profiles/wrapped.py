"""A model that is profiled: everything but the profile is the adapter's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, Model


class Wrapped:
    """Hands on to `model`, and counts inferences: `inferences` of all, `before` of them before the window."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.inferences = self.before = 0

    def bind(self, batch: Array) -> Any:
        """As without profiling."""
        return self.model.bind(batch)

    def infer(self, bound: Any) -> Any:
        """One inference."""
        self.inferences += 1
        return self.model.infer(bound)

    def numpy(self, out: Any) -> Array:
        """As without profiling."""
        return self.model.numpy(out)

    def facts(self) -> dict[str, Any]:
        """As without profiling."""
        return dict(self.model.facts())

    def begin(self) -> None:
        """The inferences so far were warm-up."""
        self.before = self.inferences
