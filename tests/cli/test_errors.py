"""Bad input: one clear line on stderr, the right exit code, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hwprof.cli import main

RUN = ["run", "--no-save", "-n", "tiny_cnn", "-r", "1"]


def refused(capsys: pytest.CaptureFixture[str], words: list[str], code: int) -> str:
    """The one line that a command says when it refuses."""
    assert main(words) == code
    said = capsys.readouterr().err.strip()
    assert said.startswith("hwprof: ")
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*RUN, "-e", "cycels"], "Unknown event 'cycels'. Did you mean cycles"),
        ([*RUN, "-f", "onnxruntim"], "Unknown framework 'onnxruntim'. Did you mean onnxruntime"),
        (["run", "--no-save", "-n", "resnet81"], "Unknown network 'resnet81'. Did you mean resnet18"),
        (["run", "--no-save", "-n", "nowhere/x.onnx"], "no such file"),
        ([*RUN, "-b", "0"], "--batch must be a whole number from 1 to 65536, not 0"),
        ([*RUN, "-t", "-3"], "--threads must be a whole number from 1 to 8192, not -3"),
        ([*RUN, "--cpus", "999"], "Core 999 doesn't exist"),
        ([*RUN, "--cpus", "x"], "'x' is no list of CPUs"),
        ([*RUN, "--option", "speed=9"], "no option 'speed'"),
        ([*RUN, "--option", "graph=most"], "knows no graph = 'most'"),
        ([*RUN, "--precision", "fp7"], "computes no 'fp7'"),
        ([*RUN, "--size", "8"], "needs at least 32 pixels"),
        ([*RUN, "--iterations", "0"], "--iterations must be a whole number from 1 to 10000000, not 0"),
        ([*RUN, "--simulate", "-b", "2"], "batch 1 only"),
        (["sweep", "quik"], "No experiment 'quik'"),
        (["sweep", "nowhere/x.toml"], "No experiment file"),
        (["report", "nowhere.db"], "nowhere.db"),
        (["swep"], "Unknown command 'swep'. Did you mean sweep"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, words, 2)
    assert list(tmp_path.glob("*.db")) == []


def test_a_file_that_is_no_onnx(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is no network")
    assert "no valid ONNX model" in refused(capsys, ["run", "--no-save", "-n", str(broken)], 2)


def test_a_results_file_that_is_no_database(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("dear diary\n" * 200)
    assert "notes.db" in refused(capsys, ["report", str(file), "-o", str(tmp_path / "out")], 2)
    assert file.read_text().startswith("dear diary")


def test_unwritable_results_are_found_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["run", "-n", "tiny_cnn", "--results", str(tmp_path / "no" / "such" / "folder" / "x.db")]
    refused(capsys, words, 2)


def test_an_unknown_toml_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["tiny_cnn"]\nbatches = [1]\n')
    assert "Did you mean 'batch'" in refused(capsys, ["sweep", str(file)], 2)


def test_a_framework_that_is_not_installed_is_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hwprof.environments import interpreters

    absent = interpreters.Interpreter(sys.executable, error="No module named 'onnxruntime'")
    monkeypatch.setattr(interpreters, "find", lambda name, environment: absent)
    assert "pip install" in refused(capsys, RUN, 3)


def test_an_event_that_must_be_counted_and_cannot_is_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hwprof.collectors.perf import PerfCollector
    from hwprof.collectors.protocol import Unavailable

    no_permission = Unavailable("kernel.perf_event_paranoid is 3", "sysctl kernel.perf_event_paranoid=1")
    monkeypatch.setattr(PerfCollector, "probe", lambda self, names, cpus=(): dict.fromkeys(names, no_permission))
    said = refused(capsys, [*RUN, "-e", "cycles", "--strict"], 3)
    assert "Required event 'cycles'" in said
    assert "sysctl" in said


def test_the_version_comes_without_the_rest_of_the_program() -> None:
    program = "import sys; from hwprof.cli import main; main(['--version']); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("hwprof 0")
    assert not {"argparse", "numpy", "pandas", "sqlalchemy"} & set(said.split())


def test_help_of_every_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    from hwprof.cli.commands import COMMANDS

    for command in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
        assert f"hwprof {command}" in capsys.readouterr().out
