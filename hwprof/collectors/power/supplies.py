"""What supplies the machine, by power_supply: batteries while they do, inputs that are measured, contracts.

The attributes are those of the kernel's Documentation/ABI/testing/sysfs-class-power: uW, uV and uA; `status`, `scope`
(Device: of a mouse or the like), `type`, `online`. The drivers of USB-C ports (ucsi, tcpm) have there what was agreed
with the supply, which nothing measures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwprof.collectors.power.answers import SensorReader
from hwprof.collectors.protocol import Channel, Unavailable
from hwprof.collectors.sensor_roles import SensorRole
from hwprof.machine import files

INTERVAL_NS = 1_000_000_000
CONTRACTS = re.compile(r"(ucsi|tcpm)-source-psy-.*")
RESTING = ("Full", "Not charging")
Found = tuple[Channel, "SensorReader | BatteryReader | InputReader"]


@dataclass(slots=True)
class BatteryReader:
    """Power of a battery (W by its channel's scale) while the machine's batteries alone supply it; else None."""

    power: SensorReader
    battery: Path
    others: Sequence[Path]  # the machine's other batteries
    inputs: Sequence[Path]  # Mains and USB
    fault: Unavailable | None = None

    def __call__(self) -> float | None:
        own = files.read(self.battery / "status") or "Unknown"
        ours = [own, *(files.read(other / "status") or "Unknown" for other in self.others)]
        charged = next((one.name for one in self.inputs if files.number(one / "online") not in (0, None)), "")
        if "Discharging" not in ours or "Charging" in ours or charged:
            supply = f" while {charged} supplies the machine" if charged else ""
            said = f"{self.power.source} is not what the machine draws: the battery's status is {own}{supply}"
            self.fault = Unavailable(said, "pull the plug, or measure with --meter LOG.csv")
            return None
        if own != "Discharging":
            self.fault = None
            return 0.0  # another battery supplies the machine
        value = self.power()
        self.fault = self.power.fault
        return value


@dataclass(slots=True)
class InputReader:
    """Power of an input while it feeds the machine alone: no battery takes of it or helps it. Else None."""

    power: SensorReader
    batteries: Sequence[Path]
    fault: Unavailable | None = None

    def __call__(self) -> float | None:
        for battery in self.batteries:
            status = files.read(battery / "status") or "Unknown"
            if status not in RESTING:
                said = f"{self.power.source} is not what the machine draws: the status of {battery.name} is {status}"
                self.fault = Unavailable(said, "wait until it is full, or measure with --meter LOG.csv")
                return None
        value = self.power()
        self.fault = self.power.fault
        return value


def supplies(root: Path) -> list[Found]:
    """power_now, else voltage_now x current_now of what supplies the machine or, marked as such, another device."""
    folders = sorted((root / "sys/class/power_supply").glob("*"))
    kinds = {folder: (files.read(folder / "type") or "").lower() for folder in folders}
    batteries = [folder for folder in folders if kinds[folder] == "battery" and not _is_of_device(folder)]
    inputs = [folder for folder in folders if kinds[folder] in ("mains", "usb", "wireless", "ups")]
    found: list[Found] = []
    for folder in folders:
        reader = _reader(folder)
        if reader is None:
            continue
        if _is_of_device(folder):
            found.append((_channel(folder, SensorRole.DEVICE), reader))
        elif CONTRACTS.fullmatch(folder.name):
            found.append((_channel(folder, SensorRole.MACHINE, is_declared=True), reader))
        elif kinds[folder] == "battery":
            others = [one for one in batteries if one != folder]
            reading = BatteryReader(reader, folder, others, [one for one in inputs if one != folder])
            found.append((_channel(folder, SensorRole.BATTERY), reading))
        else:
            role = SensorRole.MACHINE if kinds[folder] else SensorRole.RAIL
            found.append((_channel(folder, role), InputReader(reader, batteries)))
    return found


def _is_of_device(folder: Path) -> bool:
    return (files.read(folder / "scope") or "").lower() == "device"


def _reader(folder: Path) -> SensorReader | None:
    power, volts, current = (folder / f"{name}_now" for name in ("power", "voltage", "current"))
    source = f"power_supply:{folder.name}"
    if power.exists():
        return SensorReader(source, [power], is_magnitude=True)
    if volts.exists() and current.exists():
        return SensorReader(source, [volts, current], is_magnitude=True)
    return None


def _channel(folder: Path, role: SensorRole, is_declared: bool = False) -> Channel:
    scale = 1e-6 if (folder / "power_now").exists() else 1e-12
    return Channel(
        "power",
        "W",
        folder.name,
        f"power_supply:{folder.name}",
        scale=scale,
        interval_ns=INTERVAL_NS,
        device=folder.name,
        role=role,
        is_declared=is_declared,
    )
