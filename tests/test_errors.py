"""One rule joins what happened and what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import hwprof
from hwprof.errors import NAMES, HwprofError, sentence
from hwprof.plugins import adapter, framework_names

PACKAGE = Path(hwprof.__file__).parent


def test_a_remedy_is_a_sentence_of_its_own() -> None:
    assert sentence("no counter is left", "fewer events") == "no counter is left. Fewer events"
    assert sentence("no counter is left") == "no counter is left"
    assert str(HwprofError("no file", "check the path")) == sentence("no file", "check the path")


@pytest.mark.parametrize(
    ("remedy", "shown"),
    [
        ("check the path", "Check the path"),
        ("known: a, b", "Known: a, b"),
        ("is the disk full?", "Is the disk full?"),
        ("hyphen-words begin it", "Hyphen-words begin it"),
        # what is typed, and names, stay as they are
        ("pip install x", "pip install x"),
        ("apt-get install valgrind", "apt-get install valgrind"),
        ("hwprof env create mxnet", "hwprof env create mxnet"),
        ("hwprof's own counters", "hwprof's own counters"),
        ("--size 224", "--size 224"),
        ("`hwprof events` lists them", "`hwprof events` lists them"),
        ("mode=eager, or omit mode", "mode=eager, or omit mode"),
        ("never, no-pmu or always", "never, no-pmu or always"),
        ("kernel.perf_event_paranoid=1", "kernel.perf_event_paranoid=1"),
        ("Leave it out.", "Leave it out."),
    ],
)
def test_a_remedy_begins_with_a_capital_letter(remedy: str, shown: str) -> None:
    assert sentence("it failed", remedy) == f"it failed. {shown}"
    assert str(HwprofError("it failed", remedy)) == f"it failed. {shown}"


@pytest.mark.parametrize("end", [".", "?", "!"])
def test_a_message_has_one_full_stop(end: str) -> None:
    assert sentence(f"it failed{end}", "check it") == f"it failed{end} Check it"


def test_no_command_is_capitalised() -> None:
    for name in NAMES:
        assert sentence("no", f"{name} does it") == f"no. {name} does it"
    installs = [adapter(name).environment.install for name in framework_names()]
    assert [i for i in installs if i and sentence("no", i) != f"no. {i}"] == []


def first_word(node: ast.expr) -> str:
    """The first word of a text in the source, where it is written there."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return node.value.split(" ")[0] if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_no_remedy_begins_with_the_name_of_a_framework() -> None:
    # `sentence` would make it a capital letter, and knows no framework
    calls = (n for p in PACKAGE.rglob("*.py") for n in ast.walk(ast.parse(p.read_text())) if isinstance(n, ast.Call))
    words = [first_word(text) for call in calls if len(call.args) > 1 for text in call.args[1:3] if is_error(call)]
    assert len(words) > 300
    assert set(words) & set(framework_names()) == set()


def is_error(call: ast.Call) -> bool:
    """Whether it makes something with a message and a remedy."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name.endswith(("Error", "Model", "Failure", "Unavailable", "NotAvailable", "Failed", "Experiment"))


def test_nothing_else_joins_a_message_and_its_remedy() -> None:
    joins = re.compile(r"(message|reason)\}[.:;,]? ?\{[a-z_.]*remedy")
    assert [p for p in PACKAGE.rglob("*.py") if joins.search(p.read_text()) and p.name != "errors.py"] == []


def test_the_root_of_a_machine_has_one_home() -> None:
    homes = [p for p in PACKAGE.rglob("*.py") if re.search(r"^ROOT\b.*=", p.read_text(), re.MULTILINE)]
    assert homes == [PACKAGE / "machine/files.py"]
