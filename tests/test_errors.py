"""One rule joins what happened and what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hwprof
from hwprof.errors import HwprofError
from hwprof.plugins import adapter, framework_names
from hwprof.printable import NAMES, OPENINGS, PROGRAMS, advice, sentence

PACKAGE = Path(hwprof.__file__).parent
# Names that messages in the sources begin with (programs, libraries, options, attributes of networks), and first words
# of what stands behind an operator's name.
_SPELLED = (
    "activations antialias averages axes axis batch callgrind coordinates dilations factors groups hwprof "
    "inductor limits mmdebstrap mode ncnn nearest numpy padding pads perf pnnx powercap ptrace slopes "
    "steps threads torch torchvision tracefs transA transB tune valgrind"
)
SPELLED = frozenset(_SPELLED.split())


def test_a_message_and_a_remedy_are_a_sentence_each() -> None:
    assert sentence("no counter is left", "fewer events") == "No counter is left. Fewer events."
    assert sentence("no counter is left") == "No counter is left."
    assert str(HwprofError("no file", "check the path")) == sentence("no file", "check the path")


@pytest.mark.parametrize(
    "message",
    [
        "nowhere.db: no such file",
        "cycles: this CPU has no PMU",
        "onnxruntime computes no 'fp7' here",
        "--frames and --fps-from at once",
        "'x' is no list of CPUs",
        "images has no class folders",
        "perf did not end",
    ],
)
def test_a_message_that_begins_with_a_name_keeps_its_spelling(message: str) -> None:
    assert sentence(message) == f"{message}."
    assert sentence(message, "check it") == f"{message}. Check it."


@pytest.mark.parametrize(
    "text",
    [
        "No file. Check the path.",
        "No file. Is it there?",
        "Not counted here. sudo sysctl kernel.perf_event_paranoid=1",
        "Not counted here. On the container's host: sysctl kernel.nmi_watchdog=0",
        "Interrupted.",
    ],
)
def test_a_sentence_stays_as_it_is(text: str) -> None:
    assert sentence(text) == text


@pytest.mark.parametrize(
    ("remedy", "shown"),
    [
        ("check the path", "Check the path."),
        ("known: a, b", "Known: a, b."),
        ("is the disk full?", "Is the disk full?"),
        ("hyphen-words begin it", "Hyphen-words begin it."),
        # what is typed, and names, stay as they are
        ("pip install x", "pip install x"),
        ("apt-get install valgrind", "apt-get install valgrind"),
        ("hwprof env create mxnet", "hwprof env create mxnet"),
        ("Measure it: hwprof run -n x.onnx", "Measure it: hwprof run -n x.onnx"),
        ("did you mean the network? hwprof run -n x", "Did you mean the network? hwprof run -n x"),
        ("as in hwprof run -- ./bench --size 224", "As in hwprof run -- ./bench --size 224"),
        ("as in 'FPS: ([0-9.]+)'", "As in 'FPS: ([0-9.]+)'."),
        ("hwprof's own counters", "hwprof's own counters."),
        ("--size 224", "--size 224."),
        ("`hwprof events` lists them", "`hwprof events` lists them."),
        ("mode=eager, or omit mode", "mode=eager, or omit mode."),
        ("never, no-pmu or always", "never, no-pmu or always."),
        ("Leave it out.", "Leave it out."),
    ],
)
def test_a_remedy_begins_with_a_capital_letter_and_only_a_command_ends_without_a_stop(remedy: str, shown: str) -> None:
    assert advice(remedy) == shown
    assert str(HwprofError("it failed", remedy)) == f"{sentence('it failed')} {shown}"


def test_nothing_to_do_is_no_sentence() -> None:
    assert advice("") == ""
    assert sentence("") == ""


@pytest.mark.parametrize("end", [".", "?", "!"])
def test_a_message_has_one_full_stop(end: str) -> None:
    assert sentence(f"not done{end}", "check it") == f"Not done{end} Check it."


def test_no_command_is_capitalised() -> None:
    for name in NAMES:
        assert advice(f"{name} does it").startswith(f"{name} does it")
    installs = [adapter(name).environment.install for name in framework_names()]
    assert [i for i in installs if i and advice(i) != i] == []


def test_the_first_word_of_every_message_is_an_opening_or_a_name() -> None:
    # what is neither would be printed with a small letter: it belongs into `printable.OPENINGS`, or here
    words = {word.rstrip(",;").removesuffix("'s") for word in first_words(0)}
    small = {word for word in words if word[:1].islower() and re.fullmatch(r"[A-Za-z'-]+", word)}
    assert len(small) > 60
    assert sorted(small - OPENINGS - SPELLED) == []
    assert sorted(SPELLED - small) == [], "no longer needed"
    assert sorted(OPENINGS & (SPELLED | PROGRAMS | set(framework_names()))) == []


def first_word(node: ast.expr) -> str:
    """The first word of a text in the source, where it is written there."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return node.value.split(" ")[0] if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def first_words(place: int) -> Iterator[str]:
    """The first words of the messages (`place` 0) or remedies (1) that the sources hold."""
    for path in PACKAGE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and is_error(call):
                at = place + (ast.unparse(call.func).rpartition(".")[2] in ("Failure", "BadModel"))  # a code, a path
                yield from (first_word(text) for text in call.args[at : at + 1] if " " in ast.unparse(text))


def test_no_remedy_begins_with_the_name_of_a_framework() -> None:
    # `advice` would make it a capital letter, and knows no framework
    words = list(first_words(1))
    assert len(words) > 250
    assert set(words) & set(framework_names()) == set()


def is_error(call: ast.Call) -> bool:
    """Whether it makes something with a message and a remedy."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name.endswith(("Error", "Model", "Failure", "Unavailable", "NotAvailable", "Failed", "Experiment"))


def test_nothing_else_joins_a_message_and_its_remedy() -> None:
    joins = re.compile(r"(message|reason)\}[.:;,]? ?\{[a-z_.]*remedy")
    assert [p for p in PACKAGE.rglob("*.py") if joins.search(p.read_text()) and p.name != "printable.py"] == []


def test_the_root_of_a_machine_has_one_home() -> None:
    homes = [p for p in PACKAGE.rglob("*.py") if re.search(r"^ROOT\b.*=", p.read_text(), re.MULTILINE)]
    assert homes == [PACKAGE / "machine/files.py"]
