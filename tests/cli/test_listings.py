"""What commands list for people: no value of Python's own shows through."""

from __future__ import annotations

import re

import pytest

from hwprof.cli import main

PYTHONS_OWN = re.compile(r"\b(None|True|False|nan|NaN)\b|<[a-z_.]+ object|\[\]|\(\)|\{\}")


@pytest.mark.parametrize(
    "words",
    [
        "list networks",
        "list networks --blocks tiny_cnn,gru_keywords",
        "list networks --blocks mobilenet_v2 --size 64",
        "list frameworks",
        "list frameworks --conversions",
        "events",
        "doctor",
        "list experiments",
        "list boards",
        "env list",
        "sweep quick --dry-run",
        "sweep quick --detectable",
        "sweep blocks --detectable",
    ],
)
def test_a_listing_shows_no_value_of_python(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    said = capsys.readouterr()
    assert said.out
    assert [line for line in said.out.splitlines() if PYTHONS_OWN.search(line)] == []
