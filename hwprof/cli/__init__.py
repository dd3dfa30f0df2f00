"""The `hwprof` program: one module per command, whose docstring is its help.

Each has `add_arguments(parser)` and `main(args)`, which returns the exit code. Others import `main` of this package: it
finds the command, and is the only place that turns errors into exit codes.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from hwprof.cli.commands import COMMANDS as COMMANDS


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
        complain(error.message, error.remedy)
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted", "what was saved before is whole")
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        complain("no space left on the device", "free some space. What was saved before is whole")
        return HwprofError.exit_code


def _dispatch(words: Sequence[str]) -> int:
    if words in (["--version"], ["-V"]):  # before argparse: scripts ask this often
        from hwprof import __version__

        print(f"hwprof {__version__}")
        return 0
    first, *rest = words or ["help"]
    if first == "help" or words in (["--help"], ["-h"]):
        return _help(rest)
    if first.startswith("-"):
        return _top(words)
    from hwprof.cli.commands import FORMER, translate
    from hwprof.cli.parsers import command_parser
    from hwprof.cli.streams import complain

    if (former := FORMER.get(first)) is not None:
        complain(f'"{first}" is now "{" ".join(former.words)}".')
        first, *rest = translate(former, rest)
    elif first not in COMMANDS:
        raise _unknown_command(first)
    parser, module = command_parser(first)
    # Not by argparse: which of several "--" it removes differs between Python's versions.
    own, behind = split(rest)
    parse = parser.parse_args if parser._subparsers else parser.parse_intermixed_args  # which takes no subparsers
    args = parse(list(own))
    if behind is not None:
        if not hasattr(args, "command"):
            parser.error(f"no command can follow -- here: {' '.join(behind)}")
        args.command = [*args.command, *behind]
    code: int = module.main(args)
    return code


def _help(words: Sequence[str]) -> int:
    """`hwprof help`, `hwprof help run`, `hwprof help list networks`."""
    if words and words[0] != "help":
        return _dispatch([*words, "--help"])
    from hwprof.cli.commands import overview

    print(overview(), end="")
    return 0


def _top(words: Sequence[str]) -> int:
    """Options in the place of a command."""
    from hwprof.cli.parsers import overview_parser
    from hwprof.errors import UsageError

    parser = overview_parser()
    args = parser.parse_args(list(words))
    if args.version:
        return _dispatch(["--version"])
    if args.print_include:
        from hwprof.programs.region import INCLUDE

        print(INCLUDE)
        return 0
    if args.print_completion:
        from hwprof.cli.completion import script

        print(script(args.print_completion))
        return 0
    raise UsageError("No command is named", "`hwprof help` lists them.")


def _unknown_command(word: str) -> Exception:
    """The error for a first word that is no command; a case's name is pointed to the option that takes it."""
    from hwprof.cli.case_names import remedy_for
    from hwprof.errors import UnknownNameError

    listing = remedy_for(word) or "`hwprof help` lists them"
    kind = type("UnknownCommand", (UnknownNameError,), {"kind": "command", "listing": listing})
    error: Exception = kind(word, COMMANDS)
    return error


def split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """The words before and after the first "--"; None: there is none."""
    if "--" not in words:
        return words, None
    at = list(words).index("--")
    return words[:at], words[at + 1 :]
