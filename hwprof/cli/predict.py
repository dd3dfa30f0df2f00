"""Predict the FPS of a network that has not been measured, with its 95 % interval.

From the network's graph (MACs, parameters, activations, layers) and what other networks did in the same framework in
the results. At least 4 networks must have been measured there; 7 allow more than MACs. Where others disturbed a run,
the prediction is one of throughput, or of frames per CPU second.

--evaluate answers: does anything besides MACs predict FPS? Its models of the results are judged on networks that they
have not seen: log FPS on log MACs and few further predictors (parameters, activations and layers of the graph, events
per frame), errors clustered by network, ridge where predictors are collinear.
"""

from __future__ import annotations

import argparse
import shlex
from functools import partial
from typing import Any

from hwprof.cli import models as evaluation
from hwprof.cli.options import (
    BATCH_HELP,
    add_case,
    add_results,
    print_json,
    refuse_options,
)
from hwprof.cli.selection import (
    add_selection,
    notify_scope,
    open_selection,
)
from hwprof.cli.streams import complain
from hwprof.errors import EXIT_OK, NotAvailable, UnknownFramework, UsageError
from hwprof.printable import plural, printable
from hwprof.records import to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    case = partial(add_case, parser)
    add_selection(parser)
    parser.add_argument("--evaluate", action="store_true", help="judge the models on the networks that were measured")
    case("framework", default=None, help="as it stands in the results; needed")
    case("network", default=None, help="built-in name or path of an .onnx or .pt2; needed")
    case("size", default=None)
    case("shape", "dim")
    case("batch", default=None, help=BATCH_HELP)
    case("threads", default=None, help="threads (default: every number of threads in the results)")
    case("json")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    if args.evaluate:
        refuse_options(
            args,
            ("framework", "network", "size", "shape", "dim", "batch", "threads"),
            "a prediction, not for --evaluate",
            "It judges all models of the results.",
        )
        return evaluation.main(args)
    if not args.network or not args.framework:
        raise UsageError(
            "A network and a framework are needed to predict FPS", "as in hwprof predict -f onnxruntime -n resnet18"
        )
    return predict(args)


def predict(args: argparse.Namespace) -> int:
    """Print the prediction for each stratum of the results, or why there is none on stderr."""
    from hwprof.analysis import models, prediction
    from hwprof.analysis.correlation import strata
    from hwprof.analysis.correlation.target import SPEED, surviving_speed
    from hwprof.analysis.estimator import Estimator
    from hwprof.networks import traffic
    from hwprof.networks.inputs import side_title
    from hwprof.plan.cases import network_with
    from hwprof.plan.inputs import parse_inputs

    network = network_with(args.network, parse_inputs(args.shape, args.dim))
    frames = network.own_batch
    batch = args.batch or frames
    size, shape = network.place(args.size, network.input_spec(args.size, frames))
    macs, params = network.macs(args.size, frames), network.params(args.size)
    if macs is None or params is None:
        why = network.measure(args.size, frames).unknown
        raise UsageError(f"the size of {network.name} is not known: {why}", "Measure it: hwprof run -n NETWORK.")
    facts: dict[str, float] = {
        "macs": macs / frames,
        "params": float(params),
    }
    new = (args.network, size, shape)
    facts |= traffic.facts([new]).get(new, {})
    with open_selection(args) as (results, scope):
        notify_scope(shlex.join(["predict", "-n", args.network, "-f", args.framework]), results, scope)
        frame = results.frame()
    if args.framework not in set(frame["framework"].astype(str)):
        raise UnknownFramework(args.framework, frame["framework"].astype(str))
    rows = frame[(frame["batch"] == batch) & (frame["framework"] == args.framework)]
    if args.threads:
        rows = rows[rows["threads"] == args.threads]
    rows = rows[rows["network"] != printable(network.name)]  # measured: that is no prediction
    measured = bool((frame["network"] == printable(network.name)).any())
    extra = traffic.facts(models.inputs_of(rows))
    predictions: list[dict[str, Any]] = []
    for stratum, part in strata.split(strata.label(rows)):
        rows_of, choice = surviving_speed(strata.usable_rows(part))
        usable, lacking = models.by_size(rows_of)
        if lacking:
            complain(f"Left out for unknown MACs: {', '.join(lacking)}", about=stratum.title)
        data = models.table(usable, [], extra)
        for variant in dict.fromkeys(data.frameworks):
            found = prediction.predict(data, variant, facts)
            title = f"{variant} · {stratum.title} · batch {batch}"
            if isinstance(found, prediction.Refusal):
                complain(found.why, about=title)
                continue
            one = {"case": title, "target": SPEED[choice.estimator], "why": choice.why, **to_json(found)}
            if choice.estimator is Estimator.FPS:
                one["fps"] = found.speed
            predictions.append(one)
    if not predictions:
        raise NotAvailable(
            f"no prediction for {args.network} with {args.framework}", "measure more networks: hwprof sweep quick"
        )
    if args.json:
        document = {"format": 1, "network": network.name, "facts": facts, "predictions": predictions}
        print_json(document)
        return EXIT_OK
    known = " (its own runs are left out)" if measured else ""
    print(
        f"{network.name} {side_title(size, shape)}: {', '.join(f'{k} {v:,.0f}' for k, v in facts.items() if v)}{known}"
    )
    for one in predictions:
        print(f"  {one['case']}")
        bounds = "without an interval"
        if one["low"] is not None:
            bounds = f"[{one['low']:.4g}, {one['high']:.4g}]  95 % for a new network"
        print(
            f"    {one['target']} {one['speed']:.4g}  {bounds}, from {plural(one['networks'], 'network')} "
            f"by {' + '.join(one['predictors'])}"
        )
        if one["why"]:
            print(f"    {one['target']} is predicted, not FPS: in the worst run {one['why']}")
        for note in one["notes"]:
            print(f"    {note}")
    return EXIT_OK
