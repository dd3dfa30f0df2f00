"""List the frameworks: version (found by importing in a child) or how to install, formats, precisions, options.

  hwprof frameworks --conversions              how each one's form of a network is made, and what is missing
  hwprof frameworks --matrix --size 64         every network in every framework here: converts, loads, faithful?

The matrix is found out by doing it; each cell is kept, so that it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from hwprof.cli.options import RangeAction, add_case
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, HwprofError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hwprof frameworks`."""
    add, case = parser.add_argument, partial(add_case, parser)
    add("--conversions", action="store_true", help="the steps from ONNX to each framework's form, with times seen here")
    add("--matrix", action="store_true", help="try every network in every framework that is here")
    add("--networks", default="", metavar="NAMES", help="matrix: only these, with commas; or .onnx files")
    add("--frameworks", default="", metavar="NAMES", help="only these, as onnxruntime,pytorch:mode=inductor")
    add(
        "--size",
        action=RangeAction,
        default=0,
        metavar="PX",
        help="matrix: side of the input, where a network admits it",
    )
    case("precision", help="matrix: default fp32")
    case("seed", help="matrix: of weights and inputs")
    case("timeout", default=900.0, help="matrix: for one step of one cell (default: 900)")
    add("--retry-failed", action="store_true", help="matrix: try failed cells again")
    add("--kept", action="store_true", help="matrix: only what earlier calls found out; try nothing")
    add("-o", "--output", metavar="FILE", help="matrix: write it as Markdown")
    case("json")


def main(args: argparse.Namespace) -> int:
    """Print the table."""
    from hwprof.plugins import adapter, framework_names

    if args.matrix:
        return matrix(args)
    if args.output:
        raise UsageError("--output is for --matrix")
    names = words(args.frameworks) or framework_names()
    if args.conversions:
        return conversions(names, args.json)
    rows = [row(name) for name in names]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for told in rows:
        print(f"{told['name']:<12} {told['version'] or 'not installed: ' + str(told['install'])}")
        options = "; ".join(f"{k} = {', '.join(map(str, v))}" for k, v in adapter(str(told["name"])).options.items())
        print(f"{'':<12} reads {', '.join(told['formats'])}; {', '.join(told['precisions'])}; {options}")
        if told["tunable"]:
            print(f"{'':<12} `hwprof tune` searches threads, cpus, {', '.join(told['tunable'])}")
        if told["runners"]:
            print(f"{'':<12} runners: {', '.join(told['runners'])} (-f command --option runner=NAME)")
    return 0


def words(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def row(name: str) -> dict[str, Any]:
    """One framework as the listing tells it."""
    from hwprof.environments import interpreters
    from hwprof.plan import declared
    from hwprof.plugins import adapter
    from hwprof.studies.tuning.space import tunable

    runners = [declared.load(path) for path in declared.names().values()]
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
        "runners": [runner.name for runner in runners if runner.framework == name],
    }


def conversions(names: tuple[str, ...], as_json: bool) -> int:
    """The way to each framework's form, and the seconds that its steps took in this cache."""
    from hwprof.reports.terminal import matrix as report

    told = report.ways(names)
    print(json.dumps(told, indent=2) if as_json else report.ways_text(told))
    return EXIT_OK


def matrix(args: argparse.Namespace) -> int:
    """Fill the matrix with a line of progress per cell on stderr; exit code 4 where a cell is not faithful."""
    from hwprof.reports.terminal import matrix as report
    from hwprof.studies.matrix.matrix import Matrix, choices, columns

    chosen, rows = columns(words(args.frameworks)), choices(words(args.networks), args.size)
    work = Matrix(
        chosen,
        rows,
        args.precision,
        seed=args.seed,
        timeout_s=args.timeout,
        again=args.retry_failed,
        kept_only=args.kept,
    )
    total = len(rows) * sum(not column.missing for column in chosen)
    cells = []
    for cell, kept in work.run():
        cells.append(cell)
        known = " (kept)" if kept else ""
        line = f"[{len(cells)}/{total}] {cell.network} {cell.size}px {cell.column}: {report.verdict(cell)}{known}"
        print(line, file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps(report.document(work, cells), indent=2))
    elif not args.output:
        print(report.text(work, cells))
    if args.output:
        try:
            Path(args.output).write_text(report.markdown(work, cells))
        except OSError as error:
            raise HwprofError(f"cannot write {args.output}: {error.strerror}", "name another file") from error
        print(f"hwprof: {args.output} written", file=sys.stderr)
    return EXIT_OK if all(cell.faithful for cell in cells) else EXIT_CASES_FAILED
