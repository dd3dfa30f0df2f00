"""The log of an external power meter, laid over a run by its timestamps."""

from __future__ import annotations

import csv
import datetime
import itertools
from collections.abc import Sequence
from pathlib import Path

from hwprof.errors import UsageError
from hwprof.records import Origin, Series

TIME = ("timestamp", "time", "epoch", "datetime", "date")
WATTS = ("watts", "power", "power_w", "w", "p")
VOLTS = ("volts", "voltage", "v")
AMPERES = ("amps", "amperes", "current", "a")


def read(path: Path, offset_ns: int) -> Series:
    """A CSV with a column of time and one of watts (or of volts and amperes) as a power series.

    `offset_ns`: CLOCK_MONOTONIC_RAW minus the wall clock (ns since 1970) on this machine. Raises UsageError.
    """
    try:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"meter log {path}: {error}", "a CSV with columns time and watts") from error
    if not rows:
        raise UsageError(f"meter log {path} is empty")
    names = {str(name).strip().lower().split(" ")[0].split("(")[0]: name for name in rows[0]}

    def column(choices: Sequence[str]) -> str | None:
        return next((names[c] for c in choices if c in names), None)

    time, watts, volts, amperes = (column(c) for c in (TIME, WATTS, VOLTS, AMPERES))
    if time is None or (watts is None and (volts is None or amperes is None)):
        raise UsageError(
            f"meter log {path} has columns {', '.join(map(str, rows[0]))}", "it needs time and watts, or volts and amps"
        )
    at, values = [], []
    for number, row in enumerate(rows, 2):
        try:
            at.append(wall_ns(row[time]) + offset_ns)
            values.append(float(row[watts]) if watts else float(row[str(volts)]) * float(row[str(amperes)]))
        except (ValueError, TypeError) as error:
            raise UsageError(f"meter log {path}, line {number}: {error}") from error
    gaps = sorted(b - a for a, b in itertools.pairwise(at))
    interval = gaps[len(gaps) // 2] if gaps else 0
    return Series(
        "power", "W", "meter", f"meter:{path.name}", Origin.HARDWARE, False, interval, tuple(at), tuple(values)
    )


def wall_ns(text: str) -> int:
    """ns since 1970 of a timestamp: seconds or milliseconds as a number, or ISO 8601 (local time without a zone)."""
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        return int(datetime.datetime.fromisoformat(text).timestamp() * 1e9)
    return int(value * 1e6) if value > 1e11 else int(value * 1e9)
