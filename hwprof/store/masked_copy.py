"""A copy of a results file that others may have: every text in it masked, numbers as they are.

Unlike `Results.open(masked=True)`, which masks what is read, the file itself holds nothing of what is masked. Keys
(hashes of cases, ids of machines) stay, so that a measurement goes on from such a copy.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Text

from hwprof.errors import ResultsError
from hwprof.store import schema
from hwprof.store.database import translate_errors
from hwprof.store.masking import Masker
from hwprof.store.words import Words

# Names that hwprof and the frameworks gave, and keys: no text of the outside world.
KEPT: Mapping[str, frozenset[str]] = {
    "meta": frozenset({"key"}),
    "experiment": frozenset({"plan_hash"}),
    "cases": frozenset({"sha256", "framework", "precision", "shape"}),
    "run": frozenset({"uid", "kind", "status", "started_utc"}),
    "window": frozenset({"role"}),
    "metric": frozenset({"name", "unit", "domain", "config", "shape"}),
    "reading": frozenset({"raw_wide", "exactness", "origin"}),
    "series": frozenset({"origin"}),
    "layer": frozenset({"op"}),
    "layer_reading": frozenset({"exactness", "origin"}),
    "doubt": frozenset({"code"}),
    "validation": frozenset({"verdict"}),
    "tuning": frozenset({"case_key"}),
    "ceiling": frozenset({"unit"}),
}
# Folders of every system: what lies there says nothing of a user.
SYSTEM = "bin|boot|dev|etc|lib|lib64|proc|run|sbin|sys|usr|var/lib"
PATHS = re.compile(rf"(?<![\w.:/~\]-])/(?!(?:{SYSTEM})/)(?:[\w.@+-]+/)+(?=[\w.@+-])")


class Privacy:
    """Masks text by `Masker`, then `words` (text -> what stands for it) as whole words, then folders of users."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._masker = Masker()
        alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])") if words else None
        self._words = words

    def text(self, text: str) -> str:
        """One text."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda match: self._words[match[0]], text)
        return PATHS.sub("[path]/", self._masker.text(text))

    def data(self, value: Any) -> Any:
        """Every text in JSON data, names of entries too."""
        return self._texts(self._masker.data(value))

    def options(self, pairs: Any) -> Any:
        """The options of a case, a list of pairs."""
        return self._texts(self._masker.options([(str(name), value) for name, value in pairs]))

    def _texts(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self._texts(one) for key, one in value.items()}
        return [self._texts(one) for one in value] if isinstance(value, list | tuple) else value


def write_masked(source: Path, target: Path, words: Mapping[str, str]) -> None:
    """Write a masked copy of the results file `source` to `target`, whole or not at all.

    `words`: text that must not be in it -> what stands for it. Raises ResultsError where it can't be written.
    """
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        half.unlink(missing_ok=True)
        with translate_errors(source):
            with closing(sqlite3.connect(source)) as database:
                database.execute("VACUUM INTO ?", (os.fspath(half),))
            with closing(sqlite3.connect(half, isolation_level=None)) as copy:
                copy.execute("BEGIN")
                _mask_all(copy, Privacy(words))
                copy.execute("COMMIT")
                copy.execute("VACUUM")  # the old text stays on free pages until then
        half.replace(target)
    except OSError as error:
        raise ResultsError(f"{target} can't be written: {error.strerror}", "name another file with -o") from error
    finally:
        half.unlink(missing_ok=True)


def _mask_all(copy: sqlite3.Connection, privacy: Privacy) -> None:
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            if column.name in KEPT.get(table.name, frozenset()) or not isinstance(
                column.type, Text | Words | schema.JSONText
            ):
                continue
            mask = _mask_of(table.name, column.name, isinstance(column.type, schema.JSONText), privacy)
            found = copy.execute(f'SELECT DISTINCT "{column.name}" FROM "{table.name}"').fetchall()
            for (old,) in found:
                text = old.decode("utf-8", "replace") if isinstance(old, bytes) else old
                if isinstance(text, str) and (new := mask(text)) != text:
                    statement = f'UPDATE "{table.name}" SET "{column.name}" = ? WHERE "{column.name}" = ?'
                    copy.execute(statement, (new, old))


def _mask_of(table: str, column: str, is_json: bool, privacy: Privacy) -> Callable[[str], str]:
    if is_json and (table, column) == ("cases", "options"):
        return lambda text: schema.dumps(privacy.options(schema.loads(text)))
    if is_json or table == "meta":
        return lambda text: _mask_json(text, privacy)
    return privacy.text


def _mask_json(text: str, privacy: Privacy) -> str:
    try:
        value = schema.loads(text)
    except ValueError:  # a plain value of `meta`
        return privacy.text(text)
    return schema.dumps(privacy.data(value)) if isinstance(value, dict | list | str) else text
