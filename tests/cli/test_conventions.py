"""What all commands have in common: help, defaults, letters, the results file both ways, JSON with a format number."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.cli.parsers import HelpFormatter, default_text
from hwprof.store import Results
from tests.cli.walked_parsers import options, parsers
from tests.factories import make_run

PARSERS = parsers()
# Commands that read a results file, and those that only write one.
READERS = {"explain", "report", "predict", "roofline", "export", "list cases", "list runs"}
WRITERS = {"run", "sweep", "tune", "layers", "events", "import"}
BY_WORDS = {"compare"}  # OLD and NEW are results
# `board` hands on what its command prints; `report` writes report.json.
WITHOUT_JSON = {"", "list", "board", "report"}


def shown() -> Iterator[tuple[str, argparse.Action]]:
    for words, parser in PARSERS.items():
        for action in options(parser):
            yield words, action


def test_every_option_and_argument_has_help() -> None:
    bare = [f"{words}: {action.option_strings or action.dest}" for words, action in shown() if not action.help]
    subparsers = [line for line in bare if line.startswith("list: what")]  # its choices have theirs
    assert sorted(bare) == sorted(subparsers)


def test_every_default_is_shown() -> None:
    hidden = []
    for words, action in shown():
        text = HelpFormatter("x")._get_help_string(action) or ""
        if default_text(action) and action.nargs != 0 and "default" not in text:
            hidden.append(f"{words}: {action.option_strings or action.dest}")
    assert hidden == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run", "(default: mobilenet_v2)"),
        ("layers", "fresh processes for each framework, in turn (default: 3)"),
        ("record", "(default: 999)"),
        ("tune", "(default: 0.4; --scaling: 1)"),
        ("accuracy", "(default: 16)"),
    ],
)
def test_help_says_the_default_in_its_own_text(words: str, says: str) -> None:
    assert says in " ".join(PARSERS[words].format_help().split())


def test_a_letter_has_one_meaning_and_an_option_has_its_letter_everywhere() -> None:
    long: dict[str, set[str]] = defaultdict(set)
    letters: dict[str, set[str]] = defaultdict(set)
    for _, action in shown():
        short = [o for o in action.option_strings if not o.startswith("--")]
        for name in (o for o in action.option_strings if o.startswith("--")):
            letters[name].add("".join(short))
            for letter in short:
                long[letter].add(name)
    assert {letter: names for letter, names in long.items() if len(names) > 1} == {}
    assert {name: found for name, found in letters.items() if len(found) > 1} == {}
    assert long["-r"] == {"--rounds"}
    assert long["-f"] == {"--framework"}
    assert "--frameworks" not in letters
    assert "--repetitions" in letters


def test_what_measures_a_case_takes_every_option_of_a_case() -> None:
    from hwprof.cli.options import CASE, CASE_OPTIONS

    for words in ("run", "record", "tune", "layers", "compare"):
        known = {option for action in options(PARSERS[words]) for option in action.option_strings}
        for name in CASE_OPTIONS:
            assert set(CASE[name][0]) <= known, f"{words} lacks {name}"


def test_shared_options_stand_in_groups_of_the_same_title() -> None:
    for words, parser in PARSERS.items():
        titles = [group.title for group in parser._action_groups]
        assert len(titles) == len(set(titles)), words
    text = PARSERS["layers"].format_help()
    assert [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")][-4:] == [
        "the case:",
        "how it is measured:",
        "output:",
        "results:",
    ]


def test_results_are_named_both_ways_wherever_they_are_read() -> None:
    positional, option = set(), set()
    for words, action in shown():
        if "RESULTS" in str(action.metavar).split() and not action.option_strings:
            positional.add(words)
        if "--results" in action.option_strings:
            option.add(words)
    assert positional == READERS
    assert option == READERS | WRITERS | BY_WORDS


def test_every_command_that_prints_something_has_json() -> None:
    has = {words for words, action in shown() if "--json" in action.option_strings}
    assert set(PARSERS) - has <= WITHOUT_JSON


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with Results.create("r.db") as found:
        found.add(make_run(fps=40.0))
    return tmp_path / "r.db"


@pytest.mark.parametrize(
    "words",
    [
        "list networks",
        "list networks --blocks tiny_cnn",
        "list frameworks -f onnxruntime",
        "list frameworks --conversions -f onnxruntime",
        "list frameworks --matrix --kept -f onnxruntime -n tiny_cnn",
        "list experiments",
        "list boards",
        "list cases r.db",
        "list runs r.db",
        "events page-faults",
        "env list",
        "sweep quick --dry-run",
        "sweep quick --detectable",
        "tune --list --results r.db",
        "predict r.db --evaluate",
        "compare r.db r.db",
        "export r.db",
        "import r.db --results other.db",
    ],
)
@pytest.mark.usefixtures("results", "cache")
def test_json_is_one_document_with_a_format_number(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*words.split(), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document["format"], int)
    assert len(document) > 1


@pytest.mark.parametrize("words", ["roofline", "export", "predict --evaluate", "list cases", "list runs"])
def test_two_names_of_results_that_differ_are_refused(
    words: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "a.db", "--results", "b.db"]) == 2
    assert "Two results files, a.db and b.db. Name one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("events -e cycles", "--events is for --validate"),
        ("events --repetitions 3", "--repetitions is for --validate"),
        ("roofline --cpus 0", "--cpus is for --measure"),
        ("roofline --measure -o x.svg", "--output is for `hwprof roofline` without --measure"),
        ("predict --evaluate -n resnet18", "--network is for a prediction, not for --evaluate"),
        ("predict", "A network and a framework are needed"),
        ("tune -r 3", "--rounds is for --scaling"),
        ("tune --scaling --vary spin=true", "--vary is for the search, not for --scaling"),
        ("tune --scaling --for quick", "--for is for the search"),
        ("tune -t 1,2 --vary threads=1", "threads can't be both given and varied"),
        ("events --validate cycles -e cycles", "PATTERN and --events at once"),
        ("events --validate no-such-event", "Unknown event 'no-such-event'"),
    ],
)
@pytest.mark.usefixtures("results")
def test_an_option_of_another_question_is_refused(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hwprof: ")
    assert says in line
