"""From which form of a network to which, by what: the graph of conversions, and the clock over a conversion's steps.

Standard library only: the worker imports this. An adapter's `prepare` walks one way through the graph; where it goes
through a form that is worth a name, it says `reached("torch")`, so that each step has its time and a failure its place.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter

ONNX = "onnx"


@dataclass(frozen=True, slots=True)
class Step:
    """One conversion. `home`: the framework in whose interpreter it happens; "": hwprof's own."""

    source: str
    target: str
    by: str
    home: str = ""


# What the forms are, for people.
FORMATS: Mapping[str, str] = {
    "recipe": "a shipped graph without weights, and a seed",
    "torchvision": "torchvision's trained weights",
    "pt2": "a user's own torch module, written by torch.export.save",
    ONNX: "an ONNX file with its weights",
    "static-onnx": "ONNX of one static input shape",
    "torch": "torch.nn modules, in memory",
    "exported": "torch.export's program, in memory",
    "pte": "ExecuTorch's program",
    "tf-function": "TensorFlow operators, in memory",
    "savedmodel": "TensorFlow's SavedModel",
    "tflite": "LiteRT's flatbuffer",
    "ncnn": ".param and .bin",
    "mnn": ".mnn",
    "relax": "TVM's Relax module, in memory",
    "tvm": "machine code for this CPU in a shared library",
    "mxnet": "a symbol and its parameters",
    "caffe": ".prototxt and .caffemodel",
}

STEPS: tuple[Step, ...] = (
    Step("recipe", ONNX, "hwprof: seeded weights"),
    Step("torchvision", ONNX, "hwprof: a state_dict's tensors", "pretrained"),
    Step("pt2", ONNX, "torch.onnx.export", "pytorch"),
    Step("pt2", "torch", "torch.export.load", "pytorch"),
    Step("pt2", "torch", "torch.export.load", "executorch"),
    Step(ONNX, "static-onnx", "onnx: the shape fixed", "opencv"),
    Step(ONNX, "torch", "hwprof: a walk over the graph", "pytorch"),
    Step(ONNX, "torch", "hwprof: a walk over the graph", "executorch"),
    Step("torch", "exported", "torch.export", "executorch"),
    Step("exported", "pte", "ExecuTorch: lowered", "executorch"),
    Step(ONNX, "tf-function", "hwprof: a walk over the graph", "tensorflow"),
    Step("tf-function", "savedmodel", "TensorFlow: traced and saved", "tensorflow"),
    Step("tf-function", "tflite", "TensorFlow's converter", "tensorflow"),
    Step(ONNX, "ncnn", "pnnx", "ncnn"),
    Step(ONNX, "mnn", "MNN's converter", "mnn"),
    Step(ONNX, "relax", "TVM's ONNX frontend", "tvm"),
    Step("relax", "tvm", "LLVM", "tvm"),
    Step(ONNX, "mxnet", "hwprof: a walk over the graph", "mxnet"),
    Step(ONNX, "caffe", "hwprof: a walk over the graph", "caffe"),
)

# What a framework is given where its adapter's `consumes` says less: the same file format, but another form of it.
GIVEN: Mapping[str, str] = {"opencv": "static-onnx", "pytorch": "torch"}


def given(adapter: Adapter) -> str:
    """The form that a framework loads."""
    return GIVEN.get(adapter.name, adapter.consumes[0])


def steps_of(adapters: Iterable[Adapter]) -> tuple[Step, ...]:
    """The graph: the steps above and those that adapters of other packages declare as `conversions`.

    An adapter that declares none and takes something else than ONNX is one step, named after itself.
    """
    found = list(STEPS)
    for adapter in adapters:
        found += [step for step in getattr(adapter, "conversions", ()) if step not in found]
        if not any(step.target == given(adapter) for step in found):
            found.append(Step(ONNX, given(adapter), f"{adapter.name}: its adapter", adapter.name))
    return tuple(found)


def shortest(steps: Sequence[Step], target: str, source: str = ONNX) -> tuple[Step, ...] | None:
    """The fewest steps from `source` to `target`, in the order given among equals; None: there is no way."""
    ways: dict[str, tuple[Step, ...]] = {source: ()}
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


def way(adapter: Adapter, there: Callable[[str], bool] = lambda home: True) -> tuple[Step, ...] | None:
    """How a framework's form is made from ONNX, over steps whose `home` is `there`; None: something is missing.

    A framework's steps happen in its own interpreter or in the one that its environment names as converter.
    """
    homes = {adapter.name, adapter.environment.converter or adapter.name}
    mine = [step for step in steps_of([adapter]) if not step.home or (step.home in homes and there(step.home))]
    # OpenCV's file needs nothing but onnx, wherever it is made.
    return shortest(mine, given(adapter))


@dataclass(slots=True)
class Clock:
    """Times the steps of one conversion as they are reached. `tell` hears of each before it begins."""

    steps: Sequence[Step]
    tell: Callable[[str], None]
    now: Callable[[], float]
    done: list[dict[str, Any]]
    started: float

    def begin(self) -> None:
        """The next step starts now."""
        self.started = self.now()
        if len(self.done) < len(self.steps):
            step = self.steps[len(self.done)]
            self.tell(f"prepare: {step.source} -> {step.target}")

    def reached(self, target: str, source: str = "") -> None:
        """A form is there. `source`: where it came from, if not from the step before or ONNX."""
        seconds = self.now() - self.started
        steps = [step for step in STEPS if step.source == source] if source else self.steps
        known = next((step for step in steps if step.target == target), None)
        source = source or (self.done[-1]["target"] if self.done else ONNX)
        by = known.by if known else "the adapter"
        self.done.append({"source": source, "target": target, "by": by, "seconds": round(seconds, 3)})
        self.begin()


_clock: Clock | None = None


def start(
    steps: Sequence[Step], tell: Callable[[str], None] = lambda text: None, now: Callable[[], float] = time.monotonic
) -> Clock:
    """Begin to time a conversion; one per process."""
    global _clock
    _clock = Clock(tuple(steps), tell, now, [], now())
    _clock.begin()
    return _clock


def reached(target: str, source: str = "") -> None:
    """Said by an adapter's `prepare`: this form is there, what follows is the next step."""
    if _clock is not None:
        _clock.reached(target, source)
