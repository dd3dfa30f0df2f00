"""`hwprof predict --evaluate`: whether anything besides MACs predicts FPS."""

from __future__ import annotations

import argparse

from hwprof.cli.options import (
    print_json,
)
from hwprof.cli.selection import (
    notify_scope,
    open_selection,
)
from hwprof.errors import EXIT_OK


def main(args: argparse.Namespace) -> int:
    """Judge the models of the results on networks that they have not seen."""
    from hwprof.analysis import models
    from hwprof.networks import traffic
    from hwprof.reports.terminal import models as rendered

    with open_selection(args) as (results, scope):
        notify_scope("predict --evaluate", results, scope)
        frame = results.frame()
    found = models.assess(frame, traffic.facts(models.inputs_of(frame)))
    if args.json:
        print_json(rendered.document(found))
    else:
        print(rendered.text(found))
    return EXIT_OK
