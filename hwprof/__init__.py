"""hwprof: hardware counters, power and memory of deep-learning inference, and how they go with its speed.

The public names are loaded on first use (PEP 562), so that `import hwprof` costs nothing in the measured process.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hwprof.api import run, sweep
    from hwprof.profile import Profile
    from hwprof.records import Case, Exactness, Origin, Reading, Run, Window
    from hwprof.store import Results

_HOMES = {
    "Case": "hwprof.records",
    "Exactness": "hwprof.records",
    "Origin": "hwprof.records",
    "Profile": "hwprof.profile",
    "Reading": "hwprof.records",
    "Results": "hwprof.store",
    "Run": "hwprof.records",
    "Window": "hwprof.records",
    "run": "hwprof.api",
    "sweep": "hwprof.api",
}

__all__ = [
    "Case",
    "Exactness",
    "Origin",
    "Profile",
    "Reading",
    "Results",
    "Run",
    "Window",
    "__version__",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hwprof' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
