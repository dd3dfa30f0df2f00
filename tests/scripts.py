"""Shell scripts that take the place of a program."""

from __future__ import annotations

from pathlib import Path


def write_script(path: Path, text: str) -> Path:
    """An executable of /bin/sh; where it lies."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
