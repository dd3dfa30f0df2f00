"""What FPS and BATCH FPS mean in a table of DLI, and the speeds of a row by that.

The meaning changed in DLI's commit f8eaf7a6 of 2023-06-05 (public since 6beebc9f of 2023-07-05). Until then FPS of a
synchronous run was batch / median latency. Since then FPS is images / total time, and the column BATCH FPS, which the
same commit added, is batch / median latency. So the CSV shows its version by its columns. The published XLSX and HTML
have one figure per measurement and no such column: there the day tells, that on which the workbook was created or that
in the name of the file. Where none is known, FPS stays what it was called, and no latency follows from it.
"""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from hwprof.errors import ResultsError

Row = Mapping[str, str]

CHANGE_DATE, PUBLIC_DATE = datetime.date(2023, 6, 5), datetime.date(2023, 7, 5)
BATCH_FPS, LATENCY, AVERAGE = "BATCH FPS", "Latency", "Average time of single pass (s)"
# To how many decimals DLI rounds at least: benchmark_app's throughput, BATCH FPS, times in seconds.
FPS_DECIMALS, BATCH_DECIMALS, TIME_DECIMALS = 2, 3, 3
SLACK = 1.1  # of a rounding error: some values are rounded twice
COARSEST = 0.01  # a latency whose rounding is a larger part of it is not taken
# FPS counts all passes over the time of those within 3 sigma: at most one in nine is outside (Chebyshev).
DROP_FACTOR = 9 / 8


class FpsMeaning(enum.StrEnum):
    """What the column FPS of a synchronous run is."""

    LATENCY = "latency"  # batch / median latency
    TOTAL = "total"  # images / total time
    UNSTATED = "unstated"  # one of the two


WORDS: Mapping[FpsMeaning, str] = {
    FpsMeaning.LATENCY: "FPS was read as batch / median latency",
    FpsMeaning.TOTAL: "FPS was read as images / total time, and BATCH FPS as batch / median latency",
    FpsMeaning.UNSTATED: "FPS is batch / median latency (DLI until June 2023) or images / total time (since). It was "
    "kept as it is, without a latency",
}


def meaning_of_columns(names: Sequence[str]) -> tuple[FpsMeaning, str] | None:
    """The meaning by the columns of a CSV, and the evidence; None where they don't show it."""
    if BATCH_FPS in names:
        return FpsMeaning.TOTAL, f"the table has the column {BATCH_FPS}, which DLI has written since June 2023"
    if LATENCY in names:
        return FpsMeaning.LATENCY, f"the table has {LATENCY} and no {BATCH_FPS}, as DLI wrote it until June 2023"
    return None


def meaning_of_date(day: datetime.date | None, what: str) -> tuple[FpsMeaning, str] | None:
    """The meaning by a day of the table; None where that does not decide. `what`: what happened on the day."""
    if day is None or CHANGE_DATE <= day < PUBLIC_DATE:
        return None
    if day < CHANGE_DATE:
        return FpsMeaning.LATENCY, f"{what} {day}, before DLI changed FPS"
    return FpsMeaning.TOTAL, f"{what} {day}, after DLI had changed FPS"


def day_in_name(name: str) -> datetime.date | None:
    """The day in the name of a published file, as `18.06.2023`, `20-04-2022`, `2023-12-20`; None: there is none."""
    for pattern, order in ((r"(\d{4})-(\d\d)-(\d\d)(?!\d)", (1, 2, 3)), (r"(\d\d)[.-](\d\d)[.-](\d{4})", (3, 2, 1))):
        if found := re.search(rf"(?<![\d.]){pattern}", name):
            try:
                return datetime.date(*(int(found[group]) for group in order))
            except ValueError:
                continue
    return None


def settle(where: str, shown: tuple[FpsMeaning, str] | None, asked: str | None) -> tuple[FpsMeaning, str]:
    """The meaning and its evidence, of what the table shows and what was asked for.

    Raises ResultsError where they contradict each other.
    """
    if shown is not None and asked in (None, shown[0]):
        return shown
    if shown is not None:
        raise ResultsError(f"{where} is not what --dli-fps {asked} says: {shown[1]}", "Omit the option.")
    if asked is not None:
        return FpsMeaning(asked), f"--dli-fps {asked}"
    return FpsMeaning.UNSTATED, "the table does not state it: --dli-fps latency or --dli-fps total does"


