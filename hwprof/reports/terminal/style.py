"""Colour and width of text on a terminal: the only place that knows ANSI codes, NO_COLOR, FORCE_COLOR and COLUMNS.

Standard library only. Text is laid out first and coloured by whole lines afterwards, so that no width counts a code.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FULL = 1 << 16  # columns of a file or a pipe: nothing is shortened or dropped there
PROSE = 110  # longer lines of prose are hard to read, whatever the terminal
NARROWEST = 40
USUAL = 80  # of a terminal that does not know its width


@dataclass(frozen=True, slots=True)
class Palette:
    """What emphasises text; without colour (`is_on` False) text stays as it is."""

    is_on: bool = False

    def headline(self, text: str) -> str:
        """What the output is of: bold."""
        return self._with(text, "1")

    def secondary(self, text: str) -> str:
        """What explains: dim."""
        return self._with(text, "2")

    def doubt(self, text: str) -> str:
        """What lowers the trust in a figure: yellow."""
        return self._with(text, "33")

    def _with(self, text: str, code: str) -> str:
        if not self.is_on or not text:
            return text
        return "\n".join(f"\033[{code}m{line}\033[0m" if line else line for line in text.split("\n"))


PLAIN = Palette()


def palette(stream: Any, environ: Mapping[str, str] = os.environ) -> Palette:
    """The colours for a stream. NO_COLOR (not empty) means none and FORCE_COLOR always; else on a terminal alone.

    TERM=dumb is a terminal without colour.
    """
    if environ.get("NO_COLOR"):
        return PLAIN
    if environ.get("FORCE_COLOR"):
        return Palette(True)
    return Palette(is_terminal(stream) and environ.get("TERM") != "dumb")


def is_terminal(stream: Any) -> bool:
    """Whether a stream leads to a terminal; a closed or missing one does not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def columns(stream: Any = None, environ: Mapping[str, str] = os.environ) -> int:
    """How wide text may be on a stream (default: stdout): COLUMNS, else the terminal's width; FULL elsewhere."""
    stream = sys.stdout if stream is None else stream
    word = environ.get("COLUMNS", "")
    if word.isdecimal() and int(word) > 0:
        return max(NARROWEST, int(word))
    if not is_terminal(stream):
        return FULL
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        found = 0
    return max(NARROWEST, found or USUAL)


def wrap(text: str, width: int, indent: str = "", hanging: str = "") -> list[str]:
    """Prose in lines of `width` at most; `hanging`: before every line but the first. A word is never cut."""
    found = textwrap.wrap(
        text,
        min(width, PROSE),
        initial_indent=indent,
        subsequent_indent=hanging or indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return found or [indent.rstrip()]


def shorten(name: str, width: int) -> str:
    """A name without its middle, so that it has `width` characters at most: `onnxruntime m...b1 t1 fp32`."""
    if len(name) <= width:
        return name
    if width < 8:
        return name[:width]
    tail = (width - 3) // 2
    return f"{name[: width - 3 - tail]}...{name[-tail:]}"
