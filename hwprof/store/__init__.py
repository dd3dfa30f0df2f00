"""The results database: every run with its windows, readings, machine and software, in one SQLite file.

Imported by others: `Results`, `default_path` and `place_and_terms` from here; `selection` (words that select runs) and
`scope` (what they selected); `listing` (light entries), `layers`, `columns` (names of metrics), `masking` (what others
may see), `validation` (new verdicts) and `schema` (`dumps`, `content_id`, tables).
The launcher's side only: the measured process never imports this.
"""

from __future__ import annotations

from hwprof.store.database import Locked, default_path
from hwprof.store.place import place_and_terms
from hwprof.store.results import Results
from hwprof.store.writer import AlreadyDone

__all__ = ["AlreadyDone", "Locked", "Results", "default_path", "place_and_terms"]
