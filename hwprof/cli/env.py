"""Environments for frameworks that can't share hwprof's interpreter, or that are wanted apart.

  hwprof env create mxnet                      a virtual environment with the framework's pins, checked
  hwprof env create pytorch --python PATH      an interpreter that has it already (a vendor's build, Debian's python3)
  hwprof env list
  hwprof env remove mxnet

`hwprof run` and `hwprof sweep` start a framework by its environment's interpreter from then on.
"""

from __future__ import annotations

import argparse
import json
import sys

from hwprof.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hwprof env`."""
    parser.add_argument("action", choices=("create", "list", "remove"))
    parser.add_argument("name", nargs="*", help="framework")
    parser.add_argument("--python", default="", metavar="PATH", help="create: an interpreter with the framework in it")
    parser.add_argument("--base", default="", metavar="PATH", help="create: the interpreter to make it from")
    parser.add_argument("--json", action="store_true", help="list: one JSON document")


def main(args: argparse.Namespace) -> int:
    """Create, list or remove."""
    from hwprof import plugins
    from hwprof.frameworks import environments

    if args.action == "list":
        return listing(args.json)
    if not args.name:
        raise UsageError(f"hwprof env {args.action} wants the name of a framework", "`hwprof frameworks` lists them")
    if args.action == "remove":
        for name in args.name:
            environments.remove(name)
            print(f"removed {name}")
        return 0
    if args.python and len(args.name) > 1:
        raise UsageError("--python is for one framework at a time")
    for adapter in [plugins.adapter(name) for name in args.name]:

        def say(line: str, name: str = adapter.name) -> None:
            print(f"hwprof: {name}: {line}", file=sys.stderr)

        made = environments.create(adapter, args.python, args.base, say)
        print(f"{made.name} {made.interpreter.version} · Python {made.interpreter.python_version} · {place(made.size)}")
    return 0


def listing(as_json: bool) -> int:
    """Name, framework version, Python, size, and what is wrong with it."""
    from hwprof.frameworks import environments, interpreters

    found = list(environments.everything())
    if as_json:
        rows = [
            {
                "name": m.name,
                "version": m.interpreter.version or None,
                "python": m.interpreter.python,
                "python_version": m.interpreter.python_version,
                "distributions": dict(m.interpreter.distributions),
                "foreign": m.foreign,
                "bytes": m.size,
                "error": m.interpreter.error,
            }
            for m in found
        ]
        print(json.dumps(rows, indent=2))
        return 0
    if not found:
        print(f"no environments in {interpreters.home()}; hwprof env create NAME makes one")
    for m in found:
        state = m.interpreter.error or m.interpreter.version
        size = "an interpreter of yours" if m.foreign else place(m.size)
        print(f"{m.name:<14} {state:<18} Python {m.interpreter.python_version:<8} {size:<24} {m.interpreter.python}")
    return 0


def place(size: int) -> str:
    """Bytes as MB."""
    return f"{size / 1e6:,.0f} MB"
