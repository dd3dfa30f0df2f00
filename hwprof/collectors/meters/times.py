"""Times and numbers of a meter's log, as exact as they were written."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# A number without a unit is seconds since 1970, or ms, us, ns; below the first bound it counts from a start.
BOUNDS = ((Decimal(10) ** 8, None), (Decimal(10) ** 11, 9), (Decimal(10) ** 14, 6), (Decimal(10) ** 17, 3))
NO_VALUE = frozenset({"", "nan", "n/a", "na", "-", "--", "---", "null", "none", "ol", "o.l", "err", "error", "inf"})


class RelativeTime(ValueError):
    """A time that counts from a start that the log does not name: `ns` from there."""

    def __init__(self, text: str, seconds: Decimal) -> None:
        super().__init__(text)
        self.ns = int(seconds * 10**9)


def separator_of(cells: Iterable[str], delimiter: str) -> str:
    """What separates the decimals of these numbers: `.` or `,`. Raises ValueError where it can't be known."""
    numbers = [cell for cell in cells if re.fullmatch(r"[-+\d.,\s]+", cell)]
    commas = [cell for cell in numbers if "," in cell]
    if not commas:
        return "."
    if any("." in cell for cell in commas):
        return "," if all(cell.rfind(",") > cell.rfind(".") for cell in commas if "." in cell) else "."
    if delimiter != "," or any(not re.fullmatch(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+", cell) for cell in commas):
        return ","
    raise ValueError(f"'{commas[0]}' may be thousands or a decimal comma")


def number(text: str, separator: str = ".") -> Decimal | None:
    """The number in a cell; None: the meter had no value. Raises ValueError."""
    text = text.strip()
    if text.lower().lstrip("-+") in NO_VALUE:
        return None
    plain = text.replace(" ", "").replace("'", "")
    plain = plain.replace(".", "").replace(",", ".") if separator == "," else plain.replace(",", "")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        raise ValueError(f"'{text}' is no number") from None
    return value if value.is_finite() else None


def wall_ns(text: str, factor: float = 1.0, has_unit: bool = False) -> int:
    """ns since 1970 of a timestamp: a number (s, ms, us or ns by its size, or in the unit of `factor`), or ISO 8601.

    Local time without a zone. Raises RelativeTime for a number that is too small to count from 1970, ValueError.
    """
    text = text.strip()
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return _calendar_ns(text)
    if has_unit:
        seconds = value * Decimal(str(factor))
        if seconds < BOUNDS[0][0]:
            raise RelativeTime(text, seconds)
        return int(seconds * 10**9)
    for bound, power in BOUNDS:
        if value < bound:
            if power is None:
                raise RelativeTime(text, value)
            return int(value * 10**power)
    return int(value)


def _calendar_ns(text: str) -> int:
    """ISO 8601; 2026/01/31 and 31.01.2026 too, since these can't be read in another way."""
    plain = re.sub(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", r"\1-\2-\3", text)
    plain = re.sub(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})", r"\3-\2-\1", plain)
    plain = re.sub(r"^(\d{4})-(\d{1,2})-(\d{1,2})", lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", plain)
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]", plain):
        raise ValueError(f"'{text}' is no time with a date that can be read in one way only (2026-01-31 14:05:06.5)")
    plain = re.sub(r"\s*(UTC|GMT)$", "+00:00", plain)
    fraction = re.search(r"[.,](\d+)", plain)
    whole = plain if fraction is None else plain[: fraction.start()] + plain[fraction.end() :]
    seconds = (_moment(whole, text) - EPOCH) // datetime.timedelta(seconds=1)
    return seconds * 10**9 + (0 if fraction is None else int(fraction[1].ljust(9, "0")[:9]))


def _moment(iso: str, text: str) -> datetime.datetime:
    """The moment of a calendar time without fraction, of this machine's zone where it names none."""
    if half := re.fullmatch(r"(.{11})(0?[1-9]|1[0-2])(:[\d:]*)\s*([AP])\.?M\.?\s*(.*)", iso, re.IGNORECASE):
        day, hour, rest, letter, zone = half.groups()
        iso = f"{day}{int(hour) % 12 + 12 * (letter in 'Pp'):02}{rest}{zone}"
    try:
        named = datetime.datetime.fromisoformat(iso)
    except ValueError:
        raise ValueError(f"'{text}' is no time that can be read") from None
    if named.tzinfo is None and named.astimezone(datetime.UTC) != named.replace(fold=1).astimezone(datetime.UTC):
        raise ValueError(f"the local time '{text}' is there twice or never, as clocks change: log the zone")
    return named.astimezone(datetime.UTC)
