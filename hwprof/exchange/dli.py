"""Result tables of DLI, the Deep Learning Inference Benchmark (github.com/itlab-vision/dl-benchmark).

Two kinds, of speed and of accuracy, in three forms: the benchmark's own CSV, one row per measurement (columns as its
src/benchmark/output.py names them), and the XLSX and HTML that its csv2xlsx and csv2html make of them for publication,
one column per machine x framework x device x precision x mode x parameters, FPS or accuracy in the cells. What FPS is
depends on DLI's version: see hwprof.exchange.dli_speeds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwprof import plugins
from hwprof.errors import ResultsError
from hwprof.exchange import dli_html
from hwprof.exchange.dli_speeds import (
    WORDS,
    FpsMeaning,
    Row,
    is_synchronous,
    settle,
    speeds,
)
from hwprof.exchange.dli_tables import Sheet, by_name, csv_sheet, xlsx_sheets
from hwprof.exchange.imports import ImportedRuns, imported_run, round_numbers
from hwprof.exchange.network_names import known_network
from hwprof.printable import plural
from hwprof.records import Case, Failure, Scalar

# "Name: value, Name: value": a comma in a value is not followed by a name and a colon
KIND_OF_ACCURACY = ("Accuracy type", "Accuracy")
SCORE = "accuracy of "  # before the kind, where the rows of one network are joined
SHARE = re.compile(r"\d+(?:\.\d+)? ?%")
FIELDS = re.compile(r",\s*(?=[A-Z][\w ()]*:)")


def read(path: Path, fps: str | None = None) -> ImportedRuns:
    """The measurements of a CSV, XLSX or HTML. `fps`: what FPS is (a FpsMeaning), for tables that don't show it.

    Raises ResultsError for another table, NotInstalled without the library for its form.
    """
    kept: list[tuple[str, Row, Case, dict[str, Any]]] = []
    left_out, notes = [], []
    for sheet in sheets(path):
        meaning, note = _meaning(sheet, fps)
        notes += [note] if note else []
        scores, unread = _shares(sheet.rows)
        unread += sheet.left_out
        notes += sheet.notes
        left_out += [f"{path.name} {text}" for text in unread]
        for place, row in _joined(scores):
            try:
                case = case_of(row)
                said = {} if failure_of(row) else _figures(row, meaning, note)
                kept.append((place, row, case, said))
            except ValueError as error:
                left_out.append(f"{path.name} {place}: {error}")
    if not kept and not left_out:
        raise ResultsError(f"{path} holds no measurement")
    rounds = round_numbers([case for _, _, case, _ in kept], [row.get("Infrastructure", "") for _, row, _, _ in kept])
    runs = []
    for (place, row, case, said), number in zip(kept, rounds, strict=True):
        failure = failure_of(row)
        if failure is None and not {"fps", "throughput", "accuracy"} & said.keys():
            left_out.append(f"{path.name} {place}: no FPS ('{row.get('FPS', '')}')")
            continue
        machine, state, software = infrastructure(row.get("Infrastructure", ""))
        facts = {"format": "DLI", "file": path.name, "row": dict(row), **said}
        known = known_network(row["Topology name"], case.size)
        runs.append(
            imported_run(
                case,
                facts,
                round=number,
                failure=failure,
                machine=machine,
                host_state=state,
                software=software,
                macs=known.macs,
                params=known.params,
                macs_by=known.macs_by,
            )
        )
    if coarse := sum(is_synchronous(row) and "throughput" in said and "fps" not in said for _, row, _, said in kept):
        notes.append(
            f"{plural(coarse, 'synchronous row')} without a latency, or with one that is rounded too coarsely: FPS "
            "there is the throughput"
        )
    if failed := sum(run.failure is not None for run in runs):
        notes.append(f"{plural(failed, 'run')} of {len(runs)} failed in DLI")
    return ImportedRuns(tuple(runs), tuple(left_out), tuple(dict.fromkeys(notes)))


def sheets(path: Path) -> Iterable[Sheet]:
    """The tables of a file. Raises ResultsError for what is none of DLI's, NotInstalled without the library for it."""
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        return xlsx_sheets(path)
    if suffix in (".html", ".htm"):
        return [Sheet(path.name, by_name(path), tuple(dli_html.rows(path)))]
    return [csv_sheet(path)]


def _shares(rows: Iterable[tuple[str, Row]]) -> tuple[list[tuple[str, Row]], list[str]]:
    """The rows without accuracies that are no share, and a line for each of those: the network's others stay."""
    good, unread = [], []
    for place, row in rows:
        if not _is_accuracy(row) or failure_of(row) is not None or SHARE.fullmatch(row["Accuracy"]):
            good.append((place, row))
        else:
            kind = row.get("Accuracy type") or "its accuracy"
            unread.append(f"{place}: {kind} '{row['Accuracy']}' is no share in percent")
    return good, unread


