"""Colour and width: who decides, and what never gets a colour."""

from __future__ import annotations

import io

import pytest

from hwprof.reports.terminal.style import FULL, PLAIN, USUAL, Palette, columns, palette, shorten, wrap


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_colour_is_where_the_terminal_and_the_environment_allow_it(
    environ: dict[str, str], on_terminal: bool, in_pipe: bool
) -> None:
    assert palette(Terminal(), environ).is_on == on_terminal
    assert palette(io.StringIO(), environ).is_on == in_pipe


def test_a_closed_or_missing_stream_has_no_colour() -> None:
    stream = io.StringIO()
    stream.close()
    assert palette(None, {}) == palette(stream, {}) == PLAIN


def test_every_line_is_coloured_by_itself_and_empty_text_is_not() -> None:
    coloured = Palette(True)
    assert coloured.doubt("a\n\nb") == "\033[33ma\033[0m\n\n\033[33mb\033[0m"
    assert coloured.headline("") == ""
    assert PLAIN.headline("a") == PLAIN.secondary("a") == PLAIN.doubt("a") == "a"


@pytest.mark.parametrize(
    ("environ", "in_pipe"), [({"COLUMNS": "80"}, 80), ({"COLUMNS": "0"}, FULL), ({"COLUMNS": "x"}, FULL), ({}, FULL)]
)
def test_columns_is_heeded_and_a_pipe_is_not_limited(environ: dict[str, str], in_pipe: int) -> None:
    assert columns(io.StringIO(), environ) == in_pipe


def test_a_terminal_that_does_not_know_its_width_has_the_usual_one() -> None:
    assert columns(Terminal(), {}) == USUAL
    assert columns(Terminal(), {"COLUMNS": "120"}) == 120


def test_a_name_loses_its_middle() -> None:
    assert shorten("short", 8) == "short"
    assert shorten("onnxruntime mobilenet_v2 224px b1 t1 fp32", 20) == "onnxrunti...t1 fp32"[:9] + "... t1 fp32"
    assert len(shorten("a" * 90, 20)) == 20


def test_prose_is_wrapped_and_no_word_is_cut() -> None:
    lines = wrap("two words and/a/path/that-is-longer-than-the-line", 20, "  ", "    ")
    assert lines == ["  two words", "    and/a/path/that-is-longer-than-the-line"]
    assert max(map(len, wrap("word " * 90, FULL))) <= 110
