"""The language of what a user reads: help, messages, report and documentation use the terms of the field.

One rule a phrase, with the words to use in its place. What is scanned: texts in the sources (docstrings only of the
commands, whose help they are), the templates of the page, and the documentation, with what it quotes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import hwprof
from hwprof.cli import main
from hwprof.cli.commands import COMMANDS, FORMER
from hwprof.doubts import ADVICE
from hwprof.plugins import framework_names
from hwprof.printable import PROGRAMS

ROOT = Path(__file__).parents[1]
PACKAGE = Path(hwprof.__file__).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEMPLATES = sorted((PACKAGE / "reports/templates").glob("*.*"))
SOURCES = sorted(PACKAGE.rglob("*.py"))
PLACE = "{}"  # a value in a text
LONGEST = 40
# What a call ends in that makes something with a message and a remedy.
MESSAGES = (
    "Error",
    "Model",
    "Failure",
    "Unavailable",
    "NotAvailable",
    "Failed",
    "Experiment",
    "NotInstalled",
    "Finding",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A phrase that is not used. `good`: texts that look like it and are right."""

    pattern: str
    use: str
    bad: tuple[str, ...]
    good: tuple[str, ...] = ()

    def find(self, text: str) -> str | None:
        """What of a text breaks the rule."""
        found = re.search(self.pattern, text, re.IGNORECASE | re.MULTILINE)
        return None if found is None else found[0]


RULES = (
    Rule(
        r"\b(?:goes|go|went) with (?:the )?(?:FPS|speed|time|energy|y %|\{\})|what goes with",
        "correlates with, comes with, is for",
        ("no metric goes with FPS", "what goes with speed", "+10 % goes with y % FPS", "--duration goes with {}"),
        ("it goes without the word", "goes with the next one"),
    ),
    Rule(
        r"\b(?:given|at equal) (?:its |the |their |network )?size\b|\bsize (?:is )?taken out\b|\bgiven log\b",
        "controlling for MACs",
        ("r given size", "given its size", "the scatter, size taken out"),
        ("the size given by --size", "a given network"),
    ),
    Rule(
        r"\b(?:told|tell|telling|set|fall|falls|taken?|wanted|shown) apart\b|\bapart \(|\bto take .* apart\b|"
        r"\btakes? (?:the |a )?[\w' ]{0,40} apart\b|\bapart and summed\b",
        "not distinguishable, not separable, separately",
        ("metrics that can't be told apart", "shown apart (cycles) and summed", "takes the ratio apart", "fall apart"),
        ("slices that are milliseconds apart", "half an hour apart or more", "apart from this"),
    ),
    Rule(
        r"\bgates?\b(?! and directions)(?! of (?:an? )?(?:LSTM|GRU|RNN))",
        "minimum sample size; needs at least N",
        ("no test below 5 (gate)", "Gates: none", "intervals, gates and false-discovery control"),
        ("aggregate", "investigate", "propagate", "navigate", "mitigates", "delegates", "all gates and directions"),
    ),
    Rule(
        r"\b(?:leave|leaves|left|leaving) (?:[-\w.=`]+ ){0,4}(?:away|off)\b(?! (?:by|than|of))",
        "omit; drop",
        ("leave it away", "leave --size away", "leave off", "leaves `every_output` away", "leave channels_last off"),
        ("left of the line", "the median is off by 2 %", "leave it out", "what is left is off by a fifth"),
    ),
    Rule(r"\bslow outliers\b|\btail \((?:slow|median)", "tail latency (mean / median)", ("slow outliers (median)",)),
    Rule(r"\bsuppositions?\b", "an estimate from simulated counts", ("a supposition",)),
    Rule(
        r"\bunder (?:a|the|one|no|its)(?: flat part of the)? roof\b|\bflat part of the roof\b|\bwithout a roof\b",
        "no ceiling was measured; bound by a ceiling",
        (
            "Not under a roof: 3 cases",
            "0 cases lie under the flat part of the roof",
            "no case can be placed under a roof",
        ),
        ("the roofline", "above the roof"),
    ),
    Rule(r"\b(?:way|ways) to say no\b|\bto say no\b", "errors", ("every way to say no",), ("it says no more",)),
    Rule(
        r"\blying\b|\b(?:counter|event|events|counters|PMU|it) (?:lies|lie)\b(?! (?:in|on|at|below|above|as|within))",
        "miscounts",
        ("the counter lies", "off by a factor, lying or dead"),
        ("the interval lies above 1", "underlying", "where it lies in the file"),
    ),
    Rule(
        r"\b(?:cost|costs) of counting\b|\bobservers?\b(?!\.py)",
        "measurement overhead",
        ("the cost of counting", "FPS = throughput x observer"),
        ("observed", "`observer.py`"),
    ),
    Rule(
        r"\bnot shown to be the cause\b|^ *Behind (?:CPUs used|IPC|clock|work)|\bbehind each\b",
        "evidence on it (association, not causation)",
        ("Behind clock (observed, not shown to be the cause)", "and what stands behind each"),
        ("a band behind it",),
    ),
    Rule(
        r"\btold\b|\bas it tells\b|\bdoes(?:n't| not) tell\b", "reported, printed, recorded", ("as it told", "not told")
    ),
    Rule(r"\bhangs? on\b", "sign changes when NETWORK is left out", ("the sign hangs on one network",)),
    Rule(r"\bboards? that do(?:es)? not exist\b", "an emulated board", ("a RISC-V or Arm board that does not exist",)),
    Rule(
        r"\bmaking\b",
        "preparing, building, creating",
        ("hwprof: making the image", "another hwprof is making it"),
        ("remaking",),
    ),
    Rule(r"\bin disguise\b|\bwith its own coin\b", "the plain fact", ("1/FPS in disguise",)),
    Rule(r"\bthe house\b|\brooms\b", "architecture, packages", ("the house", "its rooms"), ("has room for it",)),
)


