"""Shares of the pipeline's slots (top-down level 1) of every case, each with the marks of how it was counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof.analysis.correlation.strata import NETWORK, SIDE, VARIANT, sides
from hwprof.collectors.perf.slots import CountedSlots, count_slots
from hwprof.collectors.perf.tables import slot_formulas
from hwprof.collectors.vocabulary import LEVEL1, SLOTS

KEYS = ("machine", NETWORK, *SIDE, "batch", "threads", "cpus", "precision", VARIANT)
LOUD = ("simulated", "emulated", "suspect", "scaled")


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
    first = LEVEL1["retiring"]
    suffixes = sorted(n.removeprefix(first) for n in described if re.fullmatch(rf"{first}([:@].*)?", n))
    found = [{slot: name + suffix for slot, name in LEVEL1.items()} for suffix in suffixes]
    return [columns for columns in found if all(n in described and frame[n].notna().any() for n in columns.values())]


def bars(frame: pd.DataFrame, machines: Mapping[str, Mapping[str, Any]]) -> list[Bar]:
    """One per case and source. Machines, cores, precisions and sizes are never pooled; they are named where several.

    `machines`: hardware facts by the frame's machine_id. Where a core does not count the four slots itself, the table
    of its CPU may have formulas for them.
    """
    described = frame.attrs.get("metrics", {})
    out = []
    for columns in sources(frame):
        suffix = columns["retiring"].removeprefix(LEVEL1["retiring"])
        rows, whole = frame.dropna(subset=list(columns.values())), SLOTS + suffix
        every = [whole] if whole in described and rows[whole].notna().all() else []
        out += _bars(frame, rows, {name: name for name in (*columns.values(), *every)}, _counted_shares)
    for machine, rows in frame.groupby("machine_id", sort=True) if "machine_id" in frame else ():
        formulas = slot_formulas(machines.get(str(machine), {}))
        if isinstance(formulas, str):
            continue
        for suffix in ("", ":u"):
            named = {event: event + suffix for event in formulas.events}
            if all(name in described for name in named.values()):
                out += _bars(frame, rows, named, formulas.count)
    return out


Count = Callable[[Mapping[str, float]], CountedSlots | None]


def _counted_shares(counts: Mapping[str, float]) -> CountedSlots | None:
    """The four, and all slots where they were counted."""
    parts = list(counts.values())[: len(LEVEL1)]
    return count_slots(parts, list(counts.values())[len(LEVEL1)] if len(counts) > len(LEVEL1) else sum(parts))


def _bars(frame: pd.DataFrame, rows: pd.DataFrame, columns: Mapping[str, str], count: Count) -> list[Bar]:
    """Bars of `rows` of the frame by the columns of some events."""
    if set(SIDE) <= set(frame):
        frame, rows = (part.assign(side=sides(part)) for part in (frame, rows))
    named = [c for c in ("machine", "side", "cpus", "precision") if c in frame and frame[c].astype(str).nunique() > 1]
    keys = [k for k in KEYS if k in frame]
    out = []
    for key, group in rows.dropna(subset=list(columns.values())).groupby(keys, sort=True, dropna=False):
        case = dict(zip(keys, key, strict=True))
        means = group[list(columns.values())].astype(float).mean()
        found = count({event: float(means[column]) for event, column in columns.items()})
        if found is None:
            continue
        words = [f"{case[NETWORK]} b{case['batch']} t{case['threads']}", *(str(group[c].iloc[0]) for c in named)]
        emulated = "emulated" in group and bool(group["emulated"].any())
        marks = _marks(frame.attrs["metrics"], list(columns.values()), emulated)
        out.append(Bar(f"{' '.join(words)} · {case[VARIANT]}", found.shares, (*marks, *found.cautions)))
    return out


def _marks(described: Mapping[str, Mapping[str, Any]], columns: Sequence[str], emulated: bool) -> tuple[str, ...]:
    """In capitals what says that a bar can't be taken as it stands.

    A column may hold rows of a board and of a machine: the row itself says whether it is emulated.
    """
    words = {w for n in columns for key in ("origin", "exactness") for w in described[n][key].split("+")}
    words = (words - {"emulated"}) | ({"emulated"} if emulated else set())
    name = columns[0]
    user = ["user mode only"] if ":u" in name else []
    kind = [f"{name.partition('@')[2]} only"] if "@" in name and "simulated" not in words else []
    return (*(w.upper() for w in LOUD if w in words), *user, *kind)
