"""The former name of `hwprof explain` without a case: what bounds every case, as a table."""

from __future__ import annotations

from hwprof.cli.explain import add_arguments, main

__all__ = ["add_arguments", "main"]
