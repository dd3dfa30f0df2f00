"""Gauges of CPUs, memory and heat on small trees of /proc and /sys, and of what helpers of the process run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hwprof.collectors import cpu, memory, thermal
from hwprof.collectors.protocol import Target
from hwprof.records import Series
from tests.collectors.test_gauges import WINDOW, S, put

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
