"""The conversion graph and the matrix of networks and frameworks as text, Markdown and JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwprof import plugins
from hwprof.networks import table as networks
from hwprof.networks.stored_precision import AS_IT_IS
from hwprof.printable import sentence
from hwprof.records import to_json
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import columns, wrap

if TYPE_CHECKING:
    from hwprof.studies.matrix.matrix import Matrix, MatrixCell


def verdict(cell: MatrixCell) -> str:
    """One cell in a few words; a failure with where it happened and why."""
    if cell.failure is not None:
        where = "converting" if cell.converts is False else "running" if cell.loads else cell.failure.stage or "loading"
        return f"fails while {where}: {sentence(cell.failure.message)}"
    if cell.fidelity is None:
        return "runs; not compared"
    if cell.fidelity.max_rel is None:
        return f"runs; not comparable: {cell.fidelity.why}"
    error = f"{cell.fidelity.max_rel:.1e}"
    if cell.fidelity.output:
        error += f" in output {cell.fidelity.output}"
    if cell.fidelity.top1 is not None and not cell.faithful:
        error += f", top-1 {cell.fidelity.top1:.0%}"
    return f"faithful, {error}" if cell.faithful else f"UNFAITHFUL, {error}"


def mark(cell: MatrixCell) -> str:
    """One cell in a table."""
    if cell.failure is not None:
        return "convert ✗" if cell.converts is False else "run ✗" if cell.loads else "load ✗" if cell.converts else "✗"
    if cell.fidelity is None or cell.fidelity.max_rel is None:
        return "?"
    return f"{cell.fidelity.max_rel:.0e}" + ("" if cell.faithful else " !")


def table(work: Matrix, cells: Sequence[MatrixCell]) -> list[list[str]]:
    """Header and rows: a network per row, a framework that is here per column."""
    there = [column.name for column in work.columns if not column.missing]
    by = {(cell.network, cell.column): cell for cell in cells}
    shapes = {cell.network: cell.shape for cell in cells if cell.shape}
    rows = [["network", "input" if shapes else "px", *there]]
    for network, size in work.rows:
        found = [by.get((network, name)) for name in there]
        side = shapes.get(network) or (f"{size}px" if shapes and size else str(size or "-"))
        rows.append([network, side, *("" if cell is None else mark(cell) for cell in found)])
    return rows


def text(work: Matrix, cells: Sequence[MatrixCell], width: int | None = None) -> str:
    """For a terminal, in lines of `width` (None: as wide as stdout takes)."""
    width = columns() if width is None else width
    header, *rows = table(work, cells)
    keys = (GridColumn(header[0], shortens=True, is_key=True), GridColumn(header[1], shortens=True, is_key=True))
    lines = grid.lines([*keys, *map(GridColumn, header[2:])], rows, width, indent=0)
    lines += ["", *wrap(legend(work) + gaps(work, cells), width)]
    remarks = [f"{cell.network} in {cell.column}: {verdict(cell)}" for cell in cells if not cell.faithful]
    remarks += [f"{column.name} is not here: {column.missing}" for column in work.columns if column.missing]
    return "\n".join([*lines, *(part for remark in remarks for part in wrap(remark, width, "  ", "    "))])


def legend(work: Matrix) -> str:
    """The meaning of a cell's number."""
    asked = "fp32 or as a file is stored" if work.precision == AS_IT_IS else work.precision
    return (
        f"Cells: largest error against the reference as a share of its largest output, {asked}, batch "
        f"{work.batch}, one thread; ! beyond tolerance, ? not comparable, ✗ where it ends."
    )


def gaps(work: Matrix, cells: Sequence[MatrixCell]) -> str:
    """A sentence with the number of cells that were not tried yet; "" for none."""
    missing = len(work.rows) * sum(not column.missing for column in work.columns) - len(cells)
    return f" An empty cell has not been tried yet ({missing} of them)." if missing else ""