def number(text: str) -> float | None:
    """A number above 0, or None for N/A and the like."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def is_synchronous(row: Row) -> bool:
    """One request after the other, so that each has a latency."""
    return row.get("Mode", "Sync") in ("Sync", "")


def speeds(row: Row, meaning: FpsMeaning) -> dict[str, float]:
    """fps, throughput (frames / s) and latency_ns, as far as a row with a batch size gives them.

    In mode Async there is no latency of a request: FPS is a throughput in every version. Raises ValueError where the
    row's own latency contradicts what FPS (or BATCH FPS) should be.
    """
    rate = number(row.get("FPS", ""))
    if not is_synchronous(row):
        return {"throughput": rate} if rate else {}
    batch = float(row["Batch size"])
    if meaning is FpsMeaning.UNSTATED:
        return {"fps": rate} if rate else {}
    if meaning is FpsMeaning.LATENCY:
        if not rate:
            return {}
        if _agree(batch, row["FPS"], FPS_DECIMALS, row.get(LATENCY, "")):
            return _of_rate(batch, rate)
        if not _is_total(batch, row):
            raise ValueError(f"FPS {row['FPS']} is neither batch / latency ({row[LATENCY]} s) nor batch / average time")
        return {"throughput": rate} | _of_column(batch, row.get(LATENCY, ""))  # so benchmark_app counted
    found = {"throughput": rate} if rate else {}
    if per_batch := number(row.get(BATCH_FPS, "")):
        if not _agree(batch, row[BATCH_FPS], BATCH_DECIMALS, row.get(LATENCY, "")):
            raise ValueError(f"{BATCH_FPS} {row[BATCH_FPS]} is not batch / latency ({row[LATENCY]} s)")
        return found | _of_rate(batch, per_batch)
    return found | _of_column(batch, row.get(LATENCY, ""))  # DLI's C++ launchers and benchmark_app have no BATCH FPS


def _of_rate(batch: float, rate: float) -> dict[str, float]:
    # in this order of operations: the ids of runs follow from the figures
    return {"fps": rate, "latency_ns": 1e9 * batch / rate}


def _of_column(batch: float, latency: str) -> dict[str, float]:
    """By the column Latency, where it is not rounded too coarsely."""
    value = number(latency)
    if value is None or _half(latency, TIME_DECIMALS) > COARSEST * value:
        return {}
    return {"fps": batch / value, "latency_ns": 1e9 * value}


def _half(text: str, decimals: int) -> float:
    """Half a unit of the last decimal; DLI drops zeros at the end, but rounds to `decimals` at least."""
    try:
        exponent = Decimal(text).as_tuple().exponent
    except InvalidOperation:
        exponent = 0
    shown = -exponent if isinstance(exponent, int) else 0
    return float(0.5 * 10.0 ** -max(decimals, shown))


def _agree(batch: float, rate: str, decimals: int, latency: str) -> bool:
    """batch / rate is the latency, within the rounding of both; where no latency is known nothing contradicts."""
    seconds = number(latency)
    if seconds is None:
        return True
    value, error = float(rate), SLACK * _half(rate, decimals)
    low, high = batch / (value + error), batch / (value - error) if value > error else float("inf")
    margin = SLACK * _half(latency, TIME_DECIMALS)
    return low <= seconds + margin and seconds - margin <= high


def _is_total(batch: float, row: Row) -> bool:
    """FPS is batch / average time of a pass, or more by the passes that were dropped."""
    text, value = row.get(AVERAGE, ""), float(row["FPS"])
    seconds = number(text)
    if seconds is None:
        return False
    error, margin = SLACK * _half(row["FPS"], FPS_DECIMALS), SLACK * _half(text, TIME_DECIMALS)
    fastest = batch / (seconds - margin) if seconds > margin else float("inf")
    return batch / (seconds + margin) - error <= value <= DROP_FACTOR * fastest + error
