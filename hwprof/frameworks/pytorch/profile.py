"""PyTorch in eager mode, stepped: the graph's own steps are timed one by one, and counters are read between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable
from hwprof.frameworks.profiles.timed import Timed
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.pytorch.adapter import PyTorch, TorchModel


class SteppedGraph(Timed):
    """A graph whose steps are timed one by one."""

    def __init__(self, model: TorchModel, graph: Any) -> None:
        super().__init__(model)
        self._graph = graph
        self._plain = [function for function, _, _ in graph.steps]
        graph.steps = [
            (self._timed(index, function), inputs, outputs)
            for index, (function, inputs, outputs) in enumerate(graph.steps)
        ]

    def _timed(self, index: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*inputs: Any) -> Any:
            self.start()
            out = function(*inputs)
            self.stop(index)
            return out

        return step

    def steps(self) -> Sequence[Step]:
        """The graph's steps, named by the tensor that each gives."""
        return [
            Step(
                outputs[0],
                type(function).__name__ if hasattr(function, "parameters") else "function",
                self.ns(index),
                tuple(outputs),
                self.counts(index),
            )
            for index, (function, (_, _, outputs)) in enumerate(zip(self._plain, self._graph.steps, strict=True))
        ]


@contextmanager
def profile(adapter: PyTorch, artifact: Path, case: Case, spec: InputSpec) -> Iterator[SteppedGraph]:
    """The adapter's eager graph, stepped. Raises NotAvailable for the compiled modes: they can't be stepped."""
    if case.option("mode", "eager") != "eager":
        raise NotAvailable("a compiled PyTorch graph can't be stepped", "--option mode=eager")
    with adapter.load(artifact, case, spec) as model:
        yield SteppedGraph(model, model._module)
