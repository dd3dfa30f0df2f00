"""Commands and options of the release before: they work, are in no help, and name what they are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.cli.commands import COMMANDS, FORMER, overview, translate
from hwprof.cli.parsers import command_parser
from hwprof.store import Results
from tests.factories import make_run


@pytest.mark.parametrize("name", FORMER)
def test_a_former_name_is_in_no_overview_and_its_help_is_that_of_the_new_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    now = FORMER[name].words
    assert name not in COMMANDS
    assert f"  {name} " not in overview()
    assert now[0] in COMMANDS
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr()
    assert said.err == f'hwprof: "{name}" is now "{" ".join(now)}".\n'
    assert said.out.startswith(f"usage: hwprof {now[0]}")


def test_a_former_command_does_what_the_new_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Results.create("r.db") as results:
        results.add(make_run(fps=40.0))
    for old, new in (
        ("networks --blocks tiny_cnn", "list networks --blocks tiny_cnn"),
        ("models r.db", "predict --evaluate r.db"),
        ("merge r.db --results {}.db --json", "import r.db --results {}.db --json"),
    ):
        assert main(old.format("same").split()) == 0
        before = capsys.readouterr()
        Path("same.db").unlink(missing_ok=True)
        assert main(new.format("same").split()) == 0
        after = capsys.readouterr()
        assert before.out == after.out != ""
        assert (
            before.err == f'hwprof: "{old.split()[0]}" is now "{" ".join(FORMER[old.split()[0]].words)}".\n{after.err}'
        )


@pytest.mark.parametrize("word", ["-r 3", "-r3", "-r=3", "--repetitions 3", "--repetitions=3"])
@pytest.mark.parametrize("name", ["validate", "calibrate"])
def test_r_meant_repetitions_there_and_still_does(name: str, word: str) -> None:
    command, *words = translate(FORMER[name], [*word.split(), "--results", "r.db"])
    args = command_parser(command)[0].parse_args(words)
    assert (args.repetitions, args.results) == (3, "r.db")


@pytest.mark.parametrize(
    ("command", "words", "dest"),
    [
        ("accuracy", ["--images", "x", "--frameworks", "a,b"], "framework"),
        ("list", ["frameworks", "--frameworks", "a,b"], "framework"),
        ("list", ["frameworks", "--networks", "a,b"], "network"),
        ("record", ["--event", "a,b"], "event"),
    ],
)
def test_a_former_option_is_taken_and_not_shown(command: str, words: list[str], dest: str) -> None:
    parser, _ = command_parser(command)
    assert getattr(parser.parse_args(words), dest) == "a,b"
    assert f"{words[-2]} " not in parser.format_help()
