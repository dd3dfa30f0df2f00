"""The results database: every run with its windows, readings, machine and software, in one SQLite file.

Imported by others: `Results` and `default_path` from here; `listing` (light entries), `layers`, `columns` (names of
metrics), `masking` (what others may see), `validation` (new verdicts) and `schema` (`dumps`, `content_id`, tables).
The launcher's side only: the measured process never imports this.
"""

from __future__ import annotations

from hwprof.store.database import Locked
from hwprof.store.results import Results, default_path
from hwprof.store.writer import AlreadyDone

__all__ = ["AlreadyDone", "Locked", "Results", "default_path"]
