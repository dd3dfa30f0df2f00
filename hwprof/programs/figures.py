"""Numbers as programs print them: with a decimal point or comma, and with digits in groups."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping

from hwprof.errors import UsageError

# Between digits: blanks of several widths and apostrophes, which only ever group them.
_GROUPING = re.compile(r"(?<=\d)[ '\u2019\u00a0\u2009\u202f_](?=\d)")
_GROUPED = {sign: re.compile(rf"\d{{1,3}}(\{sign}\d{{3}})+") for sign in ".,"}
_NUMERIC = 1 << 1  # LC_NUMERIC_MASK: LC_NUMERIC is 1 in <locale.h> of glibc and musl
_RADIXCHAR = 0x10000  # of nl_langinfo(3), in both


def compile_figure(text: str) -> re.Pattern[str]:
    """The expression of --fps-from, checked. Raises UsageError where it is none, or has not exactly one group."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(
            f"--fps-from '{text}' is no regular expression: {error}", "as in --fps-from 'FPS: ([0-9.]+)'"
        ) from error
    if pattern.groups != 1:
        raise UsageError(
            f"--fps-from '{text}' has {pattern.groups} groups, not one",
            "put the number, and nothing else, in parentheses: 'FPS: ([0-9.]+)'; (?:...) groups without taking",
        )
    return pattern


def decimal_sign(environ: Mapping[str, str]) -> str:
    """`.` or `,`: what separates decimals in the locale that a program finds in this environment.

    A locale that is not installed is the C locale for the program too.
    """
    name = next((word for key in ("LC_ALL", "LC_NUMERIC", "LANG") if (word := environ.get(key))), "C")
    libc = ctypes.CDLL(None)
    libc.newlocale.restype = ctypes.c_void_p
    libc.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    libc.nl_langinfo_l.restype = ctypes.c_char_p
    libc.nl_langinfo_l.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.freelocale.restype = None
    libc.freelocale.argtypes = (ctypes.c_void_p,)
    found = libc.newlocale(_NUMERIC, name.encode(errors="surrogateescape"), None)
    if not found:
        return "."
    sign = libc.nl_langinfo_l(_RADIXCHAR, found)
    libc.freelocale(found)
    return "," if sign == b"," else "."


def parse_figure(text: str, decimal: str = ".") -> float | None:
    """The number that a program printed; None: it is none.

    Where both signs occur, the last one separates the decimals: `1.234,5` and `1,234.5` are 1234.5. A sign that occurs
    several times separates groups. A single comma separates decimals, unless it stands before three digits as a group
    would (`1,234`): there `decimal`, the sign of the program's locale, decides. A single point separates decimals.
    """
    number = _GROUPING.sub("", text.strip())
    if "," in number and "." in number:
        last = max(".,", key=number.rfind)
        whole, _, rest = number.rpartition(last)
        group = "." if last == "," else ","
        if not _GROUPED[group].fullmatch(whole.lstrip("+-")):
            return None
        number = f"{whole.replace(group, '')}.{rest}"
    elif number.count(",") > 1 or number.count(".") > 1:
        sign = "," if "," in number else "."
        if not _GROUPED[sign].fullmatch(number.lstrip("+-")):
            return None
        number = number.replace(sign, "")
    elif "," in number:
        is_group = decimal != "," and re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", number)
        number = number.replace(",", "" if is_group else ".")
    try:
        return float(number)
    except ValueError:
        return None
