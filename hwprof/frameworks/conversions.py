"""From which form of a network to which, by what: conversions as adapters declare them, and the clock over their steps.

Standard library only: the worker imports this. An adapter's `prepare` walks one way through the graph. Where it goes
through a form that is worth a name, it calls `reached("torch")`: each step has its time, and a failure its place.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter

ONNX = "onnx"


@dataclass(frozen=True, slots=True)
class Conversion:
    """One conversion. `home`: the framework in whose interpreter it happens; "": hwprof's own."""

    source: str
    target: str
    by: str
    home: str = ""


def form_of(adapter: Adapter) -> str:
    """The form that a framework loads: its adapter's `form`, else the first format of `consumes`."""
    return getattr(adapter, "form", adapter.consumes[0])


def meaning(adapter: Adapter) -> str:
    """The form that a framework loads, in words: its adapter's `form_means`; "" where there is none."""
    return "an ONNX file with its weights" if form_of(adapter) == ONNX else getattr(adapter, "form_means", "")


def steps_of(adapters: Iterable[Adapter]) -> tuple[Conversion, ...]:
    """The graph: the steps that adapters declare as `conversions`.

    An adapter that declares none and takes something else than ONNX is one step, named after itself.
    """
    found: list[Conversion] = []
    for adapter in adapters:
        found += [step for step in getattr(adapter, "conversions", ()) if step not in found]
        if form_of(adapter) != ONNX and not any(step.target == form_of(adapter) for step in found):
            found.append(Conversion(ONNX, form_of(adapter), f"{adapter.name}: its adapter", adapter.name))
    return tuple(found)


def shortest_way(steps: Sequence[Conversion], target: str, source: str = ONNX) -> tuple[Conversion, ...] | None:
    """The fewest steps from `source` to `target`, in the order given among equals; None: there is no way."""
    ways: dict[str, tuple[Conversion, ...]] = {source: ()}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        if here == target:
            return ways[here]
        for step in steps:
            if step.source == here and step.target not in ways:
                ways[step.target] = (*ways[here], step)
                queue.append(step.target)
    return None


def way(adapter: Adapter, there: Callable[[str], bool] = lambda home: True) -> tuple[Conversion, ...] | None:
    """How a framework's form is made from ONNX, over steps whose `home` is `there`; None: something is missing.

    A framework's steps happen in its own interpreter or in the one that its environment names as converter.
    """
    homes = {adapter.name, adapter.environment.converter or adapter.name}
    mine = [step for step in steps_of([adapter]) if not step.home or (step.home in homes and there(step.home))]
    return shortest_way(mine, form_of(adapter))


@dataclass(slots=True)
class Clock:
    """Times the steps of one conversion. `tell` is called with a text before each step.

    `graph`: every step that the conversion may take instead of one of `steps`.
    """

    steps: Sequence[Conversion]
    tell: Callable[[str], None]
    now: Callable[[], float]
    done: list[dict[str, Any]]
    started: float
    graph: Sequence[Conversion] = ()

    def begin(self) -> None:
        """The next step starts now."""
        self.started = self.now()
        if len(self.done) < len(self.steps):
            step = self.steps[len(self.done)]
            self.tell(f"prepare: {step.source} -> {step.target}")

    def reached(self, target: str, source: str = "") -> None:
        """A form is there. `source`: where it came from, if not from the step before or ONNX."""
        seconds = self.now() - self.started
        steps = [step for step in self.graph if step.source == source] if source else self.steps
        known = next((step for step in steps if step.target == target), None)
        source = source or (self.done[-1]["target"] if self.done else ONNX)
        by = known.by if known else "the adapter"
        self.done.append({"source": source, "target": target, "by": by, "seconds": round(seconds, 3)})
        self.begin()


_clock: Clock | None = None


def start(
    steps: Sequence[Conversion],
    tell: Callable[[str], None] = lambda text: None,
    now: Callable[[], float] = time.monotonic,
    graph: Sequence[Conversion] = (),
) -> Clock:
    """Begin to time a conversion; one per process."""
    global _clock
    _clock = Clock(tuple(steps), tell, now, [], now(), tuple(graph))
    _clock.begin()
    return _clock


def reached(target: str, source: str = "") -> None:
    """An adapter's `prepare` calls this when it has the form `target`; the next step begins."""
    if _clock is not None:
        _clock.reached(target, source)
