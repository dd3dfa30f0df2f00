"""What a power sensor is of, and the one rule that chooses what stands for the machine's power. Pure.

Sources of the rule: the kernel's Documentation/power/powercap (zones and sub-zones of RAPL: core and uncore are parts
of a package, DRAM is not; psys contains the packages), its hwmon drivers amd_energy (cores and sockets) and
acpi_power_meter, and NVIDIA on POM_5V_IN ("the total power consumption. You don't need to add POM_5V_GPU and
POM_5V_CPU to it").
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwprof.printable import plural


class SensorRole(enum.StrEnum):
    """What a power sensor measures."""

    METER = "meter"  # the user's own, of the whole machine
    MACHINE = "machine"
    BATTERY = "battery"  # of the machine, while nothing else supplies it; several add up
    PACKAGE = "package"
    MEMORY = "memory"  # beside a package, not in it
    PART = "part"  # of what another sensor measures, or may measure
    RAIL = "rail"  # what it feeds is not known
    ACCELERATOR = "accelerator"
    DEVICE = "device"  # a mouse, a headset


MEANINGS: Mapping[SensorRole, str] = {
    SensorRole.METER: "the whole machine, by the user's meter",
    SensorRole.MACHINE: "the whole machine",
    SensorRole.BATTERY: "what a battery supplies to the machine",
    SensorRole.PACKAGE: "a processor package",
    SensorRole.MEMORY: "memory beside a processor package",
    SensorRole.PART: "a part of the machine or of a package",
    SensorRole.RAIL: "a rail of which only the name is known",
    SensorRole.ACCELERATOR: "an accelerator",
    SensorRole.DEVICE: "a device with a battery of its own, not this machine",
}
METER_LABEL = "meter"
# Labels that say what they are of, in the order of their rank.
LABELS = (
    (re.compile(METER_LABEL), SensorRole.METER),
    (re.compile(r"psys(-\d+)?|(.*/)?(VDD_IN|POM_5V_IN)"), SensorRole.MACHINE),
    (re.compile(r"package-\d+(-die-\d+)?|amd_energy/Esocket\d+"), SensorRole.PACKAGE),
    (re.compile(r"package-\d+(-die-\d+)?/dram"), SensorRole.MEMORY),
)
ASKED = "as --power-sensor says"
BY_METER = "the user's meter stands above all sensors"
BY_MACHINE = "a sensor of the whole machine"
BY_BATTERY = "the battery supplies the whole machine"
BY_PACKAGES = "the processor packages, with the DRAM that has a sensor, as no sensor is of the whole machine"
BY_ITSELF = "the only sensor that can stand for the machine"
NO_SENSOR = "no power sensor was read (hwprof doctor says what this machine has)"


@dataclass(frozen=True, slots=True)
class SensorIdentity:
    """A power sensor by its unique label, and what it is of."""

    label: str
    role: SensorRole


@dataclass(frozen=True, slots=True)
class PowerChoice:
    """The labels whose power adds up to that of the machine, and why these. `labels` empty: why there are none."""

    labels: tuple[str, ...]
    why: str

    @property
    def is_asked(self) -> bool:
        """Whether the user chose."""
        return self.why == ASKED


def role_of(label: str) -> SensorRole:
    """What a sensor is of, as far as its label alone says it."""
    return next((role for pattern, role in LABELS if pattern.fullmatch(label)), SensorRole.RAIL)


def choose(sensors: Iterable[SensorIdentity], asked: Sequence[str] = ()) -> PowerChoice:
    """What stands for the machine: `asked`, the meter, a sensor of the whole, the batteries, packages with their DRAM.

    Else a single sensor does, and one that all others are parts of by their labels (`NAME/part`). A sensor of an
    accelerator, of another device or of a part never does.
    """
    if asked:
        return PowerChoice(tuple(asked), ASKED)
    known = sorted({one.label: one for one in sensors}.values(), key=lambda one: one.label)
    by_role = {role: [one.label for one in known if one.role is role] for role in SensorRole}
    if by_role[SensorRole.METER]:
        return PowerChoice(tuple(by_role[SensorRole.METER][:1]), BY_METER)
    if whole := sorted(by_role[SensorRole.MACHINE], key=lambda label: (label.startswith("psys"), label)):
        return PowerChoice((whole[0],), BY_MACHINE)
    if by_role[SensorRole.BATTERY]:
        return PowerChoice(tuple(by_role[SensorRole.BATTERY]), BY_BATTERY)
    if by_role[SensorRole.PACKAGE]:
        packages = sorted(by_role[SensorRole.PACKAGE] + by_role[SensorRole.MEMORY])
        return PowerChoice(tuple(packages), BY_PACKAGES)
    rails = by_role[SensorRole.RAIL]
    tops = [label for label in rails if not any(label.startswith(f"{other}/") for other in rails)]
    if len(tops) == 1 and not by_role[SensorRole.PART] and not by_role[SensorRole.MEMORY]:
        return PowerChoice((tops[0],), BY_ITSELF)
    return PowerChoice((), _undecided(known))


def _undecided(known: Sequence[SensorIdentity]) -> str:
    if not known:
        return NO_SENSOR
    if outside := [one for one in known if one.role in (SensorRole.ACCELERATOR, SensorRole.DEVICE)]:
        others = [one for one in known if one not in outside]
        if not others:
            said = ", ".join(f"{one.label} ({MEANINGS[one.role]})" for one in outside)
            return f"no sensor is of the machine, only {said}; --meter LOG.csv measures the whole"
        known = others
    names = ", ".join(one.label for one in known)
    return (
        f"Of {plural(len(known), 'sensor')} ({names}) it is not known which one contains the others; "
        "--power-sensor NAME says it, --meter LOG.csv measures the whole"
    )
