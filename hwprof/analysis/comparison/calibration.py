"""The session noise of machines, kept in the cache: taken from results that hold several sessions of one program."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof.analysis import estimator
from hwprof.analysis.comparison.compare import Noises
from hwprof.analysis.comparison.measured import RunSummary, choose_estimator
from hwprof.analysis.comparison.sessions import SessionNoise, by_session, estimate_noise, mark_sessions
from hwprof.analysis.estimator import Estimator
from hwprof.cache import default_cache, write_error
from hwprof.errors import ResultsError
from hwprof.machine.facts import label, machine_id
from hwprof.records import from_json, to_json

FOLDER = "session-noise"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class MachineNoise:
    """What is known of one machine: its session noise by estimator, and when that was calibrated (UTC)."""

    machine: str  # its id
    label: str
    calibrated_utc: str
    noises: Mapping[str, SessionNoise]


def calibrate(runs: Sequence[RunSummary], now: str) -> list[MachineNoise]:
    """The session noise of each machine on which a program was measured in two sessions or more.

    A program is a case with its software; one that was measured on another kernel, or with other settings of the host,
    is another. Raises ResultsError where there is none.
    """
    machines: dict[str, list[RunSummary]] = defaultdict(list)
    for one in {m.uid: m for m in runs}.values():
        machines[machine_id(one.machine)].append(one)
    found = []
    for identity, of_machine in machines.items():
        noises = _noises(of_machine)
        if noises:
            found.append(MachineNoise(identity, label(of_machine[0].machine), now, noises))
    if not found:
        raise ResultsError(
            "no program was measured in two sessions, half an hour apart or more",
            "measure the same again, at other times and on other days: the noise is only as good as the number of them",
        )
    return found


def _noises(runs: Sequence[RunSummary]) -> dict[str, SessionNoise]:
    programs: dict[object, list[RunSummary]] = defaultdict(list)
    for m in mark_sessions(runs):
        programs[m.kind, m.case, repr(to_json([m.software, m.host_state]))].append(m)
    found = {}
    for by in Estimator:
        cases = [_logs(several, by) for several in programs.values() if _is_ranked_by(several, by)]
        noise = estimate_noise(cases, max(m.started_utc for m in runs))
        if noise is not None:
            found[by.value] = noise
    return found


def _is_ranked_by(runs: Sequence[RunSummary], by: Estimator) -> bool:
    """Whether an estimator may say by how much the sessions of a program differ."""
    if by is Estimator.FPS:
        return choose_estimator(runs).estimator is Estimator.FPS
    return by is Estimator.THROUGHPUT or all(m.case.threads == 1 for m in runs)


def _logs(runs: Sequence[RunSummary], by: Estimator) -> dict[str, list[float]]:
    known = [m for m in runs if estimator.value(m.speed, by)]
    return by_session(known, [math.log(estimator.value(m.speed, by) or math.nan) for m in known])


def keep(found: MachineNoise) -> Path:
    """Write it to the cache, in place of what was known of this machine. Raises HwprofError where it can't be."""
    place = _place(found.machine)
    text = json.dumps({"format": FORMAT, **to_json(found)}, indent=1)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, prefix=".half-", delete=False) as half:
            half.write(text)
        Path(half.name).replace(place)
    except OSError as error:
        raise write_error(place.parent, error) from error
    return place


def recall(runs: Iterable[RunSummary]) -> tuple[MachineNoise, ...]:
    """What the cache knows of the machines of these runs. Raises ResultsError for an entry that can't be read."""
    places = {_place(machine_id(m.machine)) for m in runs}
    return tuple(read(place) for place in sorted(places) if place.exists())


def known_noise(machine: Mapping[str, Any]) -> MachineNoise | None:
    """What the cache knows of one machine, by its hardware facts; None: nothing. Raises ResultsError as `read`."""
    place = _place(machine_id(machine))
    return read(place) if place.exists() else None


def read(place: Path) -> MachineNoise:
    """The entry of one machine. Raises ResultsError where it can't be read."""
    try:
        data = json.loads(place.read_text())
        if data.pop("format") != FORMAT:
            raise ValueError("another version of hwprof wrote it")
        noises = {by: from_json(SessionNoise, noise) for by, noise in data.pop("noises").items()}
        return MachineNoise(noises=noises, **data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{place} can't be read: {error}", "hwprof compare --calibrate RESULTS... makes it"
        ) from error


def as_noises(known: Iterable[MachineNoise]) -> Noises:
    """By the id of the machine and the estimator, as a comparison takes them."""
    return {(one.machine, Estimator(by)): noise for one in known for by, noise in one.noises.items()}


def _place(machine: str) -> Path:
    return default_cache() / FOLDER / f"{machine}.json"
