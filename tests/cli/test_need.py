"""`hwprof report --need`: what is printed and written, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.errors import EXIT_OK, EXIT_UNMET, EXIT_USAGE
from tests.analysis.configurations.planted import rounds
from tests.cli.test_report import stored

ACCURACY = {
    "network": "squeezenet1_1",
    "scores": [{"name": "onnxruntime fp32", "top1": {"right": 72, "of": 100, "low": 0.71, "high": 0.8}, "top5": None}],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return stored(tmp_path / "r.db", [*rounds([100.0, 101.0, 102.0]), *rounds([10.0, 10.1, 10.2], batch=2)])


def test_what_meets_a_need_is_printed_and_written_in_every_format(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    words = ["report", str(results), "-o", str(folder), "--format", "all", "--need", "fps>=25, memory<=1GiB"]
    assert main(words) == EXIT_OK
    said = capsys.readouterr().out
    assert "Need: fps >= 25, memory <= 1 GiB\nOf 2 configurations 1 meets it, 0 nearly, 1 does not" in said
    document = json.loads((folder / "report.json").read_text())
    assert document["need"]["met"] is True
    assert [group["configurations"][0]["rank"] for group in document["configurations"]] == ["best"]
    assert "## Need: fps >= 25, memory \\<= 1 GiB" in (folder / "report.md").read_text()
    assert "What meets fps &gt;= 25, memory &lt;= 1 GiB" in (folder / "report.html").read_text()
    assert r"\caption{Need: fps \textgreater{}= 25" in (folder / "report.tex").read_text()
    assert {"best.svg", "batch-0.svg", "batch-0.csv"} <= {path.name for path in folder.iterdir()}


def test_a_need_that_nothing_meets_has_an_exit_code_of_its_own(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", str(results), "-o", str(tmp_path / "out"), "--format", "json"]
    assert main([*words, "--need", "fps>=1000"]) == EXIT_UNMET
    assert main([*words, "--need", "top1>=70"]) == EXIT_UNMET
    assert "hwprof accuracy --images DIR -n squeezenet1_1" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "report.json").read_text())["need"]["met"] is False


def test_accuracy_is_read_from_the_file_that_the_command_wrote(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "accuracy.json"
    file.write_text(json.dumps(ACCURACY))
    words = ["report", str(results), "-o", str(tmp_path / "out"), "--format", "json", "--accuracy", str(file)]
    assert main([*words, "--need", "fps>=25, top1>=70"]) == EXIT_OK
    assert "top1 72.0 [71.0, 80.0] %" in capsys.readouterr().out


def test_a_report_without_a_need_has_none(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(results), "-o", str(tmp_path / "out"), "--format", "json"]) == EXIT_OK
    assert "Need:" not in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "report.json").read_text())["need"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--need", "fps>>3"], "'fps>>3' is no condition"),
        (["--need", "speed>3"], "unknown quantity 'speed'"),
        (["--accuracy", "a.json"], "--accuracy is for --need"),
        (["--need", "top1>=70", "--accuracy", "missing.json"], "missing.json can't be read: No such file"),
    ],
)
def test_a_wrong_need_is_told_in_one_line_before_anything_is_written(
    words: list[str], says: str, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(["report", str(results), "-o", str(folder), *words]) == EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]
    assert not folder.exists()


def test_a_file_that_is_no_accuracy_is_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    file.write_text("no JSON")
    words = ["report", str(results), "-o", str(tmp_path / "out"), "--need", "top1>=70", "--accuracy", str(file)]
    assert main(words) == EXIT_USAGE
    assert "is not the output of hwprof accuracy --json" in capsys.readouterr().err
