"""Clock frequency, temperature and throttling, as the kernel tells them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hwprof.collectors.gauge import Sensors, values_of_windows
from hwprof.collectors.protocol import Channel, Gauge
from hwprof.machine import files
from hwprof.machine.files import ROOT
from hwprof.records import Doubt, Series, Shape, Window

# Raspberry Pi firmware, get_throttled: under-voltage, capped, throttled, soft temperature limit. Bits 16 to 19 say the
# same of the time since boot, which is not this window's.
PI_THROTTLED_NOW = 0b1111
PI_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
MOVED = 0.05
# Sensors of the CPU or of what it is part of, by their names.
OF_CPU = re.compile(r"cpu|core|cluster|soc|pkg|package|k10temp|zenpower", re.IGNORECASE)
NOT_OF_CPU = re.compile(r"gpu|npu|pch|ddr|wifi|batt", re.IGNORECASE)
# AMD's processors have no thermal zone: chips of hwmon, with the name of the sensor to take.
AMD_CHIPS = ("k10temp", "zenpower")
AMD_SENSORS = ("Tdie", "Tctl")
PLAUSIBLE_C = (0.0, 150.0)


@dataclass(frozen=True, slots=True)
class Heat:
    """How hot the machine is: the hottest sensor of the CPU (of all, where none is the CPU's), and what heat takes.

    `limits_hz`: the highest clock that the kernel allows each CPU, which cooling lowers whatever the governor; the
    clock of an idle CPU itself says nothing. `is_held_back`: the firmware lowers the clock.
    """

    celsius: float | None = None
    zone: str = ""
    limits_hz: Mapping[int, float] = field(default_factory=dict)
    is_held_back: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything of it could be read."""
        return self.celsius is not None or bool(self.limits_hz)


def heat(root: Path = ROOT) -> Heat:
    """The heat now; what can't be read is not in it, nor a temperature that can't be one."""
    low, high = PLAUSIBLE_C
    read = [(label, files.number(path)) for label, _, path in temperatures(root)]
    known = [(raw / 1e3, label) for label, raw in read if raw is not None and low < raw / 1e3 < high]
    of_cpu = [(value, label) for value, label in known if OF_CPU.search(label) and not NOT_OF_CPU.search(label)]
    celsius, zone = max(of_cpu or known, default=(None, ""))
    limits = {}
    for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_max_freq"):
        khz = files.number(path)
        if khz:
            limits[int(path.parents[1].name.removeprefix("cpu"))] = khz * 1e3
    return Heat(celsius, zone, limits, bool(firmware_throttled(files.read(root / PI_FIRMWARE))))


def temperatures(root: Path) -> list[tuple[str, str, Path]]:
    """(label, source, file in thousandths of a degree) of each thermal zone, and of AMD's processors."""
    found = [
        (files.read(zone / "type") or zone.name, f"thermal:{zone.name}", zone / "temp")
        for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    ]
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name = files.read(chip / "name") or ""
        if name in AMD_CHIPS:
            labels = {files.read(path): path for path in sorted(chip.glob("temp[0-9]*_label"))}
            sensor = next((wanted for wanted in AMD_SENSORS if wanted in labels), None)
            path = labels[sensor].with_name(labels[sensor].name.replace("_label", "_input")) if sensor else None
            found.append((f"{name}/{sensor}" if sensor else name, f"hwmon:{name}", path or chip / "temp1_input"))
    return found


def gauges(pid: int | None, root: str = "/") -> Sequence[Gauge]:
    """cpufreq per core in Hz, thermal zones in degrees Celsius, throttle counters and states."""
    base = Path(root)
    channels: list[Channel] = []
    readers: list[Callable[[], float | None]] = []
    for file in sorted((base / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")):
        label = file.parents[1].name
        channels.append(Channel("cpu-frequency", "Hz", label, "cpufreq", scale=1e3))
        readers.append(partial(files.number, file))
    for label, source, path in temperatures(base):
        channels.append(Channel("temperature", "degC", label, source, scale=1e-3))
        readers.append(partial(files.number, path))
    for file in sorted((base / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")):
        label = file.parents[1].name
        channels.append(Channel("throttle-events", "", label, "thermal_throttle", cumulative=True, shape=Shape.TOTAL))
        readers.append(partial(files.number, file))
    pi = base / PI_FIRMWARE
    if pi.exists():
        channels.append(Channel("throttled", "share", "firmware", "get_throttled"))
        readers.append(lambda: firmware_throttled(files.read(pi)))
    return [Sensors("thermal", channels, readers)] if channels else []


def firmware_throttled(text: str | None) -> float | None:
    """1.0 while the Raspberry Pi's firmware holds the clock back, 0.0 while not."""
    try:
        return None if text is None else float(bool(int(text, 16) & PI_THROTTLED_NOW))
    except ValueError:
        return None


def doubts(series: Sequence[Series], windows: Sequence[Window], cpus: Sequence[int]) -> list[Doubt]:
    """`throttled` and `frequency-drift` over the windows of a run, on its own cores (all, where it is not pinned)."""
    ours = {f"cpu{cpu}" for cpu in cpus}
    found = []
    clocks: list[float] = []
    throttled = False
    for one in series:
        if ours and one.label.startswith("cpu") and one.label not in ours:
            continue
        seen = values_of_windows(one, windows)
        if one.metric == "cpu-frequency":
            clocks += seen
        elif one.metric == "throttled":
            throttled |= any(seen)
        elif one.metric == "throttle-events":
            throttled |= bool(seen) and max(seen) > min(seen)
    if throttled:
        found.append(Doubt("throttled", {}))
    if clocks and max(clocks) > (1 + MOVED) * min(clocks):
        found.append(Doubt("frequency-drift", {"low_ghz": min(clocks) / 1e9, "high_ghz": max(clocks) / 1e9}))
    return found
