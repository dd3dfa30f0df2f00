"""Meters that a program reads: the line protocol, its failures, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwprof.collectors.machine_power import meter_readings
from hwprof.collectors.meters import MeterView, running
from hwprof.collectors.meters.live import LiveMeter, sample_of
from hwprof.errors import UsageError
from hwprof.records import Role, Series, Window
from tests.waiting import until

S = 1_000_000_000


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("1700000000.5 5.31", (2 * S + S // 2, 5.31)),
        ("1700000000, 5.31", (2 * S, 5.31)),
        ("1700000000;5.31;V=5.1", (2 * S, 5.31)),
        ("- 7", (3 * S, 7.0)),
        ("2023-11-14T22:13:20Z nan", (2 * S, None)),
        ("2023-11-14 22:13:20Z 4", (2 * S, 4.0)),
    ],
)
def test_a_line_has_a_time_and_watts(line: str, found: tuple[int, float | None]) -> None:
    assert sample_of(line, 3 * S, 1_700_000_001 * S) == found


@pytest.mark.parametrize("line", ["5.31", "noon 5.31", "1700000000 much", "12.5 5.31"])
def test_a_line_without_a_time_or_watts_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of two kinds
        sample_of(line, 3 * S, 1_700_000_001 * S)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def shell(text: str) -> str:
    return f'sh -c "{text}"'


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no-such-meter --fast", "The meter 'no-such-meter' can't be started: No such file or directory"),
        (shell("echo no sensor >&2; exit 3"), "The meter 'sh' ended with exit code 3: no sensor"),
        (shell("echo hello"), "ended with exit code 0; 1 line can't be read, first 'hello'"),
        ("'", "No closing quotation"),
        ("", "has no command"),
    ],
)
def test_a_meter_that_gives_nothing_is_refused_before_anything_is_measured(command: str, says: str) -> None:
    with pytest.raises(UsageError, match=says), running(f"exec:{command}"):
        raise AssertionError("it runs")


def test_a_meter_that_is_silent_is_refused_and_killed() -> None:
    live = LiveMeter("sleep 1000", first_s=0.01)
    with pytest.raises(UsageError, match=r"printed no sample within 0\.01 s"):
        live.start()


def test_a_meter_runs_as_long_as_the_cases_and_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = "exec:" + shell(f"sleep 1000 & echo $$ $! > {pids}; echo - 5; wait")
    with running(text), running(text):  # the inner one is the outer one
        own, child = map(int, pids.read_text().split())
        (series,) = MeterView(text).series(0, 1 << 62)
        assert series.values == (5.0,)
        assert series.source == "meter:exec:sh"
    assert until(lambda: not is_alive(own) and not is_alive(child))


def test_a_meter_that_ends_during_a_run_keeps_what_it_said_and_is_doubted() -> None:
    text = "exec:" + shell("echo - 5; echo mumble; echo - 6; echo bus error >&2; exit 1")
    with running(text):
        view = MeterView(text)
        assert until(lambda: bool(view.series(0, 1 << 62)) and len(view.faults) == 2)
        assert view.series(0, 1 << 62)[0].values == (5.0, 6.0)
        assert sorted(view.faults) == [
            "of the meter 1 line can't be read, first 'mumble'",
            "the meter ended with exit code 1: bus error",
        ]


def test_its_power_becomes_energy_of_a_window() -> None:
    live = LiveMeter("x")
    for second in range(11):
        live._at.append(second * S)
        live._watts.append(4.0)
    at_ns, watts = live.samples()
    series = Series("power", "W", "meter", "meter:exec:x", interval_ns=S, at_ns=at_ns, values=watts)
    found = {r.metric: r for r in meter_readings([series], Window(0, Role.BARE, -1, 2 * S, 8 * S, ()))}
    assert (found["power[meter]"].value, found["energy[meter]"].value) == (4.0, 24.0)
    assert found["power[meter]"].meaning == "the whole machine, by the user's meter"


def test_a_meter_dies_with_hwprof_however_that_ends(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    script = (
        "import os, signal\nfrom hwprof.collectors.meters import running\n"
        f"""with running('exec:sh -c "echo $$ > {pids}; echo - 5; exec sleep 1000"'):\n"""
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False, env=dict(os.environ))
    assert until(lambda: not is_alive(int(pids.read_text())))
