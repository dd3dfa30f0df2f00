"""What is recorded about a machine: the same for the same machine, another for another one; and its cores."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwprof import machine
from hwprof.errors import UsageError

MACHINES = Path(__file__).parent / "machines"
NAMES = sorted(path.name for path in MACHINES.iterdir() if (path / "proc/cpuinfo").exists())


@pytest.fixture
def xeon(tmp_path: Path) -> Path:
    """A copy of the Xeon's tree that a test may change."""
    return shutil.copytree(MACHINES / "xeon", tmp_path / "xeon", symlinks=True)


def identity(root: Path) -> str:
    """Machine id of a tree."""
    return machine.machine_id(machine.hardware(root))


@pytest.mark.parametrize("name", NAMES)
def test_every_tree_says_where_it_is_from(name: str) -> None:
    said = (MACHINES / name / "SOURCE").read_text()
    assert said.startswith(("recorded", "modelled"))


def test_machines_have_ids_of_their_own() -> None:
    assert len(NAMES) >= 7
    assert len({identity(MACHINES / name) for name in NAMES}) == len(NAMES)


def test_frequency_load_and_governor_do_not_change_the_machine(xeon: Path) -> None:
    before = identity(xeon)
    policy = xeon / "sys/devices/system/cpu/cpufreq/policy0"
    (policy / "scaling_cur_freq").write_text("3600000\n")
    (policy / "scaling_governor").write_text("performance\n")
    (xeon / "proc/loadavg").write_text("31.2 20.0 10.0 40/900 4711\n")
    memory = (xeon / "proc/meminfo").read_text().replace("MemTotal:       263700000", "MemTotal:       263690000")
    (xeon / "proc/meminfo").write_text(memory)
    cpuinfo = (xeon / "proc/cpuinfo").read_text()
    (xeon / "proc/cpuinfo").write_text(cpuinfo.replace("800.000", "3600.000"))
    assert identity(xeon) == before


def test_another_cache_is_another_machine(xeon: Path) -> None:
    before = identity(xeon)
    (xeon / "sys/devices/system/cpu/cpu0/cache/index3/size").write_text("24576K\n")
    assert identity(xeon) != before


def test_more_memory_is_another_machine(xeon: Path) -> None:
    before = identity(xeon)
    (xeon / "proc/meminfo").write_text("MemTotal:       527400000 kB\n")
    assert identity(xeon) != before


def test_governor_is_state_and_not_hardware(xeon: Path) -> None:
    before = machine.host_state(xeon)
    for file in xeon.glob("sys/devices/system/cpu/cpufreq/policy*/scaling_governor"):
        file.write_text("performance\n")
    after = machine.host_state(xeon)
    assert (before["governors"], after["governors"]) == (["powersave"], ["performance"])


def test_state_does_not_move_with_clock_and_load(xeon: Path) -> None:
    before = machine.host_state(xeon)
    (xeon / "proc/loadavg").write_text("31.2 20.0 10.0 40/900 4711\n")
    (xeon / "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq").write_text("3600000\n")
    assert machine.host_state(xeon) == before


def test_serial_number_is_not_recorded(tmp_path: Path) -> None:
    root = shutil.copytree(MACHINES / "rpi5", tmp_path / "rpi5", symlinks=True)
    before = identity(root)
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace("0000000000000000", "10000000deadbeef"))
    assert identity(root) == before
    assert "deadbeef" not in str(machine.hardware(root)) + str(machine.host_state(root))


def test_topology_counts_sockets_cores_and_siblings() -> None:
    facts = machine.hardware(MACHINES / "xeon")
    assert facts["cpus"] == 32
    assert facts["cores"] == {"sockets": 2, "physical": 16, "threads_per_core": 2}
    assert facts["numa_nodes"] == 2


def test_clusters_do_not_hide_cores_of_equal_number() -> None:
    # the K1 numbers its cores 0 to 3 in each cluster
    assert machine.hardware(MACHINES / "bpi-f3")["cores"]["physical"] == 8


