"""A machine with one PMU, for the fake kernel."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sys/bus/event_source/devices/cpu").mkdir(parents=True)
    (tmp_path / "sys/bus/event_source/devices/cpu/type").write_text("4\n")
    return tmp_path
