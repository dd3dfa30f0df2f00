"""Which sensors give the energy of a run: a part is never added to its whole. The one place where energies are added.

The rule is that of collectors/sensor_roles.py. A run has what it chose in its facts. For runs of earlier versions the
labels of their sensors are all that is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof.collectors.sensor_roles import NO_SENSOR, PowerChoice, SensorIdentity, choose, role_of
from hwprof.collectors.vocabulary import JOULES, Name

SUM = " + "  # between the labels of a run's sensors


def whole_machine(labels: Iterable[str]) -> PowerChoice:
    """What stands for the machine where only the labels of its sensors are known."""
    return choose(SensorIdentity(label, role_of(label)) for label in labels)


@dataclass(frozen=True, slots=True)
class EnergySensors:
    """What the energy of one machine's runs is read from, and why. `columns` empty: the whole is not known."""

    machine: str
    columns: tuple[str, ...]
    candidates: tuple[str, ...]  # every column of energy that has a value on this machine
    why: str


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
        choice = _recorded(frame.loc[rows], {_label(n) for n in there}) or whole_machine(map(_label, moving))
        labels = {_label(n): n for n in there}
        if there:
            chosen = tuple(labels[label] for label in choice.labels)
            found.append(EnergySensors(machine, chosen, tuple(there), choice.why))
    return found


def _recorded(rows: pd.DataFrame, labels: set[str]) -> PowerChoice | None:
    """What most of these runs chose: by the user's word, else by the rule. None: none recorded a choice with values."""
    if "power_sensors" not in rows:
        return None
    pairs = Counter(zip(rows["power_sensors"], rows["power_why"], strict=True))
    choices = [
        (count, PowerChoice(tuple(sensors.split(SUM)) if sensors else (), why))
        for (sensors, why), count in pairs.items()
        if isinstance(sensors, str)
    ]
    able = [(one.is_asked, count, one) for count, one in choices if one.labels and labels.issuperset(one.labels)]
    if able:
        return max(able, key=lambda entry: (*entry[:2], entry[2].labels))[2]
    return next((one for _, one in choices if not one.labels), None)


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
            sentences.append(f"Energy per frame{where}: none. {one.why}.")
            continue
        named = " + ".join(_named(n, described[n]) for n in one.columns)
        rest = [_label(n) for n in one.candidates if n not in one.columns]
        beside = f"; nothing is added of {', '.join(rest)}" if rest else ""
        sentences.append(f"Energy per frame{where} is that of {named}: {one.why}{beside}.")
    return sentences


def absence_reason(frame: pd.DataFrame) -> str:
    """Why no run has energy per frame, in words."""
    for one in choose_sensors(frame):
        if not one.columns:
            return one.why
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    recorded = frame["power_why"].dropna() if "power_why" in frame else pd.Series(dtype=object)
    if len(recorded):
        return str(recorded.mode().iloc[0])
    return next(
        (str(a["why"]) for n, a in sorted(described.items()) if n.startswith(Name.ENERGY) and a.get("why")), ""
    ) or (NO_SENSOR)


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
