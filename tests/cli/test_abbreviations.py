"""No option is taken for another one that begins with it: `--it 5` is not `--iterations 5`."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hwprof
from hwprof.cli.commands import COMMANDS
from hwprof.cli.parsers import CommandParser, command_parser, overview_parser


def parsers() -> Iterator[argparse.ArgumentParser]:
    """Every parser of the program, with those inside of others."""
    todo = [overview_parser(), *(command_parser(name)[0] for name in COMMANDS)]
    for parser in todo:
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                todo += action.choices.values()


def test_no_parser_takes_an_abbreviation() -> None:
    found = list(parsers())
    assert len(found) > len(COMMANDS)
    assert [parser.prog for parser in found if parser.allow_abbrev] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_beginning_of_an_option_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser, _ = command_parser(name)
    own = {option for action in parser._actions for option in action.option_strings}
    for option in (o for o in own if o.startswith("--") and len(o) > 4 and o[:-1] not in own):
        with pytest.raises(SystemExit) as end:
            parser.parse_args([option[:-1], "1"])
        assert end.value.code == 2
    capsys.readouterr()


def test_every_parser_of_the_package_is_of_the_one_kind() -> None:
    assert all(isinstance(parser, CommandParser) for parser in parsers())
    for file in Path(hwprof.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                assert not ast.unparse(node.func).endswith("ArgumentParser"), f"{file}:{node.lineno}"
