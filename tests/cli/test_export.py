"""`hwprof export` and `hwprof import` of results files from the command line's side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType

import pytest

from hwprof.cli import export, import_
from hwprof.errors import ResultsError
from hwprof.records import Run, from_json
from hwprof.store import Results
from tests.factories import make_run, make_sliced_run


def call(module: ModuleType, *words: str) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    code: int = module.main(parser.parse_args(words))
    return code


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results file with one run, in the place where results are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HWPROF_RESULTS", raising=False)
    with Results.create("hwprof.db") as results:
        results.add(make_run(fps=40.0))
    return tmp_path / "hwprof.db"


def test_data_goes_to_stdout_and_nothing_else(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert call(export) == 0
    said = capfdbinary.readouterr()
    assert said.out.startswith(b"run,experiment,kind,framework,network")
    assert said.out.count(b"\n") == 2
    assert said.err == b""


def test_a_file_is_written_and_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(export, "-o", "out.json") == 0
    assert (path.parent / "out.json").read_text().startswith('{"experiments"')
    assert capsys.readouterr().err == "1 run -> out.json\n"


def test_another_results_file_can_be_named(path: Path) -> None:
    other = path.rename(path.with_name("other.db"))
    assert call(export, str(other), "-o", "x.csv") == 0
    with pytest.raises(ResultsError, match=r"No results file hwprof\.db"):
        call(export)


def test_import_makes_the_target_and_counts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(import_, "hwprof.db", "--results", "all.db") == 0
    assert call(import_, "hwprof.db", "--results", "all.db") == 0
    assert capsys.readouterr().out.splitlines() == [
        "hwprof.db: 1 run added, 0 known -> all.db",
        "hwprof.db: 0 runs added, 1 known -> all.db",
    ]
    with Results.open("all.db") as merged:
        assert list(merged.runs()) == [make_run(fps=40.0)]


def test_import_with_a_missing_file_makes_nothing(path: Path) -> None:
    with pytest.raises(ResultsError, match=r"none\.db"):
        call(import_, "hwprof.db", "none.db", "--results", "all.db")
    assert not Path("all.db").exists()


def test_import_names_what_it_left_out(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, uid in (("a.db", "aa01"), ("b.db", "bb01")):
        with Results.create(name) as results:
            results.add(make_run(uid=uid), results.begin_experiment("e", "", "plan", 0))
    assert call(import_, "b.db", "--results", "a.db") == 0
    assert "1 run omitted" in capsys.readouterr().err


def test_slices_go_out_as_json_as_they_are(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    run = make_sliced_run([1.0, 1.1], counts={"page-faults": (None, 0)}, round=1)
    with Results.open(path) as results:
        results.add(run)
    assert call(export, "--format", "json") == 0
    _, found = json.loads(capfdbinary.readouterr().out)["runs"]
    assert from_json(Run, found) == run
