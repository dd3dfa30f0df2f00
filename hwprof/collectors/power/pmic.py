"""The regulators of a Raspberry Pi 5, by `vcgencmd pmic_read_adc`: volts and amperes of each rail that its PMIC feeds.

Their sum is less than what the board draws: what goes to USB ports and HATs from 5 V, and the losses of the
regulators, are not in it.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hwprof.collectors.protocol import Channel, Unavailable
from hwprof.collectors.sensor_roles import SensorRole

PROGRAMS = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")
LINE = re.compile(r"\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([\d.]+)[AV]\s*")
SOURCE = "vcgencmd:pmic_read_adc"
TIMEOUT_S = 2.0
REMEDY = "the user must be in the group video: sudo adduser USER video"


@dataclass(slots=True)
class PmicReader:
    """The sum of volts x amperes over the rails of which the PMIC has both, in W. It takes one short process."""

    program: Path
    fault: Unavailable | None = None

    def __call__(self) -> float | None:
        try:
            done = subprocess.run(
                [self.program, "pmic_read_adc"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self.fault = Unavailable(f"{SOURCE}: {error}")
            return None
        rails = watts_by_rail(done.stdout)
        if done.returncode or not rails:
            said = " ".join((done.stderr or done.stdout).split())[:80] or f"exit code {done.returncode}"
            self.fault = Unavailable(f"{SOURCE}: {said}", REMEDY)
            return None
        self.fault = None
        return sum(rails.values())


def watts_by_rail(text: str) -> dict[str, float]:
    """Rail -> W, of rails with both volts and amperes (EXT5V and the battery of the clock have volts only)."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        if match := LINE.fullmatch(line):
            found.setdefault(match[1], {})[match[2]] = float(match[3])
    return {rail: one["A"] * one["V"] for rail, one in found.items() if len(one) == 2}


def pmic(root: Path) -> list[tuple[Channel, PmicReader]]:
    """The PMIC's channel, where vcgencmd is there and knows one; a Raspberry Pi 4 has none."""
    program = next((root / name for name in PROGRAMS if (root / name).exists()), None)
    if program is None:
        return []
    reader = PmicReader(program)
    if reader() is None and reader.fault is not None and "not registered" in reader.fault.reason:
        return []
    channel = Channel("power", "W", "pmic", SOURCE, device="pmic", role=SensorRole.RAIL)
    return [(channel, reader)]
