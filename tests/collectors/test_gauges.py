"""Sensors on small trees of /proc and /sys: what is read, what is refused, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.collectors import gauge, power
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.records import Exactness, Role, Series, Window

S = 1_000_000_000
WINDOW = Window(0, Role.BARE, -1, 1 * S, 3 * S, ())


def put(root: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def rapl_tree(root: Path) -> Path:
    """A socket with a core domain, told twice: by MSR and by MMIO."""
    base = "sys/class/powercap/"
    return put(
        root,
        {
            f"{base}intel-rapl:0/name": "package-0\n",
            f"{base}intel-rapl:0/energy_uj": "1000000\n",
            f"{base}intel-rapl:0/max_energy_range_uj": "262143328850\n",
            f"{base}intel-rapl:0:0/name": "core\n",
            f"{base}intel-rapl:0:0/energy_uj": "400000\n",
            f"{base}intel-rapl:0:0/max_energy_range_uj": "262143328850\n",
            f"{base}intel-rapl-mmio:0/name": "package-0\n",
            f"{base}intel-rapl-mmio:0/energy_uj": "999999\n",
            f"{base}intel-rapl-mmio:0/max_energy_range_uj": "262143328850\n",
        },
    )


def test_a_package_told_by_two_providers_is_counted_once_and_its_parts_apart(tmp_path: Path) -> None:
    (sensors,) = power.gauges(None, str(rapl_tree(tmp_path)))
    assert [c.label for c in sensors.channels] == ["package-0", "package-0/core"]
    assert {c.source for c in sensors.channels} == {"powercap:intel-rapl:0", "powercap:intel-rapl:0:0"}
    assert sensors.sample() == pytest.approx([1.0, 0.4])


def test_a_wrapped_energy_counter_goes_on_counting(tmp_path: Path) -> None:
    root = rapl_tree(tmp_path)
    file = root / "sys/class/powercap/intel-rapl:0/energy_uj"
    (sensors,) = power.gauges(None, str(root))
    file.write_text("262143328000")
    before = sensors.sample()[0]
    file.write_text("149")
    after = sensors.sample()[0]
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(1000e-6)


def test_without_a_sensor_the_advice_is_a_meter(tmp_path: Path) -> None:
    state = power.probe(tmp_path)["power"]
    assert isinstance(state, Unavailable)
    assert "--meter" in state.remedy


def test_an_ina3221_multiplies_volts_and_amperes_and_skips_what_is_not_connected(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon3/"
    tree = {f"{chip}name": "ina3221", f"{chip}update_interval": "140"}
    for index, (label, volts) in enumerate([("VDD_CPU", "5000"), ("NC", "0"), ("VDD_SOC", "3300")], 1):
        tree |= {f"{chip}in{index}_label": label, f"{chip}in{index}_input": volts, f"{chip}curr{index}_input": "1200"}
    tree |= {f"{chip}in7_label": "sum of shunt voltages", f"{chip}in7_input": "9", f"{chip}curr4_input": "3600"}
    (sensors,) = power.gauges(None, str(put(tmp_path, tree)))
    assert [c.label for c in sensors.channels] == ["ina3221/VDD_CPU", "ina3221/VDD_SOC"]
    assert sensors.sample() == pytest.approx([6.0, 3.96])
    assert sensors.channels[0].interval_ns == 140_000_000


def test_hwmon_power_and_power_supply_in_their_units(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {
            "sys/class/hwmon/hwmon0/name": "ina260",
            "sys/class/hwmon/hwmon0/power1_input": "2900000",
            "sys/class/power_supply/BAT0/voltage_now": "12000000",
            "sys/class/power_supply/BAT0/current_now": "-1500000",
        },
    )
    (sensors,) = power.gauges(None, str(root))
    assert sensors.sample() == pytest.approx([2.9, 18.0])
    assert isinstance(power.probe(root)["power[BAT0]"], Available)


def series(values: list[float | None], cumulative: bool = False, interval_ns: int = 0) -> Series:
    metric, unit = ("energy", "J") if cumulative else ("power", "W")
    at = tuple(i * S for i in range(len(values)))
    return Series(metric, unit, "p", cumulative=cumulative, interval_ns=interval_ns, at_ns=at, values=tuple(values))


def power_readings(one: Series) -> dict[str, object]:
    found = power.PowerSensors("power", [], []).readings([one], WINDOW)
    return {r.metric: r.value if r.exactness is not Exactness.MISSING else r.why for r in found}


def test_power_becomes_energy_by_the_area_under_it() -> None:
    # 10, 20, 10, 10 W at 0, 1, 2, 3 s: from 1 to 3 s the area is 15 + 10
    assert power_readings(series([10, 20, 10, 10, 10])) == pytest.approx({"power[p]": 40 / 3, "energy[p]": 25.0})


def test_energy_becomes_power_by_the_length_of_the_window() -> None:
    assert power_readings(series([0, 5, 11, 25, 30], True)) == {"energy[p]": 20.0, "power[p]": 10.0}


def test_a_window_shorter_than_a_few_sensor_intervals_gets_no_figure() -> None:
    found = power_readings(series([10, 10, 10, 10], interval_ns=S))
    assert all("shorter than 5 intervals" in str(v) for v in found.values())


@pytest.mark.parametrize("cumulative", [True, False])
def test_a_sensor_slower_than_it_says_gets_no_figure_for_a_short_window(cumulative: bool) -> None:
    # sampled every second, a new value every four seconds: energy of 2 W, or a power that differs each time
    held = [8.0 * (i // 4) for i in range(32)] if cumulative else [10.0 + i // 4 * 3 % 7 for i in range(32)]
    found = power_readings(series([*held], cumulative, interval_ns=1_000_000))
    assert all("shorter than 5 intervals of the sensor (3 s each)" in str(v) for v in found.values())
    long = Window(0, Role.BARE, -1, 4 * S, 28 * S, ())
    one = series([*held], cumulative, interval_ns=1_000_000)
    assert all(r.value is not None for r in power.PowerSensors("power", [], []).readings([one], long))


def test_an_energy_that_stood_still_throughout_a_window_is_not_zero() -> None:
    found = power_readings(series([5.0, 5.0, 5.0, 5.0, 9.0], True))
    assert all("shorter than 5 intervals" in str(v) for v in found.values())


def test_a_part_of_a_package_that_is_switched_off_took_no_energy() -> None:
    one = replace(series([5.0, 5.0, 5.0, 5.0, 5.0], True, 1_000_000), source="powercap:intel-rapl:0:1")
    assert power_readings(one) == {"energy[p]": 0.0, "power[p]": 0.0}


def test_a_power_that_rests_now_and_then_is_not_taken_for_a_slow_sensor() -> None:
    steady = series([10, 10, 10, 10, 10, 10, 10, 10])
    coarse = series([10, 10, 11, 11, 11, 11, 11, 11, 10, 11, 11, 11, 10, 10, 10, 10, 10, 10, 11, 10])
    assert [power.observed_interval_ns(one) for one in (steady, coarse, series([]))] == [0, 0, 0]
    assert power_readings(steady) == pytest.approx({"power[p]": 10.0, "energy[p]": 20.0})


def test_two_samples_close_to_each_other_do_not_make_a_sensor_slow() -> None:
    at = (0, S, S + 1000, 2 * S, 3 * S, 4 * S)  # at an edge the next sample follows at once
    one = Series("energy", "J", "p", cumulative=True, at_ns=at, values=(0, 5, 5, 10, 15, 20))
    assert power.observed_interval_ns(one) == 1000
    assert power_readings(one) == pytest.approx({"energy[p]": 10.0, "power[p]": 5.0})


def test_the_mean_of_a_meter_is_as_slow_as_the_time_that_it_is_over(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0/"
    files = {"name": "power_meter", "power1_average": "80000000", "power1_average_interval": "300000"}
    (sensors,) = power.gauges(None, str(put(tmp_path, {chip + name: text for name, text in files.items()})))
    assert sensors.sample() == [80.0]
    assert sensors.channels[0].interval_ns == 300 * S


def test_samples_on_one_side_only_give_no_energy() -> None:
    assert "both sides" in str(power_readings(series([0, 5], True))["energy[p]"])
    assert "did not answer" in str(power_readings(series([None, None, None, None]))["power[p]"])


def test_energy_above_idle_is_less_by_idle_power_times_time() -> None:
    reading = gauge.reading(series([0, 5, 11, 25, 30], True), WINDOW)
    assert power.above_idle(reading, 4.0, WINDOW).value == 12.0
