"""`hwprof sweep`: what it says without measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.errors import EXIT_OK

BLOCKS = """
format = 1
[matrix]
frameworks = ["onnxruntime"]
networks = ["resnet18", "resnet50", "mobilenet_v2", "googlenet"]
size = 64
blocks = true
most_blocks = 4
"""


def test_detectable_prints_the_smallest_correlation_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blocks.toml").write_text(BLOCKS)
    assert main(["sweep", "./blocks.toml", "--detectable"]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    found = next(line for line in lines if "16 blocks of 4 networks" in line)
    assert "0.86 to 0.94 for one metric" in found
    assert any("Nothing is tested where no instructions are counted" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["blocks.toml"]


def test_blocks_are_listed_with_their_copies_and_those_left_out_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "networks", "--blocks", "mobilenet_v2", "--size", "96"]) == EXIT_OK
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("block:mobilenet_v2/11-depthwise"))
    assert line.split()[1:3] == ["1x144x24x24", "48"]
    assert "too small: it would take" in text
