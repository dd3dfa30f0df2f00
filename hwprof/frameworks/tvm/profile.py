"""TVM's virtual machine with an instrument: called before and after every compiled function."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.profiles.proxy import profile_by
from hwprof.frameworks.profiles.timed import Timed, unique
from hwprof.frameworks.protocol import Step

if TYPE_CHECKING:
    from hwprof.frameworks.tvm.adapter import TvmModel

RUN = 0  # what an instrument answers: go on
BUILTIN = "vm.builtin."
OWN = "vm.builtin (allocation, checks, views)"
# A function is named by the operators that were fused into it; the first that is known decides.
KINDS = (
    (r"conv2d|conv1d|contrib_conv", "Conv"),
    (r"matmul|dense", "Gemm"),
    (r"max_pool", "MaxPool"),
    (r"adaptive_avg_pool|mean", "ReduceMean"),
    (r"avg_pool", "AveragePool"),
    (r"concatenate", "Concat"),
    (r"relu", "Relu"),
    (r"clip", "Clip"),
    (r"sigmoid", "Sigmoid"),
    (r"softmax", "Softmax"),
    (r"split", "Split"),
    (r"transpose", "Transpose"),
    (r"reshape|flatten", "Reshape"),
    (r"multiply", "Mul"),
    (r"subtract", "Sub"),
    (r"divide", "Div"),
    (r"add", "Add"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the machine, as its first inference saw it: arguments and result by address and elements."""

    name: str
    inputs: tuple[tuple[int, int], ...]  # (address, elements)
    output: tuple[int, int] | None


class InstrumentedMachine(Timed):
    """The machine's calls in turn: they are the same, in the same order, in every inference."""

    def __init__(self, model: TvmModel) -> None:
        super().__init__(model)
        self._calls: list[Call] = []
        self._next = 0
        self._given: frozenset[int] = frozenset()  # addresses of what goes in
        model.machine.set_instrument(self._instrument)
        model._main = model.machine["main"]

    def infer(self, bound: Any) -> Any:
        """One call of the network."""
        self._next = 0
        if not self._calls:
            self._given = frozenset(t.data_ptr() for t in (bound if isinstance(bound, tuple) else (bound,)))
        return super().infer(bound)

    def _instrument(self, function: Any, name: str, before: bool, result: Any, *given: Any) -> int:
        if not before:
            self.stop(self._next)
            self._next += 1
            return RUN
        if self._next == len(self._calls):
            tensors = [(a.data_ptr(), math.prod(map(int, a.shape))) for a in given if hasattr(a, "data_ptr")]
            own = name.startswith(BUILTIN) or not tensors
            self._calls.append(Call(name, tuple(tensors[:-1]), None if own else tensors[-1]))
        self.start()
        return RUN

    def steps(self) -> Sequence[Step]:
        """The functions one by one, and the machine's own work as one step."""
        times = [(self.ns(i), self.counts(i)) for i in range(len(self._calls))]
        return steps_of(self._calls, times, self._given)


def steps_of(
    calls: Sequence[Call], times: Sequence[tuple[float, dict[str, float]]], given: Container[int] = ()
) -> list[Step]:
    """Steps from calls in the order of execution. `given`: addresses of the network's inputs, else the first argument.

    A call that works with something no call has written (a bias, a scale) is not the network's own addition: it goes on
    with the step that wrote its first input. What is made of such values alone (transposed weights) is one of them.
    """
    writer: dict[int, int] = {}
    given = given or {next((call.inputs[0][0] for call in calls if call.inputs), 0)}
    found: list[Step] = []
    own = 0.0
    counted: dict[str, float] = {}
    for call, (ns, counts) in zip(calls, times, strict=True):
        if call.output is None:
            own += ns
            counted = {metric: counted.get(metric, 0.0) + value for metric, value in counts.items()}
            continue
        kind = next((kind for words, kind in KINDS if re.search(words, call.name)), "")
        learned = [size for address, size in call.inputs if address not in writer and address not in given]
        form: tuple[int, ...] = (call.output[1],)
        if kind in ("Conv", "Gemm"):
            form = (learned[0] if learned else 0, call.output[1])
        elif learned:
            kind = ""
        into = next((writer[address] for address, _ in call.inputs if address in writer), None)
        found.append(Step(call.name, call.name, ns, (), counts, kind, form, into))
        if len(learned) == len(call.inputs):
            writer.pop(call.output[0], None)  # memory is used again
        else:
            writer[call.output[0]] = len(found) - 1
    names = unique([step.name for step in found])
    steps = [
        Step(name, re.sub(r"\d+$", "", s.op), s.ns, (), s.counts, s.kind, s.form, s.into)
        for name, s in zip(names, found, strict=True)
    ]
    return [*steps, Step(OWN, "vm.builtin", own, (), counted)] if own else steps


profile = profile_by(lambda model, artifact: InstrumentedMachine(model))
