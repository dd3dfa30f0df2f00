"""What stood for the machine's power in each run, as its facts record it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwprof.collectors.machine_power import machine_power_of
from hwprof.printable import printable


def power_columns(runs: Iterable[Any]) -> dict[str, NDArray[np.object_]]:
    """`power_sensors` and `power_why` of the frame, by rows with `facts`; None: not recorded."""
    found = [machine_power_of(run.facts) for run in runs]
    texts = [[None if text is None else printable(text) for text in pair] for pair in found]
    names = ("power_sensors", "power_why")
    return {name: np.array([own[i] for own in texts], dtype=object) for i, name in enumerate(names)}
