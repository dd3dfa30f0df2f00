"""Top-down level 1 of every case: shares of the pipeline's slots, each row with the marks of how it was counted."""

from __future__ import annotations

import re

import pandas as pd

from hwprof.analysis.topdown import bars
from hwprof.reports.content import Table

LEVEL1 = {
    "retiring": "retir",
    "bad speculation": "bad.?spec",
    "front end": r"fe.?bound|front",
    "back end": r"be.?bound|back",
}
NOTE = (
    "Means over rounds; the four slots of one case are of one source. EMULATED: an emulator's pipeline, no machine's; "
    "SIMULATED: a model's; neither is pooled with what a machine counted."
)


def sources(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Slot -> column, once per domain and origin that has all four: slots of two sources are never put together."""
    described = frame.attrs.get("metrics", {})
    names = [n for n in described if re.match(r"top.?down|td-", n.lower()) and frame[n].notna().any()]
    found = []
    for suffix in sorted({_suffix(n) for n in names}):
        own = [n for n in names if _suffix(n) == suffix]
        slots = {s: sorted((n for n in own if re.search(p, n.lower())), key=len) for s, p in LEVEL1.items()}
        if all(slots.values()):
            found.append({slot: fitting[0] for slot, fitting in slots.items()})
    return found


def _suffix(name: str) -> str:
    """`:u` and `@callgrind` of a column: its domain and the tool that simulated it."""
    base, at, tool = name.partition("@")
    _, colon, domain = base.partition(":")
    return colon + domain + at + tool


def table(frame: pd.DataFrame) -> Table:
    """The shares as text."""
    found = bars(frame, sources(frame))
    rows = tuple((b.name, *(f"{s:.1%}" for s in b.shares), " ".join(b.marks) or "-") for b in found)
    return Table("Top-down, level 1", ("case", *LEVEL1, "marks"), rows, NOTE)
