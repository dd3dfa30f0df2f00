"""The parsers of the commands: none takes an abbreviation, and every help shows the defaults."""

from __future__ import annotations

import argparse
import builtins
import importlib
import inspect
import keyword
from types import ModuleType
from typing import Any, NoReturn

from hwprof.cli.commands import COMMANDS, QUESTIONS, SHELLS, overview
from hwprof.errors import EXIT_USAGE
from hwprof.printable import capital


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Shows the default of each option that takes a value, where its help does not say it in words."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says = action.help
        if not says or action.nargs == 0 or "default" in says:
            return says
        default = default_text(action)
        return f"{says} (default: {default.replace('%', '%%')})" if default else says


def default_text(action: argparse.Action) -> str:
    """The default of an option or argument as it would be typed; "" where it has none of its own."""
    default = action.default
    if default is None or default is argparse.SUPPRESS or isinstance(default, bool | list | tuple):
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)


def module_of(name: str) -> ModuleType:
    """The module of a command; one that Python's own words or names would clash with ends in "_"."""
    ending = "_" if keyword.iskeyword(name) or hasattr(builtins, name) else ""
    return importlib.import_module(f"hwprof.cli.{name}{ending}")


def description_of(module: ModuleType) -> dict[str, Any]:
    """Keywords of argparse for a parser whose help is the module's docstring."""
    return {"description": inspect.cleandoc(module.__doc__ or ""), "formatter_class": HelpFormatter}


class CommandParser(argparse.ArgumentParser):
    """A parser that refuses what it can't read in one line, as any other error, and ends with exit code 2."""

    def __init__(self, prog: str | None = None, **settings: Any) -> None:
        super().__init__(prog, allow_abbrev=False, **settings)  # `--it` is not `--iterations`

    def error(self, message: str) -> NoReturn:
        """What argparse says of a wrong command line, and where the options are listed."""
        from hwprof.cli.streams import complain

        complain(capital(message), f"`{self.prog} --help` lists the options")
        self.exit(EXIT_USAGE)


def command_parser(name: str) -> tuple[argparse.ArgumentParser, ModuleType]:
    """The parser of a command, and its module."""
    module = module_of(name)
    parser = CommandParser(f"hwprof {name}", **description_of(module))
    module.add_arguments(parser)
    return parser, module


class OverviewParser(CommandParser):
    """Prints the commands by their questions in the place of argparse's list."""

    def format_help(self) -> str:
        """The overview."""
        return overview()


def overview_parser() -> OverviewParser:
    """The parser of `hwprof` alone."""
    parser = OverviewParser("hwprof", usage="hwprof COMMAND [OPTION ...]")
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    parser.add_argument("--print-include", action="store_true", help="print the folder of hwprof.h")
    parser.add_argument("--print-completion", choices=SHELLS, help="print the completion of a shell")
    return parser


def whole_parser() -> argparse.ArgumentParser:
    """One parser with those of all commands inside, for the completion of shells."""
    parser = overview_parser()
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=CommandParser)
    for group in QUESTIONS.values():
        for name, says in group.items():
            module = module_of(name)
            one = commands.add_parser(name, help=says, **description_of(module))
            module.add_arguments(one)
    helped = commands.add_parser("help", help="the options of a command")
    helped.add_argument("command", nargs="?", choices=tuple(COMMANDS), help="a command")
    return parser
