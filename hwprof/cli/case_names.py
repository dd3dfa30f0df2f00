"""Names of networks and frameworks where a command is expected: they are pointed to the option that takes them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from hwprof.errors import CommandNotExecutable, CommandNotFound

CLOSE = 0.8
MODELS = (".onnx", ".pt2")


def remedy_for(word: str, command: str = "run") -> str:
    """The call that measures the case that `word` seems to name; "" where it names none."""
    from hwprof.networks import table
    from hwprof.plugins import framework_names

    if word.lower().endswith(MODELS):
        return f"A model file is given with -n: hwprof {command} -n {word}"
    for what, option, names in (("network", "-n", table.names()), ("framework", "-f", framework_names())):
        for name in difflib.get_close_matches(word, names, n=1, cutoff=CLOSE):
            call = f"hwprof {command} {option} {name}"
            return f"A {what} is given with {option}: {call}" if name == word else f"Did you mean the {what}? {call}"
    return ""


def find_command(argv: Sequence[str], command: str = "run") -> str:
    """The file of a command, as `hwprof.programs.child.find`; where there is none, also what may have been meant."""
    from hwprof.programs.child import find

    try:
        return find(argv)
    except (CommandNotFound, CommandNotExecutable) as error:
        if remedy := remedy_for(argv[0], command):
            raise type(error)(error.message, remedy) from error
        raise
