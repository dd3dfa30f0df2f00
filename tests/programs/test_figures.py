"""Numbers of programs that print decimals with a comma, or digits in groups."""

from __future__ import annotations

import pytest

from hwprof.errors import UsageError
from hwprof.programs.figures import compile_figure, decimal_sign, parse_figure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42.5", 42.5),
        ("42,5", 42.5),
        ("0,125", 0.125),
        ("1234,567", 1234.567),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1,234,567", 1234567.0),
        ("1.234.567,25", 1234567.25),
        ("1 234,5", 1234.5),
        ("1\u202f234,5", 1234.5),
        ("1'234.5", 1234.5),
        ("-7,5", -7.5),
        ("1e3", 1000.0),
        ("12 ", 12.0),
    ],
)
def test_a_comma_and_a_point_are_read_by_where_they_stand(text: str, value: float) -> None:
    assert parse_figure(text) == value
    assert parse_figure(text, ",") == value


@pytest.mark.parametrize("text", ["", "fast", "1,2,3", "1.23.456", "12,34.5.6", "1.2345,6", "."])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_figure(text) is None


@pytest.mark.parametrize(("decimal", "value"), [(".", 1234.0), (",", 1.234)])
def test_a_comma_before_three_digits_is_what_it_is_in_the_programs_locale(decimal: str, value: float) -> None:
    assert parse_figure("1,234", decimal) == value


@pytest.mark.parametrize("environ", [{}, {"LC_ALL": "C"}, {"LANG": "xx_XX.UTF-8"}, {"LC_ALL": "", "LANG": "C"}])
def test_a_locale_that_is_not_installed_has_the_point_of_c(environ: dict[str, str]) -> None:
    assert decimal_sign(environ) == "."


@pytest.mark.parametrize("text", ["(", "no group", "(a)(b)"])
def test_expressions_without_exactly_one_group_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fps-from"):
        compile_figure(text)
