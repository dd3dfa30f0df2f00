"""Power and energy of hwmon's chips: energyN in uJ, else powerN in uW, else inN (mV) x currN (mA).

Units and names are those of the kernel's Documentation/hwmon/sysfs-interface.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from pathlib import Path

from hwprof.collectors.power.answers import SensorReader
from hwprof.collectors.protocol import Channel
from hwprof.collectors.sensor_roles import SensorRole, role_of
from hwprof.machine import files

INTERVAL_NS = 35_000_000  # INA226 by default; the file update_interval says otherwise
Found = tuple[Channel, SensorReader]
INA3221_CHANNELS = 3
ACCELERATORS = frozenset({"amdgpu", "radeon", "nouveau", "i915", "xe", "nvidia"})
# What the drivers' own pages call the whole machine.
WHOLE = re.compile(r"System|Total System Power|power total", re.IGNORECASE)
# acpi_power_meter: what the firmware, often a BMC's, says of the machine. Of several one may name a socket as a whole.
METER_CHIP = "power_meter"
MODULE = re.compile(r"Module Power Socket \d+", re.IGNORECASE)


def chips(root: Path) -> list[Found]:
    """The channels of every chip. A name that several chips have gets the device's: `ina226.1-0040/power1`."""
    paths = sorted((root / "sys/class/hwmon").glob("hwmon*"))
    names = {path: files.read(path / "name") or path.name for path in paths}
    often = Tally(names.values())
    found: list[Found] = []
    for path, name in names.items():
        device = device_of(path)
        chip = name if often[name] == 1 else f"{name}.{device}"
        found += _channels(path, name, chip, device, is_one=often[name] == 1)
    return found


def device_of(folder: Path) -> str:
    """What the bus calls the device below a folder of a class: `1-0040`, `ACPI000D:00`; else the folder's name."""
    link = folder / "device"
    return link.resolve().name if link.is_symlink() else folder.name


def _channels(folder: Path, name: str, chip: str, device: str, is_one: bool) -> list[Found]:
    update = files.number(folder / "update_interval")
    interval = INTERVAL_NS if update is None else update * 1_000_000
    for metric in ("energy", "power"):
        if inputs := _inputs(folder, metric):
            return [_sensor(folder, name, chip, device, metric, path, interval, is_one) for path in inputs]
    return _volts_amperes(folder, name, chip, device, interval)


def _inputs(chip: Path, kind: str) -> list[Path]:
    return sorted(chip.glob(f"{kind}[0-9]*_input")) or sorted(chip.glob(f"{kind}[0-9]*_average"))


def _sensor(
    folder: Path, name: str, chip: str, device: str, metric: str, path: Path, interval: int, is_one: bool
) -> Found:
    stem, total = path.name.rsplit("_", 1)[0], metric == "energy"
    # a meter's mean over some time is that of a window only where the window is much longer
    mean_ms = files.number(folder / f"{stem}_average_interval") if path.name.endswith("_average") else None
    averaging = (mean_ms or 0) * 1_000_000
    text = files.read(folder / f"{stem}_label") or files.read(folder / f"{stem}_oem_info") or stem
    source = f"hwmon:{name}"
    channel = Channel(
        metric,
        "J" if total else "W",
        f"{chip}/{text}",
        source,
        cumulative=total,
        scale=1e-6,
        interval_ns=max(interval, averaging),
        averaging_ns=averaging,
        device=device,
        role=_role(name, text, stem, is_one),
    )
    return channel, SensorReader(source, [path])


def _role(name: str, text: str, stem: str, is_one: bool) -> SensorRole:
    if name in ACCELERATORS:
        return SensorRole.ACCELERATOR
    if WHOLE.fullmatch(text):
        return SensorRole.MACHINE
    if name == METER_CHIP:
        if MODULE.fullmatch(text):
            return SensorRole.PACKAGE
        if text != stem and "socket" in text.lower():
            return SensorRole.PART
        return SensorRole.MACHINE if is_one else SensorRole.RAIL
    if name == "fam15h_power":
        return SensorRole.PACKAGE
    if name in ("amd_energy", "zenpower"):
        return SensorRole.PACKAGE if text.startswith("Esocket") else SensorRole.PART
    return role_of(f"{name}/{text}")


def _volts_amperes(folder: Path, name: str, chip: str, device: str, interval: int) -> list[Found]:
    """Channels of an INA3221 and the like: bus volts inN with the current currN of the same number.

    The kernel's ina3221 page has in4 to in6 as the volts of the shunts, and curr4 as the sum of the currents.
    """
    found: list[Found] = []
    for current in _inputs(folder, "curr"):
        index = re.sub(r"\D", "", current.name)
        if name == "ina3221" and int(index) > INA3221_CHANNELS:
            continue
        volts = folder / f"in{index}_input"
        labels = (files.read(folder / f"{kind}{index}_label") for kind in ("in", "curr"))
        text = next(filter(None, labels), f"channel {index}")
        # A chip's sum of shunts has no bus voltage; an unconnected channel is switched off or reads no volts.
        is_off = files.number(folder / f"in{index}_enable") == 0 or files.number(volts) == 0 or not volts.exists()
        if is_off or "sum" in text.lower() or text.upper() == "NC":
            continue
        source = f"hwmon:{name} in{index} x curr{index}"
        role = SensorRole.ACCELERATOR if name in ACCELERATORS else role_of(f"{name}/{text}")
        channel = Channel(
            "power", "W", f"{chip}/{text}", source, scale=1e-6, interval_ns=interval, device=device, role=role
        )
        found.append((channel, SensorReader(source, [volts, current])))
    return found
