"""The session noise of machines as words and JSON. Renders only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.comparison.sessions import SessionNoise
from hwprof.printable import plural
from hwprof.records import to_json

FORMAT = 1


def text(found: Sequence[MachineNoise]) -> str:
    """Each machine with what its sessions differ by."""
    lines = []
    for one in found:
        lines.append(f"session noise of {one.label or one.machine}, calibrated {one.calibrated_utc[:10]}")
        lines += [f"  {describe(noise, by)}" for by, noise in one.noises.items()]
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
