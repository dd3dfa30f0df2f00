"""ONNX Runtime's own profile: one event per kernel and run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.onnxruntime.adapter import OnnxRuntime, OnnxRuntimeModel

KERNEL = "_kernel_time"
# What the runtime's optimiser appends to the names of the tensors and nodes it works on.
SUFFIXES = ("_nchwc", "_output_0", "_quant", "_token")


class ProfiledSession(ModelProxy):
    """A session with profiling on; the events of the runs before `begin` are left out."""

    def __init__(self, model: OnnxRuntimeModel) -> None:
        super().__init__(model)
        self._session = model._session

    def steps(self) -> Sequence[Step]:
        """Ends the profile and adds up its events by kernel."""
        path = Path(self._session.end_profiling())
        try:
            events = json.loads(path.read_text())
        finally:
            path.unlink(missing_ok=True)
        return steps_of(events, self.before)


def steps_of(events: Sequence[dict[str, Any]], before: int) -> list[Step]:
    """Steps from the profile's events, without the first `before` runs; times are microseconds there."""
    starts = sorted(event["ts"] for event in events if event["cat"] == "Session" and event["name"] == "model_run")
    runs = len(starts) - before
    since = starts[before] if runs > 0 else float("inf")
    found: dict[str, tuple[str, float]] = {}
    for event in sorted((e for e in events if e["cat"] == "Node"), key=lambda e: float(e["ts"])):
        if not event["name"].endswith(KERNEL) or event["ts"] < since:
            continue
        name = event["name"].removesuffix(KERNEL)
        op, total = found.get(name, (str(event["args"].get("op_name", "")), 0.0))
        found[name] = op, total + event["dur"]
    return [Step(name, op, total * 1e3 / runs, names_in(name)) for name, (op, total) in found.items()]


def names_in(name: str) -> tuple[str, ...]:
    """What a kernel's name may be in the network: a node, or the tensor that it gives."""
    names = [name]
    while (cut := next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), None)) is not None:
        names.append(name := cut)
    return tuple(names)


@contextmanager
def profile(adapter: OnnxRuntime, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ProfiledSession]:
    """The adapter's own session with profiling switched on."""
    with tempfile.TemporaryDirectory(prefix="hwprof-layers-") as folder:
        profiling = type(adapter)()
        profiling.profiles_to = f"{folder}/profile"
        with profiling.load(artifact, case, spec) as model:
            yield ProfiledSession(model)
