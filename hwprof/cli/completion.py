"""The completion of a shell: commands, options, names of frameworks, networks and experiments, files and folders."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from hwprof.errors import NotInstalled

# What follows an option or argument: by its metavar.
FILES = frozenset({"FILE", "CSV", "RESULTS", "PATH", "WORD"})
FOLDERS = frozenset({"DIR"})
OR_FILES = ("network", "experiment")  # whose names a path may stand for


def script(shell: str) -> str:
    """The completion script of bash, zsh or tcsh. Raises NotInstalled without shtab, which writes it."""
    try:
        import shtab
    except ImportError as error:
        raise NotInstalled("shtab", "pip install shtab") from error
    from hwprof.cli.parsers import whole_parser

    parser = whole_parser()
    functions: dict[str, str] = {}
    for action in actions(parser):
        _complete(action, shtab.FILE, shtab.DIRECTORY, functions)
    return str(shtab.complete(parser, shell, preamble="\n".join(functions.values()) if shell == "bash" else ""))


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument of a parser and of those inside."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from actions(one)


def _complete(action: argparse.Action, file: Mapping[str, Any], folder: Any, functions: dict[str, str]) -> None:
    """Say what completes an option. The parser only makes the script: it takes words of no user.

    `functions`: those of bash, by name, to which one is added where a name or a file can follow.
    """
    completed: Any = None
    if action.metavar in FOLDERS:
        completed = folder
    elif str(action.metavar).split()[-1] in FILES:  # explain's words end with RESULTS
        completed = file
    elif action.nargs != 0 and action.choices is None and (names := names_of(action)):
        action.choices = names
        kind = next((kind for kind in OR_FILES if kind in (action.dest, str(action.metavar).lower())), "")
        if kind:
            function, words = f"_hwprof_{kind}", " ".join(names)
            functions[function] = f'{function}() {{ compgen -W \'{words}\' -- "$1"; compgen -f -- "$1"; }}'
            completed = {"bash": function, "zsh": f"({words})", "tcsh": f"({words})"}
    if completed is not None:
        action.complete = completed  # type: ignore[attr-defined]


def names_of(action: argparse.Action) -> tuple[str, ...]:
    """The built-in names that an option or argument takes."""
    what = {action.dest, action.metavar}
    if what & {"framework", "FRAMEWORK"}:
        from hwprof.plugins import framework_names

        return tuple(framework_names())
    if "network" in what:
        from hwprof.networks import table

        return tuple(table.names())
    if what & {"experiment", "EXPERIMENT"}:
        from hwprof.plan.experiment import built_in_names

        return built_in_names()
    if "arch" in what:
        from hwprof.boards.machines import MACHINES

        return tuple(MACHINES)
    return ()
