"""Every parser of the program, by the words that lead to it: `run`, `list cases`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from hwprof.cli.commands import COMMANDS
from hwprof.cli.parsers import command_parser, overview_parser


def walk(words: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    yield words, parser
    for action in inner:
        for name, one in action.choices.items():
            yield from walk(f"{words} {name}".strip(), one)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Words of the command -> its parser; "" is that of `hwprof` alone."""
    found: dict[str, argparse.ArgumentParser] = {"": overview_parser()}
    for name in COMMANDS:
        found |= dict(walk(name, command_parser(name)[0]))
    return found


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What help shows of a parser: its options and arguments but --help."""
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction) and action.help is not argparse.SUPPRESS:
            yield action
