"""Every name that analysis, reports and commands ask results for is given by a collector or a table of a CPU."""

from __future__ import annotations

import fnmatch
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from hwprof.collectors import callgrind, cpu, memory, power, thermal
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.tables import load_tables
from hwprof.collectors.protocol import Available
from hwprof.collectors.riscv import counters
from hwprof.collectors.vocabulary import LEVEL1, Name
from hwprof.errors import UnknownEvent
from hwprof.records import Origin, Series
from tests import recorded_machines
from tests.collectors.perf.fake import FakeKernel
from tests.collectors.perf.test_topdown import IceLake, ice_lake
from tests.collectors.test_gauges import WINDOW, put

RECORDED = [name for name in recorded_machines.NAMES if (recorded_machines.root(name) / "proc/cpuinfo").exists()]
SIMULATED = {*callgrind.METRICS, *counters.METRICS, counters.SHARE}


class AnyEvent(dict[tuple[int, int], int]):
    """Events of a kernel that has whatever code it is asked for."""

    def __contains__(self, key: object) -> bool:
        return True


def openable(root: Path, kernel: FakeKernel, name: str) -> bool:
    """Whether the event has a code on this machine that its kernel opens: no reason and no error instead."""
    try:
        return isinstance(PerfCollector(root, kernel).probe([name])[name], Available)
    except UnknownEvent:
        return False


@pytest.fixture
def events(tmp_path: Path) -> set[str]:
    """Names of the vocabulary that are events of a recorded machine, or of Intel's large cores since Ice Lake."""
    places = [(recorded_machines.root(name), FakeKernel(events=AnyEvent())) for name in RECORDED]
    places.append((ice_lake(tmp_path / "icelake"), IceLake()))
    return {name for name in Name if any(openable(root, kernel, name) for root, kernel in places)}


@pytest.fixture
def accounts(tmp_path: Path) -> set[str]:
    """Metrics of the collectors that read /proc and /sys, on a small tree that has a file for each of them."""
    devices = "sys/devices/"
    root = put(
        tmp_path / "tree",
        {
            "proc/stat": "cpu0 1 2 3 4 5 6 7 8\n",
            "proc/1/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.stat": "nr_throttled 1\nthrottled_usec 2\n",
            f"{devices}system/cpu/cpu0/cpufreq/scaling_cur_freq": "1000000\n",
            f"{devices}system/cpu/cpu0/thermal_throttle/core_throttle_count": "0\n",
            f"{devices}platform/soc/soc:firmware/get_throttled": "0\n",
            "sys/class/thermal/thermal_zone0/temp": "40000\n",
            "sys/class/powercap/intel-rapl:0/name": "package-0\n",
            "sys/class/powercap/intel-rapl:0/energy_uj": "1000000\n",
        },
    )
    gauges = [g for make in (thermal, cpu, memory, power) for g in make.gauges(1, str(root))]
    names = {channel.metric for gauge in gauges for channel in gauge.channels}
    series = Series("energy", "J", "x", "y", Origin.KERNEL, True, 0, (0, 4 * 10**9), (0.0, 1.0))
    names |= {r.metric.partition("[")[0] for r in power.PowerSensors("", [], []).readings([series], WINDOW)}
    return names | {c.metric for c in (*cpu.RUSAGE, *cpu.SCHEDULER, *cpu.MIGRATIONS)}


def test_every_name_that_is_asked_for_can_be_counted_somewhere(events: set[str], accounts: set[str]) -> None:
    assert not {name.value for name in Name} - events - accounts - SIMULATED


def test_what_no_machine_has_is_not_openable(tmp_path: Path) -> None:
    assert not openable(recorded_machines.root("skylake"), FakeKernel(events=AnyEvent()), "idq_uops_not_delivered.core")
    assert not openable(recorded_machines.root("skylake"), FakeKernel(events=AnyEvent()), "backend-stalls")
    assert not openable(ice_lake(tmp_path), FakeKernel(), LEVEL1["retiring"])


def test_every_pattern_of_the_table_of_metrics_fits_a_name_that_is_given(accounts: set[str]) -> None:
    known = {*accounts, *SIMULATED, *LEVEL1.values(), "slots"}
    known |= {n for name in RECORDED for n in PerfCollector(recorded_machines.root(name), FakeKernel()).parser.names()}
    known |= {name for table in load_tables() for name in (*table.events, *table.vendor)}
    known |= {"cpu_clk_unhalted.thread", "mcycle"}  # names of perf's lists, which a result or name=... may have
    table = tomllib.loads(resources.files("hwprof.configs").joinpath("metrics.toml").read_text(encoding="utf-8"))
    patterns = {pattern for entry in table["metric"].values() for pattern in entry["names"]}
    assert not {p for p in patterns if not any(fnmatch.fnmatchcase(name.lower(), p) for name in known)}
