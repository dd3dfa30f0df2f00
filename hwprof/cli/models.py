"""Does anything besides MACs predict FPS? Models of the results, judged on networks they have not seen.

log FPS on log MACs and few further predictors (parameters, activations and layers of the graph, events per frame),
errors clustered by network, ridge where predictors are collinear. Below 4 networks there is no model, below 7 only
MACs. `hwprof predict` uses them on a network that was not measured.
"""

from __future__ import annotations

import argparse
import json

from hwprof.cli.options import add_results, add_selection, notify_scope, open_selection
from hwprof.errors import EXIT_OK
from hwprof.printable import encodable_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.analysis import models
    from hwprof.networks import traffic
    from hwprof.reports.terminal import models as rendered

    with open_selection(args) as (results, scope):
        notify_scope("models", results, scope)
        frame = results.frame()
    square = frame[frame["shape"] == ""]
    pairs = zip(square["network"].astype(str), square["size"].astype(int), strict=True)
    found = models.assess(frame, traffic.facts(pairs))
    if args.json:
        print(json.dumps(encodable_data(rendered.document(found)), indent=2))
    else:
        print(rendered.text(found))
    return EXIT_OK
