"""One rule joins what happened and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import hwprof
from hwprof.errors import HwprofError, sentence

PACKAGE = Path(hwprof.__file__).parent


def test_a_remedy_is_a_sentence_of_its_own() -> None:
    assert sentence("no counter is left", "fewer events") == "no counter is left. fewer events"
    assert sentence("no counter is left") == "no counter is left"
    assert str(HwprofError("no file", "check the path")) == sentence("no file", "check the path")


def test_the_root_of_a_machine_has_one_home() -> None:
    homes = [p for p in PACKAGE.rglob("*.py") if re.search(r"^ROOT\b.*=", p.read_text(), re.MULTILINE)]
    assert homes == [PACKAGE / "machine/files.py"]
