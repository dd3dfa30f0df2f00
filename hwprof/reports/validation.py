"""What a report says of events that failed validation."""

from __future__ import annotations

import pandas as pd

HEADER = ("machine", "event", "verdict", "why")
NOTE = (
    "Programs of known counts were counted with these events (hwprof validate); wherever they stand above, they are "
    "suspect."
)


def rows(frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """A row for each event that failed on a machine, as the frame's `attrs["validation"]` has them."""
    found = frame.attrs.get("validation", ())
    failed = {(v["machine"], v["event"], v["verdict"], v["why"]) for v in found if v["failed"]}
    return tuple(sorted(failed))
