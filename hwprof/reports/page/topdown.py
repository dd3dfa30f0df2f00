"""Top-down level 1 of every case: shares of the pipeline's slots, each row with the marks of how it was counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hwprof.analysis.topdown import bars
from hwprof.collectors.vocabulary import LEVEL1
from hwprof.reports.tables import Table

NOTE = (
    "Means over rounds; the four slots of one case are of one source: counted, or by the formulas of its CPU's table. "
    "EMULATED: an emulator's pipeline, no machine's; SIMULATED: a model's; neither is pooled with what a machine "
    "counted."
)


def table(frame: pd.DataFrame, machines: Mapping[str, Mapping[str, Any]]) -> Table:
    """The shares as text."""
    rows = tuple((b.name, *(f"{s:.1%}" for s in b.shares), " ".join(b.marks) or "-") for b in bars(frame, machines))
    return Table("Top-down, level 1", ("case", *LEVEL1, "marks"), rows, NOTE)
