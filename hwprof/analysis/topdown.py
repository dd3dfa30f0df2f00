"""Shares of the pipeline's slots (top-down level 1) of every case, each with the marks of how it was counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.collectors.vocabulary import LEVEL1

KEYS = ("machine", NETWORK, "size", "batch", "threads", "cpus", "precision", VARIANT)
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

    A column may hold rows of a board and of a machine: the row itself says whether it is emulated.
    """
    words = {w for n in columns.values() for key in ("origin", "exactness") for w in described[n][key].split("+")}
    words = (words - {"emulated"}) | ({"emulated"} if emulated else set())
    name = columns["retiring"]
    user = ["user mode only"] if ":u" in name else []
    kind = [f"{name.partition('@')[2]} only"] if "@" in name and "simulated" not in words else []
    return (*(w.upper() for w in LOUD if w in words), *user, *kind)
