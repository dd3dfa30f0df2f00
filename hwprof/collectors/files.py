"""Reading small files of /proc and /sys. Standard library only: the measured process uses it too."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str | None:
    """A file's text, stripped; None where it can't be read."""
    try:
        return path.read_text(errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """A file's one integer; None where it can't be read or is none."""
    found = text(path)
    try:
        return None if found is None else int(found)
    except ValueError:
        return None


def fields(content: str | None) -> dict[str, int]:
    """`name value` or `name: value unit` lines with integer values."""
    found = {}
    for line in (content or "").splitlines():
        words = line.replace(":", " ").split()
        if len(words) >= 2 and words[1].lstrip("-").isdigit():
            found[words[0]] = int(words[1])
    return found
