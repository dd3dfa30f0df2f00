"""ExecuTorch's own trace (ETDump): one event per operator, those within XNNPACK in whole microseconds."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.errors import NotAvailable, UnsupportedModel
from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.frameworks.profiles.timed import unique
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.printable import plural
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.executorch.adapter import ExecuTorch, ExecuTorchModel

# Events that hold others, so that their time is there twice.
OUTER_EVENTS = frozenset({"OPERATOR_CALL", "DELEGATE_CALL", "Method::execute"})
# XNNPACK's operators, then the portable kernels.
KINDS = (
    (r"^Convolution|^Fully Connected|convolution|addmm|linear|::mm|_mm\.", "Conv"),
    (r"^Batch Matrix Multiply|::bmm|_bmm\.", "MatMul"),
    (r"^Deconvolution", "ConvTranspose"),
    (r"^Max Pooling|max_pool", "MaxPool"),
    (r"^Global Average|^Mean|mean\.|adaptive_avg", "ReduceMean"),
    (r"^Average Pooling|avg_pool", "AveragePool"),
    (r"batch_norm", "BatchNormalization"),
    (r"^HardSwish|hardswish", "HardSwish"),
    (r"^Sigmoid|sigmoid", "Sigmoid"),
    (r"^Clamp|^ReLU|relu|hardtanh|clamp", "Relu"),
    (r"^Softmax|softmax", "Softmax"),
    (r"^Add|_add\.", "Add"),
    (r"^Multiply|_mul\.", "Mul"),
    (r"^Concat|_cat\.", "Concat"),
)


class TracedProgram(ModelProxy):
    """A program that writes down its events; those of the warm-up are thrown away."""

    def __init__(self, model: ExecuTorchModel, folder: Path) -> None:
        super().__init__(model)
        self._program, self._folder = model.program, folder

    def begin(self) -> None:
        """What was written so far was warm-up."""
        super().begin()
        self._dump()

    def steps(self) -> Sequence[Step]:
        """The events by operator, read by ExecuTorch's own inspector."""
        try:
            from executorch.devtools import Inspector
        except ImportError as error:
            reason = f"ExecuTorch's inspector of traces can't be imported: {error}"
            raise NotAvailable(reason, "hwprof env create executorch") from error
        blocks = Inspector(etdump_path=str(self._dump())).event_blocks
        events = [event for block in blocks if block.name == "Execute" for event in block.events]
        timed = [
            (str(event.name), [float(ms) * 1e6 for ms in event.perf_data.raw]) for event in events if event.perf_data
        ]
        return steps_of(timed, self.inferences - self.before)

    def _dump(self) -> Path:
        path = self._folder / "trace.etdp"
        self._program.write_etdump_result_to_file(str(path), str(self._folder / "debug.bin"))
        if not path.exists() or path.stat().st_size == 0:
            reason = "this build of ExecuTorch's runtime writes no trace (it was built without event tracing)"
            raise NotAvailable(reason, "the pinned one does: hwprof env create executorch")
        return path


def steps_of(events: Sequence[tuple[str, Sequence[float]]], inferences: int) -> list[Step]:
    """Steps from (name, nanoseconds of each inference) in the order of execution.

    Raises UnsupportedModel where the trace holds another number of inferences than ran.
    """
    inner = [(name, ns) for name, ns in events if name not in OUTER_EVENTS]
    if not inner or any(len(ns) != inferences for _, ns in inner):
        told = sorted({len(ns) for _, ns in inner})
        raise UnsupportedModel(f"the trace holds {plural(told, 'inference')} of {inferences}")
    names = unique([name for name, _ in inner])
    return [
        Step(label, operator(name), sum(ns) / inferences, kind=kind_of(name))
        for label, (name, ns) in zip(names, inner, strict=True)
    ]


def operator(name: str) -> str:
    """An event's name without its number."""
    return re.sub(r" #\d+$", "", name.removeprefix("native_call_"))


def kind_of(name: str) -> str:
    """The ONNX operator that an event computes; "": none, or none that we know."""
    return next((kind for words, kind in KINDS if re.search(words, name)), "")


@contextmanager
def profile(adapter: ExecuTorch, artifact: Path, case: Case, spec: InputSpec) -> Iterator[TracedProgram]:
    """The adapter's own program, loaded with tracing on."""
    traced = type(adapter)()
    traced.traces = True
    with tempfile.TemporaryDirectory(prefix="hwprof-layers-") as folder, traced.load(artifact, case, spec) as model:
        yield TracedProgram(model, Path(folder))
