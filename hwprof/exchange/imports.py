"""Runs out of the files of other programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hwprof.records import Case, Doubt, Failure, Run, to_json

# Beside the figures of a record: why they were read as they were, and what else the file says of them.
BESIDE = ("reading", "metadata", "warmups")


@dataclass(frozen=True, slots=True)
class ImportedRuns:
    """Runs out of a foreign file.

    `left_out`: what could not be imported, and why, one line each. `notes`: how the file was read.
    """

    runs: tuple[Run, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def imported_run(
    case: Case,
    record: Mapping[str, Any],
    *,
    round: int = 0,
    uid: str = "",
    started_utc: str = "",
    failure: Failure | None = None,
    machine: Mapping[str, Any],
    host_state: Mapping[str, Any],
    software: Mapping[str, Any],
    macs: int | None = None,
    params: int | None = None,
    macs_by: str = "",
) -> Run:
    """A run that another program measured. `record`: format, and fps, throughput, latency_ns where they are known.

    It has no windows: what the file does not give is missing. The id is a hash of the run's content, so that a file
    imported twice is recognised; what `BESIDE` names is not part of it. `macs` per frame and `params` are of its
    network, `macs_by` says who counted them.
    """
    figures = {name: value for name, value in record.items() if name not in BESIDE}
    parts = (_case_text(case), _text(to_json(figures)), _text(round), _text(to_json(machine)), _text(started_utc))
    text = f"[{', '.join(parts)}]"
    return Run(
        uid or hashlib.sha256(text.encode()).hexdigest()[:12],
        case,
        round=round,
        started_utc=started_utc,
        facts={"imported": dict(record)} | ({"macs_by": macs_by} if macs_by else {}),
        doubts=(Doubt("imported", {"format": record["format"]}),),
        failure=failure,
        macs=macs,
        params=params,
        machine=machine,
        host_state=host_state,
        software=software,
    )


@lru_cache(maxsize=16384)
def _case_text(case: Case) -> str:
    """The JSON of a case, which a table has many rows of."""
    return _text(case.form)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def round_numbers(cases: Sequence[Case], machines: Sequence[str]) -> list[int]:
    """The round of each row: how often its case on its machine came before."""
    seen: dict[tuple[Case, str], int] = {}
    out = []
    for key in zip(cases, machines, strict=True):
        out.append(seen.get(key, 0))
        seen[key] = out[-1] + 1
    return out


def count_changed_readings(stored: Iterable[tuple[str, int, Mapping[str, Any]]], fresh: Iterable[Run]) -> int:
    """How many of the fresh runs are stored with other speeds: the same row of the same file, read by other rules.

    `stored`: uid, round and what is recorded of each imported run (`bulk.imported`).
    """
    known = {key: uid for uid, number, record in stored if (key := _row_of(record, number))}
    if not known:
        return 0
    keys = ((run, _row_of(run.facts.get("imported", {}), run.round)) for run in fresh)
    return sum(known.get(key, run.uid) != run.uid for run, key in keys if key)


def _row_of(record: Mapping[str, Any], number: int) -> str:
    """What a run was read from, and its round; "": no row was kept."""
    return json.dumps([record["file"], record["row"], number], sort_keys=True) if "row" in record else ""
