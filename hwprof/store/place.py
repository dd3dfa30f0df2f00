"""Which results file the words of a command name; the terms behind it are hwprof.store.selection's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from hwprof.errors import UsageError
from hwprof.store.database import default_path
from hwprof.store.selection import split_place


def place_and_terms(words: Sequence[str], explicit: str | None = None) -> tuple[Path, list[str]]:
    """The results file that words name, and the terms that select of it; `explicit`: --results.

    A bare word is a file where there is no results file in which it could be looked up. Raises UsageError for two
    files.
    """
    place, terms = split_place(words, is_file)
    if explicit:
        named, more = split_place([explicit], is_file)
        if named is None:  # whatever its name looks like
            named, more = explicit, []
        if place not in (None, named):
            raise UsageError(f"two results files, {place} and {named}", "name one of them")
        place, terms = named, [*more, *terms]
    path = default_path(place)
    if place is None and terms and "=" not in terms[0] and not terms[0].startswith(":") and not path.exists():
        path = Path(terms[0])
    return path, terms


def is_file(word: str) -> bool:
    """Whether something other than a folder lies there."""
    with contextlib.suppress(OSError, ValueError):  # no name of a file at all
        return Path(word).exists() and not Path(word).is_dir()
    return False
