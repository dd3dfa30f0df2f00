"""`hwprof list networks`: the listing."""

from __future__ import annotations

import pytest

from hwprof.cli import main


def test_the_listing_ends_with_how_to_use_another_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "networks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("tiny_cnn ") for line in lines)
    assert lines[-1].startswith("Any .onnx")
