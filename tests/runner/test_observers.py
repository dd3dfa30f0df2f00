"""A network case counted by perf stat from outside: the same run, with its readings in the counted window."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.errors import NotAvailable
from hwprof.records import Role, Run, from_json
from tests.scripts import write_script

pytestmark = [pytest.mark.perf, pytest.mark.usefixtures("cache")]
# As many inferences in every window, so that its edges weigh as little on a busy machine.
WORDS = ["run", "--no-save", "-n", "tiny_cnn", "--backend", "perf", "--iterations", "1500", "--json"]


def test_perf_counts_the_counted_window_of_every_round(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "-r", "2", "-e", "task-clock,page-faults,context-switches:u"]) == 0
    runs = [from_json(Run, r) for r in json.loads(capfd.readouterr().out)["runs"]]
    assert len(runs) == 2  # the order of the windows is another in the second
    for run in runs:
        assert run.failure is None
        assert run.facts["backend"] == "perf-stat"
        by_role = {w.role: {r.metric: r for r in w.readings} for w in run.windows}
        assert "task-clock" not in by_role[Role.BARE]
        counted = by_role[Role.COUNTED]
        assert counted["task-clock"].source == "perf-stat:task-clock"
        clock, own = counted["task-clock"].value, counted["cpu-user-time"].value
        assert clock is not None
        assert own is not None
        # perf's edges lie further out than the process's own, and count what a hypervisor takes
        own += counted["cpu-system-time"].value or 0
        assert 0.7 * own < clock / 1e9 < 3 * own
        assert counted["context-switches:u"].value is None


def test_strict_is_refused_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "-e", "task-clock", "--strict"]) == 2
    assert "--strict is for hwprof's own counters" in capsys.readouterr().err


def test_perf_that_will_not_count_is_one_line_and_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = "echo 'Error:\nNo permission to enable task-clock event.' >&2; exit 255"
    refusing = write_script(tmp_path / "perf", words)
    monkeypatch.setattr("shutil.which", lambda name: str(refusing))
    assert main([*WORDS, "-r", "1", "-e", "task-clock"]) == NotAvailable.exit_code
    said = capsys.readouterr().err
    assert "No permission to enable task-clock event" in said
    assert "Traceback" not in said