def joined(node: ast.JoinedStr) -> str:
    """A formatted text with a place for each of its values."""
    return "".join(str(p.value) if isinstance(p, ast.Constant) else PLACE for p in node.values)


def texts_in(tree: ast.Module, with_docstrings: bool) -> Iterator[tuple[int, str]]:
    """Line and text of every string that may be shown; a docstring is one where it is help."""
    skipped: set[int] = set()  # parts of a formatted text, and formats of numbers
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values if isinstance(part, ast.Constant)}
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            skipped |= {id(part) for part in ast.walk(node.format_spec)}
        body = getattr(node, "body", None)
        if isinstance(body, list):  # a text that is a statement: a docstring, or one of an attribute
            skipped |= {id(s.value) for s in body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, joined(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    if with_docstrings:
        yield 1, ast.get_docstring(tree) or ""


def shown() -> Iterator[tuple[Path, list[tuple[int, str]]]]:
    """Each file with the lines and texts of it that a user reads."""
    for path in SOURCES:
        texts = texts_in(ast.parse(path.read_text()), path.parent.name == "cli")
        yield path, [(line, text) for line, text in texts if " " in text]  # one word alone is a key
    for path in (*TEMPLATES, *PAGES):
        if path.suffix != ".css":
            yield path, list(enumerate(path.read_text().splitlines(), start=1))


@pytest.mark.parametrize("rule", RULES, ids=[rule.bad[0] for rule in RULES])
def test_a_rule_finds_its_phrase_and_nothing_like_it(rule: Rule) -> None:
    assert [text for text in rule.bad if rule.find(text) is None] == []
    assert [text for text in rule.good if rule.find(text) is not None] == []


def test_a_text_is_seen_whole_and_a_docstring_is_none() -> None:
    tree = ast.parse('"""Module."""\ndef f(x):\n    """Function."""\n    return f"a {x:.2f} b" "c" + "plain text"\n')
    assert [text for _, text in texts_in(tree, False)] == ["a {} bc", "plain text"]
    assert [text for _, text in texts_in(tree, True)][-1] == "Module."


def test_texts_use_the_terms_of_the_field() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: '{phrase}'; use: {rule.use}"
        for path, texts in shown()
        for rule in RULES
        if rule.find("\n".join(text for _, text in texts)) is not None  # most files break no rule
        for line, text in texts
        if (phrase := rule.find(text)) is not None
    ]
    assert found == [], "\n".join(found)


def messages() -> Iterator[tuple[str, str]]:
    """(place, text) of what happened and of what to do: the texts of errors, of what is missing, and of doubts."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2].endswith(MESSAGES):
                for argument in node.args:
                    if isinstance(argument, ast.JoinedStr):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", joined(argument)
                    elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", argument.value
    for code, texts in ADVICE.items():
        yield from ((f"hwprof/doubts.py: {code}", text) for text in texts)


def sentences(text: str) -> list[str]:
    """A text in its sentences."""
    return re.split(r"(?<=[.!?;:]) ", text)


def test_the_messages_are_found() -> None:
    assert sum(len(text.split()) > 3 for _, text in messages()) > 500


def test_no_sentence_of_a_message_is_long() -> None:
    found = [
        f"{place}: {count} words: {one}"
        for place, text in messages()
        for one in sentences(text)
        if (count := len(one.split())) > LONGEST
    ]
    assert found == [], "\n".join(found)


NAMES = PROGRAMS | set(framework_names())
# Command lines that are refused, each with its exit code and a word of what it says.
REFUSED = [
    ("run --no-save -n tiny_cnn -e cycels", 2, "'cycels'"),
    ("run --no-save -n tiny_cnn -f onnxruntim", 2, "'onnxruntim'"),
    ("run --no-save -n nowhere/x.onnx", 2, "no such file"),
    ("run --no-save -n tiny_cnn -b none", 2, "--batch"),
    ("run --no-save -n tiny_cnn --cpus 3-1", 2, "'3-1'"),
    ("run --no-save -n tiny_cnn --precision fp7", 2, "'fp7'"),
    ("run --no-save -n tiny_cnn --option speed=9", 2, "'speed'"),
    ("run --no-save -n tiny_cnn --meter nowhere.csv", 2, "nowhere.csv"),
    ("run --no-save -- ./nowhere", 127, "./nowhere"),
    ("run --colour red", 2, "--colour"),
    ("run -n", 2, "--network"),
    ("swep quick", 2, "'swep'"),
    ("sweep quik", 2, "'quik'"),
    ("sweep", 2, "NAME"),
    ("report nowhere.db", 2, "nowhere.db"),
    ("report notes.txt", 2, "notes.txt"),
    ("report --format pdf nowhere.db", 2, "'pdf'"),
    ("explain onnxruntime opencv", 2, "hwprof.db"),
    ("compare old.db", 2, "OLD and NEW"),
    ("predict -n tiny_cnn", 2, "framework"),
    ("import notes.txt", 2, "notes.txt"),
    ("env create", 2, "name of a framework"),
    ("list boards --all", 2, "--all"),
    ("board riscv46 -- ls", 2, "'riscv46'"),
]


def badly_formed(line: str, words: Sequence[str]) -> list[str]:
    """The sentences of a line of hwprof's that begin small or have no end.

    What begins with a word of the command line, a value, what has to be typed or a program keeps its spelling; a
    command at the end has no full stop.
    """
    found = []
    *_, last = parts = re.split(r"(?<=[.?!]) ", line.removeprefix("hwprof: "))
    for part in parts:
        first = part.split()[0].rstrip(":,;.")
        keeps = not first.isalpha() or first in NAMES or any(first in word for word in words)
        if not keeps and not first[0].isupper():
            found.append(part)
    clause = re.split(r"(?<=[:;]) |(?<=\b[Aa]s in) ", last)[-1]
    if not last.endswith((".", "?")) and clause.split()[0] not in PROGRAMS:
        found.append(last)
    return found


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("hwprof: No file. Name one.", True),
        ("hwprof: No file. Is it there?", True),
        ("hwprof: x.db is no file. Name one: hwprof run -n x", True),
        ("hwprof: No right to count. sudo sysctl a.b=1", True),
        ("hwprof: no file. Name one.", False),
        ("hwprof: No file. name one.", False),
        ("hwprof: No file", False),
        ("hwprof: No file. Name one", False),
    ],
)
def test_the_form_of_a_line_is_judged(line: str, good: bool) -> None:
    assert (badly_formed(line, ["report", "x.db"]) == []) is good


@pytest.mark.parametrize(("words", "code", "says"), REFUSED, ids=[words for words, *_ in REFUSED])
def test_a_wrong_command_line_is_refused_in_one_line_of_sentences(
    words: str,
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("dear diary\n")
    try:
        ended: object = main(words.split())
    except SystemExit as end:
        ended = end.code
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert (ended, said.out) == (code, "")
    assert line.startswith("hwprof: ")
    assert says in line
    assert badly_formed(line, words.split()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_no_sentence_begins_as_a_command_that_does_not_exist() -> None:
    # a remedy that begins with "hwprof" has no full stop, as it is typed: a sentence about hwprof has its own
    found = [
        f"{place}: {text}"
        for place, text in messages()
        if (begin := re.match(r"hwprof (\w+)[^.:;`]*$", text)) and begin[1] not in {*COMMANDS, *FORMER, "help"}
    ]
    assert found == []
