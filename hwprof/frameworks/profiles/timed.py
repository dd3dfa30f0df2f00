"""A model whose steps are timed one by one from outside; counters are read between them where there are any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from statistics import median_low
from typing import TYPE_CHECKING

from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.machine.clock import clock_ns

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Model

EMPTY = -1  # the number of a step that computes nothing
REPEATS = 16


class Timed(ModelProxy):
    """Nanoseconds and counts by a step's number; `read` gives running totals by metric (perf), or nothing."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.read: Callable[[], Mapping[str, float]] = dict
        self._ns: dict[int, int] = defaultdict(int)
        self._counts: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._before: Mapping[str, float] = {}
        self._start = 0

    def start(self) -> None:
        """Just before a step: the counters, then the clock."""
        self._before, self._start = self.read(), clock_ns()

    def stop(self, number: int) -> None:
        """Just after step `number`: the clock, then the counters."""
        end, after = clock_ns(), self.read()
        self._ns[number] += end - self._start
        for metric, value in after.items():
            self._counts[number][metric] += value - self._before[metric]

    def begin(self) -> None:
        """The inferences so far were warm-up."""
        super().begin()
        self._ns.clear()
        self._counts.clear()

    def reading_cost(self) -> dict[str, float]:
        """Counts of a step that computes nothing: what reading twice puts into every step."""
        costs = []
        for _ in range(REPEATS):
            self.start()
            self.stop(EMPTY)
            costs.append(self._counts.pop(EMPTY, {}))
        self._ns.pop(EMPTY)
        settled = costs[REPEATS // 2 :]  # the interpreter specialises its bytecode within the first few
        return {metric: median_low([cost[metric] for cost in settled]) for metric in settled[0]}

    def ns(self, number: int) -> float:
        """Mean nanoseconds of a step per inference."""
        return self._ns[number] / (self.inferences - self.before)

    def counts(self, number: int) -> dict[str, float]:
        """Mean counts of a step per inference."""
        return {metric: total / (self.inferences - self.before) for metric, total in self._counts[number].items()}


def unique(names: list[str]) -> list[str]:
    """Names with a number where they repeat: the second `conv` is `conv #2`."""
    seen: dict[str, int] = defaultdict(int)
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return found
