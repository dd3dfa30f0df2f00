"""Power of iio devices: in_powerN (mW), else in_voltageN (mV) x in_currentN (mA), as INA3221 of older Jetson kernels.

Units are those of the kernel's Documentation/ABI/testing/sysfs-bus-iio: milliwatts, millivolts and milliamperes, of
`_input` as they are, of `_raw` after (raw + offset) x scale.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwprof.collectors.power.answers import SensorReader
from hwprof.collectors.power.hwmon import INTERVAL_NS
from hwprof.collectors.protocol import Channel
from hwprof.collectors.sensor_roles import role_of
from hwprof.machine import files

Found = tuple[Channel, SensorReader]
CHANNEL = re.compile(r"in_(power|voltage|current)(\d+)(?:_(.+?))?_(input|raw)")
# Bus volts of an INA219 or INA226, whose one channel of current has another number; its other volts are the shunt's.
MONITORS = re.compile(r"ina2(?!3221)\d\d.*")


@dataclass(frozen=True, slots=True)
class IioValue:
    """One value of a device: its file, and what its number is multiplied by."""

    path: Path
    scale: float
    number: str
    name: str  # what the file's own name adds, `in_power3_VDD_raw`


def devices(root: Path) -> list[Found]:
    """The channels of every device, by bus; what hwmon has of the same device is left to hwmon."""
    folders = sorted((root / "sys/bus/iio/devices").glob("iio:device*"))
    folders += sorted((root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio:device*"))
    unlike = {folder.resolve(): folder for folder in reversed(folders)}
    names = {folder: files.read(folder / "name") or folder.name for folder in sorted(unlike.values())}
    often = Tally(names.values())
    found: list[Found] = []
    for folder, name in names.items():
        device = folder.resolve().parent.name
        if (folder.resolve().parent / "hwmon").is_dir():
            continue
        chip = name if often[name] == 1 else f"{name}.{device}"
        found += _channels(folder, name, chip, device)
    return found


def _values(folder: Path, kind: str) -> Iterator[IioValue]:
    seen = set()
    for path in sorted(folder.glob(f"in_{kind}*"), key=lambda path: (path.name.endswith("_raw"), path.name)):
        match = CHANNEL.fullmatch(path.name)
        if match is None or match[1] != kind or match[2] in seen:
            continue
        seen.add(match[2])
        scale = 1.0
        if match[4] == "raw":
            stem = path.name.removesuffix("_raw")
            scale = _float(folder / f"{stem}_scale") or _float(folder / f"in_{kind}_scale") or 1.0
            if _float(folder / f"{stem}_offset"):
                continue  # no power monitor has one
        yield IioValue(path, scale, match[2], match[3] or "")


def _float(path: Path) -> float | None:
    text = files.read(path)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _channels(folder: Path, name: str, chip: str, device: str) -> Iterator[Found]:
    powers = list(_values(folder, "power"))
    if powers:
        pairs = [([one], one) for one in powers]
    else:
        volts = {one.number: one for one in _values(folder, "voltage")}
        pairs = [([volts[one.number], one], one) for one in _values(folder, "current") if one.number in volts]
    for parts, one in pairs:
        text = files.read(folder / f"rail_name_{one.number}") or one.name or f"channel {one.number}"
        if text.upper() == "NC":
            continue
        kinds = " x ".join(part.path.name for part in parts)
        source = f"iio:{name} {kinds}"
        scale = 1e-3 if len(parts) == 1 else 1e-6
        for part in parts:
            scale *= part.scale
        channel = Channel(
            "power",
            "W",
            f"{chip}/{text}",
            source,
            scale=scale,
            interval_ns=INTERVAL_NS,
            device=device,
            role=role_of(f"{name}/{text}"),
        )
        yield channel, SensorReader(source, [part.path for part in parts])
