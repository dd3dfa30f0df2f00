"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from hwprof import bounds
from hwprof.errors import UsageError


class Number(argparse.Action):
    """An option that takes a number; `of` names its range in `bounds.RANGES` (default: as the option is called)."""

    def __init__(self, option_strings: Sequence[str], dest: str, of: str = "", **others: Any) -> None:
        super().__init__(option_strings, dest, **others)
        self.of = of or dest

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        """Raises UsageError with the option and what it allows."""
        setattr(namespace, self.dest, bounds.parsed(self.of, str(values), self.option_strings[-1]))


def add_results(parser: argparse.ArgumentParser) -> None:
    """--results."""
    parser.add_argument("--results", metavar="FILE", help="results file (default: HWPROF_RESULTS or ./hwprof.db)")


def add_unmasked(parser: argparse.ArgumentParser) -> None:
    """--unmasked."""
    says = "show secrets in commands, home folders and other programs' arguments as they are (docs/report.md)"
    parser.add_argument("--unmasked", action="store_true", help=says)


def split_events(given: list[str] | None) -> tuple[str, ...]:
    """All -e arguments as one list of event words; groups {a,b} and PMU terms cpu/x=1,y=2/ keep their commas."""
    words: list[str] = []
    for text in given or ["auto"]:
        depth, slash, word = 0, False, ""
        for letter in text:
            if letter == "," and depth == 0 and not slash:
                words.append(word)
                word = ""
                continue
            depth += (letter == "{") - (letter == "}")
            slash ^= letter == "/"
            word += letter
        words.append(word)
    words = [word.strip() for word in words]
    if not all(words):
        raise UsageError("an empty event name", "as in -e cycles,instructions")
    return tuple(words)


def parse_option(text: str) -> tuple[str, Any]:
    """`spin=false` -> ("spin", False); numbers and booleans are recognised, everything else is text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"option '{text}'", "as in --option mode=eager")
    plain: dict[str, Any] = {"true": True, "false": False}
    if value in plain:
        return name, plain[value]
    try:
        return name, int(value)
    except ValueError:
        return name, value
