"""FPS, throughput and CPU time of `hwprof run`, with their intervals and what these are of."""

from __future__ import annotations

import dataclasses

import pytest

from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.comparison.sessions import SessionNoise
from hwprof.records import Fidelity, Reading, Role, Run, not_comparable
from hwprof.reports.terminal import speed
from hwprof.reports.terminal.style import Palette
from hwprof.speed import between_rounds
from tests.factories import make_latencies, make_run, make_window

NOISE = MachineNoise("m", "board", "2000-01-01", {"FPS": SessionNoise(0.021, 5, 0.01, 12, 3.0, 6, 4)})


def timed(fps: float, number: int = 0, cpu_s: float | None = None, seconds: float = 0.6) -> Run:
    """A round whose bare window lasts so long, with the CPU time that its process used per frame."""
    run = make_run(fps=fps, round=number)
    latencies = make_latencies(int(1e9 / fps), 2 * int(seconds * fps / 2) + 1, seed=number)
    used = () if cpu_s is None else (cpu_s * len(latencies), 0.0)
    names = ("cpu-user-time", "cpu-system-time")
    readings = [Reading(name, value, "s") for name, value in zip(names, used, strict=bool(used))]
    return dataclasses.replace(run, windows=(make_window(0, Role.BARE, latencies, readings), run.windows[1]))


def line_of(lines: list[str], label: str) -> str:
    (found,) = (line for line in lines if line.strip().startswith(label))
    return found


def numbers(line: str) -> list[float]:
    return [float(word.strip("[],")) for word in line.split() if word.strip("[],").replace(".", "").isdigit()]


def test_rounds_give_each_figure_its_interval_within_this_session() -> None:
    runs = [timed(40 + i, i, cpu_s=0.02 + 0.001 * i) for i in range(3)]
    lines = speed.lines(runs)
    expected = between_rounds([40.0, 41.0, 42.0])
    assert numbers(line_of(lines, "FPS")) == pytest.approx(list(expected), abs=0.1)
    low, high = numbers(line_of(lines, "throughput"))[1:3]
    assert low < 41 / 1.01 < high
    assert numbers(line_of(lines, "CPU time")) == pytest.approx(list(between_rounds([20.0, 21.0, 22.0])), abs=1e-3)
    assert "Intervals: 95 % between 3 rounds, within this session." in " ".join(lines)


def test_one_round_has_the_interval_of_its_stretch_of_time_alone() -> None:
    lines = speed.lines([timed(50, seconds=1.4)])
    value, low, high = numbers(line_of(lines, "FPS"))
    assert low <= value <= high
    assert high / low < 1.02
    assert len(numbers(line_of(lines, "throughput"))) == 3
    text = " ".join(line.strip() for line in lines)
    assert "of this stretch of time (1.4 s of one round), not the precision of the case" in text
    assert "between" not in text.partition("Intervals")[2].partition("calibrated")[0].replace("between this", "")


def test_a_stretch_that_is_too_short_has_no_interval() -> None:
    lines = speed.lines([timed(50, seconds=0.5)])
    assert len(numbers(line_of(lines, "FPS"))) == 1
    assert len(numbers(line_of(lines, "throughput"))) == 1


def test_what_other_sessions_may_add_is_said_with_its_figure_or_as_unknown() -> None:
    runs = [timed(40, i) for i in range(3)]
    unknown = " ".join(" ".join(speed.lines(runs)).split())
    assert "by how much sessions of this machine differ is not calibrated (hwprof compare --calibrate)" in unknown
    known = " ".join(" ".join(speed.lines(runs, NOISE)).split())
    assert "FPS: sessions differ by 2.1 %" in known
    assert "not calibrated" not in known


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("width", [60, 80])
def test_the_lines_fit_the_terminal(count: int, width: int) -> None:
    lines = speed.lines([timed(12345.678, i, cpu_s=0.02) for i in range(count)], NOISE, width)
    assert max(map(len, lines)) <= width


def test_wrong_outputs_are_emphasised() -> None:
    wrong = dataclasses.replace(timed(40), fidelity=Fidelity(1.0, 0.5, None, 8, 1e-3))
    (line,) = (line for line in speed.lines([wrong], palette=Palette(True)) if "outputs" in line)
    assert line.startswith("\033[33m  outputs     UNFAITHFUL")
    unknown = dataclasses.replace(timed(40), fidelity=not_comparable("never repeats", 1e-3))
    (line,) = (line for line in speed.lines([unknown], palette=Palette(True)) if "outputs" in line)
    assert line.startswith("\033[33m")
