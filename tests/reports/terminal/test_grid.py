"""What a table does where the terminal is too narrow for it, in this order; and that no number is ever cut."""

from __future__ import annotations

import re

import pytest

from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import FULL

COLUMNS = (
    GridColumn("case", shortens=True, is_key=True),
    GridColumn("FPS", right=True),
    GridColumn("CPU ms", right=True, drop=2),
    GridColumn("insn", right=True, drop=1),
    GridColumn("doubts", flows=True),
)
ROWS = (
    (
        "onnxruntime mobilenet_v2 224px b1 t1 fp32",
        "1234.5",
        "0.810",
        "300,123,456",
        "noisy; drift; other load on the core",
    ),
    ("opencv resnet18", "87.6", "11.420", "1,234,567,890", ""),
)
NUMBERS = ("1234.5", "87.6")


def shown(width: int) -> list[str]:
    return grid.lines(COLUMNS, ROWS, width)


def widest(lines: list[str]) -> int:
    return max(map(len, lines))


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width: int) -> None:
    lines = shown(width)
    assert widest(lines) <= width
    assert all(number in re.split(r"\s+", "\n".join(lines)) for number in NUMBERS)


def test_a_file_gets_everything_in_one_line_a_row() -> None:
    header, first, second = shown(FULL)
    assert header.split() == ["case", "FPS", "CPU", "ms", "insn", "doubts"]
    assert first.endswith("300,123,456  noisy; drift; other load on the core")
    assert second.split() == ["opencv", "resnet18", "87.6", "11.420", "1,234,567,890"]


def test_free_text_is_wrapped_beside_the_row_before_anything_is_dropped() -> None:
    lines = shown(100)
    assert "1,234,567,890" in "\n".join(lines)
    assert lines[1].endswith("noisy; drift; other load")
    assert lines[2].strip() == "on the core"
    assert lines[2].index("on") == lines[1].index("noisy")


def test_free_text_goes_below_the_row_before_anything_is_dropped() -> None:
    lines = shown(90)
    assert "1,234,567,890" in "\n".join(lines)
    assert lines[2] == "      noisy; drift; other load on the core"


def test_columns_are_dropped_by_priority_and_named() -> None:
    narrow = shown(66)
    assert "0.810" not in "\n".join(narrow)
    assert "300,123,456" in "\n".join(narrow) or "+2 columns" in narrow[-1]
    assert shown(56)[-1] == "  +2 columns (CPU ms, insn): --json has them."


def test_names_are_shortened_last() -> None:
    assert "onnxruntime mobilenet_v2 224px b1 t1 fp32" in "\n".join(shown(56))
    (name,) = (line for line in shown(40) if "1234.5" in line)
    assert "..." in name


def test_columns_that_must_stay_go_into_a_table_of_their_own() -> None:
    columns = [GridColumn("part", shortens=True, is_key=True), *(GridColumn(f"framework{i} ms") for i in range(6))]
    rows = [("conv1 +2", *(f"{i}.125 {i}0%" for i in range(6))), ("fc", *("-" for _ in range(6)))]
    lines = grid.lines(columns, rows, 60)
    assert widest(lines) <= 60
    assert [line.split()[0] for line in lines if line].count("part") == 2
    assert all(f"{i}.125 {i}0%" in "\n".join(lines) for i in range(6))


def test_what_may_be_left_out_and_has_no_text_is_not_shown() -> None:
    rows = [("a", "1", "", "", "")]
    assert grid.lines(COLUMNS, rows, 80) == ["  case  FPS", "  a       1"]
    assert grid.lines([GridColumn("a"), GridColumn("b")], [("1", "")], 80) == ["  a  b", "  1"]


def test_text_from_outside_can_not_break_a_table() -> None:
    (_, row) = grid.lines([GridColumn("name")], [("two\nlines\t\x1b[31m",)], 80)
    assert row == "  two\\nlines\\t\\x1b[31m"
