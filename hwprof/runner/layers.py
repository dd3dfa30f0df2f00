"""Per-layer runs: the framework's own profile in a process of its own, mapped back to the network's nodes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.analysis.layers import HEAVY, UNATTRIBUTED, NetworkNode, locate_steps, mismatch
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.readings import missing_readings
from hwprof.frameworks.protocol import Step
from hwprof.plan.cases import PlannedCase
from hwprof.records import Kind, Reading, Run, Window, from_json
from hwprof.runner.workshop import PreparationFailed, Workshop
from hwprof.worker.protocol import Task

if TYPE_CHECKING:
    from hwprof.runner.rounds import Runner


def measure(runner: Runner, planned: PlannedCase, workshop: Workshop, number: int) -> Run:
    """One profiled window of a case, as a run of kind LAYERS; with a failure where it could not be done."""
    environ = planned.environ()
    base = runner.runs.blank(planned, number, 1, Kind.LAYERS, environ)
    try:
        paths = workshop.get(planned)
    except PreparationFailed as error:
        return dataclasses.replace(base, failure=error.failure)
    job = runner.runs.job(planned, paths, Task.LAYERS)
    outcome = runner.launcher.run(job, runner.experiment.timeout_s, environ, python=planned.python)
    if outcome.result is None:
        return dataclasses.replace(base, failure=outcome.failure)
    result = outcome.result
    absent = missing_readings({name: Unavailable(**why) for name, why in result["unavailable"].items()})
    windows = (from_json(Window, data) for data in result["windows"])
    run = dataclasses.replace(
        base,
        windows=tuple(dataclasses.replace(w, readings=(*w.readings, *absent)) for w in windows),
        facts=result["facts"],
    )
    return runner.runs.review(locate(run, paths.source, result))[0]


def locate(run: Run, source: Path, result: Mapping[str, Any]) -> Run:
    """The run with a worker's steps as layers, each with its readings and the nodes of the network at `source`."""
    steps = [from_json(Step, step) for step in result["steps"]]
    network = nodes(source, run.case.batch)
    why = mismatch(network, steps)
    return dataclasses.replace(
        run,
        facts={**run.facts, **({UNATTRIBUTED: why} if why else {})},
        layers=tuple(
            dataclasses.replace(layer, readings=tuple(from_json(Reading, r) for r in readings))
            for layer, readings in zip(locate_steps(network, steps), result["readings"], strict=True)
        ),
    )


def nodes(source: Path, batch: int) -> Sequence[NetworkNode]:
    """The network's nodes in their order, each with its MACs per batch; constants are none."""
    import onnx

    from hwprof.networks.size import NodeCost, layers

    model = onnx.load(str(source), load_external_data=False)
    counted = layers(model, batch)

    def form(layer: NodeCost) -> tuple[int, ...] | None:
        if layer.shape is None:
            return None
        elements = math.prod(layer.shape)
        weights = max((weight.params for weight in layer.weights or ()), default=0)
        return (weights, elements) if layer.op in HEAVY else (elements,)

    return [
        NetworkNode(layer.name, layer.op, tuple(filter(None, node.input)), tuple(node.output), layer.macs, form(layer))
        for node, layer in zip(model.graph.node, counted, strict=True)
        if node.op_type != "Constant"
    ]
