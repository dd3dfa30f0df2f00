"""MXNet's profiler: one event per operator, its operators executed one by one instead of in bulk."""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.frameworks.profiles.timed import unique
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.mxnet.adapter import Mxnet, MxnetModel

# Otherwise the engine runs an inference as one unit, and the profile has that unit only.
IN_BULK = "MXNET_EXEC_BULK_EXEC_INFERENCE"


class ProfiledExecutor(ModelProxy):
    """An executor with MXNet's profiler on from `begin` on."""

    def __init__(self, model: MxnetModel, path: Path) -> None:
        super().__init__(model)
        self._mx, self._path = model._mx, path
        self._symbol = json.loads(model._executor._symbol.tojson())
        self._mx.profiler.set_config(profile_symbolic=True, profile_imperative=True, filename=str(path))

    def begin(self) -> None:
        """The inferences so far were warm-up."""
        super().begin()
        self._mx.profiler.set_state("run")

    def steps(self) -> Sequence[Step]:
        """Ends the profile and adds up its events by operator."""
        self._mx.profiler.set_state("stop")
        self._mx.profiler.dump()
        return steps_of(json.loads(self._path.read_text())["traceEvents"], self._symbol)


def steps_of(events: Sequence[Mapping[str, Any]], symbol: Mapping[str, Any]) -> list[Step]:
    """Steps from the profiler's events (microseconds) and the symbol as it was bound.

    The events have the operator's type and no name: they come in the symbol's order, which is checked. What else the
    device did (copying the input) is added up by type. Raises UnsupportedModel where events and symbol don't agree.
    """
    nodes = [node for node in symbol["nodes"] if node["op"] != "null"]
    place = 0
    began: dict[tuple[Any, str], float] = {}
    took: dict[int, float] = defaultdict(float)
    beside: dict[str, float] = defaultdict(float)
    kinds = {node["op"] for node in nodes}
    for event in sorted((e for e in events if e["ph"] in "BE"), key=lambda e: float(e["ts"])):
        key = event["tid"], event["name"]
        if event["ph"] == "B":
            began[key] = event["ts"]
            continue
        ns = (event["ts"] - began.pop(key)) * 1e3
        if event["name"] not in kinds:
            beside[event["name"]] += ns
        elif event["name"] != nodes[place % len(nodes)]["op"]:
            raise UnsupportedModel("MXNet ran its operators in another order than the symbol has", "1 thread")
        else:
            took[place % len(nodes)] += ns
            place += 1
    runs = place // len(nodes)
    if runs == 0 or place % len(nodes):
        raise UnsupportedModel("MXNet's profile holds no whole inference", "more --iterations")
    names = unique([node["name"] for node in nodes])
    found = [
        Step(name, node["op"], took[i] / runs, names_of(node))
        for i, (name, node) in enumerate(zip(names, nodes, strict=True))
    ]
    return [*found, *(Step(n, n, ns / runs) for n, ns in beside.items() if n not in WAITS)]


# Events of waiting, not of work.
WAITS = frozenset({"WaitForVar", "WaitForAll"})


def names_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the network's nodes that an operator was made of: its own, or those of the graph within."""
    within = [inner["name"] for part in node.get("subgraphs", ()) for inner in part["nodes"] if inner["op"] != "null"]
    return (*within, node["name"])


@contextmanager
def profile(adapter: Mxnet, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ProfiledExecutor]:
    """The adapter's own executor, its operators executed one by one, with the profiler on."""
    os.environ[IN_BULK] = "0"
    with tempfile.TemporaryDirectory(prefix="hwprof-layers-") as folder, adapter.load(artifact, case, spec) as model:
        yield ProfiledExecutor(model, Path(folder) / "profile.json")
