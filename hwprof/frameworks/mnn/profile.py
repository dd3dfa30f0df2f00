"""MNN, stepped by its own callbacks before and after each operator of the session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable
from hwprof.frameworks.mnn.module import MnnModule
from hwprof.frameworks.profiles.proxy import profile_by
from hwprof.frameworks.profiles.timed import Timed, unique
from hwprof.frameworks.protocol import Step

if TYPE_CHECKING:
    from hwprof.frameworks.mnn.adapter import MnnModel

# An operator that MNN made of (part of) one of the network's: what it works on, and how many it is.
RASTER = re.compile(r"^(?P<of>.+)_raster_\d+$")


class SteppedSession(Timed):
    """A session run with callbacks; MNN calls them in the calling thread, one operator at a time."""

    def __init__(self, model: MnnModel) -> None:
        super().__init__(model)
        self._mnn = model
        self._operators: list[tuple[str, str]] = []
        self._next = 0

    def infer(self, bound: Any) -> Any:
        """Copy in, run with callbacks."""
        self.inferences += 1
        self._next = 0
        self._mnn.copy_in(bound)
        self._mnn._interpreter.runSessionWithCallBackInfo(self._mnn._session, self._enter, self._leave)
        return self._mnn._output

    def _enter(self, tensors: Any, operator: Any) -> bool:
        if self._next == len(self._operators):
            self._operators.append((operator.getName(), operator.getType()))
        self.start()
        return True

    def _leave(self, tensors: Any, operator: Any) -> bool:
        self.stop(self._next)
        self._next += 1
        return True

    def steps(self) -> Sequence[Step]:
        """The session's operators."""
        times = [(self.ns(i), self.counts(i)) for i in range(len(self._operators))]
        names = unique([name for name, _ in self._operators])
        return [step(name, told, *time) for name, told, time in zip(names, self._operators, times, strict=True)]


def step(name: str, told: tuple[str, str], ns: float, counts: dict[str, float]) -> Step:
    """An operator is named by the tensor that it gives; a raster in front of one prepares that one's input."""
    own, kind = told
    made = RASTER.match(own)
    if made is None:
        return Step(name, kind, ns, (own,), counts)
    if kind == "Raster":
        return Step(name, kind, ns, (), counts, feeds=made["of"])
    return Step(name, kind, ns, (made["of"],), counts)


def stepped(model: Any, artifact: Path) -> SteppedSession:
    """A session with callbacks. Raises NotAvailable for a module, which has none."""
    if isinstance(model, MnnModule):
        raise NotAvailable(
            "MNN runs this network by its module interface, which reports no time per layer",
            "profile it in another framework",
        )
    return SteppedSession(model)


profile = profile_by(stepped)
