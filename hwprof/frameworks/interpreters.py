"""Is a framework there? Found out by importing it in a child: a broken installation must not break hwprof."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

PROGRAM = "import importlib, sys; m = importlib.import_module(sys.argv[1]); print(getattr(m, '__version__', '?'))"


@lru_cache(maxsize=64)
def probe(module: str, python: str = sys.executable) -> str | None:
    """The version a module tells when imported by `python`; None: it can't be imported."""
    done = subprocess.run(
        [python, "-P", "-c", PROGRAM, module], capture_output=True, text=True, timeout=300, check=False
    )
    lines = done.stdout.strip().splitlines()
    return lines[-1] if done.returncode == 0 and lines else None
