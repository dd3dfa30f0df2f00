"""The parsers of the commands: none takes an abbreviation, and every help shows the defaults."""

from __future__ import annotations

import argparse
import builtins
import importlib
import inspect
import keyword
from types import ModuleType
from typing import Any

from hwprof.cli.commands import COMMANDS, QUESTIONS, SHELLS, overview


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


def command_parser(name: str) -> tuple[argparse.ArgumentParser, ModuleType]:
    """The parser of a command, and its module. Options are not abbreviated: `--it` is not `--iterations`."""
    module = module_of(name)
    parser = argparse.ArgumentParser(f"hwprof {name}", allow_abbrev=False, **description_of(module))
    module.add_arguments(parser)
    return parser, module


class OverviewParser(argparse.ArgumentParser):
    """Prints the commands by their questions in the place of argparse's list."""

    def format_help(self) -> str:
        """The overview."""
        return overview()


def overview_parser() -> OverviewParser:
    """The parser of `hwprof` alone."""
    parser = OverviewParser("hwprof", usage="hwprof COMMAND [OPTION ...]", allow_abbrev=False)
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    parser.add_argument("--print-include", action="store_true", help="print the folder of hwprof.h")
    parser.add_argument("--print-completion", choices=SHELLS, help="print the completion of a shell")
    return parser


def whole_parser() -> argparse.ArgumentParser:
    """One parser with those of all commands inside, for the completion of shells."""
    parser = overview_parser()
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=argparse.ArgumentParser)
    for group in QUESTIONS.values():
        for name, says in group.items():
            module = module_of(name)
            one = commands.add_parser(name, help=says, allow_abbrev=False, **description_of(module))
            module.add_arguments(one)
    helped = commands.add_parser("help", help="the options of a command", allow_abbrev=False)
    helped.add_argument("command", nargs="?", choices=tuple(COMMANDS), help="a command")
    return parser
