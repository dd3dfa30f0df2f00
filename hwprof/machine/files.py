"""Small files of /proc and /sys. A file that isn't there, or can't be read, is None."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")


def read(path: Path) -> str | None:
    """A file's text without the white space around it; None where it can't be read."""
    try:
        return path.read_text(errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """A file's one integer; None where it can't be read or is none."""
    found = read(path)
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
