"""The `hwprof` program: one module per command, whose docstring is its help.

Each has `add_arguments(parser)` and `main(args)`, which returns the exit code. Others import `main` of this package: it
finds the command, and is the only place that turns errors into exit codes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

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
    "validate": "check events by programs of known counts: right, off by a factor, dead, lying",
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
    """Parse, run the command, return its exit code. Every HwprofError becomes one line on stderr."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):  # before argparse: scripts ask this often
        from hwprof import __version__

        print(f"hwprof {__version__}")
        return 0
    from hwprof.errors import EXIT_INTERRUPTED, HwprofError
    from hwprof.printable import accept_everything

    accept_everything(sys.stdout)
    accept_everything(sys.stderr)
    try:
        return _dispatch(words)
    except HwprofError as error:
        print(f"hwprof: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("hwprof: interrupted; what was saved before is whole", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `hwprof ... | head`
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno != 28:
            raise
        print("hwprof: no space left on the device. What was saved before is whole; free some space", file=sys.stderr)
        return HwprofError.exit_code


def _dispatch(words: Sequence[str]) -> int:
    import argparse
    import importlib
    import inspect
    import keyword

    name = words[0] if words and words[0] in COMMANDS else None
    if name is None:
        parser = argparse.ArgumentParser("hwprof", description="Hardware counters, power and memory of inference.")
        parser.add_argument("-V", "--version", action="store_true", help="print the version")
        commands = parser.add_subparsers(title="commands", metavar="COMMAND")
        for command, says in COMMANDS.items():
            commands.add_parser(command, help=says, add_help=False)
        if words and not words[0].startswith("-"):
            from hwprof.errors import UnknownNameError

            raise type("UnknownCommand", (UnknownNameError,), {"kind": "command", "listing": "`hwprof --help`"})(
                words[0], COMMANDS
            )
        parser.parse_args(list(words))
        parser.print_help()
        return 0 if not words else 2
    module = importlib.import_module(f"hwprof.cli.{name}{'_' * keyword.iskeyword(name)}")
    parser = argparse.ArgumentParser(
        f"hwprof {name}",
        description=inspect.cleandoc(module.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    # Not by argparse: which of several "--" it removes differs between Python's versions.
    own, rest = split(words[1:])
    args = parser.parse_args(list(own))
    if rest is not None:
        if not hasattr(args, "command"):
            parser.error(f"no command can follow -- here: {' '.join(rest)}")
        args.command = [*args.command, *rest]
    code: int = module.main(args)
    sys.stdout.flush()
    return code


def split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """The words before and after the first "--"; None: there is none."""
    if "--" not in words:
        return words, None
    at = list(words).index("--")
    return words[:at], words[at + 1 :]
