"""List what a results file holds, case by case or run by run: experiment, rounds, FPS and machine.

The id of a run, or its beginning, names it in other commands: hwprof compare 7f3a 91bc
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import add_case, add_results, add_unmasked, print_json
from hwprof.cli.selection import add_selection, open_selection
from hwprof.errors import EXIT_OK
from hwprof.printable import plural, printable
from hwprof.records import to_json

if TYPE_CHECKING:
    from hwprof.store.listing import Entry

FORMAT = 1  # of the JSON documents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection(parser, "every run")
    add_case(parser, "json")
    add_unmasked(parser)
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.store import default_path, listing
    from hwprof.store.selection import ALL

    with open_selection(args, ALL, masked=not args.unmasked) as (results, _):
        path = results.name or default_path(None)
        entries = listing.entries(results.database)
        experiments = {one.id: one.name for one in results.experiments()}
        frame = results.frame(None)
    fps = {
        str(run): None if math.isnan(value) else float(value)
        for run, value in zip(frame["run"], frame["fps"], strict=True)
    }
    rows = cases(entries, experiments, fps) if args.what == "cases" else runs(entries, experiments, fps)
    if args.json:
        print_json({"format": FORMAT, "results": str(path), args.what: rows})
    elif not rows:
        print(f"{path} holds no run.")
    else:
        print(table(rows, CASE_COLUMNS if args.what == "cases" else RUN_COLUMNS))
        print(f"\n{plural(len(rows), args.what.removesuffix('s'), form=',')} in {path}")
    return EXIT_OK


def runs(
    entries: Iterable[Entry], experiments: Mapping[int, str], fps: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """One row per run, in the order of saving. `fps` None: failed, or no frames were timed."""
    return [
        {
            "run": entry.uid,
            "experiment": experiments.get(entry.experiment),
            "case": entry.case.title,
            "kind": entry.kind,
            "round": entry.round + 1,
            "ok": entry.ok,
            "fps": fps.get(entry.uid),
            "machine": entry.machine,
            "version": entry.version,
        }
        for entry in entries
    ]


def cases(
    entries: Iterable[Entry], experiments: Mapping[int, str], fps: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """One row per case of an experiment on a machine and version. `fps`: the median of its native rounds, or None."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.experiment, entry.case, entry.machine_id, entry.version), []).append(entry)
    rows = []
    for several in groups.values():
        first = several[0]
        good = [entry for entry in several if entry.ok]
        speeds = [value for entry in good if entry.kind in SPEEDS and (value := fps.get(entry.uid)) is not None]
        rows.append(
            {
                "case": first.case.title,
                "of": to_json(first.case),
                "experiment": experiments.get(first.experiment),
                "runs": dict(Counter(entry.kind for entry in good)),
                "failed": len(several) - len(good),
                "fps": statistics.median(speeds) if speeds else None,
                "machine": first.machine,
                "version": first.version,
            }
        )
    return rows


# Kinds of runs whose FPS is the case's.
SPEEDS = ("native", "command")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def _amount(row: Mapping[str, Any]) -> str:
    parts = [f"{count} {kind}" for kind, count in row["runs"].items()]
    return ", ".join([*parts, *([f"{row['failed']} failed"] if row["failed"] else [])])


# title -> the cell's text
CASE_COLUMNS = {
    "case": lambda row: row["case"],
    "FPS": lambda row: _number(row["fps"]),
    "runs": _amount,
    "experiment": lambda row: row["experiment"] or "",
    "machine": lambda row: row["machine"],
}
RUN_COLUMNS = {
    "run": lambda row: row["run"],
    "case": lambda row: row["case"],
    "round": lambda row: f"{row['kind']} {row['round']}" + ("" if row["ok"] else " failed"),
    "FPS": lambda row: _number(row["fps"]),
    "experiment": lambda row: row["experiment"] or "",
}


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> str:
    """Aligned text; numbers stand on the right."""
    cells = [list(columns), *([printable(str(text(row))) for text in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:>{width}}" if title == "FPS" else f"{cell:<{width}}"
            for cell, width, title in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in cells
    )
