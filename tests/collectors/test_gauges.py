"""Sensors on small trees of /proc and /sys: what is read, what is refused, and why."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.collectors import cpu, gauge, memory, power, thermal
from hwprof.collectors.protocol import Available, Target, Unavailable
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


STAT = "cpu  9 0 9 9 0 0 0 0\ncpu0 100 5 50 800 7 1 2 30 0 0\ncpu1 10 0 0 900 0 0 0 0 0 0\nintr 1\n"


def test_busy_and_stolen_time_of_each_core(tmp_path: Path) -> None:
    sensors = next(g for g in cpu.gauges(None, str(put(tmp_path, {"proc/stat": STAT}))) if g.name == "cpu")
    named = {(c.metric, c.label): v for c, v in zip(sensors.channels, sensors.sample(), strict=True)}
    tick = sensors.channels[0].scale
    assert named["cpu-busy", "cpu0"] == pytest.approx((100 + 5 + 50 + 1 + 2) * tick)
    assert named["cpu-steal", "cpu0"] == pytest.approx(30 * tick)
    (tmp_path / "proc/stat").write_text(STAT.replace("cpu1 10", "cpu1 25"))
    again = {(c.metric, c.label): v for c, v in zip(sensors.channels, sensors.sample(), strict=True)}
    assert again["cpu-busy", "cpu1"] == pytest.approx(25 * tick)


def cgroup_tree(root: Path) -> Path:
    group = "sys/fs/cgroup/box/"
    return put(
        root,
        {
            "proc/self/cgroup": "0::/box\n",
            "proc/meminfo": "MemTotal: 8000 kB\nMemAvailable: 4000 kB\n",
            f"{group}cpu.stat": "usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250000\n",
            f"{group}memory.max": "2000000",
            f"{group}memory.current": "1500000",
            f"{group}memory.stat": "anon 1\ninactive_file 100000\n",
        },
    )


def test_what_the_cgroup_held_back(tmp_path: Path) -> None:
    sensors = next(g for g in cpu.gauges(None, str(cgroup_tree(tmp_path))) if g.name == "cgroup")
    assert [c.metric for c in sensors.channels] == ["cgroup-throttled", "cgroup-throttled-time"]
    assert list(sensors.sample()) == [3.0, 0.25]


def throttling(root: Path) -> list[float | None]:
    sensors = next(g for g in cpu.gauges(None, str(root)) if g.name == "cgroup")
    assert [c.metric for c in sensors.channels] == ["cgroup-throttled", "cgroup-throttled-time"]
    return list(sensors.sample())


def test_a_cpu_limit_of_the_parent_group_holds_back_too(tmp_path: Path) -> None:
    parent, none = "sys/fs/cgroup/pod/", "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
    tree = {
        "proc/self/cgroup": "0::/pod/box\n",
        f"{parent}cpu.stat": "nr_periods 90\nnr_throttled 41\nthrottled_usec 3500000\n",
        f"{parent}box/cpu.stat": none,
        "sys/fs/cgroup/cpu.stat": "usage_usec 5\n",  # the root has no limit
    }
    assert throttling(put(tmp_path, tree)) == pytest.approx([41, 3.5])
    # of the group itself, whatever level held it: it was not runnable all the time that its parent was held
    put(tmp_path, {f"{parent}box/cpu.stat.local": "throttled_usec 2000000\n"})
    assert throttling(tmp_path) == pytest.approx([41, 2.0])


def test_version_1_counts_throttling_in_nanoseconds(tmp_path: Path) -> None:
    parent = "sys/fs/cgroup/cpu,cpuacct/pod/"
    tree = {
        "proc/self/cgroup": "3:cpu,cpuacct:/pod/box\n1:name=systemd:/\n",
        f"{parent}cpu.stat": "nr_periods 90\nnr_throttled 41\nthrottled_time 3500000000\n",
        f"{parent}box/cpu.stat": "nr_periods 7\nnr_throttled 2\nthrottled_time 500000000\n",
    }
    assert throttling(put(tmp_path, tree)) == pytest.approx([43, 4.0])


def test_headroom_is_the_lesser_of_machine_and_cgroup(tmp_path: Path) -> None:
    assert memory.headroom(cgroup_tree(tmp_path)) == 600_000
    (tmp_path / "sys/fs/cgroup/box/memory.max").write_text("max")
    assert memory.headroom(tmp_path) == 4000 * 1024
    assert memory.headroom(tmp_path / "nothing") is None


def test_memory_of_a_process(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {
            "proc/7/status": "Name: x\nVmHWM:\t  900 kB\nVmRSS:\t  800 kB\nVmSwap:\t 0 kB\n",
            "proc/7/smaps_rollup": "00-ff ---p\nRss: 800 kB\nPss: 500 kB\nPrivate_Clean: 100 kB\nPrivate_Dirty: "
            "200 kB\n",
        },
    )
    (sensors,) = memory.gauges(7, str(root))
    assert [v for v in sensors.sample() if v is not None] == [800 * 1024, 900 * 1024, 0]
    assert memory.pss(7, root) == {"pss_bytes": 500 * 1024, "uss_bytes": 300 * 1024}
    assert memory.pss(8, root) == {}


def test_clock_heat_and_throttling(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1600000",
            "sys/class/thermal/thermal_zone0/type": "cluster0_thermal",
            "sys/class/thermal/thermal_zone0/temp": "54321",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
        },
    )
    (sensors,) = thermal.gauges(None, str(root))
    assert sensors.sample() == pytest.approx([1.6e9, 54.321, 1.0])
    assert thermal.firmware_throttled("50000") == 0.0  # it has occurred, but not now
    assert thermal.firmware_throttled(None) is None


def test_a_moving_clock_and_a_throttle_count_raise_doubts_on_our_own_cores_only() -> None:
    def of(metric: str, label: str, *values: float) -> Series:
        return Series(metric, "Hz", label, at_ns=(1 * S, 2 * S, 3 * S), values=values)

    moving = of("cpu-frequency", "cpu1", 2e9, 1.5e9, 2e9)
    assert [d.code for d in thermal.doubts([moving], [WINDOW], [1])] == ["frequency-drift"]
    assert thermal.doubts([moving], [WINDOW], [0]) == []
    assert [d.code for d in thermal.doubts([of("throttle-events", "cpu1", 3, 3, 4)], [WINDOW], [1])] == ["throttled"]


def test_accounts_of_the_own_process_grow_with_its_work() -> None:
    with cpu.CpuCollector().open(Target(), []) as session:
        before = session.read()
        total = sum(i * i for i in range(300_000))
        after = session.read()
    assert total > 0
    assert session.groups[0].counters[0].metric == "cpu-user-time"
    assert (after[0].raw[0] or 0) + (after[0].raw[1] or 0) > (before[0].raw[0] or 0) + (before[0].raw[1] or 0)


@pytest.mark.parametrize("helper_works", [True, False])
def test_the_run_time_of_helpers_is_told_from_that_of_the_first_thread(helper_works: bool) -> None:
    worked, ended = threading.Event(), threading.Event()

    def work(amount: int) -> None:
        assert sum(i * i for i in range(amount)) >= 0

    def help_() -> None:
        work(3_000_000 if helper_works else 0)
        worked.set()
        ended.wait()  # the account of a thread ends with it

    with cpu.CpuCollector().open(Target(), []) as session:
        place = next(i for i, group in enumerate(session.groups) if group.counters == cpu.SCHEDULER)
        before = session.read()[place].raw
        helper = threading.Thread(target=help_)
        helper.start()
        work(0 if helper_works else 3_000_000)
        worked.wait()
        after = session.read()[place].raw
        ended.set()
        helper.join()
    _, ran, beside = ((b or 0) - (a or 0) for a, b in zip(before, after, strict=True))
    assert (beside > ran / 2) is helper_works
