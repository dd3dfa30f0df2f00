"""PyTorch in eager mode, stepped: the graph's own steps are timed one by one, and counters are read between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable
from hwprof.frameworks.profiles.wrapped import Wrapped
from hwprof.frameworks.protocol import Step
from hwprof.machine.clock import clock_ns
from hwprof.networks.graph import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.pytorch.adapter import PyTorch, TorchModel


class Stepped(Wrapped):
    """Every step of the graph between two clock readings; `read` gives running totals by metric (perf), or nothing."""

    def __init__(self, model: TorchModel, graph: Any) -> None:
        super().__init__(model)
        self._graph = graph
        self.read: Callable[[], Mapping[str, float]] = dict
        self._ns: dict[int, int] = defaultdict(int)
        self._counts: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._plain = [function for function, _, _ in graph.steps]
        graph.steps = [
            (self._timed(index, function), inputs, outputs)
            for index, (function, inputs, outputs) in enumerate(graph.steps)
        ]

    def _timed(self, index: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*inputs: Any) -> Any:
            before, start = self.read(), clock_ns()
            out = function(*inputs)
            end, after = clock_ns(), self.read()
            self._ns[index] += end - start
            for metric, value in after.items():
                self._counts[index][metric] += value - before[metric]
            return out

        return step

    def begin(self) -> None:
        """The calls so far were warm-up."""
        super().begin()
        self._ns.clear()
        self._counts.clear()

    def steps(self) -> Sequence[Step]:
        """The graph's steps, named by the tensor that each gives."""
        n = self.inferences - self.before
        return [
            Step(
                outputs[0],
                type(function).__name__ if hasattr(function, "parameters") else "function",
                self._ns[index] / n,
                tuple(outputs),
                {metric: total / n for metric, total in self._counts[index].items()},
            )
            for index, (function, (_, _, outputs)) in enumerate(zip(self._plain, self._graph.steps, strict=True))
        ]


@contextmanager
def profile(adapter: PyTorch, artifact: Path, case: Case, spec: InputSpec) -> Iterator[Stepped]:
    """The adapter's eager graph, stepped. Raises NotAvailable for the compiled modes: they can't be stepped."""
    if case.option("mode", "eager") != "eager":
        raise NotAvailable("a compiled PyTorch graph can't be stepped", "--option mode=eager")
    with adapter.load(artifact, case, spec) as model:
        yield Stepped(model, model._module)
