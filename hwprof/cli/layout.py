"""Lines of text in the columns of the terminal."""

from __future__ import annotations

import shutil
import textwrap

FEWEST = 60


def wrap(text: str, indent: int) -> str:
    """`text` in the terminal's columns (COLUMNS; 80 where there is no terminal), lines behind the first indented."""
    columns = max(shutil.get_terminal_size().columns, FEWEST)
    lines = textwrap.wrap(text, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)
