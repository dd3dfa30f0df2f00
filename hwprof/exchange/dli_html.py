"""The HTML that DLI's csv2html publishes: tables in the cells of tables, the innermost of which hold the figures.

Three forms. Benchmarks since 2019 and accuracies have a row per type of task, whose cells list networks, frameworks,
inputs or data sets, batches or kinds of accuracy, and then the figures of each machine or framework. The benchmark of
2018 has a row per network, and above it a row with the settings of each pair of figures, a time and FPS.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hwprof.errors import NotInstalled, ResultsError
from hwprof.exchange.dli_speeds import Row
from hwprof.exchange.dli_tables import BODY, BODY_OF_ACCURACY, FAILED, HEAD, measurement, published_body
from hwprof.printable import plural

FAILURES: dict[tuple[str, ...], str] = {BODY: "-", BODY_OF_ACCURACY: "Undefined"}  # how csv2html writes what failed
OLDEST = "Topology"  # the first cell of the benchmark of 2018
MODES = {"Latency Mode": "Sync", "Throughput Mode": "Async"}
PRECISION = re.compile(r"(FP|BF|INT|UINT)\d+\S*")
DEVICE = re.compile(r"(CPU|GPU|MYRIAD|HDDL|FPGA|NPU|VPU|GNA|AUTO|HETERO|MULTI)\b\S*")
ORDER = ("Infrastructure", "Inference Framework", "Device", "Precision")


class HtmlColumn(NamedTuple):
    """The head of a column of figures: values by the names of `HEAD`."""

    head: dict[str, str]

    def group(self, names: Sequence[str]) -> tuple[str, ...]:
        """What the column shares with its neighbours."""
        return tuple(self.head.get(name, "") for name in names)


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """One row per figure with its place. Raises ResultsError for another page, NotInstalled without lxml."""
    try:
        from lxml import html
    except ImportError as error:
        raise NotInstalled(
            "lxml, which reads HTML,", "pip install 'hwprof[html]', or take the table as XLSX"
        ) from error
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    page = html.document_fromstring(text) if text.strip() else None
    table = None if page is None else page.find(".//table")
    found = [] if table is None else [_cells(row) for row in _rows(table)]
    found = [row for row in found if row]
    if not found:
        raise ResultsError(f"{path} is no table of DLI: it has no table", "DLI's CSV, or its published XLSX or HTML")
    first = [_text(cell) for cell in found[0]]
    if first[0] == OLDEST and len(found) > 1:
        yield from _oldest(path, first[1:], [*found[1:], *_loose_rows(table, len(first))])
        return
    body = published_body(path, first)
    columns = [_columns([_text(leaf) for leaf in _leaves(cell)], body) for cell in found[0][len(body) :]]
    for number, row in enumerate(found[1:], 2):
        if len(row) != len(found[0]):
            raise ResultsError(
                f"{path}: row {number} has {plural(len(row), 'cell')}, not {len(found[0])}", "export the table anew"
            )
        yield from _task(path, number, row, body, columns)


def _task(
    path: Path, number: int, row: Sequence[Any], body: tuple[str, ...], columns: Sequence[Sequence[HtmlColumn]]
) -> Iterator[tuple[str, Row]]:
    """The figures of one type of task, in the order in which DLI writes them."""
    task = _text(row[0])
    names, frameworks, inputs = ([_text(leaf) for leaf in _leaves(cell)] for cell in row[1:4])
    lists = [[_text(leaf) for leaf in _leaves(line)] for table in row[4].findall("table") for line in _rows(table)]
    if not len(names) == len(frameworks) == len(inputs) == len(lists):
        raise ResultsError(
            f"{path}: row {number} lists networks and their settings in unequal numbers", "export it anew"
        )
    networks = list(zip(names, frameworks, inputs, lists, strict=True))
    for index, (cell, own) in enumerate(zip(row[len(body) :], columns, strict=True), 1):
        figures = [_text(leaf) for leaf in _leaves(cell)]
        places = _accuracy_places(networks, own) if body == BODY_OF_ACCURACY else _speed_places(networks, own)
        expected = list(places)
        if len(figures) != len(expected):
            raise ResultsError(
                f"{path}: row {number} has {len(figures)} figures where its head needs {len(expected)}",
                "export it anew",
            )
        for place, ((network, last, column), value) in enumerate(zip(expected, figures, strict=True), 1):
            values = (task, *network[:3], last)
            shown = FAILED if value == FAILURES[body] else value
            if (one := measurement(body, values, column.head, shown)) is not None:
                yield f"row {number} cell {index} figure {place}", one


Network = tuple[str, str, str, list[str]]


def _speed_places(networks: Sequence[Network], own: Sequence[HtmlColumn]) -> Iterator[tuple[Network, str, HtmlColumn]]:
    """By network, then framework, device and precision, then batch, then mode."""
    for network in networks:
        for _, modes in itertools.groupby(own, lambda c: c.group(ORDER)):
            columns = list(modes)
            yield from ((network, batch, column) for batch in network[3] for column in columns)


def _accuracy_places(
    networks: Sequence[Network], own: Sequence[HtmlColumn]
) -> Iterator[tuple[Network, str, HtmlColumn]]:
    """By framework and device, then network, then precision, then kind of accuracy."""
    for _, precisions in itertools.groupby(own, lambda c: c.group(ORDER[:3])):
        columns = list(precisions)
        for network in networks:
            yield from ((network, kind, column) for column in columns for kind in network[3])


def _columns(head: Sequence[str], body: tuple[str, ...]) -> list[HtmlColumn]:
    """The columns below one cell of the head, of its texts in order: a later one is within the earlier ones."""
    found: list[HtmlColumn] = []
    now: dict[str, str] = {}
    deepest = "Precision" if body == BODY_OF_ACCURACY else "Mode"
    for text in head:
        if text.startswith("CPU:"):
            now = {"Infrastructure": text}
        elif text in MODES:
            now["Mode"] = MODES[text]
        elif PRECISION.fullmatch(text):
            now["Precision"] = text
        elif DEVICE.fullmatch(text):
            now["Device"] = text
        else:
            now["Inference Framework"] = text
        if text in MODES if deepest == "Mode" else PRECISION.fullmatch(text):
            found.append(HtmlColumn({name: now[name] for name in HEAD if name in now}))
    return found


def _oldest(path: Path, machines: Sequence[str], found: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Row]]:
    """Settings as `FP32;ImageNET;1;Sync;Plugin: CPU, Thread count: 4`, and of each a time in s and FPS."""
    settings = [[_settings(leaf) for leaf in _leaves(cell) if ";" in _text(leaf)] for cell in found[0][1:]]
    for number, row in enumerate(found[1:], 3):
        for index, (machine, own, cell) in enumerate(zip(machines, settings, row[1:], strict=False), 1):
            figures = [_text(leaf) for leaf in _leaves(cell)]
            if len(figures) != 2 * len(own):
                raise ResultsError(
                    f"{path}: row {number} has {len(figures)} figures where its head needs {2 * len(own)}",
                    "export it anew",
                )
            for place, (head, time, value) in enumerate(zip(own, figures[::2], figures[1::2], strict=True), 1):
                if value not in ("", "-", "N/A", "Undefined"):
                    yield (
                        f"row {number} cell {index} pair {place}",
                        {
                            "Status": "Success",
                            "Topology name": _text(row[0]),
                            "Infrastructure": machine,
                            **head,
                            "Latency": time,
                            "FPS": value,
                        },
                    )


def _settings(leaf: Any) -> dict[str, str]:
    parts = [part.strip() for text in leaf.itertext() for part in text.split(";")]
    precision, dataset, batch, mode, *parameters = [part for part in parts if part] + [""] * 4
    return {
        "Inference Framework": "OpenVINO DLDT",  # the only one that DLI ran then
        "Precision": precision,
        "Dataset": dataset,
        "Batch size": batch,
        "Mode": mode,
        "Parameters": ", ".join(filter(None, parameters)).replace("Plugin:", "Device:"),
    }


def _rows(table: Any) -> list[Any]:
    parts = (part for part in table if isinstance(part.tag, str))
    return [row for part in parts for row in ([part] if part.tag == "tr" else part.findall("tr"))]


def _loose_rows(table: Any, width: int) -> list[list[Any]]:
    """Rows of cells that DLI wrote without a row around them."""
    cells = [cell for cell in table if cell.tag in ("td", "th")]
    return [cells[start : start + width] for start in range(0, len(cells), width)]


def _cells(row: Any) -> list[Any]:
    return [cell for cell in row if cell.tag in ("td", "th")]


def _leaves(cell: Any) -> list[Any]:
    """The cells within (or the cell itself) that hold no table, in the order of the page."""
    return [one for one in cell.iter("td", "th") if one.find(".//table") is None]


def _text(cell: Any) -> str:
    """The text of a cell, or of the innermost first one: a line break is a space."""
    return " ".join(" ".join(cell.itertext()).split())