def command(work: Matrix) -> str:
    """The command that makes the same matrix again."""
    sizes = {size for _, size in work.rows if size}
    words = ["hwprof list frameworks --matrix"]
    rows, names = [name for name, _ in work.rows], [column.name for column in work.columns]
    if sorted(rows) != sorted(networks.names()):
        words.append(f"-n {','.join(rows)}")
    if sorted(names) != sorted(plugins.framework_names()):
        words.append(f"-f {','.join(names)}")
    if sizes:
        words.append(f"--size {min(sizes)}")
    if work.precision != "fp32":
        words.append(f"--precision {work.precision}")
    return " ".join(words)


def markdown(work: Matrix, cells: Sequence[MatrixCell]) -> str:
    """A page of its own, without a date: the same versions and networks give the same page."""
    rows = table(work, cells)
    lines = [
        "# What converts and runs",
        "",
        f"Written by `{command(work)} -o FILE`, not by hand: every cell was converted, loaded and run in a process "
        "of its own,",
        "and compared with the reference (ONNX Runtime, FP32, no graph optimisation) on the same seeded images "
        f"(seed {work.seed}).",
        "",
        legend(work) + gaps(work, cells),
        "",
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---|" * len(rows[0]),
        *("| " + " | ".join(row) + " |" for row in rows[1:]),
        "",
    ]
    bad = [cell for cell in cells if not cell.faithful]
    if bad:
        lines += ["## What does not, and why", "", "| network | framework | ends | reason |", "|---|---|---|---|"]
        lines += [f"| {c.network} | {c.column} | {mark(c)} | {escape_cell(reason(c))} |" for c in bad] + [""]
    absent = [column for column in work.columns if column.missing]
    if absent:
        lines += ["## Not tried: not here", "", *(f"- {c.name}: {c.missing}" for c in absent), ""]
    lines += ["## Versions", "", "| framework | version | way from ONNX |", "|---|---|---|"]
    lines += [version_row(column.name, column.version, cells) for column in work.columns if not column.missing]
    return "\n".join(lines) + "\n"


def reason(cell: MatrixCell) -> str:
    """Why a cell is not faithful."""
    return verdict(cell) if cell.failure is None else sentence(cell.failure.message)


def escape_cell(words: str) -> str:
    """For a cell of a Markdown table."""
    return words.replace("|", "\\|").replace("\n", " ")


def version_row(name: str, version: str, cells: Sequence[MatrixCell]) -> str:
    """A framework with its way from ONNX; without times, which differ between machines (`--conversions` has them)."""
    mine = next((cell for cell in cells if cell.column == name and cell.steps), None)
    way = "read as it is" if mine is None else " → ".join(str(step["target"]) for step in mine.steps)
    return f"| {name} | {version} | {way} |"


def document(work: Matrix, cells: Sequence[MatrixCell]) -> dict[str, Any]:
    """Everything; a number that is not finite is null."""
    return {
        "format": 1,
        "precision": work.precision,
        "batch": work.batch,
        "seed": work.seed,
        "frameworks": [to_json(column) for column in work.columns],
        "cells": [replace_infinite({**to_json(cell), "faithful": cell.faithful}) for cell in cells],
    }


def replace_infinite(value: Any) -> Any:
    """The same with None for infinities and NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: replace_infinite(inner) for key, inner in value.items()}
    return [replace_infinite(inner) for inner in value] if isinstance(value, list) else value


def ways_text(ways: Sequence[Mapping[str, Any]], width: int | None = None) -> str:
    """For a terminal, in lines of `width` (None: as wide as stdout takes)."""
    width = columns() if width is None else width
    lines = []
    for one in ways:
        lines += wrap(f"{one['framework']:<12} {one['form']}: {one['means']}", width, "", " " * 13)
        remarks = ["reads the ONNX file as it is"] if not one["steps"] else []
        for step in one["steps"]:
            took = step["seconds"]
            seen = f"   median {statistics.median(took):.2f} s of {len(took)}" if took else ""
            remarks.append(f"{step['source']} -> {step['target']}: {step['by']}{seen}")
        if one["missing"]:
            remarks.append(f"not possible here: {one['missing']}")
        lines += [part for remark in remarks for part in wrap(remark, width, " " * 15, " " * 17)]
    return "\n".join(lines)
