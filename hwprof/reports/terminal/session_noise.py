"""The session noise of machines as words and JSON. Renders only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.comparison.sessions import SessionNoise
from hwprof.printable import plural
from hwprof.records import to_json
from hwprof.reports.terminal.style import columns, wrap

FORMAT = 1


def text(found: Sequence[MachineNoise], width: int | None = None) -> str:
    """Each machine with what its sessions differ by, in lines of `width` (None: as wide as stdout takes)."""
    width = columns() if width is None else width
    lines = []
    for one in found:
        lines += wrap(
            f"session noise of {one.label or one.machine}, calibrated {one.calibrated_utc[:10]}", width, "", "  "
        )
        lines += [line for by, noise in one.noises.items() for line in wrap(describe(noise, by), width, "  ", "    ")]
    return "\n".join(lines)


def describe(noise: SessionNoise, by: str) -> str:
    """`FPS: sessions differ by 2.1 % [1.4, 4.2] (sd; 6 sessions of 3 rounds, 4 cases), their rounds by 1.0 %`."""
    between, low, high = noise.interval
    limits = "" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
    rounds = plural(noise.rounds, "round", form=".3g")
    cases = plural(noise.cases, "case")
    within = "" if noise.within is None else f", their rounds by {100 * noise.within:.1f} %"
    sample = f"{plural(noise.sessions, 'session')} of {rounds}, {cases}"
    return f"{by}: sessions differ by {100 * between:.1f} %{limits} (sd; {sample})" + within


def document(found: Sequence[MachineNoise]) -> dict[str, Any]:
    """The JSON form."""
    machines = to_json(found)
    for one, plain in zip(found, machines, strict=True):
        for by, noise in one.noises.items():
            plain["noises"][by]["interval"] = noise.interval._asdict()
    return {"format": FORMAT, "machines": machines}
