"""The results file as an argument, and which of its runs: the same words in every command that reads results."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.cli.options import notify
from hwprof.errors import UsageError
from hwprof.printable import capital

if TYPE_CHECKING:
    from hwprof.store import Results
    from hwprof.store.scope import Scope

SELECTING = """
selecting runs:
  results.db:quick            an experiment by its name; also :#3 (number 3 of the file), :last (the latest),
                              :single (what hwprof run, layers and tune measured), :all
  framework=opencv threads=2  runs by a key, with spaces or commas between: framework, network, batch, threads,
                              precision, size, shape, cpus, machine, version, call, kernel, governor, or an option
                              of the framework, as spin=false; a key given twice takes either value
  since=3d until=2026-11-02   runs by time (UTC): an age (45min, 2h, 3d, 1w), a date, or 2026-11-02T14:30
  run=7f3a run=17-30          runs by their id, or by their number in the file
"""


def add_selection(parser: argparse.ArgumentParser, default: str = "the latest experiment") -> None:
    """The results file as an argument, and which of its runs; `open_selection` opens them."""
    says = f"results file, RESULTS:EXPERIMENT, and KEY=VALUE (default: {default} in HWPROF_RESULTS or ./hwprof.db)"
    parser.add_argument("selection", nargs="*", metavar="RESULTS", help=says)
    parser.epilog = SELECTING.strip()


@contextmanager
def open_selection(
    args: argparse.Namespace,
    default: str = "last",
    masked: bool = False,
    reruns: bool = False,
    selectors: Sequence[str] = (),
) -> Iterator[tuple[Results, Scope]]:
    """The results that `args.selection` or --results names, restricted to what it selects, and what that is.

    `default`, `reruns`, `selectors`: as of `Results.choose`. Raises UsageError and ResultsError.
    """
    from hwprof import store

    path, terms = store.place_and_terms(args.selection, getattr(args, "results", None))
    with store.Results.open(path, masked=masked) as results:
        yield results, results.choose(terms, default, reruns, selectors)


def place_named(args: argparse.Namespace) -> Path:
    """The results file that `args.selection` or --results names, to write to. Raises UsageError for a selection."""
    from hwprof import store

    path, terms = store.place_and_terms(args.selection, args.results)
    if terms:
        raise UsageError(f"'{terms[0]}' selects runs", "Name a results file to write to.")
    return path


def notify_scope(command: str, results: Results, scope: Scope) -> None:
    """A line on stderr where the file holds more than what was chosen."""
    if scope.others:
        notify(capital(scope.title), scope.rest(all_of(command, results)))


def all_of(command: str, results: Results) -> str:
    """The command line that takes every run of the file, in backquotes."""
    file = shlex.quote(results.name) if results.name else ""
    return f"`hwprof {command} {file}:all`"
