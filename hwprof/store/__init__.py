"""The results database: every run with its windows, readings, machine and software, in one SQLite file.

The launcher's side only: the measured process never imports this.
"""

from __future__ import annotations

from hwprof.store.database import Locked
from hwprof.store.merge import Merged
from hwprof.store.reader import StoredExperiment
from hwprof.store.results import DEFAULT, VARIABLE, Key, Results, default_path
from hwprof.store.writer import AlreadyDone

__all__ = [
    "DEFAULT",
    "VARIABLE",
    "AlreadyDone",
    "Key",
    "Locked",
    "Merged",
    "Results",
    "StoredExperiment",
    "default_path",
]