def _joined(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """Rows of speed as they are; of accuracy one for all kinds (top-1, top-5) of a network in a framework."""
    scores: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    for place, row in rows:
        if not _is_accuracy(row):
            yield place, row
            continue
        key = tuple(v for k, v in row.items() if k not in KIND_OF_ACCURACY)
        _, joined = scores.setdefault(key, (place, {k: v for k, v in row.items() if k not in KIND_OF_ACCURACY}))
        if failure_of(row) is None:
            joined[SCORE + row.get("Accuracy type", "")] = row["Accuracy"]
    yield from scores.values()


def _figures(row: Row, meaning: FpsMeaning, note: str) -> dict[str, Any]:
    """The figures of a good row: speeds, or shares (of 1) by the kind of accuracy."""
    found = {}
    for name, text in row.items():
        if name.startswith(SCORE):
            found[name.removeprefix(SCORE)] = round(float(text.rstrip("% ")) / 100, 9)
    return {"accuracy": found} if found else {"reading": note, **speeds(row, meaning)}


def _meaning(sheet: Sheet, asked: str | None) -> tuple[FpsMeaning, str]:
    """What FPS is in the rows of a sheet, and that in words; no words where no row depends on it."""
    if not any("FPS" in row and is_synchronous(row) and not failure_of(row) for _, row in sheet.rows):
        return FpsMeaning.TOTAL, ""
    meaning, evidence = settle(sheet.name, sheet.meaning, asked)
    return meaning, f"{WORDS[meaning]} ({evidence})"


def _is_accuracy(row: Row) -> bool:
    return "FPS" not in row


@lru_cache(maxsize=1024)
def fields(text: str) -> Mapping[str, str]:
    """`Device: CPU, Thread count: 4` as a mapping."""
    parts = (part.partition(":") for part in FIELDS.split(text) if ":" in part)
    return {name.strip(): value.strip() for name, _, value in parts}


@lru_cache(maxsize=1)
def frameworks() -> Mapping[str, tuple[str, str]]:
    """DLI's name of a framework -> (ours, its language where it is not Python), as adapters declare it (`dli`)."""
    own = plugins.declarations("dli").items()
    return {theirs: (name, language) for name, names in own for theirs, language in names.items()}


def case_of(row: Row) -> Case:
    """The case of a row. Raises ValueError where network, framework or batch is missing.

    `threads` 0: DLI did not say (it then leaves them to the framework). What else it set becomes options.
    """
    network, framework, batch = (row.get(k, "") for k in ("Topology name", "Inference Framework", "Batch size"))
    if _is_accuracy(row):
        batch = "1"  # accuracy does not depend on it
    if not network or not framework:
        raise ValueError("no network or no framework")
    if not re.fullmatch(r"[1-9]\d*(\.0)?", batch):
        raise ValueError(f"batch size '{batch}'")
    entries = dict(fields(row.get("Parameters", "")))
    if _is_accuracy(row):
        entries = {"Device": row.get("Device", ""), "Accuracy on": row.get("Dataset", "")}
    entries.pop("Iteration count", None)
    threads = entries.pop("Thread count", None) or entries.pop("Intra threads", None) or "0"
    name, language = frameworks().get(framework, (framework.lower().replace(" ", "-"), ""))
    source = entries.pop("Framework", "")  # of the model; an option of this name would be taken for the framework
    if source and source.lower() != name:
        entries["Source framework"] = source
    options: dict[str, Scalar] = {k.lower().replace(" ", "_"): v for k, v in entries.items() if v not in ("", "None")}
    if options.get("device") == "CPU":
        del options["device"]
    if language:
        options["api"] = language
    if row.get("Mode", "Sync") not in ("Sync", ""):
        options["mode"] = row["Mode"].lower()
    blobs = row.get("Input blob sizes", "")
    return Case(
        framework=name,
        network=known_network(network, 0).name,
        recipe=f"dli from {row.get('Framework', '') or 'unknown'}",
        size=side(blobs),
        batch=int(float(batch)),
        threads=int(threads) if threads.isdigit() else 0,
        precision=row.get("Precision", "").lower() or "unknown",
        options=tuple(sorted(options.items())),
        shape=shape_of(blobs),
    )


def side(shape: str) -> int:
    """The side of a square image in `1x3x224x224` or `[1, 224, 224, 3]`; 0: no such thing."""
    sides = [int(n) for n in re.findall(r"\d+", shape)]
    return next((a for a, b in itertools.pairwise(sides[1:]) if a == b and a > 4), 0)


def shape_of(text: str) -> str:
    """`3x48x320` of `1x3x48x320` or `[1, 3, 48, 320]`; the text itself where there are several inputs.

    "" of a square image, and where nothing is known.
    """
    sides = re.findall(r"\d+", text)
    if side(text) or len(sides) < 2:
        return ""
    is_one = re.fullmatch(r"[\[(]?\s*\d+(\s*[x,]\s*\d+)+\s*[\])]?", text.strip())
    return "x".join(sides[1:]) if is_one else text.strip()


def failure_of(row: Row) -> Failure | None:
    """The failure of a row that is not a success."""
    if row.get("Status", "Success").title() == "Success":
        return None
    code = row.get("Error type", "") or "not recorded"
    return Failure("internal", f"failed in DLI: {code}", stage="imported")


@lru_cache(maxsize=256)
def infrastructure(text: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Machine, host state and software of DLI's `CPU: ..., RAM size: ... kB, OS version: ..., Python version: ...`."""
    entries = fields(text)
    memory = re.fullmatch(r"(\d+) kB", entries.get("RAM size", ""))
    machine: dict[str, Any] = {
        "model": entries.get("CPU") or "unknown CPU",
        "architecture": entries.get("CPU family"),
        "gpu": entries.get("GPU"),
        "memory_gib": round(int(memory[1]) / 2**20 * 4) / 4 if memory else None,
        "imported": "DLI",
    }
    state = {"os": entries.get("OS family"), "kernel": entries.get("OS version")}
    software = {"python": entries.get("Python version")}
    clean = ({k: v for k, v in part.items() if v not in (None, "", "Undefined")} for part in (machine, state, software))
    one, two, three = clean
    return one, two, three
