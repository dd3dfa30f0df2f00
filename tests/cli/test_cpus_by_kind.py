"""`--cpus` by kind of core: the run is kept there and says so, in its facts and where it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.machine.kinds import read_kinds
from hwprof.records import Run
from hwprof.store import Results


def only_run(file: Path) -> Run:
    with Results.open(file) as results:
        (run,) = results.runs()
    return run


@pytest.mark.counting
def test_a_command_is_kept_on_the_kind_that_was_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kind, file = read_kinds()[0], tmp_path / "r.db"
    asked = f"kind={kind.model.lower()}"
    words = ["run", "-e", "task-clock", "--cpus", asked, "--results", str(file)]
    assert main([*words, "--", "sh", "-c", "grep Cpus_allowed_list /proc/self/status"]) == 0
    run, said = only_run(file), capfd.readouterr()
    assert set(run.case.cpus) <= set(kind.cpus)
    assert run.facts["cores"]["asked"] == asked
    assert run.facts["cores"]["kinds"] == [kind.model]
    assert f"({asked}: {kind.model}" in said.err


@pytest.mark.counting
def test_a_network_is_kept_on_the_kind_that_was_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kind, file = read_kinds()[0], tmp_path / "r.db"
    asked = f"kind={kind.model.lower()}"
    words = [
        "run",
        "-f",
        "onnxruntime",
        "-n",
        "tiny_cnn",
        "-e",
        "task-clock",
        "--iterations",
        "2",
        "--results",
        str(file),
    ]
    assert main([*words, "--rounds", "1", "--cpus", asked]) == 0
    run = only_run(file)
    assert set(run.case.cpus) <= set(kind.cpus)
    assert run.facts["cores"]["asked"] == asked
    assert f"({asked}: {kind.model}" in capfd.readouterr().out


@pytest.mark.parametrize("words", [["-n", "tiny_cnn"], ["--", "true"]])
def test_a_kind_that_is_not_there_is_refused_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--no-save", "--cpus", "kind=no-such-core", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "No core here is of the kind 'no-such-core'" in line
    assert read_kinds()[0].model in line
