"""Values of sensors that can't be true, planted as they were reported: none is called exact."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.collectors import cpu, power, thermal
from hwprof.collectors.review import RunFacts
from hwprof.records import Exactness, Reading, Series, Shape
from tests.collectors.reviewed import RAPL, S, marks, watched, window_of
from tests.collectors.test_gauges import put


def energies(root: Path, name: str, *values: str) -> dict[str, Reading]:
    """Readings of the power sensors of a machine whose file `name` had these values, a second apart."""
    put(root, {name: values[0]})
    found = watched(root, power.gauges(None, str(root)), [{name: value} for value in values])
    return {r.metric.partition("[")[0]: r for r in found.readings}


def test_an_energy_counter_that_wraps_at_a_range_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    put(tmp_path, {f"{RAPL}name": "package-0"})
    found = energies(tmp_path, f"{RAPL}energy_uj", "4000000000", "4005000000", "10000")
    assert {r.value for r in found.values()} == {None}
    assert found["energy"].why.startswith("went backwards from 4005 to 0.01 J: it was set back or started anew, or")


def test_a_wrap_of_a_known_range_is_exact(tmp_path: Path) -> None:
    put(tmp_path, {f"{RAPL}name": "package-0", f"{RAPL}max_energy_range_uj": "262143328850"})
    found = energies(tmp_path, f"{RAPL}energy_uj", "262140000000", "262142000000", "671149")
    assert found["energy"].value == pytest.approx(4.0)
    assert {r.exactness for r in found.values()} == {Exactness.EXACT}


def test_a_counter_that_started_anew_is_no_wrap_of_a_hundred_kilowatts(tmp_path: Path) -> None:
    put(tmp_path, {f"{RAPL}name": "package-0", f"{RAPL}max_energy_range_uj": "262143328850"})
    found = energies(tmp_path, f"{RAPL}energy_uj", "500000000", "510000000", "4671150")  # 261,648 J, 130,824 W
    assert {r.value for r in found.values()} == {None}
    assert "rose by 261,638 J in 1.00 s, which is more than 50,000 a second" in found["power"].why


def test_an_energy_meter_of_hwmon_that_fell_is_missing(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0/"
    put(tmp_path, {f"{chip}name": "sbrmi"})
    found = energies(tmp_path, f"{chip}energy1_input", "940000000", "945000000", "1000000")  # -939 J
    assert {r.value for r in found.values()} == {None}


def test_energy_above_idle_is_missing_with_the_energy(tmp_path: Path) -> None:
    fell = Series("energy", "J", "p", "powercap:0", cumulative=True, at_ns=(S, 2 * S, 3 * S), values=(9.0, 1.0, 5.0))
    less = Reading("energy-above-idle[p]", -12.0, "J", source="powercap:0", shape=Shape.COUNT)
    assert marks(window_of(less)) == {"energy-above-idle[p]": "exact"}, "it may be less than idle takes"
    assert marks(window_of(less), RunFacts(series=[fell])) == {"energy-above-idle[p]": "missing"}


def jiffies(busy: int) -> str:
    return f"cpu  1 0 0 0\ncpu0 {busy} 0 0 9000 0 0 0 0\n"


def test_busy_time_that_a_container_set_back_is_missing(tmp_path: Path) -> None:
    put(tmp_path, {"proc/stat": jiffies(500)})
    steps = [{"proc/stat": jiffies(ticks)} for ticks in (500, 560, 405)]  # -0.95 s
    found = {r.metric: r for r in watched(tmp_path, cpu.gauges(None, str(tmp_path)), steps).readings}
    assert found["cpu-busy[cpu0]"].exactness is Exactness.MISSING
    assert "went backwards from 5.6 to 4.05 s" in found["cpu-busy[cpu0]"].why
    assert found["cpu-steal[cpu0]"].value == 0


@pytest.mark.parametrize(("seconds", "known"), [(0.016, False), (0.049, False), (0.2, True), (2.0, True)])
def test_busy_time_needs_a_window_of_several_ticks(tmp_path: Path, seconds: float, known: bool) -> None:
    put(tmp_path, {"proc/stat": jiffies(500)})
    steps = [{"proc/stat": jiffies(ticks)} for ticks in (500, 590, 680)]
    found = {r.metric: r for r in watched(tmp_path, cpu.gauges(None, str(tmp_path)), steps, seconds).readings}
    busy = found["cpu-busy[cpu0]"]
    assert (busy.value is not None) is known
    assert known or "shorter than 5 intervals of the sensor (0.01 s each)" in busy.why


def test_a_core_is_not_busy_for_longer_than_the_window() -> None:
    busy = Reading("cpu-busy[cpu0]", 9.0, "s", domain="system", source="proc:stat", shape=Shape.COUNT)
    other = dataclasses.replace(busy, metric="cpu-busy[cpu1]", value=2.02)
    assert marks(window_of(busy, other)) == {"cpu-busy[cpu0]": "suspect", "cpu-busy[cpu1]": "exact"}


@pytest.mark.parametrize("wrong", ["4294967295000", "-2000000"])
def test_power_that_no_sensor_measures_is_missing_and_its_energy_too(tmp_path: Path, wrong: str) -> None:
    chip = "sys/class/hwmon/hwmon0/"
    put(tmp_path, {f"{chip}name": "ina260"})
    good = energies(tmp_path, f"{chip}power1_input", "2900000", "2950000", "2900000")
    assert {r.exactness for r in good.values()} == {Exactness.EXACT}
    bad = energies(tmp_path, f"{chip}power1_input", "2900000", wrong, "2900000")
    assert {r.value for r in bad.values()} == {None}
    assert bad["power"].why.startswith("1 of 3 values are not from -1 to 50000 W, as can be: ")


@pytest.mark.parametrize(
    ("metric", "file", "good", "wrong"),
    [
        ("temperature", "sys/class/thermal/thermal_zone0/temp", "54321", "-650788984"),
        ("temperature", "sys/class/thermal/thermal_zone0/temp", "54321", "-274000"),
        ("cpu-frequency", "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1600000", "0"),
        ("cpu-frequency", "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1600000", "16000000"),
    ],
)
def test_heat_and_clock_are_within_what_silicon_does(
    tmp_path: Path, metric: str, file: str, good: str, wrong: str
) -> None:
    put(tmp_path, {file: good})
    sensed = [
        watched(tmp_path, thermal.gauges(None, str(tmp_path)), [{file: v} for v in (good, value, good)])
        for value in (good, wrong)
    ]
    right, bad = (next(r for r in window.readings if r.metric.startswith(metric)) for window in sensed)
    assert right.exactness is Exactness.EXACT
    assert bad.value is None
    assert "1 of 3 values are not from" in bad.why
