"""`hwprof list`: experiments, cases, runs and boards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.plan.catalog import about, listing
from hwprof.plan.experiment import built_in_names
from hwprof.store import Results
from tests.factories import make_run

MINE = (
    '# Two networks at home. More of it.\n[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["tiny_cnn", "resnet18"]\n'
)


def test_experiments_are_the_built_in_ones_and_those_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "wrong.toml").write_text(MINE + "batches = [1]\n")
    (tmp_path / "broken.toml").write_text("[matrix]\nframeworks = [")
    found = {Path(one.name).name: one for one in listing(tmp_path)}
    assert set(found) == {*built_in_names(), "mine.toml", "wrong.toml", "broken.toml"}
    assert [one.error for one in found.values() if one.built_in] == [""] * len(built_in_names())
    assert all(one.about and one.cases for one in found.values() if one.built_in)
    mine = found["mine.toml"]
    assert (mine.about, mine.cases, mine.rounds, mine.error) == ("Two networks at home.", 2, 3, "")
    assert "Did you mean 'batch'" in found["wrong.toml"].error
    assert "not valid TOML" in found["broken.toml"].error


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("# One.\n# Two.\n", "One."),
        ("#  Over two\n#  lines. And more\n\n# other", "Over two lines."),
        ("format = 1\n# late\n", ""),
    ],
)
def test_the_description_is_the_first_sentence_of_the_head(text: str, first: str) -> None:
    assert about(text) == first


def test_experiments_are_named_as_sweep_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(MINE)
    assert main(["list", "experiments"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines() if " x " in line]
    assert names == [*built_in_names(), "mine.toml"]
    assert main(["list", "experiments", "nowhere"]) == 2
    assert "There is no folder nowhere" in capsys.readouterr().err


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with Results.create("r.db") as found:
        experiment = found.begin_experiment("quick", "", "plan", 0)
        found.add(make_run(uid="aa01", fps=40.0), experiment)
        found.add(make_run(uid="aa02", fps=44.0, round=1), experiment)
        found.add(make_run(uid="bb01", fps=10.0))
    return tmp_path / "r.db"


def test_runs_are_listed_with_id_experiment_and_speed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "runs", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["aa01", "aa02", "bb01"]
    assert "40.0" in lines[1]
    assert "quick" in lines[1]
    assert "quick" not in lines[3]
    assert lines[-1] == f"3 runs in {results}"
    assert main(["list", "runs", "--results", str(results), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["round"], row["ok"]) for row in document["runs"]] == [
        ("aa01", 1, True),
        ("aa02", 2, True),
        ("bb01", 1, True),
    ]


def test_a_case_is_listed_once_for_each_experiment(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "cases", str(results), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["cases"]
    assert [(row["experiment"], row["runs"], row["failed"]) for row in rows] == [
        ("quick", {"native": 2}, 0),
        (None, {"native": 1}, 0),
    ]
    assert [row["fps"] for row in rows] == pytest.approx([42.0, 10.0])
    assert main(["list", "cases", str(results)]) == 0
    assert "2 native" in capsys.readouterr().out


def test_an_empty_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Results.create(tmp_path / "e.db").close()
    assert main(["list", "runs", str(tmp_path / "e.db")]) == 0
    assert "holds no run." in capsys.readouterr().out


def test_boards_say_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("hwprof.boards.machines.shutil.which", lambda name, path=None: None)
    assert main(["list", "boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["riscv64", "arm64"]
    assert all("is not installed" in line for line in lines[:2])
    assert main(["list", "boards", "--json"]) == 0
    assert all(row["missing"] for row in json.loads(capsys.readouterr().out)["boards"])


def test_without_what_is_listed_it_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["list"])
    assert end.value.code == 2
    assert "WHAT" in capsys.readouterr().err
