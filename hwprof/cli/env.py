"""Environments for frameworks that can't share hwprof's interpreter, or that are wanted in one of their own.

  hwprof env create mxnet                      a virtual environment with the framework's pins, checked
  hwprof env create pytorch --python PATH      an interpreter that has it already (a vendor's build, Debian's python3)
  hwprof env list
  hwprof env remove mxnet

`hwprof run` and `hwprof sweep` start a framework by its environment's interpreter from then on.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import add_case, notify, print_json
from hwprof.cli.streams import complain
from hwprof.errors import HwprofError, UsageError
from hwprof.printable import sentence

if TYPE_CHECKING:
    from hwprof.frameworks.environments import OwnEnvironment
    from hwprof.frameworks.protocol import Adapter

FORMAT = 1  # of the JSON documents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("create", "list", "remove"), help="what to do")
    parser.add_argument("name", nargs="*", metavar="FRAMEWORK", help="create, remove: framework")
    parser.add_argument("--python", default="", metavar="PATH", help="create: an interpreter with the framework in it")
    parser.add_argument("--base", default="", metavar="PATH", help="create: the interpreter to make it from")
    add_case(parser, "json")


def main(args: argparse.Namespace) -> int:
    from hwprof import plugins
    from hwprof.frameworks import environments

    if args.action == "list":
        return listing(args.json)
    if not args.name:
        raise UsageError(
            f"hwprof env {args.action} needs the name of a framework", "`hwprof list frameworks` lists them"
        )
    if args.action == "remove":
        for name in args.name:
            environments.remove(name)
            if not args.json:
                print(f"removed {name}")
        if args.json:
            print_json({"format": FORMAT, "removed": args.name})
        return 0
    if args.python and len(args.name) > 1:
        raise UsageError("--python is for one framework at a time")
    made = []
    for adapter in [plugins.adapter(name) for name in args.name]:
        made.append(create(adapter, args.python, args.base))
        if not args.json:
            print(creation_text(made[-1]))
    if args.json:
        print_json(document(made))
    notify("Ready", f"use it: hwprof run -f {args.name[0]}")
    return 0


def create(adapter: Adapter, python: str = "", base: str = "") -> OwnEnvironment:
    """Make one, with progress on stderr. Ctrl-C, `kill` and a lost terminal leave nothing of it."""
    from hwprof.frameworks import environments

    def say(line: str) -> None:
        print(f"hwprof: {adapter.name}: {line}", file=sys.stderr, flush=True)

    def end(number: int, frame: object) -> None:
        raise Interruption(number)

    # signals that hwprof was started to ignore (nohup) stay ignored
    heard = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        return environments.create(adapter, python, base, say)
    except Interruption as ended:
        say(sentence("interrupted", "what was half-made is deleted"))
        raise SystemExit(128 + ended.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def creation_text(made: OwnEnvironment) -> str:
    """What was made, in one line."""
    found = made.interpreter
    return f"{made.name} {found.version} · Python {found.python_version} · {megabytes(made.bytes)}"


def create_missing(frameworks: Iterable[str]) -> None:
    """The environments of frameworks that run nowhere yet. One that fails is reported and costs its own cases."""
    from hwprof.frameworks import environments

    for adapter in environments.find_missing(frameworks):
        try:
            print(creation_text(create(adapter)), file=sys.stderr)
        except HwprofError as error:
            complain(error.message, error.remedy, adapter.name)


class Interruption(BaseException):
    """A signal asked hwprof to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def document(found: Sequence[OwnEnvironment]) -> dict[str, Any]:
    """The JSON form."""
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
    return {"format": FORMAT, "environments": rows}


def listing(as_json: bool) -> int:
    """Name, framework version, Python, size, and what is wrong with it."""
    from hwprof.environments import interpreters
    from hwprof.frameworks import environments

    found = list(environments.read_environments())
    if as_json:
        print_json(document(found))
        return 0
    if not found:
        print(f"no environments in {interpreters.home()}; hwprof env create NAME makes one")
    for m in found:
        state = sentence(m.interpreter.error) if m.interpreter.error else m.interpreter.version
        size = "an interpreter of yours" if m.foreign else megabytes(m.bytes)
        print(f"{m.name:<14} {state:<18} Python {m.interpreter.python_version:<8} {size:<24} {m.interpreter.python}")
    for name in environments.unfinished_folders():
        print(f"{name:<14} unfinished         hwprof env create {name}, or hwprof env remove {name}")
    return 0


def megabytes(size: int) -> str:
    """Bytes as MB."""
    return f"{size / 1e6:,.0f} MB"
