"""Text as it is shown to people: that of the outside world (arguments, paths, names), and counts with their nouns.

Standard library only.

Python holds a byte that is no UTF-8 as a lone surrogate (PEP 383, surrogateescape), which no file and no terminal in
UTF-8 takes. Records keep such text as it came; whatever is written for people or other programs shows the byte as
`\\xe8`. Two functions and the error handler `ESCAPE` are the whole rule.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Name of the error handler, for `open(errors=...)`, `str.encode` and `TextIOWrapper.reconfigure`.
ESCAPE = "hwprof-escape"
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        code -= 0xDC00
    width = ("x", 2) if code < 0x100 else ("u", 4) if code < 0x10000 else ("U", 8)
    return _NAMED.get(letter) or f"\\{width[0]}{code:0{width[1]}x}"


def _handle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_escaped(letter) for letter in error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPE, _handle)


def encodable(text: str) -> str:
    """`text` with every lone surrogate escaped, so that it can be encoded; all else stays, line ends too."""
    return _SURROGATE.sub(lambda found: _escaped(found[0]), text) if not text.isascii() else text


def printable(text: str) -> str:
    """`text` for one cell, label or line: surrogates, control characters and line ends are escaped, once."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)


def printable_cells(value: Any) -> Any:
    """Text, or tuples of it at any depth, as `printable`."""
    return printable(value) if isinstance(value, str) else tuple(map(printable_cells, value))


def encodable_data(value: Any) -> Any:
    """Plain JSON values whose texts are `encodable`: other programs' parsers refuse a lone surrogate."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {encodable(str(k)): encodable_data(v) for k, v in value.items()}
    return [encodable_data(v) for v in value] if isinstance(value, list | tuple) else value


def accept_everything(stream: Any) -> None:
    """Let a text stream escape what its encoding lacks, in the place of an exception."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=ESCAPE)


def plural(count: Any, one: str, several: str = "", form: str = "") -> str:
    """`1 row`, `2 rows`, `0 rows`; `1 case has`, `2 cases have`. `several`: where it is more than `one` with an s.

    `form`: the format of the number, as ",".
    """
    return f"{count:{form}} {one if count == 1 else several or one + 's'}"
