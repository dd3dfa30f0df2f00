"""Which sensors give the energy of a run: a part is never added to its whole. The one place where energies are added.

Sources: the kernel's Documentation/power/powercap (zones and sub-zones of RAPL: core and uncore are parts of a package,
DRAM is not; psys contains the packages), its hwmon driver amd_energy (cores and sockets), and NVIDIA on POM_5V_IN ("the
total power consumption. You don't need to add POM_5V_GPU and POM_5V_CPU to it").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural

JOULES: Mapping[str, float] = {"j": 1.0, "mj": 1e-3, "uj": 1e-6, "µj": 1e-6}
# Labels of sensors of the whole machine. The first kind that is there stands for all others.
WHOLE = (
    re.compile(r"meter"),  # the user's own (--meter)
    re.compile(r"psys(-\d+)?"),
    re.compile(r"(.*/)?(VDD_IN|POM_5V_IN)"),  # the input rail of Jetson boards
)
# Labels whose energies add up: sockets, with the memory beside each of them.
TOGETHER = (
    re.compile(r"package-\d+(-die-\d+)?(/dram)?"),
    re.compile(r"amd_energy/Esocket\d+"),
)
NO_SENSOR = "no power sensor was read (hwprof doctor says what this machine has)"


def whole_machine(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels whose energies add up to that of the machine; none where the labels do not tell which is the whole.

    Sensors of the whole machine come before packages, packages before rails. A single sensor stands for the machine;
    so does one that all others are sub-zones of (`NAME/part`).
    """
    known = sorted(set(labels))
    for pattern in WHOLE:
        if found := [label for label in known if pattern.fullmatch(label)]:
            return tuple(found[:1])
    for pattern in TOGETHER:
        found = [label for label in known if pattern.fullmatch(label)]
        if any(not label.endswith("/dram") for label in found):
            return tuple(found)
    tops = [label for label in known if not any(label.startswith(f"{other}/") for other in known)]
    return tuple(tops) if len(tops) == 1 else ()


@dataclass(frozen=True, slots=True)
class EnergySensors:
    """What the energy of one machine's runs is read from. `columns` empty: the whole is not known."""

    machine: str
    columns: tuple[str, ...]
    candidates: tuple[str, ...]  # every column of energy that has a value on this machine


def choose_sensors(frame: pd.DataFrame) -> list[EnergySensors]:
    """The columns that make the energy of a frame, for each machine of a results frame that has any."""
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    columns = [
        n
        for n, a in sorted(described.items())
        if n.partition("[")[0] == Name.ENERGY and (a.get("per") or "frame") == "frame" and _unit(a) in JOULES
    ]
    found = []
    for machine, rows in _machines(frame):
        values = frame.loc[rows, columns].astype(float)
        there = [n for n in columns if values[n].notna().any()]
        # a sensor that stood still throughout stands for nothing, unless all of them did
        moving = [n for n in there if (values[n] > 0).any()] or there
        labels = {_label(n): n for n in moving}
        if there:
            found.append(EnergySensors(machine, tuple(labels[label] for label in whole_machine(labels)), tuple(there)))
    return found


def per_frame(frame: pd.DataFrame) -> pd.Series | None:
    """Joules per frame of each run, NaN where a sensor did not answer or stood still; None: no sensor to be used."""
    machines = [c for c in choose_sensors(frame) if c.columns]
    if not machines:
        return None
    described = frame.attrs["metrics"]
    total = pd.Series(float("nan"), index=frame.index)
    by_name = dict(_machines(frame))
    for one in machines:
        rows = by_name[one.machine]
        joules = [frame.loc[rows, n].astype(float) * JOULES[_unit(described[n])] for n in one.columns]
        # a sum of packages needs them all: a part of the energy is not the energy
        total.loc[rows] = pd.concat(joules, axis=1).sum(axis=1, skipna=False)
    return total.where(total > 0)


def sources(frame: pd.DataFrame) -> list[str]:
    """A sentence per machine: which sensors its energy per frame is read from."""
    found = choose_sensors(frame)
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    sentences = []
    for one in found:
        where = f" on {one.machine}" if one.machine and len(found) > 1 else ""
        if not one.columns:
            sentences.append(f"Energy per frame{where}: none. {_undecided(one)}.")
            continue
        named = " + ".join(_named(n, described[n]) for n in one.columns)
        rest = [_label(n) for n in one.candidates if n not in one.columns]
        beside = f"; nothing is added of {', '.join(rest)}" if rest else ""
        sentences.append(f"Energy per frame{where} is that of {named}{beside}.")
    return sentences


def absence_reason(frame: pd.DataFrame) -> str:
    """Why no run has energy per frame, in words."""
    for one in choose_sensors(frame):
        if not one.columns:
            return _undecided(one)
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    return next(
        (str(a["why"]) for n, a in sorted(described.items()) if n.startswith(Name.ENERGY) and a.get("why")), ""
    ) or (NO_SENSOR)


def _undecided(one: EnergySensors) -> str:
    return (
        f"Of {plural(len(one.candidates), 'sensor')} ({', '.join(map(_label, one.candidates))}) it is "
        f"not known which one "
        "contains the others; --meter LOG.csv measures the whole"
    )


def _machines(frame: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Name and rows of each machine; one without a name where the frame has no such column."""
    if "machine" not in frame:
        return [("", pd.Series(True, index=frame.index))]
    names = frame["machine"].fillna("").astype(str)
    return [(name, names == name) for name in sorted(set(names))]


def _unit(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get("unit", "")).lower()


def _label(column: str) -> str:
    return column.partition("[")[2].rstrip("]")


def _named(column: str, attributes: Mapping[str, Any]) -> str:
    label, source = _label(column) or "its sensor", str(attributes.get("source") or "")
    return f"{label} ({source})" if source else label
