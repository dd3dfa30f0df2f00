"""Environments for frameworks that can't share hwprof's interpreter, or that are wanted in one of their own.

  hwprof env create mxnet                      a virtual environment with the framework's pins, checked
  hwprof env create pytorch --python PATH      an interpreter that has it already (a vendor's build, Debian's python3)
  hwprof env list
  hwprof env remove mxnet

`hwprof run` and `hwprof sweep` start a framework by its environment's interpreter from then on.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hwprof.errors import HwprofError, UsageError

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("create", "list", "remove"))
    parser.add_argument("name", nargs="*", help="framework")
    parser.add_argument("--python", default="", metavar="PATH", help="create: an interpreter with the framework in it")
    parser.add_argument("--base", default="", metavar="PATH", help="create: the interpreter to make it from")
    parser.add_argument("--json", action="store_true", help="list: one JSON document")


def main(args: argparse.Namespace) -> int:
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
        print(create(adapter, args.python, args.base))
    print(f"hwprof: use it: hwprof run -f {args.name[0]}", file=sys.stderr)
    return 0


def create(adapter: Adapter, python: str = "", base: str = "") -> str:
    """Make one, with progress on stderr, and say what it is. Ctrl-C, `kill` and a lost terminal leave nothing of it."""
    from hwprof.frameworks import environments

    def say(line: str) -> None:
        print(f"hwprof: {adapter.name}: {line}", file=sys.stderr, flush=True)

    def end(number: int, frame: object) -> None:
        raise Interruption(number)

    # signals that hwprof was started to ignore (nohup) stay ignored
    heard = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        made = environments.create(adapter, python, base, say)
    except Interruption as ended:
        say("interrupted; what was half-made is deleted")
        raise SystemExit(128 + ended.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return (
        f"{made.name} {made.interpreter.version} · Python {made.interpreter.python_version} · {megabytes(made.bytes)}"
    )


def create_missing(frameworks: Iterable[str]) -> None:
    """The environments of frameworks that run nowhere yet. One that fails is reported and costs its own cases."""
    from hwprof.frameworks import environments

    for adapter in environments.find_missing(frameworks):
        try:
            print(create(adapter), file=sys.stderr)
        except HwprofError as error:
            print(f"hwprof: {adapter.name}: {error}", file=sys.stderr)


class Interruption(BaseException):
    """A signal asked hwprof to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def listing(as_json: bool) -> int:
    """Name, framework version, Python, size, and what is wrong with it."""
    from hwprof.environments import interpreters
    from hwprof.frameworks import environments

    found = list(environments.read_environments())
    if as_json:
        rows = [
            {
                "name": m.name,
                "version": m.interpreter.version or None,
                "python": m.interpreter.python,
                "python_version": m.interpreter.python_version,
                "distributions": dict(m.interpreter.distributions),
                "foreign": m.foreign,
                "bytes": m.bytes,
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
        size = "an interpreter of yours" if m.foreign else megabytes(m.bytes)
        print(f"{m.name:<14} {state:<18} Python {m.interpreter.python_version:<8} {size:<24} {m.interpreter.python}")
    for name in environments.unfinished_folders():
        print(f"{name:<14} unfinished         hwprof env create {name}, or hwprof env remove {name}")
    return 0


def megabytes(size: int) -> str:
    """Bytes as MB."""
    return f"{size / 1e6:,.0f} MB"
