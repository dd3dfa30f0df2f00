"""Energy counters of powercap: RAPL's packages, their parts, DRAM, and the whole platform (psys)."""

from __future__ import annotations

from collections import Counter as Tally
from pathlib import Path

from hwprof.collectors.power.answers import SensorReader
from hwprof.collectors.protocol import Channel
from hwprof.collectors.sensor_roles import SensorRole, role_of
from hwprof.machine import files

INTERVAL_NS = 1_000_000  # Intel SDM, volume 3: RAPL's energy status is updated about every millisecond
Found = tuple[Channel, SensorReader]


def zones(root: Path) -> list[Found]:
    """A channel per zone. Where two providers (MSR, MMIO) count the same package, the first is taken."""
    folder = root / "sys/class/powercap"
    paths = sorted(folder.glob("*:*"), key=lambda path: ("mmio" in path.name, path))
    named = [(path, label) for path in paths if (label := _label(path)) is not None]
    providers: dict[str, str] = {}
    kept = [(path, label) for path, label in named if providers.setdefault(label, _provider(path)) == _provider(path)]
    often = Tally(label for _, label in kept)
    return [_zone(path, label if often[label] == 1 else f"{label}.{path.name}") for path, label in kept]


def masked(root: Path) -> list[Path]:
    """Zones whose links lead nowhere: a container that masks /sys/devices/virtual/powercap leaves these."""
    return [path for path in sorted((root / "sys/class/powercap").glob("*")) if not path.exists()]


def _provider(zone: Path) -> str:
    return zone.name.partition(":")[0]


def _label(zone: Path) -> str | None:
    """`package-0`, `package-0/core`; None: no zone with energy."""
    name = files.read(zone / "name")
    if name is None or not (zone / "energy_uj").exists():
        return None
    parent = zone.name.rsplit(":", 1)[0]
    whole = files.read(zone.parent / parent / "name") if parent.count(":") else None
    return f"{whole}/{name}" if whole else name


def _zone(zone: Path, label: str) -> Found:
    plain = label.removesuffix(f".{zone.name}")
    role = role_of(plain)
    if role is SensorRole.RAIL and "/" in plain:
        role = SensorRole.PART
    modulus = files.number(zone / "max_energy_range_uj")
    source = f"powercap:{zone.name}"
    channel = Channel(
        "energy",
        "J",
        label,
        source,
        cumulative=True,
        modulus=None if modulus is None else modulus + 1,
        scale=1e-6,
        interval_ns=INTERVAL_NS,
        device=zone.name,
        role=role,
    )
    return channel, SensorReader(source, [zone / "energy_uj"])
