"""Shares of the pipeline's slots (top-down level 1) of every case, each with the marks of how it was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof.analysis.strata import NETWORK, VARIANT

KEYS = ("machine", NETWORK, "size", "batch", "threads", "cpus", "precision", VARIANT)
LOUD = ("simulated", "emulated", "suspect", "scaled")


@dataclass(frozen=True, slots=True)
class Bar:
    """One case. `shares`: of the slots in the order of its source, their sum is 1; `marks`: EMULATED, SIMULATED, ..."""

    name: str
    shares: tuple[float, ...]
    marks: tuple[str, ...]

    @property
    def title(self) -> str:
        """The case with its marks."""
        return " ".join((self.name, *self.marks))


def bars(frame: pd.DataFrame, sources: Sequence[Mapping[str, str]]) -> list[Bar]:
    """One per case and source (slot -> column).

    Machines, cores, precisions and sizes are never pooled; they are named where several.
    """
    out = []
    named = [c for c in ("machine", "size", "cpus", "precision") if c in frame and frame[c].astype(str).nunique() > 1]
    keys = [k for k in KEYS if k in frame]
    for columns in sources:
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