def test_missing_files_give_no_entry(tmp_path: Path) -> None:
    facts = machine.hardware(tmp_path)
    assert "caches" not in facts
    assert "memory_gib" not in facts
    assert "governors" not in machine.host_state(tmp_path)


@pytest.mark.parametrize(
    ("text", "cpus"), [("0", (0,)), ("0,2-3", (0, 2, 3)), ("3,1", (1, 3)), ("2-2", (2,)), (" 1 , 4 ", (1, 4))]
)
def test_lists_of_cores(text: str, cpus: tuple[int, ...]) -> None:
    assert machine.parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["", "x", "3-1", "-1", "1,,2", "1;2", "0x1"])
def test_no_list_of_cores(text: str) -> None:
    with pytest.raises(UsageError) as error:
        machine.parse_cpus(text)
    assert error.value.remedy


def test_a_core_that_is_not_there_is_refused_and_the_others_named() -> None:
    with pytest.raises(UsageError, match="core 7 doesn't exist") as error:
        machine.check_cpus((1, 7), allowed=(0, 1))
    assert "0,1" in error.value.remedy


def test_cores_that_are_there_are_taken() -> None:
    machine.check_cpus((0, 1), allowed=(0, 1))


@pytest.mark.parametrize("threads", [1, 2, 4, 8])
def test_default_cores_are_no_siblings_while_there_are_cores(threads: int) -> None:
    root = MACHINES / "ryzen"
    cpus = machine.default_cpus(threads, root, machine.online(root))
    assert len(cpus) == threads
    assert len({cpu % 8 for cpu in cpus}) == threads


def test_default_cores_leave_core_0_to_the_others() -> None:
    for name in NAMES:
        root = MACHINES / name
        assert 0 not in machine.default_cpus(1, root, machine.online(root))


def test_default_cores_stay_in_one_socket() -> None:
    root = MACHINES / "xeon"
    cpus = machine.default_cpus(4, root, machine.online(root))
    assert len({cpu // 8 for cpu in cpus}) == 1


def test_default_cores_are_of_the_fastest_kind(tmp_path: Path) -> None:
    for cpu, capacity in enumerate((1024, 1024, 380, 380, 380, 380)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(str(capacity))
    assert machine.default_cpus(1, tmp_path, range(6)) == (1,)
    assert machine.default_cpus(2, tmp_path, range(6)) == (0, 1)


def test_default_cores_are_only_the_allowed_ones() -> None:
    assert set(machine.default_cpus(2, MACHINES / "xeon", (3, 4, 5))) <= {3, 4, 5}
    assert machine.default_cpus(9, MACHINES / "xeon", (3, 4)) == (3, 4)


def test_absent_distribution_has_no_version() -> None:
    said = machine.software(["pytest", "no-such-distribution"])
    assert said["distributions"]["pytest"] == pytest.__version__
    assert said["distributions"]["no-such-distribution"] is None
    assert said["python"].count(".") == 2


def test_a_riscv_board_is_known_by_its_vendor_ids() -> None:
    assert machine.hardware(MACHINES / "bpi-f3")["ids"] == ["0x710-0x8000000058000001-0x1000000049772200"]
    assert machine.hardware(MACHINES / "visionfive2")["ids"] == ["0x489-0x8000000000000007-0x4210427"]


def test_a_virtual_machine_is_recognised() -> None:
    virtual = {name for name in NAMES if "virtualisation" in machine.host_state(MACHINES / name)}
    assert virtual == {"vm"}


def test_host_state_tells_the_governor_and_what_may_be_counted() -> None:
    state = machine.host_state(MACHINES / "rpi4")
    assert state["governors"] == ["ondemand"]
    assert state["perf_event_paranoid"] == "2"
    assert state["kernel"] == "6.6.51+rpt-rpi-v8"


@pytest.mark.parametrize("name", NAMES)
def test_every_tree_has_an_id_and_a_label(name: str) -> None:
    facts = machine.hardware(MACHINES / name)
    assert len(machine.machine_id(facts)) == 12
    assert f"{facts['cpus']} CPUs" in machine.label(facts)
