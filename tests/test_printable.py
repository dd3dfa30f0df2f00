"""One rule for text of the outside world: kept as it came, and escaped wherever it is shown."""

from __future__ import annotations

import io
import json

import pytest

from hwprof.printable import ESCAPE, accept_everything, encodable, encodable_data, printable, printable_cells


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mod\udce8le", r"mod\xe8le"),
        ("modèle 模型 ×", "modèle 模型 ×"),
        ("a\nb\tc\r\x1b[31m\x7f\x85\u2028", r"a\nb\tc\r\x1b[31m\x7f\x85\u2028"),
        ("\ud800", r"\ud800"),
        (r"C:\new", r"C:\new"),
        ("", ""),
    ],
)
def test_text_for_a_line_has_nothing_that_no_line_can_hold(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_what_can_be_encoded_keeps_its_line_ends() -> None:
    assert encodable("a\n\udce8\x07") == "a\n\\xe8\x07"


def test_a_stream_escapes_what_its_encoding_lacks() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    accept_everything(stream)
    stream.write("\udce8 é ☃ \U0001f600")
    stream.flush()
    assert raw.getvalue() == rb"\xe8 \xe9 \u2603 \U0001f600"
    assert "\udce8".encode("utf-8", ESCAPE) == rb"\xe8"


def test_documents_and_cells_are_escaped_at_any_depth() -> None:
    assert json.dumps(encodable_data({"\udce8": ["\udce8", 1, None, {"a": "\udce8"}]})).count("\\\\xe8") == 3
    assert printable_cells((("a\n", ("\udce8",)),)) == (("a\\n", ("\\xe8",)),)
