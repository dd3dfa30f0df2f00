"""Observed programs with a counted region (hwprof.h) in the frame, beside networks that hwprof itself measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from hwprof.printable import printable
from hwprof.records import Kind


def name_programs(base: dict[str, Any], runs: Sequence[Row[Any]]) -> None:
    """Programs with a counted region as frameworks are: by the program's name, its file as the version.

    The network is as the user named it (--name), whichever program computes it with whichever arguments.
    """
    for at in (at for at, run in enumerate(runs) if run.kind == Kind.COMMAND.value):
        base["framework"][at] = printable(runs[at].facts.get("program_name") or runs[at].case_framework)
        base["version"][at], base["recipe"][at] = runs[at].case_recipe, ""
        if "option.command" in base:
            base["option.command"][at] = None
