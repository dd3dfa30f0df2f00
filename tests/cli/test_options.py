"""The options that commands share, and the results file that they open."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from hwprof.cli import main, run
from hwprof.cli.options import CASE, choice_of, results_of, show_progress
from hwprof.cli.program import FOREIGN
from hwprof.errors import ResultsError, UsageError
from hwprof.plan.experiment import Choice
from hwprof.plan.options import check_option, option_text, parse_option
from hwprof.plugins import adapter, framework_names
from hwprof.store import Results


def of(path: Path, no_save: bool = False) -> argparse.Namespace:
    return argparse.Namespace(results=str(path), no_save=no_save)


def test_run_keeps_the_defaults_that_a_command_is_checked_against() -> None:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    assert {name: parser.get_default(name) for name in FOREIGN} == {name: CASE[name][1]["default"] for name in FOREIGN}


def test_the_options_of_a_case_are_its_choice() -> None:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    words = ["-f", "opencv", "-n", "resnet18", "--pretrained", "-b", "4", "--option", "b=2", "--option", "a=true"]
    choice = choice_of(parser.parse_args(words), threads=3)
    assert choice == Choice("opencv", "resnet18:pretrained", 0, 4, 3, "fp32", (("a", True), ("b", 2)))


def test_progress_is_shown_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(show_progress("ab", lambda number, item: f"{number} {item}")) == ["a", "b"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(show_progress("ab", lambda number, item: f"{number} {item}")) == ["a", "b"]
    assert capsys.readouterr().err == "\r\033[K1 a\r\033[K2 b\r\033[K"


def test_results_are_closed_where_measuring_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Results] = []
    monkeypatch.setattr(Results, "close", lambda results: closed.append(results))
    with pytest.raises(RuntimeError, match="worker"), results_of(of(tmp_path / "r.db")) as results:
        raise RuntimeError("worker")
    assert closed == [results]


def test_no_save_makes_no_file(tmp_path: Path) -> None:
    with results_of(of(tmp_path / "r.db", no_save=True)) as results:
        assert results is None
    assert not list(tmp_path.iterdir())


def test_a_file_that_takes_nothing_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Results) -> None:
        raise ResultsError("read-only")

    monkeypatch.setattr(Results, "ensure_writable", refuse)
    with pytest.raises(ResultsError, match="read-only"), results_of(of(tmp_path / "r.db")):
        pytest.fail("something was measured")


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_a_boolean_is_recognised_in_any_case(word: str) -> None:
    assert parse_option(f"spin={word}") == ("spin", word.lower() == "true")


@pytest.mark.parametrize("word", ["True", "FALSE", "on"])
def test_a_variable_of_the_process_keeps_its_text(word: str) -> None:
    assert parse_option(f"env.NAME={word}") == ("env.NAME", word)


@pytest.mark.parametrize("word", ["truth", "1", "yes"])
def test_the_message_shows_what_can_be_typed(word: str) -> None:
    name, value = parse_option(f"spin={word}")
    with pytest.raises(UsageError, match=f"knows no spin = '?{word}'?") as caught:
        check_option("somebody", name, value, {"spin": (True, False)})
    assert caught.value.remedy == "one of: true, false"
    for shown in caught.value.remedy.removeprefix("one of: ").split(", "):
        check_option("somebody", *parse_option(f"spin={shown}"), {"spin": (True, False)})


def test_every_option_of_every_framework_is_listed_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "frameworks"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "spin = true, false" in said
    for name in framework_names():
        options = adapter(name).options
        for option, values in options.items():
            assert f"{option} = {', '.join(map(option_text, values))}" in said
            assert [parse_option(f"{option}={option_text(v)}") for v in values] == [(option, v) for v in values]
