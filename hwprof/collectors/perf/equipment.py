"""Test equipment: PMUs whose counts are made up for tests. What they count says so wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.kinds import PMU_SHIFT
from hwprof.collectors.perf.names import ALIASES, CACHE, HARDWARE
from hwprof.collectors.perf.sysfs import Pmu
from hwprof.records import TEST_EQUIPMENT, Origin

if TYPE_CHECKING:
    from hwprof.collectors.perf.events import Event


def mark(event: Event, pmus: Mapping[str, Pmu]) -> Event:
    """The event with its mark where one of the PMUs counts it that are test equipment; else as it is."""
    pmu = None if event.refused else counting(event, pmus)
    if pmu is None:
        return event
    meaning = "; ".join(filter(None, (f"{TEST_EQUIPMENT} ({pmu.name})", event.meaning)))
    return replace(event, origin=Origin.EMULATED, meaning=meaning)


def counting(event: Event, pmus: Mapping[str, Pmu]) -> Pmu | None:
    """The PMU that counts an event where that PMU is test equipment.

    The kernel asks one PMU after another for a generic event that names none. Which one it took, nothing says: test
    equipment has in its `events` what it answers.
    """
    generic = event.type in (Type.HARDWARE, Type.HW_CACHE)
    number = event.config >> PMU_SHIFT if generic else event.type
    for pmu in (pmu for pmu in pmus.values() if pmu.test_equipment):
        named = generic and not number and (event.type, event.config) in _generic_events(pmu)
        if named or number == pmu.type:
            return pmu
    return None


def _generic_events(pmu: Pmu) -> set[tuple[int, int]]:
    """Type and config of the generic events among those that a PMU names."""
    names = [ALIASES.get(name, name) for name in pmu.events]
    return {
        *((Type.HARDWARE, HARDWARE[name][0]) for name in names if name in HARDWARE),
        *((Type.HW_CACHE, CACHE[name][0]) for name in names if name in CACHE),
    }
