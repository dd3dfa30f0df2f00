"""What hwprof's own adapters share: defaults of their methods, imports that may fail, and reasons out of exceptions.

Standard library only at import: the measured worker loads this with every adapter.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hwprof.errors import NotInstalled
from hwprof.frameworks.precision import QUANTISED, int8_key
from hwprof.records import Case


class BuiltInAdapter:
    """Defaults of `protocol.Adapter` that suit most frameworks."""

    def environ(self, case: Case) -> Mapping[str, str]:
        """For frameworks on OpenMP; others are given the number by a call. The BLAS of NumPy gets one thread."""
        return {"OMP_NUM_THREADS": str(case.threads), "OPENBLAS_NUM_THREADS": "1"}

    def cache_key(self, case: Case) -> str:
        """The artifact is the same for every case; for INT8 there is one for each kind of CPU."""
        return int8_key() if case.precision in QUANTISED else ""


def profile_beside(module: str) -> Callable[..., Any]:
    """The method `profile` of an adapter in `module`: `profile` of profile.py beside it.

    profile.py is imported when the method is called, so that a measured run does not load it.
    """

    def profile(self: Any, *arguments: Any) -> Any:
        return importlib.import_module(f"{module.rpartition('.')[0]}.profile").profile(self, *arguments)

    return profile


@contextmanager
def import_of(what: str, install: str) -> Iterator[None]:
    """Turn an ImportError of the block into NotInstalled of `what`."""
    try:
        yield
    except ImportError as error:
        raise NotInstalled(what, install) from error


def reason_of(error: Exception, line: int = 0) -> str:
    """A line of an exception's text, at most 300 characters: the first, or with `line` -1 the last.

    Blank lines do not count; an exception without text is named by its class.
    """
    lines = [text for text in map(str.strip, str(error).splitlines()) if text]
    return (lines or [type(error).__name__])[line][:300]
