"""What is no regular file is refused with one line, by every command that reads results, and nothing hangs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.errors import ResultsError
from hwprof.store import Results
from hwprof.store.database import check_file

COMMANDS = {
    "report": ["report", "{}"],
    "export": ["export", "{}"],
    "explain": ["explain", "onnxruntime", "opencv", "{}"],
    "explain selector": ["explain", "results={},onnxruntime", "opencv"],
    "bottlenecks": ["bottlenecks", "{}"],
    "evaluate": ["predict", "{}", "--evaluate"],
    "roofline": ["roofline", "{}"],
    "predict": ["predict", "-n", "tiny_cnn", "-f", "onnxruntime", "--results", "{}"],
    "compare": ["compare", "{}", "{}"],
    "import": ["import", "{}"],
    "tune": ["tune", "--list", "--results", "{}"],
    "run": ["run", "-n", "tiny_cnn", "--results", "{}"],
    "command": ["run", "--results", "{}", "--", "true"],
    "sweep": ["sweep", "quick", "--results", "{}"],
    "scaling": ["tune", "--scaling", "-n", "tiny_cnn", "--results", "{}"],
    "layers": ["layers", "-n", "tiny_cnn", "--results", "{}"],
}


@pytest.fixture(params=["FIFO", "directory", "device", "socket"])
def odd_file(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "odd.db"
    if request.param == "FIFO":
        os.mkfifo(path)
    elif request.param == "directory":
        path.mkdir()
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        server = socket.socket(socket.AF_UNIX)
        server.bind(os.path.relpath(path))
        server.close()
    return request.param, path


@pytest.mark.parametrize("create", [False, True])
def test_it_is_refused_by_its_kind(odd_file: tuple[str, Path], create: bool) -> None:
    kind, path = odd_file
    with pytest.raises(ResultsError, match=f"odd.db is a {kind}"):
        Results.open(path, create=create)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_a_fifo(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "odd.db")
    assert main([word.format(tmp_path / "odd.db") for word in COMMANDS[name]]) == 2
    said = capsys.readouterr().err
    assert "odd.db is a FIFO" in said
    assert len([line for line in said.splitlines() if " is now " not in line]) == 1  # of a former name


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/db", "sqlite:///results.db", "mysql+pymysql://h/d"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_database_url_is_no_file_name(
    name: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([word.format(url) for word in COMMANDS[name]]) == 2
    said = capsys.readouterr().err
    assert f"A database URL ({url.partition(':')[0]}://...) is no results file" in said
    assert "secret" not in said
    assert len([line for line in said.splitlines() if " is now " not in line]) == 1  # of a former name
    assert list(tmp_path.iterdir()) == []


def test_a_url_in_the_environment_is_refused_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HWPROF_RESULTS", "postgresql://host/db")
    assert main(["report"]) == 2
    assert "A database URL (postgresql://...) is no results file" in capsys.readouterr().err


def test_a_file_whose_folder_has_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("board:").mkdir()
    Results.open("board:/r.db", create=True).close()
    assert check_file(Path("board:/r.db"))
