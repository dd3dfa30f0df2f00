"""Text as it is shown to people: that of the outside world (arguments, paths, names), counts and sentences.

Standard library only.

Python holds a byte that is no UTF-8 as a lone surrogate (PEP 383, surrogateescape), which no file and no terminal in
UTF-8 takes. Records keep such text as it came; whatever is written for people or other programs shows the byte as
`\\xe8`. Two functions and the error handler `ESCAPE` are the whole rule.
Messages become sentences by `sentence` and `advice` alone.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# First words of messages that are no names. A message that begins with another word may begin with the name of an
# event, a file, a framework or an option, which keeps its spelling.
_OPENINGS = (
    "a an another blocks bytecode calibration can't cannot client command core counted counters did does elapsed "
    "every experiment failed happens has how input interrupted is its label meter module no none not nothing one "
    "opened option other out output process ran read required round rounds rows run several speed-up state the there "
    "these this too tracepoints two unknown unreadable"
)
OPENINGS = frozenset(_OPENINGS.split())
# Programs: what begins with one is typed as it stands, or begins with its name.
_PROGRAMS = (
    "apt apt-get chmod curl docker echo git hwprof ls modprobe mount perf pip python setarch sudo sysctl ulimit uv "
    "valgrind"
)
PROGRAMS = frozenset(_PROGRAMS.split())
# First words of remedies that are written small wherever they stand: programs, options' values.
NAMES = PROGRAMS | {"false", "true"}
_CLAUSE = re.compile(r"(?<=[.:;?!]) |(?<=\b[Aa]s in) ")

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


def sentence(message: str, remedy: str = "") -> str:
    """What happened, and what to do where something helps (`advice`): with a capital letter and a full stop each.

    A message that begins with a name keeps its spelling. A sentence stays as it is.
    """
    first = message.partition(" ")[0].rstrip(",;")
    happened = capital(message) if first in OPENINGS else message
    if not remedy:
        return happened if _ends_in_command(happened) and len(_CLAUSE.split(happened)) > 1 else _end(happened)
    return f"{_end(happened)} {advice(remedy)}"


def advice(remedy: str) -> str:
    """What to do, as a sentence; "" for nothing.

    It begins with a capital letter, unless it begins with a name, a value or what has to be typed. A command at its end
    has no full stop behind it, so that it can be copied.
    """
    if not remedy:
        return ""
    word = remedy.split(maxsplit=1)[0].rstrip(":;.?!").removesuffix("'s")
    is_word = word.replace("-", "").isalpha() and not word.startswith("-") and word not in NAMES
    text = capital(remedy) if is_word else remedy
    return text if _ends_in_command(text) else _end(text)


def _ends_in_command(text: str) -> bool:
    return _CLAUSE.split(text)[-1].partition(" ")[0] in PROGRAMS


def capital(text: str) -> str:
    """`text` with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def _end(text: str) -> str:
    """With its full stop; an end without words in front of it, or one that has a stop of its own, stays."""
    text = text.rstrip()
    return text if not text or text.endswith((".", "?", "!")) else f"{text.rstrip(':;,')}."
