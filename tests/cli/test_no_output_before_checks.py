"""No command creates a file or a folder before it knows that what it is told can be done."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Unavailable
from hwprof.errors import UsageError
from hwprof.store import Results, schema
from tests.factories import make_run

MATRIX = '[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["{}"]\n'
WORDS = [
    "report nowhere.db",
    "report nowhere.db -o out/deep --format html",
    "report nowhere.db --format latex",
    "export nowhere.db -o out.csv",
    "roofline nowhere.db -o out",
    "compare nowhere.db nowhere.db",
    "explain onnxruntime opencv nowhere.db",
    "import nowhere.db",
    "import nowhere.csv",
    "run -n no_such_network",
    "run -f no_such_framework",
    "run -n gone.onnx",
    "run -n tiny_cnn --cpus 999",
    "run -n tiny_cnn --option speed=9",
    "run -n tiny_cnn --shape 1,2",
    "run -n tiny_cnn --meter gone.csv",
    "run -n tiny_cnn --power-sensor no-such-sensor",
    "run --power-sensor no-such-sensor -- true",
    "sweep {tmp}/sensor.toml",
    "run -n tiny_cnn --strict -e cycles",
    "run -- no-such-command",
    "run --strict -e cycles -- true",
    "sweep {tmp}/unknown.toml",
    "sweep {tmp}/core.toml",
    "sweep {tmp}/strict.toml",
    "sweep {tmp}/gone.toml",
    "tune -n no_such_network",
    "tune -n tiny_cnn --vary nosuch=1",
    "tune --scaling -n no_such_network",
    "layers -n no_such_network",
    "compare --run hwprof no_such_environment",
    "events --validate -e no-such-event",
    "roofline --measure --cpus 999",
    "record -n no_such_network -o out.svg",
    "list frameworks --matrix -n no_such_network -o out.md",
    "tune --scaling -n tiny_cnn -o gone/out.png",
    "list frameworks --matrix -n tiny_cnn --size 32 -o gone/out.md",
]


@pytest.mark.parametrize("words", WORDS)
def test_a_refused_command_leaves_nothing(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Unavailable("no counters here", "")
    monkeypatch.setattr(PerfCollector, "probe", lambda self, names, cpus=(): dict.fromkeys(names, absent))
    (tmp_path / "unknown.toml").write_text(MATRIX.format("no_such_network"))
    (tmp_path / "core.toml").write_text(MATRIX.format("tiny_cnn") + '[launch]\ncpus = "999"\n')
    (tmp_path / "strict.toml").write_text(MATRIX.format("tiny_cnn") + '[counters]\nrequire = ["cycles"]\n')
    (tmp_path / "sensor.toml").write_text(MATRIX.format("tiny_cnn") + '[gauges]\npower_sensor = "no-such-sensor"\n')
    here = tmp_path / "empty"
    here.mkdir()
    monkeypatch.chdir(here)
    assert main(words.format(tmp=tmp_path).split()) in (2, 3, 127)
    assert capsys.readouterr().err.startswith("hwprof: ")
    assert list(here.iterdir()) == []


def test_a_new_file_that_holds_something_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with contextlib.suppress(UsageError), Results.open(path, create=True) as results:
        results.add(make_run())
        raise UsageError("later")
    with Results.open(path) as results:
        assert len(list(results.runs())) == 1


def test_a_new_file_that_holds_an_experiment_alone_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with contextlib.suppress(KeyboardInterrupt), Results.open(path, create=True) as results:
        results.begin_experiment("x", "", "x", 0)
        raise KeyboardInterrupt
    assert path.exists()


@pytest.mark.parametrize("content", ["nothing", "tables"])
def test_a_file_that_was_there_before_is_kept(content: str, tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.touch()
    if content == "tables":
        Results.open(path, create=True).close()
    with pytest.raises(UsageError), Results.open(path, create=True):
        raise UsageError("wrong")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (schema.FORMAT,)


def test_a_new_file_that_another_process_wrote_into_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with contextlib.suppress(UsageError), Results.open(path, create=True):
        with Results.open(path) as other:
            other.add(make_run())
        raise UsageError("wrong")
    with Results.open(path) as results:
        assert len(list(results.runs())) == 1
