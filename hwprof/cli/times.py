"""Times as options have them."""

from __future__ import annotations

import argparse
import math

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A time as `90`, `90s`, `5m` or `1h`, in seconds. Raises ArgumentTypeError."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS else (text, "s")
    try:
        value = float(number) * UNITS[unit]
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no time above 0: as 90s, 5m or 1h")
    return value
