"""Power and energy from the sensors a machine has; never a TDP in place of a reading.

Sources: powercap (RAPL energy counters per package), hwmon (energy, power, or volts x amperes, INA3221 per channel),
power_supply (batteries, USB-C inputs), and the log of an external meter. Each reading names its sensor: parts of a
whole (a core domain within its package) have labels of their own and are never added to it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hwprof.collectors.gauge import Sensors, integral, samples
from hwprof.collectors.gauge import reading as plain
from hwprof.collectors.protocol import Available, Channel, Gauge, Unavailable
from hwprof.machine import files
from hwprof.machine.files import ROOT
from hwprof.records import Reading, Series, Shape, Window, missing

RAPL_INTERVAL_NS = 1_000_000
HWMON_INTERVAL_NS = 35_000_000  # INA226 by default; the file update_interval says otherwise
SUPPLY_INTERVAL_NS = 1_000_000_000
LEAST_RESTS = 3  # of a power, to be called regular
Found = tuple[Channel, Callable[[], float | None]]


@dataclass(slots=True)
class PowerSensors(Sensors):
    """Sensors whose power becomes energy and whose energy becomes power, one of each per window and label."""

    def readings(self, series: Sequence[Series], window: Window) -> list[Reading]:
        """`energy[label]` in J and `power[label]` in W of one window, from whichever of the two the sensor gives."""
        found = []
        for one in series:
            slowest = max(one.interval_ns, observed_interval_ns(one))
            first = plain(replace(one, interval_ns=slowest), window)
            found.append(first)
            other = "power" if one.metric == "energy" else "energy"
            unit = "W" if other == "power" else "J"
            name = first.metric.replace(one.metric, other, 1)
            common: dict[str, Any] = {"unit": unit, "origin": one.origin, "domain": "system", "source": one.source}
            common["shape"] = Shape.LEVEL if other == "power" else Shape.COUNT
            if first.value is None:
                found.append(missing(name, first.why, **common))
            elif other == "power":
                found.append(Reading(name, first.value / window.elapsed_s, **common))
            else:
                joules = integral(samples(one), window)
                if joules is None:
                    found.append(missing(name, "no sample on both sides of the window", **common))
                else:
                    found.append(Reading(name, joules, **common))
        return found


def observed_interval_ns(series: Series) -> int:
    """How often a sensor has a new value at most, as its samples show; 0: not known.

    A total of energy grows all the time: while it stood still the sensor had nothing new. A power may rest, so that
    only changes at regular distances are the sensor's own. RAPL's interval is known, and a part of a package may be
    switched off.
    """
    if series.source.startswith("powercap:"):
        return 0
    rests: list[tuple[int, int]] = []  # samples of one value, the time from the first to the last of them
    for _, same in itertools.groupby(samples(series), key=lambda sample: sample[1]):
        times = [at for at, _ in same]
        rests.append((len(times), times[-1] - times[0]))
    if series.cumulative:
        return max((time for _, time in rests), default=0)
    between = rests[1:-1]  # from a change to a change
    lengths, longest = [count for count, _ in between], max((time for _, time in between), default=0)
    regular = len(between) >= LEAST_RESTS and min(lengths) > 2 and max(lengths) - min(lengths) <= 2
    return longest if regular else 0


def gauges(pid: int | None, root: str = "/") -> Sequence[Gauge]:
    """The power sensors of this machine; none where there are none that can be read."""
    base = Path(root)
    found = [*rapl(base), *hwmon(base), *supplies(base)]
    readable = [(channel, reader) for channel, reader in found if reader() is not None]
    if not readable:
        return []
    return [PowerSensors("power", [c for c, _ in readable], [r for _, r in readable])]


def probe(root: Path = ROOT) -> Mapping[str, Available | Unavailable]:
    """Each sensor with unit and interval, or why there is none."""
    state: dict[str, Available | Unavailable] = {}
    for channel, reader in [*rapl(root), *hwmon(root), *supplies(root)]:
        name = f"{channel.metric}[{channel.label}]"
        if reader() is not None:
            state[name] = Available(channel.source, f"{channel.unit}, every {channel.interval_ns / 1e6:g} ms")
        elif "powercap" in channel.source:
            state[name] = Unavailable(
                f"{channel.source} can be read by root only",
                "run as root, or: chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
            )
        else:
            state[name] = Unavailable(f"{channel.source} does not answer")
    if not state:
        state["power"] = Unavailable(
            "no power sensor: neither powercap, hwmon nor power_supply offers one",
            "log an external meter and give its file: --meter LOG.csv",
        )
    return state


def rapl(root: Path) -> list[Found]:
    """Energy counters of powercap. Where two providers (MSR, MMIO) count the same package, the first is taken."""
    found: list[Found] = []
    seen: set[str] = set()
    for zone in sorted(
        (root / "sys/class/powercap").glob("*:*"), key=lambda p: (":" in p.name and "mmio" in p.name, p)
    ):
        name = files.read(zone / "name")
        modulus = files.number(zone / "max_energy_range_uj")
        if name is None or not (zone / "energy_uj").exists():
            continue
        parent = zone.name.rsplit(":", 1)[0]
        whole = files.read(zone.parent / parent / "name") if parent.count(":") else None
        label = f"{whole}/{name}" if whole else name
        if label in seen:
            continue
        seen.add(label)
        channel = Channel(
            "energy",
            "J",
            label,
            f"powercap:{zone.name}",
            cumulative=True,
            modulus=None if modulus is None else modulus + 1,
            scale=1e-6,
            interval_ns=RAPL_INTERVAL_NS,
        )
        found.append((channel, partial(files.number, zone / "energy_uj")))
    return found


def hwmon(root: Path) -> list[Found]:
    """energyN in uJ, else powerN in uW, else inN (mV) x currN (mA) of each hwmon chip."""
    found: list[Found] = []
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name = files.read(chip / "name") or chip.name
        update = files.number(chip / "update_interval")
        interval = HWMON_INTERVAL_NS if update is None else update * 1_000_000
        sensors = [_sensor(chip, name, "energy", path, interval) for path in _inputs(chip, "energy")]
        sensors = sensors or [_sensor(chip, name, "power", path, interval) for path in _inputs(chip, "power")]
        found += sensors or _volts_amperes(chip, name, interval)
    return found


def _inputs(chip: Path, kind: str) -> list[Path]:
    return sorted(chip.glob(f"{kind}[0-9]*_input")) or sorted(chip.glob(f"{kind}[0-9]*_average"))


def _sensor(chip: Path, name: str, metric: str, path: Path, interval: int) -> Found:
    stem, total = path.name.rsplit("_", 1)[0], metric == "energy"
    # a meter's mean over some time is that of a window only where the window is much longer
    mean_ms = files.number(chip / f"{stem}_average_interval") if path.name.endswith("_average") else None
    interval = max(interval, (mean_ms or 0) * 1_000_000)
    label = f"{name}/{files.read(chip / f'{stem}_label') or stem}"
    unit = "J" if total else "W"
    channel = Channel(metric, unit, label, f"hwmon:{name}", cumulative=total, scale=1e-6, interval_ns=interval)
    return channel, partial(files.number, path)


def _product(volts: Path, current: Path) -> float | None:
    """Volts times amperes of two files, in the product of their units; None where one does not answer."""
    v, i = files.number(volts), files.number(current)
    return None if v is None or i is None else v * i


def _volts_amperes(chip: Path, name: str, interval: int) -> list[Found]:
    """Channels of an INA3221 and the like: bus volts inN with the current currN of the same number."""
    found: list[Found] = []
    for current in _inputs(chip, "curr"):
        index = re.sub(r"\D", "", current.name)
        volts = chip / f"in{index}_input"
        text = files.read(chip / f"in{index}_label") or files.read(chip / f"curr{index}_label") or f"channel {index}"
        # A chip's sum of shunts has no bus voltage; an unconnected channel is switched off or reads no volts.
        off = files.number(chip / f"in{index}_enable") == 0 or not files.number(volts)
        if off or "sum" in text.lower() or text.upper() == "NC":
            continue
        source = f"hwmon:{name} in{index} x curr{index}"
        channel = Channel("power", "W", f"{name}/{text}", source, scale=1e-6, interval_ns=interval)
        found.append((channel, partial(_product, volts, current)))
    return found


def _magnitude(volts: Path, current: Path) -> float | None:
    product = _product(volts, current)
    return None if product is None else abs(product)


def supplies(root: Path) -> list[Found]:
    """power_now, else voltage_now x current_now (uV x uA) of what supplies the machine."""
    found: list[Found] = []
    for supply in sorted((root / "sys/class/power_supply").glob("*")):
        label, source = supply.name, f"power_supply:{supply.name}"
        power, volts, current = (supply / f"{name}_now" for name in ("power", "voltage", "current"))
        if files.number(power) is not None:
            channel = Channel("power", "W", label, source, scale=1e-6, interval_ns=SUPPLY_INTERVAL_NS)
            found.append((channel, partial(files.number, power)))
        elif files.number(volts) and files.number(current) is not None:
            channel = Channel("power", "W", label, source, scale=1e-12, interval_ns=SUPPLY_INTERVAL_NS)
            found.append((channel, partial(_magnitude, volts, current)))
    return found


def above_idle(reading: Reading, idle_w: float, window: Window) -> Reading:
    """Energy of a window without what the machine takes when idle (`idle_w`, measured before)."""
    name = reading.metric.replace("energy", "energy-above-idle", 1)
    if reading.value is None:
        return replace(reading, metric=name)
    return replace(reading, metric=name, value=reading.value - idle_w * window.elapsed_s)
