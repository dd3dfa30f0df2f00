"""`hwprof events --validate`: verdicts on the kernel's own events here; in words what to do where it can't."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hwprof import cli
from hwprof.cli import validate
from hwprof.records import Counter, Origin
from hwprof.store import Results
from hwprof.store.validation import latest
from hwprof.studies.validation.bench import Result
from hwprof.studies.validation.verdicts import EventAssessment, EventVerdict, ProgramFinding
from tests.scripts import write_script


@pytest.mark.cc
@pytest.mark.counting
def test_verdicts_are_printed_and_kept_with_this_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.db"
    assert cli.main(["events", "--validate", "-e", "page-faults,major-faults", "--results", str(file)]) == 0
    said = capsys.readouterr().out
    assert "right" in said
    assert re.search(r" \d+ of 400 \(faults\)", said)  # 400 wherever nothing else faults
    assert "2 verdicts kept with this host" in said
    with Results.open(file) as results, results.database.read() as connection:
        ((key, events),) = latest(connection).items()
    assert {name: stored.verdict for (name, _), stored in events.items()} == {
        "page-faults": "right",
        "major-faults": "unproven",
    }
    assert key[1], "with the kernel's release"


@pytest.mark.cc
@pytest.mark.counting
def test_json_has_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "truth"
    assert cli.main(["events", "--validate", "--compile", str(program)]) == 0
    words = [
        "events",
        "--validate",
        "-e",
        "page-faults",
        "--repetitions",
        "3",
        "--program",
        str(program),
        "--json",
        "--no-save",
    ]
    assert cli.main(words) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert (event["verdict"], event["origin"], event["source"]) == ("right", "kernel", "perf:page-faults")
    assert (event["findings"][0]["expected"], event["findings"][0]["program"]) == (400, "faults")


def test_without_a_compiler_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main(["events", "--validate", "--no-save"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hwprof: A C compiler is not installed. `sudo apt-get install gcc")


def test_a_compiler_that_fails_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler = write_script(tmp_path / "cc", "echo 'truth.c:1: error: no such header' >&2\nexit 1")
    monkeypatch.setenv("CC", str(compiler))
    assert cli.main(["events", "--validate", "--no-save"]) == 2
    assert "truth.c:1: error: no such header" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--repetitions", "0"], "must be a whole number from 1"), (["--program", "/none"], "There is no program /none")],
)
def test_bad_words_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["events", "--validate", "--no-save", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_worst_program_stands_beside_the_verdict_and_reasons_are_told_once() -> None:
    good = ProgramFinding("chain", EventVerdict.RIGHT, 100.0, 100.0, ratio=1.0)
    bad = ProgramFinding("loads", EventVerdict.FACTOR, 100.0, 200.0, ratio=2.0)
    counter = Counter("loads")
    results = [
        Result(
            EventAssessment("loads", EventVerdict.FACTOR, 2.0, "counts 2 times", findings=(good, bad)),
            counter,
            Origin.HARDWARE,
        ),
        Result(EventAssessment("cycles", EventVerdict.RIGHT, findings=(good,)), Counter("cycles"), Origin.HARDWARE),
        *(
            Result(EventAssessment(n, EventVerdict.MISSING, why="none", remedy="buy"), None, Origin.HARDWARE)
            for n in ("a", "b")
        ),
    ]
    lines = validate.table(results).splitlines()
    assert lines[1].split() == ["right", "cycles", "100", "of", "100", "(chain)"]
    assert lines[2].split()[4:] == ["loads", "200", "of", "100", "(loads)", "counts", "2", "times"]
    assert lines[3].split(maxsplit=1) == ["missing", "a, b: None. Buy."]
    assert lines[-1].strip() == "2 of 4 events can be opened here, 1 of them failed"
