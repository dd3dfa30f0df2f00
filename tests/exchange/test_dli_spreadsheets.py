"""DLI's tables after a spreadsheet or another locale has had them: what can be read is, what can't is named.

The situations are those of public reports: a list separator and decimal sign by the reader's country
(github.com/dotnet/BenchmarkDotNet/issues/241), a decimal comma in a file of commas, which adds a cell
(github.com/OpenRA/OpenRA/pull/20889), and numbers that a spreadsheet takes for days, as 22.5 for the 22nd of May
(github.com/opendidac/opendidac/pull/681).
"""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from hwprof.errors import ResultsError
from hwprof.exchange import dli
from tests.exchange import published
from tests.exchange.test_dli import NAMES, line, table


def test_decimal_commas_of_a_table_of_semicolons_are_decimal_points(tmp_path: Path) -> None:
    rows = (
        line(fps="12,1", times="0,331;0,32", batch_fps="12,5"),
        line(fps="1200", times="0,0033;0,0032", batch_fps="1250,5"),
    )
    found = dli.read(table(tmp_path, *rows))
    assert not found.left_out
    assert [run.facts["imported"]["fps"] for run in found.runs] == [12.5, 1250.5]
    assert [run.facts["imported"]["throughput"] for run in found.runs] == [12.1, 1200]
    assert "decimal commas were read as decimal points" in found.notes


@pytest.mark.parametrize("other", ["1,250", "12.5"])
def test_a_comma_that_may_separate_thousands_is_not_guessed_at(tmp_path: Path, other: str) -> None:
    path = table(tmp_path, line(fps="1,200", times=";", batch_fps=other))
    with pytest.raises(ResultsError, match=r"comma in '1,2\d0' is a decimal one, or separates thousands"):
        dli.read(path)


def test_a_line_of_more_or_fewer_cells_than_the_head_is_named_and_not_shifted(tmp_path: Path) -> None:
    """In a table of commas a decimal comma adds a cell; a disk that was full, or a killed program, takes some."""

    def of_commas(text: str) -> str:
        return ",".join(f'"{cell}"' if "," in cell else cell for cell in text.split(";"))

    good = of_commas(line())
    shifted, cut_off = good.replace(",12.1,", ",12,1,"), good[: good.rindex(",12.1") + 4]
    path = tmp_path / "dli.csv"
    path.write_text("\n".join((of_commas(NAMES), good, shifted, cut_off)))
    found = dli.read(path)
    assert [run.facts["imported"]["throughput"] for run in found.runs] == [12.1]
    assert found.left_out == (
        "dli.csv line 3: it has 18 cells, and the head 17",
        "dli.csv line 4: it has 15 cells, and the head 17",
    )


@pytest.mark.openpyxl
def test_a_figure_that_a_spreadsheet_took_for_a_day_is_named(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    blank = [None] * 5
    for cells in (
        ["Task type", "Topology name", "Framework", "Input blob sizes", "Batch size", published.ONE, None],
        *([*blank, text, None] for text in ("TVM", "CPU", "FP32", "Sync", "Iteration count: 10")),
        ["classification", "resnet-50", "PyTorch", "1x3x224x224", 1, datetime.datetime(2022, 5, 22), None],
        [None, "alexnet", "Caffe", "1x3x227x227", 1, 11.5, None],
    ):
        sheet.append(cells)
    book.save(tmp_path / "x.xlsx")
    found = dli.read(tmp_path / "x.xlsx", "total")
    assert [(run.case.network, run.facts["imported"]["throughput"]) for run in found.runs] == [("alexnet", 11.5)]
    (named,) = found.left_out
    assert named.endswith("row 7 column 6: no FPS ('2022-05-22 00:00:00')")
