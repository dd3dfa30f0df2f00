"""A network's or framework's name where a command is expected: the message names the option that takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.cli.case_names import remedy_for
from hwprof.networks import table
from hwprof.plugins import framework_names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "mobilenet_v2"], "hwprof run -n mobilenet_v2"),
        (["run", "--no-save", "--", "opencv"], "hwprof run -f opencv"),
        (["run", "mobilenetv2"], "Did you mean the network? hwprof run -n mobilenet_v2"),
        (["run", "./gone.onnx"], "hwprof run -n ./gone.onnx"),
        (["run", "./mine.onnx"], "hwprof run -n ./mine.onnx"),  # is there, and is no program
        (["mobilenet_v2"], "hwprof run -n mobilenet_v2"),
        (["onnxruntime"], "hwprof run -f onnxruntime"),
    ],
)
def test_the_message_names_the_option(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.onnx").write_bytes(b"")
    assert main(words) in (2, 126, 127)
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("option", ["-n", "-f"])
def test_every_name_has_its_remedy(option: str) -> None:
    names = table.names() if option == "-n" else framework_names()
    assert [remedy_for(name).rpartition(": ")[2] for name in names] == [f"hwprof run {option} {n}" for n in names]


def test_another_word_keeps_its_own_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert remedy_for("no-such-command") == ""
    assert main(["run", "--", "no-such-command"]) == 127
    assert "-n" not in capsys.readouterr().err.split("'no-such-command'")[1]
