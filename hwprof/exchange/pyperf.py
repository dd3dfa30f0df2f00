"""pyperf's JSON (format 1.0), both ways: `pyperf stats`, `hist`, `compare_to` read what is written here.

A benchmark is a case, a run a round (a process), a value the latency of one bare window in seconds: the median that
hwprof calls latency, of that window alone. A case with more than one machine is one benchmark per machine, one whose
framework was called in several ways one per call. A benchmark that pyperf measured goes out as it came in: its name,
values, warm-ups and metadata.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hwprof import __version__, speed
from hwprof.errors import ResultsError
from hwprof.exchange.imports import ImportedRuns, imported_run
from hwprof.records import Case, Kind, Role, Run, from_json, to_json
from hwprof.store.columns import UNRECORDED, call_of

VERSION = "1.0"
VERSIONS = ("1.0",)
# Ours -> pyperf's name of one fact
MACHINE = {"cpus": "cpu_count"}
HOST_STATE = {"platform": "platform", "cpu_config": "cpu_config", "boot": "boot_time"}
SOFTWARE = {"python": "python_version", "implementation": "python_implementation"}
FOREIGN = "pyperf"  # the framework of a benchmark that hwprof did not write
# Where the case itself stands, so that it comes back as it was
CASE = "hwprof_case"
# What an export writes anew
OWN = ("name", "unit", "hwprof_uid", "hwprof_round", "hwprof_doubts")


def document(runs: Iterable[Run]) -> dict[str, Any]:
    """The JSON form of good native runs. Raises ResultsError where there is none."""
    cells: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if run.kind is Kind.NATIVE and run.failure is None and values(run):
            place = run.case.key, machine_name(run.machine), call_of(run.software)
            cells.setdefault(place, []).append(run)
    if not cells:
        raise ResultsError("no good native run with a latency: pyperf has no file without a benchmark")
    titles = [found[0].case.title for found in cells.values()]
    benchmarks = []
    several = Counter((key, machine) for key, machine, _ in cells)
    for (key, machine, call), found in cells.items():
        case, title = found[0].case, found[0].case.title
        name = title if titles.count(title) == 1 else f"{title} on {machine} cpus {','.join(map(str, case.cpus))}"
        if several[key, machine] > 1:
            name += f" call {call or UNRECORDED}"
        common: dict[str, Any] = {
            "name": name,
            "unit": "second",
            "cpu_model_name": machine,
            "hwprof_version": __version__,
            "hwprof_value": "median latency of one bare window",
            "hwprof_batch": case.batch,
            CASE: json.dumps(to_json(case), sort_keys=True),
        }
        if case.framework == FOREIGN:  # as pyperf measured it
            common = {"name": name if titles.count(title) > 1 or several[key, machine] > 1 else case.network}
            common |= {"unit": "second", "cpu_model_name": machine}
        metadata = {k: v for k, v in common.items() if v != ""}
        benchmarks.append({"metadata": metadata, "runs": [_run(r) for r in sorted(found, key=lambda r: r.round)]})
    return {"version": VERSION, "metadata": {}, "benchmarks": benchmarks}


def values(run: Run) -> list[float]:
    """Latency of each bare window in s; of an imported run, the recorded values."""
    figures = run.facts.get("imported", {})
    if "latency_ns" in figures:
        return [v for v in figures.get("values_s", [figures["latency_ns"] / 1e9]) if v > 0]
    bare = (w.latencies_ns for w in run.windows if w.role is Role.BARE and w.latencies_ns)
    return [v for v in (speed.latency_ns(part) / 1e9 for part in bare) if v > 0]


def _run(run: Run) -> dict[str, Any]:
    metadata: dict[str, Any] = {"hwprof_uid": run.uid, "hwprof_round": run.round}
    if run.started_utc:
        metadata["date"] = run.started_utc.partition("+")[0].removesuffix("Z").replace("T", " ")
    if run.doubts:
        metadata["hwprof_doubts"] = ", ".join(sorted({d.code for d in run.doubts}))
    figures = run.facts.get("imported", {})
    found = {"metadata": {**_facts(run), **figures.get("metadata", {}), **metadata}, "values": values(run)}
    return found | ({"warmups": figures["warmups"]} if figures.get("warmups") else {})


def _facts(run: Run) -> dict[str, Any]:
    """What pyperf has names for, of where and in what the run was measured."""
    found = {
        **{theirs: run.machine.get(ours) for ours, theirs in MACHINE.items()},
        **{theirs: run.host_state.get(ours) for ours, theirs in HOST_STATE.items()},
        **{theirs: run.software.get(ours) for ours, theirs in SOFTWARE.items()},
    }
    return {name: value for name, value in found.items() if isinstance(value, str | int) and value != ""}


def machine_name(machine: Mapping[str, Any]) -> str:
    """What pyperf calls cpu_model_name."""
    return str(machine.get("model") or machine.get("label") or "")


def read(path: Path) -> ImportedRuns:
    """Runs of a pyperf file, .json or .json.gz: hwprof's own come back with their case, others under 'pyperf'.

    A benchmark in other units than seconds, and runs that only calibrate, are left out and named. Raises ResultsError.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        data = json.loads(raw)
    except (ValueError, OSError, EOFError) as error:
        raise ResultsError(f"{path} is no JSON of pyperf: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("benchmarks"), list):
        raise ResultsError(f"{path} is no file of pyperf: it has no benchmarks")
    if data.get("version") not in VERSIONS:
        raise ResultsError(
            f"{path} has pyperf's format {data.get('version')}",
            f"known: {', '.join(VERSIONS)}; pyperf converts older ones",
        )
    runs = FileRuns()
    left_out: list[str] = []
    for benchmark in data["benchmarks"]:
        try:
            _benchmark(path, {**data.get("metadata", {}), **benchmark.get("metadata", {})}, benchmark, runs, left_out)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultsError(f"{path} is no file of pyperf: {type(error).__name__} {error}") from error
    return ImportedRuns(tuple(runs.found), tuple(left_out))


@dataclass(slots=True)
class FileRuns:
    """The runs of one file, each with a round of its own among those of its case on its machine.

    Two experiments of a case have rounds of the same number in one file. The id of a run is of the round that the file
    gives, so that a run is known again in a file with other experiments beside it.
    """

    found: list[Run] = field(default_factory=list)
    _rounds: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        """`run` with the first round from its own on that is free."""
        key = run.case.key, json.dumps(to_json(run.machine), sort_keys=True)
        taken = self._rounds.setdefault(key, set())
        number = next(n for n in itertools.count(run.round) if n not in taken)
        taken.add(number)
        self.found.append(replace(run, round=number))


def _benchmark(
    path: Path, common: Mapping[str, Any], benchmark: Mapping[str, Any], runs: FileRuns, left_out: list[str]
) -> None:
    number = 0
    for entry in benchmark["runs"]:
        metadata = {**common, **entry.get("metadata", {})}
        name = str(metadata.get("name", "unnamed"))
        seconds = [float(v) for v in entry.get("values", ())]
        if metadata.get("unit", "second") != "second":
            left_out.append(f"{name}: its unit is {metadata['unit']}, not second")
            return
        if not seconds:  # calibration only
            continue
        if not all(v > 0 and math.isfinite(v) for v in seconds):
            raise ValueError(f"{name}: a duration must be above 0")
        case = from_json(Case, json.loads(metadata[CASE])) if CASE in metadata else foreign_case(name)
        latency = statistics.median(seconds) * 1e9
        fps = speed.fps(case.batch, latency)
        if not all(0 < v < math.inf for v in (latency, fps)):
            raise ValueError(f"{name}: a duration of {latency / 1e9:g} s gives no speed")
        facts = {
            "format": "pyperf",
            "file": path.name,
            "latency_ns": latency,
            "fps": fps,
            "values_s": seconds,
            "loops": metadata.get("loops", 1),
        }
        if CASE not in metadata:
            facts["metadata"] = {k: v for k, v in metadata.items() if k not in OWN}
            facts["warmups"] = entry.get("warmups", [])
        machine = {"model": metadata.get("cpu_model_name"), "imported": "pyperf"}
        machine |= {ours: metadata.get(theirs) for ours, theirs in MACHINE.items()}
        state = {ours: metadata.get(theirs) for ours, theirs in HOST_STATE.items()}
        software = {ours: metadata.get(theirs) for ours, theirs in SOFTWARE.items()}
        runs.add(
            imported_run(
                case,
                facts,
                round=int(metadata.get("hwprof_round", number)),
                started_utc=str(metadata.get("date", "")).replace(" ", "T"),
                machine={k: v for k, v in machine.items() if v is not None},
                host_state={k: v for k, v in state.items() if v is not None},
                software={k: v for k, v in software.items() if v is not None},
            )
        )
        number += 1


def foreign_case(name: str) -> Case:
    """The case of a benchmark that hwprof did not write: only its name is known."""
    return Case(FOREIGN, name, "pyperf", 0)
