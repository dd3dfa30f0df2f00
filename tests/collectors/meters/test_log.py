"""Logs of meters in the forms in which programs write them: all in watts, and what can't be read refused by line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hwprof.collectors.meters import MeterView, running
from hwprof.collectors.meters.columns import MeterColumn, classify
from hwprof.collectors.meters.log import MeterLog, interval_ns, parse
from hwprof.collectors.meters.times import wall_ns
from hwprof.errors import UsageError

S = 1_000_000_000
T = 1_700_000_000


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("power (mW)", MeterColumn("power", 1e-3, True)),
        ("Power[W]", MeterColumn("power", 1.0, True)),
        ("Watts", MeterColumn("power", 1.0, True)),
        ("power_w", MeterColumn("power", 1.0, True)),
        ("P/kW", MeterColumn("power", 1e3, True)),
        ("mW", MeterColumn("power", 1e-3, True)),
        ("active power µW", MeterColumn("power", 1e-6, True)),
        ("Current power (W)", MeterColumn("power", 1.0, True)),
        ("power", MeterColumn("power")),
        ("Voltage(mV)", MeterColumn("volts", 1e-3, True)),
        ("Current (uA)", MeterColumn("amperes", 1e-6, True)),
        ("current_mA", MeterColumn("amperes", 1e-3, True)),
        ("amps", MeterColumn("amperes", 1.0, True)),
        ("time (ms)", MeterColumn("time", 1e-3, True)),
        ("timestamp_us", MeterColumn("time", 1e-6, True)),
        ("Timestamp", MeterColumn("time")),
        ("apparent power (VA)", None),
        ("power (VA)", None),
        ("power (A*V)", None),
        ("energy (Wh)", None),
        ("power factor", None),
        ("power limit (W)", None),
        ("max_power (W)", None),
        ("temperature", None),
    ],
)
def test_a_head_says_what_a_column_is_and_its_prefix(head: str, found: MeterColumn | None) -> None:
    assert classify(head) == found


@pytest.mark.parametrize(("head", "says"), [("power (MW)", "mega"), ("power (dBm)", "'dBm'")])
def test_a_unit_that_is_no_power_of_a_machine_is_refused(head: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        classify(head)


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        (f"time,power (mW)\n{T},2500\n{T + 1},5000\n", (2.5, 5.0)),
        (f"Timestamp,Voltage(mV),Current(mA)\n{T},5000,500\n{T + 1},5000,1000\n", (2.5, 5.0)),
        (f"Timestamp,Volts,Amps\n{T}.0,5.0,0.5\n{T + 1}.0,5.0,1.0\n", (2.5, 5.0)),
        (f"time;power [W]\n{T};2,5\n{T + 1};5,0\n", (2.5, 5.0)),
        (f"time;power [W]\n{T};1.002,5\n{T + 1};5,0\n", (1002.5, 5.0)),
        (f'time,power (W)\n{T},"2,5"\n{T + 1},"5,0"\n', (2.5, 5.0)),
        (f'time,power (W)\n{T},"1,002.5"\n{T + 1},5.0\n', (1002.5, 5.0)),
        (f"time\tkW\n{T}\t0.0025\n{T + 1}\t0.005\n", (2.5, 5.0)),
        (f"Meter 3, serial 7\nrange,auto\ntime,W\n{T},2.5\n{T + 1},5\n", (2.5, 5.0)),
        (f"# time,power (W)\n{T},2.5 W\n# paused\n{T + 1},5000 mW\n", (2.5, 5.0)),
        (f"time,power (W)\n{T + 1},5\n{T},2.5\n", (2.5, 5.0)),
        (f"time,power (W)\n{T},2.5\n{T + 1},NaN\n", (2.5, None)),
        (f"time,power (W)\n{T},\n{T + 1},OL\n", (None, None)),
        (f"time,power (W)\n{T},2\n{T},3\n{T + 1},5\n", (2.5, 5.0)),
        (f"time,power (W)\n{T},2.5\n{T + 1},5\n{T + 2},7", (2.5, 5.0)),  # the last line is being written
    ],
)
def test_a_log_is_read_in_watts_in_order_of_time(text: str, watts: tuple[float | None, ...]) -> None:
    at_ns, found = parse(text, "log")
    assert at_ns == (T * S, (T + 1) * S)
    assert found == pytest.approx(watts)
    assert interval_ns(at_ns) == S


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1700000000", T * S),
        ("1700000000.123456789", T * S + 123_456_789),
        ("1700000000,5", T * S + S // 2),
        ("1700000000123", T * S + 123_000_000),
        ("1700000000123456", T * S + 123_456_000),
        ("1700000000123456789", T * S + 123_456_789),
        ("2023-11-14T22:13:20+00:00", T * S),
        ("2023-11-14 22:13:20.000123Z", T * S + 123_000),
        ("2023/11/14 22:13:20.5+00:00", T * S + S // 2),
        ("14.11.2023 22:13:20,25+00:00", T * S + S // 4),
        ("2023-11-14 22:13:20 UTC", T * S),
        ("2023-11-14 10:13:20.5 PM GMT", T * S + S // 2),
        ("2023-11-14 11:13:20 p.m.+01:00", T * S),
        ("2023-11-15 12:13:20 AM+02:00", T * S),
    ],
)
def test_times_are_as_exact_as_they_are_written(text: str, ns: int) -> None:
    assert wall_ns(text) == ns


def test_date_and_time_of_day_in_columns_of_their_own() -> None:
    at_ns, _ = parse("Date,Time,W\n2023-11-14,22:13:20.5Z,3\n2023-11-14,22:13:21Z,4\n", "log")
    assert at_ns == (T * S + S // 2, (T + 1) * S)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "has columns a, b"),
        (f"time,watts\n{T},x\n", "line 2: 'x' is no number"),
        (f"time,power (dBm)\n{T},3\n", "the unit of the column 'power \\(dBm\\)' is not known"),
        (f"time,power (VA)\n{T},3\n", "has columns time, power"),
        (f"time,volts,amps,power factor\n{T},230,1,0.6\n", "has columns time, volts, amps"),
        (f"time,power 1 (W),power 2 (W)\n{T},3,4\n", "has 2 columns of power"),
        ("time,power (W)\n0.5,3\n", "line 2: the time '0.5' counts from a start that the log does not name"),
        ("time (ms),power (W)\n1500,3\n", "line 2: the time '1500' counts from a start"),
        ("time,power (W)\n01/02/2026 10:00:00,3\n", "line 2: '01/02/2026 10:00:00' is no time with a date"),
        (f"time,power (W)\n{T},2,5\n{T + 1}\n", "line 3: 1 columns where the heads have 2"),
        (f'time,power (W)\n{T},"1,234"\n', "'1,234' may be thousands or a decimal comma"),
    ],
)
def test_a_log_that_makes_no_sense_is_refused_by_name_and_line(tmp_path: Path, text: str, says: str) -> None:
    log = tmp_path / "log.csv"
    log.write_text(text)
    with pytest.raises(UsageError, match=says), running(str(log)):
        pass


@pytest.mark.parametrize("text", ["2025-10-26 02:30:00", "2025-03-30 02:30:00"], ids=["twice", "never"])
def test_a_local_time_that_is_twice_or_never_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        with pytest.raises(ValueError, match="twice or never, as clocks change: log the zone"):
            wall_ns(text)
        assert wall_ns(f"{text}+01:00") == wall_ns(f"{text} GMT") - 3600 * S
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_log_is_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(f"time;Leistung power [µW]\r\n{T};2500000\r\n".encode(encoding))
    assert MeterLog(log).samples() == ((T * S,), (2.5,))


def test_a_log_that_is_not_there_is_refused_and_one_without_rows_yet_is_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"), running(str(tmp_path / "gone.csv")):
        pass
    (tmp_path / "log.csv").write_text("time,power (W)\n")
    with running(str(tmp_path / "log.csv")):
        assert MeterLog(tmp_path / "log.csv").samples() == ((), ())


def test_a_log_is_laid_over_a_run_by_its_times_and_read_again_as_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,watts\n" + "".join(f"{T + i},{i}\n" for i in range(50)))
    view = MeterView(str(log), offset_ns=-T * S)
    (series,) = view.series(20 * S, 25 * S)
    assert (series.at_ns, series.interval_ns) == (tuple(i * S for i in range(18, 28)), S)
    with log.open("a") as stream:
        stream.write(f"{T + 50},50\n")
    os.utime(log, ns=(1, 1))
    assert view.series(48 * S, 50 * S)[0].values[-1] == 50


def test_a_meter_is_waited_for_where_its_next_sample_is_still_to_come(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"time,watts\n{T},1\n{T + 2},1\n")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        with log.open("a") as stream:
            stream.write(f"{T + 2 + 2 * len(waited)},1\n")

    view = MeterView(str(log), offset_ns=-T * S, wait=wait)
    view.wait_for(2 * S)
    assert waited == []
    view.wait_for(5 * S)
    assert waited == [2.0, 2.0]
    view.wait_for(1000 * S)
    view.wait_for(2000 * S)
    assert len(waited) == 6  # in vain, and not again


def test_a_log_that_went_wrong_during_a_run_costs_the_readings_only(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"time,watts\n{T},5\n{T + 1},broken\n")
    view = MeterView(str(log), offset_ns=0)
    assert [s.values for s in view.series(0, 1 << 62)] == [()]
    assert view.faults == [f"meter log {log}, line 3: 'broken' is no number"]
