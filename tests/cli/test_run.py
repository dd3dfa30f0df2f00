"""`hwprof run`: what it prints of a case, with -q, -v and --json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.comparison import calibration
from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.comparison.sessions import SessionNoise
from hwprof.cli import run
from hwprof.cli.run import ceilings_of, show
from hwprof.cli.verbosity import Verbosity, verbosity_of
from hwprof.machine.facts import machine_id
from hwprof.records import Ceiling, Run
from hwprof.store import Results
from tests.factories import HOST_STATE, MACHINE, make_run

METRICS = {
    **{"cycles": 2e6, "instructions": 3e6, "cache-misses": 1.5e3, "page-faults": 0.5, "task-clock": 1e6},
    **{f"event-{number}": 1.0 for number in range(15)},
}
RUNS = [make_run(fps=40.0 + n, round=n, metrics=METRICS, cpus=(0,)) for n in range(3)]
ASKED = ("-e", "cache-misses,cycles,page-faults")


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return parser.parse_args(words)


def said(capsys: pytest.CaptureFixture[str], *words: str, runs: Sequence[Run] = RUNS) -> str:
    show(parsed("--no-save", *words), runs, ())
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HWPROF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def test_three_events_that_were_asked_for_are_three_rows_and_what_follows_from_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys, *ASKED)
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if "per frame" in line and "event" in line)
    assert [line.split()[1] for line in lines[start + 1 : start + 5]] == [
        "cycles",
        "cache-misses",
        "page-faults",
        "IPC",
    ]
    assert "Also recorded: 17 metrics (-v shows them)" in text
    assert max(map(len, lines)) <= 80


def test_v_shows_everything(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *ASKED, "-v")
    assert "event-14" in text
    assert "Also recorded" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_q_prints_the_result_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said(capsys, "-q").splitlines()
    assert line.startswith("onnxruntime mobilenet_v2 224px b1 t1 fp32: 41.0 [")


def test_q_and_v_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parsed("-q", "-v")
    assert end.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
    found = [verbosity_of(parsed(*words)) for words in ((), ("-q",), ("-v",))]
    assert found == [Verbosity.NORMAL, Verbosity.QUIET, Verbosity.VERBOSE]


def test_at_the_end_stand_the_bottleneck_and_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "-n", "mobilenet_v2")
    tail = text.partition("  bottleneck  ")[2]
    assert tail
    assert "\n  next        hwprof " in tail


def test_what_sessions_differ_by_is_said_where_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = " ".join(said(capsys).split())
    assert "within this session" in unknown
    assert "not calibrated (hwprof compare --calibrate)" in unknown
    noise = SessionNoise(0.021, 5, 0.01, 12, 3.0, 6, 4)
    calibration.keep(MachineNoise(machine_id(MACHINE), "board", "2000-01-01", {"FPS": noise}))
    known = " ".join(said(capsys).split())
    assert "FPS: sessions differ by 2.1 %" in known
    assert "not calibrated" not in known


def test_a_calibration_that_can_not_be_read_costs_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = calibration.keep(MachineNoise(machine_id(MACHINE), "board", "2000-01-01", {}))
    path.write_text("{")
    show(parsed("--no-save"), RUNS, ())
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "can't be read" in captured.err
    assert "  FPS " in captured.out


def test_json_is_one_document_with_the_bottlenecks(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(said(capsys, "--json"))
    assert found["format"] == 2
    assert found["speed"]["fps"]["value"] == pytest.approx(41, rel=0.01)
    assert len(found["runs"]) == 3
    assert {"code", "state", "sure"} <= found["bottlenecks"][0].keys()


def test_the_ceilings_are_those_of_the_machine_of_the_run(tmp_path: Path) -> None:
    with Results.open(tmp_path / "r.db", create=True) as results:
        results.add(RUNS[0])
        assert ceilings_of(results, RUNS[0]) == ()
        results.add_ceilings(MACHINE, HOST_STATE, [Ceiling("fp32", "avx2", (0,), 1e11, "op/s")])
        results.add_ceilings({"label": "another"}, HOST_STATE, [Ceiling("fp32", "avx2", (0,), 9e11, "op/s")])
        (roof,) = ceilings_of(results, RUNS[0])
    assert roof.compute == {"fp32": 1e11}
