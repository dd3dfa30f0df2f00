"""List the frameworks: version (found by importing in a child) or how to install, formats, precisions, options.

  hwprof list frameworks --conversions           how each one's form of a network is made, and what is missing
  hwprof list frameworks --matrix --size 64      every network in every framework here: converts, loads, faithful?

The matrix is found out by doing it; each cell is kept, so that it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from hwprof.cli.options import (
    INPUTS,
    add_case,
    add_former,
    check_folder,
    notify,
    print_json,
    refuse_options,
    split_names,
)
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, HwprofError, UsageError
from hwprof.plan.options import option_text
from hwprof.reports.terminal import style

FORMAT = 1  # of the JSON documents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, case = parser.add_argument, partial(add_case, parser)
    add("--conversions", action="store_true", help="the steps from ONNX to each framework's form, with times seen here")
    add("--matrix", action="store_true", help="try every network in every framework that is here")
    case("framework", default="", metavar="NAMES", help="these, as onnxruntime,pytorch:mode=inductor (default: all)")
    add_former(parser, "--frameworks", "framework")
    case("network", default="", metavar="NAMES", help="matrix: these, with commas; or .onnx files (default: all)")
    add_former(parser, "--networks", "network")
    case("size", help="matrix: side of the input, where a network admits it (default: the network's own)")
    case(*INPUTS)
    case("precision", help="matrix: fp32, fp16, bf16 or int8")
    case("seed", help="matrix: of weights and inputs")
    case("timeout", default=900.0, help="matrix: seconds for one step of one cell")
    add("--retry-failed", action="store_true", help="matrix: try failed cells again")
    add("--kept", action="store_true", help="matrix: only what earlier calls found out; try nothing")
    case("output", help="matrix: write it as Markdown")
    case("json")


def main(args: argparse.Namespace) -> int:
    from hwprof.plugins import adapter, framework_names
    from hwprof.reports.terminal import matrix as report

    if args.matrix:
        return matrix(args)
    if args.output:
        raise UsageError("--output is for --matrix")
    refuse_options(args, INPUTS, "--matrix")
    names = split_names(args.framework) or framework_names()
    if args.conversions:
        from hwprof.studies.matrix.ways import ways

        found = ways(names)
        if args.json:
            print_json({"format": FORMAT, "frameworks": found})
        else:
            print(report.ways_text(found))
        return EXIT_OK
    rows = [row(name) for name in names]
    if args.json:
        print_json({"format": FORMAT, "frameworks": rows})
        return EXIT_OK
    for one in rows:
        print(f"{one['name']:<12} {one['version'] or 'not installed: ' + str(one['install'])}")
        known = adapter(str(one["name"])).options
        options = "; ".join(f"{name} = {', '.join(map(option_text, values))}" for name, values in known.items())
        lines = [f"{'':<12} reads {', '.join(one['formats'])}; {', '.join(one['precisions'])}; {options}"]
        if one["tunable"]:
            lines.append(f"{'':<12} `hwprof tune` searches threads, cpus, {', '.join(one['tunable'])}")
        print("\n".join(part for line in lines for part in style.wrap(line, style.columns(), "", " " * 15)))
        if one["runners"]:
            print(f"{'':<12} runners: {', '.join(one['runners'])} (-f command --option runner=NAME)")
    return 0


def row(name: str) -> dict[str, Any]:
    """One framework of the listing."""
    from hwprof.environments import interpreters
    from hwprof.plan import runners
    from hwprof.plugins import adapter
    from hwprof.studies.tuning.space import tunable

    declared = [runners.load(path) for path in runners.names().values()]
    found = adapter(name)
    where = interpreters.find(name, found.environment)
    return {
        "name": name,
        "version": None if where.error else where.version,
        "python": where.python,
        "error": where.error,
        "install": found.environment.install or f"hwprof env create {name}",
        "formats": list(found.consumes),
        "precisions": list(found.precisions),
        "options": {key: list(values) for key, values in found.options.items()},
        "tunable": list(tunable(found)),
        "runners": [runner.name for runner in declared if runner.framework == name],
    }


def matrix(args: argparse.Namespace) -> int:
    """Fill the matrix with a line of progress per cell on stderr; exit code 4 where a cell is not faithful."""
    from hwprof.networks.inputs import side_title
    from hwprof.plan.inputs import parse_inputs
    from hwprof.reports.terminal import matrix as report
    from hwprof.studies.matrix.matrix import Matrix, columns
    from hwprof.studies.matrix.rows import choices, inputs_by_network

    if args.output:
        check_folder(args.output, "name another file with -o")
    said = parse_inputs(args.shape, args.dim, args.inputs, args.batch_axis, args.state)
    names = split_names(args.network)
    inputs = inputs_by_network(names, said)
    chosen, rows = columns(split_names(args.framework)), choices(names, args.size, inputs)
    work = Matrix(
        chosen,
        rows,
        args.precision,
        seed=args.seed,
        timeout_s=args.timeout,
        retry_failed=args.retry_failed,
        kept_only=args.kept,
        inputs=inputs,
    )
    total = len(rows) * sum(not column.missing for column in chosen)
    cells = []
    for cell, kept in work.run():
        cells.append(cell)
        known = " (kept)" if kept else ""
        side = side_title(cell.size, cell.shape)
        line = f"[{len(cells)}/{total}] {cell.network} {side} {cell.column}: {report.verdict(cell)}{known}"
        print(line, file=sys.stderr, flush=True)
    if args.json:
        print_json(report.document(work, cells))
    elif not args.output:
        print(report.text(work, cells))
    if args.output:
        try:
            Path(args.output).write_text(report.markdown(work, cells))
        except OSError as error:
            raise HwprofError(f"cannot write {args.output}: {error.strerror}", "name another file") from error
        notify(f"{args.output} is written")
    return EXIT_OK if all(cell.faithful for cell in cells) else EXIT_CASES_FAILED
