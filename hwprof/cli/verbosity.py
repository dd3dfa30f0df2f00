"""-q and -v: how much a command says, alike in every command that measures."""

from __future__ import annotations

import argparse
import enum

QUIET = "only the result, in one line on stdout; on stderr errors alone"
VERBOSE = "everything that was recorded, with what it means"


class Verbosity(enum.Enum):
    """How much is said."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


def add_verbosity(parser: argparse._ActionsContainer, verbose: str = VERBOSE) -> None:
    """-q and -v, of which one can be given. `verbose`: what -v adds here."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help=QUIET)
    group.add_argument("-v", "--verbose", action="store_true", help=verbose)


def verbosity_of(args: argparse.Namespace) -> Verbosity:
    """What was asked for."""
    if args.quiet:
        return Verbosity.QUIET
    return Verbosity.VERBOSE if args.verbose else Verbosity.NORMAL
