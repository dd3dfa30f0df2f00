"""Power and energy from the sensors a machine has; never a TDP in place of a reading.

Sources: powercap (RAPL energy counters), hwmon (energy, power, or volts x amperes), iio, power_supply (batteries,
inputs) and the PMIC of a Raspberry Pi 5. Each sensor has a label of its own and a role: what it is of. What is
declared, as a USB-C contract is, is never read as if it were measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hwprof.collectors.power import hwmon, iio, pmic, powercap, supplies
from hwprof.collectors.power.answers import MASKED, SensorReader
from hwprof.collectors.power.pmic import PmicReader
from hwprof.collectors.power.readings import PowerSensors as PowerSensors
from hwprof.collectors.power.readings import above_idle as above_idle
from hwprof.collectors.power.readings import observed_interval_ns as observed_interval_ns
from hwprof.collectors.power.supplies import BatteryReader, InputReader
from hwprof.collectors.protocol import Available, Channel, Gauge, Unavailable
from hwprof.collectors.sensor_roles import MEANINGS, SensorIdentity, SensorRole, choose, role_of
from hwprof.machine.files import ROOT

MACHINE = "power of the machine"  # the entry of `probe` that says which sensors stand for it
NONE = Unavailable(
    "no power sensor: neither powercap, hwmon, iio nor power_supply has one",
    "log an external meter and name its file: --meter LOG.csv",
)
Found = tuple[Channel, SensorReader | BatteryReader | InputReader | PmicReader]


def sensors(root: Path) -> list[Found]:
    """Every sensor of power or energy below a root, readable or not, each with a label of its own."""
    found: list[Found] = [*powercap.zones(root), *hwmon.chips(root), *iio.devices(root)]
    return [*found, *supplies.supplies(root), *pmic.pmic(root)]


def gauges(pid: int | None, root: str = "/") -> Sequence[Gauge]:
    """The power sensors of this machine; none where there are none, readable or not."""
    base = Path(root)
    readable, absent = _examine(base)
    if not readable and not absent:
        return []
    return [PowerSensors("power", [c for c, _ in readable], [r for _, r in readable], absent=absent)]


def _examine(root: Path) -> tuple[list[Found], list[tuple[Channel, Unavailable]]]:
    """The sensors that measure this machine now, and the others with the reason."""
    readable: list[Found] = []
    absent = [_masked(zone) for zone in powercap.masked(root)[:1]]
    for channel, reader in sensors(root):
        if (value := reader()) is None:
            absent.append((channel, reader.fault or Unavailable(f"{channel.source} does not answer")))
        elif channel.is_declared:
            watts = value * channel.scale
            said = f"{channel.source} declares {watts:g} W, as the supply agreed to give at most; nothing measures it"
            absent.append((channel, Unavailable(said, "a USB-C meter between them: --meter LOG.csv")))
        else:
            readable.append((channel, reader))
    return readable, absent


def _masked(zone: Path) -> tuple[Channel, Unavailable]:
    channel = Channel("energy", "J", zone.name, f"powercap:{zone.name}", cumulative=True)
    return channel, Unavailable(f"powercap is masked: {MASKED[0]}", MASKED[1])


def probe(root: Path = ROOT) -> Mapping[str, Available | Unavailable]:
    """Each sensor with what it is of, unit and interval, or why there is none; last what stands for the machine."""
    readable, absent = _examine(root)
    state: dict[str, Available | Unavailable] = {}
    for channel, _ in readable:
        state[f"{channel.metric}[{channel.label}]"] = Available(channel.source, _described(channel))
    state |= {f"{channel.metric}[{channel.label}]": why for channel, why in absent}
    if not state:
        return {"power": NONE}
    alive = [channel for channel, reader in readable if not (channel.cumulative and reader() == 0)]
    choice = choose(map(identity_of, alive))
    if not choice.labels:
        choice = choose(identity_of(channel) for channel, _ in readable)
    if choice.labels:
        state[MACHINE] = Available(" + ".join(choice.labels), choice.why)
    elif readable:
        state[MACHINE] = Unavailable(choice.why)
    else:
        state[MACHINE] = Unavailable("no sensor of it can be read", NONE.remedy)
    return state


def identity_of(channel: Channel) -> SensorIdentity:
    """What the rule of `sensor_roles` needs to know of a channel; of another package's by its label."""
    return SensorIdentity(channel.label, channel.role or role_of(channel.label))


def _described(channel: Channel) -> str:
    """`the whole machine; a rate in W, every 35 ms, each the mean of 1 s`."""
    role = channel.role or SensorRole.RAIL
    kind = "a total in" if channel.cumulative else "a rate in"
    every = f", every {channel.interval_ns / 1e6:g} ms" if channel.interval_ns else ""
    mean = f", each the mean of {channel.averaging_ns / 1e9:g} s" if channel.averaging_ns else ""
    return f"{MEANINGS[role]}; {kind} {channel.unit}{every}{mean}"
