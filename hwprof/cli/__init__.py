"""The `hwprof` program: one module per command, whose docstring is its help.

Each has `add_arguments(parser)` and `main(args)`, which returns the exit code. Others import `main` of this package: it
finds the command, and is the only place that turns errors into exit codes.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

# Command -> its line in the overview.
COMMANDS = {
    "run": "measure one case, as easy as perf stat",
    "record": "where the time goes: hottest functions and libraries, flame graph",
    "sweep": "measure an experiment: frameworks x networks x batches x threads",
    "tune": "search the best launch parameters of a framework, and keep them",
    "scaling": "FPS against threads: parallel efficiency, serial fraction",
    "report": "correlations per framework, FPS table, figures",
    "explain": "why A is faster than B: the ratio in factors, and what stands behind them",
    "bottlenecks": "what holds each case back, with the numbers, how sure, and what to try",
    "compare": "two results, case by case: faster, slower, the same, or can't tell; exit code for CI",
    "models": "does anything besides MACs predict FPS? judged on networks not seen",
    "predict": "FPS of a network that has not been measured, with its interval",
    "calibrate": "this machine's own ceilings: arithmetic, bandwidth and latency",
    "roofline": "how near each case comes to what the machine can do",
    "doctor": "what this machine can measure, and what to do about what it can't",
    "events": "events this machine offers, each probed by opening it",
    "validate": "check events by programs of known counts: right, off by a factor, miscounting, dead",
    "networks": "built-in networks with MACs, parameters and input shape",
    "layers": "time per layer, frameworks side by side",
    "frameworks": "frameworks: version, or how to install",
    "accuracy": "top-1 and top-5 over labelled images, between frameworks",
    "env": "environments of frameworks that can't share this interpreter",
    "export": "results as CSV, Parquet, JSON or pyperf's JSON",
    "import": "take in tables of DLI (CSV, XLSX) and files of pyperf",
    "merge": "take in another results file",
    "board": "run a command on an emulated riscv64 or arm64 board",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run the command, return its exit code. Every HwprofError becomes one line on stderr.

    The exit code is the command's own, whether or not anyone still reads stdout or stderr.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    from hwprof.cli.streams import enduring_streams

    with enduring_streams():
        return _run(words)


def _run(words: Sequence[str]) -> int:
    from hwprof.cli.streams import complain
    from hwprof.errors import EXIT_INTERRUPTED, HwprofError

    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except HwprofError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted; what was saved before is whole")
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        complain("no space left on the device. What was saved before is whole; free some space")
        return HwprofError.exit_code


def command_parser(name: str) -> tuple[argparse.ArgumentParser, ModuleType]:
    """The parser of a command, and its module. Options are not abbreviated: `--it` is not `--iterations`."""
    import argparse
    import importlib
    import inspect
    import keyword

    module = importlib.import_module(f"hwprof.cli.{name}{'_' * keyword.iskeyword(name)}")
    parser = argparse.ArgumentParser(
        f"hwprof {name}",
        description=inspect.cleandoc(module.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser, module


def overview_parser() -> argparse.ArgumentParser:
    """The parser of `hwprof` alone, with the list of commands."""
    import argparse

    parser = argparse.ArgumentParser(
        "hwprof", description="Hardware counters, power and memory of inference.", allow_abbrev=False
    )
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command, says in COMMANDS.items():
        commands.add_parser(command, help=says, add_help=False, allow_abbrev=False)
    return parser


def _dispatch(words: Sequence[str]) -> int:
    if words in (["--version"], ["-V"]):  # before argparse: scripts ask this often
        from hwprof import __version__

        print(f"hwprof {__version__}")
        return 0
    name = words[0] if words and words[0] in COMMANDS else None
    if name is None:
        if words and not words[0].startswith("-"):
            raise unknown_command(words[0])
        parser = overview_parser()
        parser.parse_args(list(words))
        parser.print_help()
        return 0 if not words else 2
    parser, module = command_parser(name)
    # Not by argparse: which of several "--" it removes differs between Python's versions.
    own, rest = split(words[1:])
    args = parser.parse_args(list(own))
    if rest is not None:
        if not hasattr(args, "command"):
            parser.error(f"no command can follow -- here: {' '.join(rest)}")
        args.command = [*args.command, *rest]
    code: int = module.main(args)
    return code


def unknown_command(word: str) -> Exception:
    """The error for a first word that is no command; a case's name is pointed to the option that takes it."""
    from hwprof.cli.case_names import remedy_for
    from hwprof.errors import UnknownNameError

    listing = remedy_for(word) or "`hwprof --help`"
    kind = type("UnknownCommand", (UnknownNameError,), {"kind": "command", "listing": listing})
    error: Exception = kind(word, COMMANDS)
    return error


def split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """The words before and after the first "--"; None: there is none."""
    if "--" not in words:
        return words, None
    at = list(words).index("--")
    return words[:at], words[at + 1 :]
