"""Top-down level 1 of every case: shares of the pipeline's slots, each row with the marks of how it was counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof.analysis.strata import NETWORK, VARIANT
from hwprof.reports.content import Table

LEVEL1 = {
    "retiring": "retir",
    "bad speculation": "bad.?spec",
    "front end": r"fe.?bound|front",
    "back end": r"be.?bound|back",
}
KEYS = ("machine", NETWORK, "size", "batch", "threads", "cpus", "precision", VARIANT)
LOUD = ("simulated", "emulated", "suspect", "scaled")
NOTE = (
    "Means over rounds; the four slots of one case are of one source. EMULATED: an emulator's pipeline, no machine's; "
    "SIMULATED: a model's; neither is pooled with what a machine counted."
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One case. `shares`: of the slots in the order of LEVEL1, their sum is 1; `marks`: EMULATED, SIMULATED, ..."""

    name: str
    shares: tuple[float, ...]
    marks: tuple[str, ...]

    @property
    def title(self) -> str:
        """The case with its marks."""
        return " ".join((self.name, *self.marks))


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


def bars(frame: pd.DataFrame) -> list[Bar]:
    """One per case and source. Machines, cores, precisions and sizes are never pooled; they are named where several."""
    out = []
    named = [c for c in ("machine", "size", "cpus", "precision") if c in frame and frame[c].astype(str).nunique() > 1]
    keys = [k for k in KEYS if k in frame]
    for columns in sources(frame):
        rows = frame.dropna(subset=list(columns.values()))
        for key, group in rows.groupby(keys, sort=True, dropna=False):
            case = dict(zip(keys, key, strict=True))
            means = group[list(columns.values())].astype(float).mean()
            if means.sum() <= 0:
                continue
            words = [f"{case[NETWORK]} b{case['batch']} t{case['threads']}", *(str(case[c]) for c in named)]
            emulated = "emulated" in group and bool(group["emulated"].any())
            marks = _marks(frame.attrs["metrics"], columns, emulated)
            name = f"{' '.join(words)} · {case[VARIANT]}"
            out.append(Bar(name, tuple(float(v) for v in means / means.sum()), marks))
    return out


def _marks(described: Mapping[str, Mapping[str, Any]], columns: Mapping[str, str], emulated: bool) -> tuple[str, ...]:
    """In capitals what says that a bar can't be taken as it stands.

    A column may hold a board's rows beside a machine's: whether a row is an emulator's is the row's own matter.
    """
    words = {w for n in columns.values() for key in ("origin", "exactness") for w in described[n][key].split("+")}
    words = (words - {"emulated"}) | ({"emulated"} if emulated else set())
    user = ["user mode only"] if any(":u" in n for n in columns.values()) else []
    return (*(w.upper() for w in LOUD if w in words), *user)


def table(frame: pd.DataFrame) -> Table:
    """The shares as text."""
    rows = tuple((b.name, *(f"{s:.1%}" for s in b.shares), " ".join(b.marks) or "-") for b in bars(frame))
    return Table("Top-down, level 1", ("case", *LEVEL1, "marks"), rows, NOTE)
