"""LiteRT's profiler, which its C library exports and its Python interface doesn't: one event per operator, in whole us.

The network runs as a compiled model of the library beside the interpreter in the same wheel, with the same kernels: its
time per operator is reported, its speed is not used. Within XNNPACK the delegate's own operators are reported.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable, NotInstalled, UnsupportedModel
from hwprof.frameworks.executorch.profile import kind_of as kind_of_xnnpack
from hwprof.frameworks.litert.graph import FileOperator, locate_events, read_operators, sources
from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.frameworks.profiles.timed import unique
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.litert.adapter import LiteRt
    from hwprof.frameworks.protocol import Array

CPU = 1  # kLiteRtHwAcceleratorCpu
WRITE = 2  # of a locked buffer
# Event types: an operator of the graph, one within a delegate, one that a delegate reports as the graph's.
OPERATORS = (2, 4, 8)
# Operators that others run in, as those of a delegate do: their time is there twice.
OUTER = frozenset({"WHILE", "IF"})
TYPES = frozenset(1 << bit for bit in range(9))
SOURCES = range(3)
# The kernels without XNNPACK; those within are named as in ExecuTorch, but for copies, which join maps.
KINDS = {
    "CONV_2D": "Conv",
    "DEPTHWISE_CONV_2D": "Conv",
    "FULLY_CONNECTED": "Gemm",
    "BATCH_MATMUL": "MatMul",
    "GATHER": "Gather",
    "MAX_POOL_2D": "MaxPool",
    "AVERAGE_POOL_2D": "AveragePool",
    "MEAN": "ReduceMean",
    "ADD": "Add",
    "MUL": "Mul",
    "CONCATENATION": "Concat",
    "SOFTMAX": "Softmax",
    "LOGISTIC": "Sigmoid",
    "HARD_SWISH": "HardSwish",
    "RELU": "Relu",
    "RELU6": "Relu",
    "PAD": "Pad",
    "PADV2": "Pad",
}


class ProfilerEvent(ctypes.Structure):
    """ProfiledEventData of LiteRT 2.3."""

    _fields_ = (
        ("tag", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_int64 * 6),
        ("index", ctypes.c_uint64),
        ("detail", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


@dataclass(slots=True)
class Library:
    """Calls of libLiteRt; each answers with a status."""

    native: Any

    def __call__(self, name: str, *arguments: Any) -> None:
        """Raises UnsupportedModel with the call's name where it fails, NotAvailable where there is none such."""
        call = getattr(self.native, name, None)
        if call is None:
            raise NotAvailable(f"this LiteRT's library has no {name}", "the pinned one has: hwprof env create litert")
        status = call(*arguments)
        if status:
            raise UnsupportedModel(f"LiteRT can't profile the network: {name} gives status {status}")

    def handle(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """The handle that a call writes to its last argument."""
        found = ctypes.c_void_p()
        self(name, *arguments, ctypes.byref(found))
        return found


class Compiled:
    """The network with its profiler, and a buffer for each of its inputs and outputs.

    `keys`: of the inputs in the signature, in the network's order.
    """

    def __init__(
        self, lib: Library, artifact: Path, case: Case, stack: ExitStack, keys: Sequence[str], outputs: int
    ) -> None:
        self._lib, zero = lib, ctypes.c_size_t(0)
        environment = self._made("LiteRtCreateEnvironment", "LiteRtDestroyEnvironment", stack, 0, None)
        path = str(artifact).encode()
        model = self._made("LiteRtCreateModelFromFile", "LiteRtDestroyModel", stack, environment, path)
        options = self._made("LiteRtCreateOptions", "LiteRtDestroyOptions", stack)
        lib("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        kernels = "xnnpack" if case.option("xnnpack", True) else "builtin"
        self._texts = [
            self._option(options, "runtime_options_string", "enable_profiling = true\n"),
            self._option(options, "xnnpack", f'kernel_mode = "{kernels}"\nnum_threads = {case.threads}\n'),
        ]
        self._model = self._made(
            "LiteRtCreateCompiledModel", "LiteRtDestroyCompiledModel", stack, environment, model, options
        )
        self._profiler = lib.handle("LiteRtCompiledModelGetProfiler", self._model)
        if not self._profiler:
            reason = "this LiteRT makes no profiler for a compiled model"
            raise NotAvailable(reason, "the pinned one does: hwprof env create litert")
        signature = lib.handle("LiteRtGetModelSignature", model, zero)
        ends: dict[str, list[ctypes.c_void_p]] = {"Input": [], "Output": []}
        counts = {"Input": len(keys), "Output": outputs}
        for end, number in ((end, number) for end, count in counts.items() for number in range(count)):
            index = ctypes.c_size_t(number)
            tensor = lib.handle(f"LiteRtGetSignature{end}TensorByIndex", signature, index)
            kind = ctypes.create_string_buffer(512)
            lib("LiteRtGetRankedTensorType", tensor, kind)
            needs = lib.handle(f"LiteRtGetCompiledModel{end}BufferRequirements", self._model, zero, index)
            name = "LiteRtCreateManagedTensorBufferFromRequirements"
            ends[end].append(self._made(name, "LiteRtDestroyTensorBuffer", stack, environment, kind, needs))
        self._given, self._results = ends["Input"], ends["Output"]
        self._order = [self._place(signature, key, len(keys)) for key in keys]

    def _place(self, signature: ctypes.c_void_p, key: str, count: int) -> int:
        """The number of an input in the file's own order. Raises UnsupportedModel where there is none of that name."""
        for number in range(count):
            name = ctypes.c_char_p()
            self._lib("LiteRtGetSignatureInputName", signature, ctypes.c_size_t(number), ctypes.byref(name))
            if (name.value or b"").decode() == key:
                return number
        raise UnsupportedModel(f"LiteRT's file has no input {key}")

    def _made(self, make: str, destroy: str, stack: ExitStack, *arguments: Any) -> ctypes.c_void_p:
        found = self._lib.handle(make, *arguments)
        stack.callback(getattr(self._lib.native, destroy), found)
        return found

    def _option(self, options: ctypes.c_void_p, name: str, text: str) -> Any:
        """Adds one; what it gives must live as long as the options."""
        kept = ctypes.create_string_buffer(text.encode())
        nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda data: None)
        data = ctypes.cast(kept, ctypes.c_void_p)
        self._lib("LiteRtAddOpaqueOptions", options, self._lib.handle(
            "LiteRtCreateOpaqueOptions", name.encode(), data, nothing))  # fmt: skip
        return kept, nothing

    def copy_in(self, arrays: Sequence[Array]) -> None:
        """Into the buffers of the inputs, in the network's order. Raises UnsupportedModel where sizes differ."""
        for place, array in zip(self._order, arrays, strict=True):
            self._copy(self._given[place], array)

    def _copy(self, buffer: ctypes.c_void_p, array: Array) -> None:
        size = ctypes.c_size_t()
        self._lib("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
        if size.value != array.nbytes:
            raise UnsupportedModel(f"LiteRT's buffer has {size.value} bytes, and the array {array.nbytes}")
        place = ctypes.c_void_p()
        self._lib("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), WRITE)
        ctypes.memmove(place, array.ctypes.data, array.nbytes)
        self._lib("LiteRtUnlockTensorBuffer", buffer)

    def run(self) -> list[tuple[str, int, int]]:
        """(operator, event type, us) of one inference."""
        given = (ctypes.c_void_p * len(self._given))(*self._given)
        made = (ctypes.c_void_p * len(self._results))(*self._results)
        self._lib("LiteRtStartProfiler", self._profiler)
        self._lib("LiteRtRunCompiledModel", self._model, ctypes.c_size_t(0), ctypes.c_size_t(len(given)), given,
                  ctypes.c_size_t(len(made)), made)  # fmt: skip
        self._lib("LiteRtStopProfiler", self._profiler)
        count = ctypes.c_int()
        self._lib("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (ProfilerEvent * count.value)()
        self._lib("LiteRtGetProfilerEvents", self._profiler, count, events)
        found = records_of(events)
        self._lib("LiteRtResetProfiler", self._profiler)
        return found


def records_of(events: Iterable[ProfilerEvent]) -> list[tuple[str, int, int]]:
    """(operator, event type, us) of each. Raises NotAvailable where they have another form than this module knows."""
    known = list(events)
    if any(e.type not in TYPES or e.source not in SOURCES or not e.tag for e in known):
        reason = "this LiteRT's profiler gives events of another form than 2.3's"
        raise NotAvailable(reason, "the pinned version: hwprof env create litert")
    return [(ctypes.string_at(e.tag).decode(), e.type, e.elapsed_us) for e in known]


class ProfiledModel(ModelProxy):
    """The adapter's model, run by the compiled one."""

    def __init__(self, model: Any, compiled: Compiled, operators: Sequence[FileOperator]) -> None:
        super().__init__(model)
        self._compiled, self._operators = compiled, operators
        self._traces: list[list[tuple[str, int, int]]] = []

    def infer(self, bound: Any) -> list[int]:
        """Copy in, run, keep the events; outputs stay in the library's buffers."""
        self._compiled.copy_in([array for _, array in bound] if isinstance(bound, list) else [bound])
        self._traces.append(self._compiled.run())
        return []

    def begin(self) -> None:
        """The inferences so far were warm-up."""
        self._traces.clear()

    def steps(self) -> Sequence[Step]:
        """One step per operator, its mean over the inferences. Raises UnsupportedModel."""
        return steps_of(self._traces, self._operators)


def steps_of(traces: Sequence[Sequence[tuple[str, int, int]]], operators: Sequence[FileOperator] = ()) -> list[Step]:
    """Steps from the events (operator, type, us) of each inference; what lies around operators is left out.

    `operators`: of the file. They tell the sizes of what an event computes, where each event has one, and which event
    it goes on with. Raises UnsupportedModel where inferences tell different operators, or none.
    """
    inner = [[(tag, us) for tag, kind, us in trace if kind in OPERATORS and not is_outer(tag)] for trace in traces]
    orders = {tuple(tag for tag, _ in trace) for trace in inner}
    if len(orders) != 1 or () in orders:
        raise UnsupportedModel(f"LiteRT's profiler reports {len(orders)} different orders of operators, or none")
    (order,) = orders
    means = [1e3 * sum(trace[i][1] for trace in inner) / len(inner) for i in range(len(order))]
    places = locate_events(order, operators)
    kinds = [kind_of(tag) for tag in order]
    is_sized = all(place is not None for place, kind in zip(places, kinds, strict=True) if kind)
    forms = [operators[place].form if is_sized and place is not None else None for place in places]
    return [
        Step(label, tag, ns, kind=kind, form=form, into=source)
        for label, tag, ns, kind, form, source in zip(
            unique(list(order)), order, means, kinds, forms, sources(places, operators), strict=True
        )
    ]


def is_outer(tag: str) -> bool:
    """Whether an event holds other operators."""
    return tag in OUTER or "Delegate" in tag


def kind_of(tag: str) -> str:
    """The ONNX operator that an event computes; "": none, or none that we know."""
    return KINDS.get(tag) or ("Concat" if tag.startswith("Copy ") else kind_of_xnnpack(tag))


@contextmanager
def profile(adapter: LiteRt, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ProfiledModel]:
    """The network in LiteRT's own runtime with its profiler on. Raises NotInstalled, NotAvailable, UnsupportedModel."""
    with adapter.load(artifact, case, spec) as model, ExitStack() as stack:
        import ai_edge_litert
        from ai_edge_litert import interpreter

        path = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
        try:
            lib = Library(ctypes.CDLL(str(path)))
        except OSError as error:
            raise NotInstalled("LiteRT's C library, which profiles,", adapter.environment.install) from error
        compiled = Compiled(lib, artifact, case, stack, model.keys[0], len(model.keys[1]))
        yield ProfiledModel(model, compiled, read_operators(interpreter, artifact))
