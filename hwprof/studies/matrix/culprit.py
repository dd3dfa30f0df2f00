"""Finds the node that a framework refuses, where its converter does not name it, by converting parts of the network.

A part is everything that one node's output depends on. The culprit is a node whose part fails while the parts of its
inputs do not. A binary search takes some ten conversions for a hundred nodes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hwprof.plan.cases import PlannedCase
from hwprof.runner.launcher import Launcher
from hwprof.worker.protocol import Job, Task

# Failures that a network can cause. A timeout or a full disk has no node.
NETWORKS_FAULT = frozenset({"model", "framework", "killed"})


class Parts:
    """A network cut at its nodes. `model`: onnx.ModelProto with weights, nodes in topological order as ONNX demands."""

    def __init__(self, model: Any) -> None:
        import onnx

        self.model = model
        self.nodes = list(model.graph.node)
        self._maker = {name: i for i, node in enumerate(self.nodes) for name in node.output if name}
        inferred = onnx.shape_inference.infer_shapes(model)
        self._types = {v.name: v for v in (*inferred.graph.value_info, *inferred.graph.output)}
        self._inputs = {value.name for value in model.graph.input}

    def sources(self, index: int) -> list[int]:
        """Nodes that this one takes its inputs from, and that depend on the network's input."""
        made = {self._maker[name] for name in self.nodes[index].input if name in self._maker}
        return sorted(i for i in made if self.depends_on_input(i))

    def depends_on_input(self, index: int) -> bool:
        """Whether a node is computed from the network's input, not from constants alone."""
        return any(self._inputs & set(self.nodes[i].input) for i in self.ancestors(index))

    def ancestors(self, index: int) -> list[int]:
        """This node and all that it depends on, in order."""
        found, todo = {index}, [index]
        while todo:
            for name in self.nodes[todo.pop()].input:
                made = self._maker.get(name)
                if made is not None and made not in found:
                    found.add(made)
                    todo.append(made)
        return sorted(found)

    def part(self, index: int) -> Any:
        """The network that ends with this node's first output."""
        import onnx

        nodes = [self.nodes[i] for i in self.ancestors(index)]
        used = {name for node in nodes for name in node.input}
        output = self.nodes[index].output[0]
        value = self._types.get(output) or onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        weights = [tensor for tensor in self.model.graph.initializer if tensor.name in used]
        graph = onnx.helper.make_graph(nodes, "part", list(self.model.graph.input), [value], weights)
        return onnx.helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)

    def culprit(self, fails: Callable[[int], bool]) -> int | None:
        """Index of the node; None where no output of the network fails."""
        known: dict[int, bool] = {}

        def bad(index: int) -> bool:
            if index not in known:
                known[index] = fails(index)
            return known[index]

        ends = [self._maker[output.name] for output in self.model.graph.output if output.name in self._maker]
        last = next((end for end in ends if bad(end)), None)
        if last is None:
            return None
        while True:
            order = [i for i in self.ancestors(last) if self.depends_on_input(i)]
            low, high = -1, len(order) - 1  # order[high] fails, order[low] does not
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if bad(order[middle]) else (middle, high)
            last = order[high]
            worse = [i for i in self.sources(last) if bad(i)]
            if not worse:
                return last
            last = worse[0]

    def title(self, index: int) -> str:
        """Operator and node."""
        node = self.nodes[index]
        return f"operator {node.op_type} of node {node.name or node.output[0]}"

    def names_node(self, text: str) -> bool:
        """Whether a message names an operator of the network and a node, or a node's output."""
        words = set(re.findall(r"[\w./:-]+", text))
        ours = {node.name for node in self.nodes if node.name} | set(self._maker)
        return bool(words & ours) and bool(words & {node.op_type for node in self.nodes})


def blame(planned: PlannedCase, launcher: Launcher, source: Path, message: str, seed: int, timeout_s: float) -> str:
    """`operator X of node y` where a conversion or loading fails; "" where `message` names it, or none is found."""
    import onnx

    parts = Parts(onnx.load(str(source)))
    if parts.names_node(message):
        return ""
    with TemporaryDirectory(prefix="hwprof-blame-") as folder:

        def fails(index: int) -> bool:
            place = Path(folder) / str(index)
            place.mkdir()
            onnx.save(parts.part(index), str(place / "part.onnx"))
            return not works(planned, launcher, place, seed, timeout_s)

        found = parts.culprit(fails)
    return "" if found is None else parts.title(found)


def works(planned: PlannedCase, launcher: Launcher, folder: Path, seed: int, timeout_s: float) -> bool:
    """Whether part.onnx in `folder` converts, loads and runs."""
    case = dataclasses.replace(planned.asked, cpus=())
    source = folder / "part.onnx"
    job = Job(
        Task.PREPARE,
        case,
        planned.network.source,
        seed,
        dataclasses.replace(planned.spec, outputs=()),  # a part has one output of its own
        adapter=planned.adapter_path,
        source=str(source),
        output=str(folder),
    )
    environ = planned.adapter.environ(case)
    made = launcher.run(job, timeout_s, environ, python=planned.converter)
    if made.result is None:
        return False
    job = dataclasses.replace(job, task=Task.CHECK, artifact=str(made.result["artifact"]))
    return launcher.run(job, timeout_s, environ, python=planned.python).result is not None
