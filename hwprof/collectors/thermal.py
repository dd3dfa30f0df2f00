"""Clock frequency, temperature and throttling, as the kernel tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hwprof.collectors.gauge import Sensors, values_of_windows
from hwprof.collectors.protocol import Channel, Gauge
from hwprof.machine import files
from hwprof.records import Doubt, Series, Shape, Window

# Raspberry Pi firmware, get_throttled: under-voltage, capped, throttled, soft temperature limit. Bits 16 to 19 say the
# same of the time since boot, which is not this window's.
PI_THROTTLED_NOW = 0b1111
MOVED = 0.05


def gauges(pid: int | None, root: str = "/") -> Sequence[Gauge]:
    """cpufreq per core in Hz, thermal zones in degrees Celsius, throttle counters and states."""
    base = Path(root)
    channels: list[Channel] = []
    readers: list[Callable[[], float | None]] = []
    for file in sorted((base / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")):
        label = file.parents[1].name
        channels.append(Channel("cpu-frequency", "Hz", label, "cpufreq", scale=1e3))
        readers.append(partial(files.number, file))
    for zone in sorted((base / "sys/class/thermal").glob("thermal_zone*")):
        label = files.read(zone / "type") or zone.name
        channels.append(Channel("temperature", "degC", label, f"thermal:{zone.name}", scale=1e-3))
        readers.append(partial(files.number, zone / "temp"))
    for file in sorted((base / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")):
        label = file.parents[1].name
        channels.append(Channel("throttle-events", "", label, "thermal_throttle", cumulative=True, shape=Shape.TOTAL))
        readers.append(partial(files.number, file))
    pi = base / "sys/devices/platform/soc/soc:firmware/get_throttled"
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
