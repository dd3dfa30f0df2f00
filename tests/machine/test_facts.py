"""What is recorded about a machine: the same for the same machine, another for another one; and its cores."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwprof.errors import UsageError
from hwprof.machine import cpus as machine_cpus
from hwprof.machine import facts as machine_facts
from hwprof.printable import plural
from tests import recorded_machines


@pytest.fixture
def xeon(tmp_path: Path) -> Path:
    """A copy of the Xeon's tree that a test may change."""
    return shutil.copytree(recorded_machines.root("xeon"), tmp_path / "xeon", symlinks=True)


def identity(root: Path) -> str:
    """Machine id of a tree."""
    return machine_facts.machine_id(machine_facts.hardware(root))


@pytest.mark.parametrize("name", recorded_machines.NAMES)
def test_every_tree_says_where_it_is_from(name: str) -> None:
    said = (recorded_machines.root(name) / "SOURCE").read_text()
    assert said.startswith(("recorded", "modelled"))


def test_machines_have_ids_of_their_own() -> None:
    assert len(recorded_machines.NAMES) >= 7
    assert len({identity(recorded_machines.root(name)) for name in recorded_machines.NAMES}) == len(
        recorded_machines.NAMES
    )


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
    before = machine_facts.host_state(xeon)
    for file in xeon.glob("sys/devices/system/cpu/cpufreq/policy*/scaling_governor"):
        file.write_text("performance\n")
    after = machine_facts.host_state(xeon)
    assert (before["governors"], after["governors"]) == (["powersave"], ["performance"])


def test_state_does_not_move_with_clock_and_load(xeon: Path) -> None:
    before = machine_facts.host_state(xeon)
    (xeon / "proc/loadavg").write_text("31.2 20.0 10.0 40/900 4711\n")
    (xeon / "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq").write_text("3600000\n")
    assert machine_facts.host_state(xeon) == before


def test_serial_number_is_not_recorded(tmp_path: Path) -> None:
    root = shutil.copytree(recorded_machines.root("rpi5"), tmp_path / "rpi5", symlinks=True)
    before = identity(root)
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace("0000000000000000", "10000000deadbeef"))
    assert identity(root) == before
    assert "deadbeef" not in str(machine_facts.hardware(root)) + str(machine_facts.host_state(root))


def test_topology_counts_sockets_cores_and_siblings() -> None:
    facts = machine_facts.hardware(recorded_machines.root("xeon"))
    assert facts["cpus"] == 32
    assert facts["cores"] == {"sockets": 2, "physical": 16, "threads_per_core": 2}
    assert facts["numa_nodes"] == 2


def test_clusters_do_not_hide_cores_of_equal_number() -> None:
    # the K1 numbers its cores 0 to 3 in each cluster
    assert machine_facts.hardware(recorded_machines.root("bpi-f3"))["cores"]["physical"] == 8


def test_missing_files_give_no_entry(tmp_path: Path) -> None:
    facts = machine_facts.hardware(tmp_path)
    assert "caches" not in facts
    assert "memory_gib" not in facts
    assert "governors" not in machine_facts.host_state(tmp_path)


@pytest.mark.parametrize(
    ("text", "cpus"), [("0", (0,)), ("0,2-3", (0, 2, 3)), ("3,1", (1, 3)), ("2-2", (2,)), (" 1 , 4 ", (1, 4))]
)
def test_lists_of_cores(text: str, cpus: tuple[int, ...]) -> None:
    assert machine_cpus.parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["", "x", "3-1", "-1", "1,,2", "1;2", "0x1"])
def test_no_list_of_cores(text: str) -> None:
    with pytest.raises(UsageError) as error:
        machine_cpus.parse_cpus(text)
    assert error.value.remedy


def test_a_core_that_is_not_there_is_refused_and_the_others_named() -> None:
    with pytest.raises(UsageError, match="Core 7 doesn't exist") as error:
        machine_cpus.check_cpus((1, 7), allowed=(0, 1))
    assert "0,1" in error.value.remedy


def test_cores_that_are_there_are_taken() -> None:
    machine_cpus.check_cpus((0, 1), allowed=(0, 1))


@pytest.mark.parametrize("threads", [1, 2, 4, 8])
def test_default_cores_are_no_siblings_while_there_are_cores(threads: int) -> None:
    root = recorded_machines.root("ryzen")
    cpus = machine_cpus.default_cpus(threads, root, machine_cpus.online_cpus(root))
    assert len(cpus) == threads
    assert len({cpu % 8 for cpu in cpus}) == threads


def test_default_cores_leave_core_0_to_the_others() -> None:
    for name in recorded_machines.NAMES:
        root = recorded_machines.root(name)
        if machine_cpus.online_cpus(root) == (0,):
            continue  # the only one there is
        assert 0 not in machine_cpus.default_cpus(1, root, machine_cpus.online_cpus(root))


def test_default_cores_stay_in_one_socket() -> None:
    root = recorded_machines.root("xeon")
    cpus = machine_cpus.default_cpus(4, root, machine_cpus.online_cpus(root))
    assert len({cpu // 8 for cpu in cpus}) == 1


def test_default_cores_are_of_the_fastest_kind(tmp_path: Path) -> None:
    for cpu, capacity in enumerate((1024, 1024, 380, 380, 380, 380)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(str(capacity))
    assert machine_cpus.default_cpus(1, tmp_path, range(6)) == (1,)
    assert machine_cpus.default_cpus(2, tmp_path, range(6)) == (0, 1)


def test_default_cores_are_only_the_allowed_ones() -> None:
    assert set(machine_cpus.default_cpus(2, recorded_machines.root("xeon"), (3, 4, 5))) <= {3, 4, 5}
    assert machine_cpus.default_cpus(9, recorded_machines.root("xeon"), (3, 4)) == (3, 4)


def test_absent_distribution_has_no_version() -> None:
    said = machine_facts.software(["pytest", "no-such-distribution"])
    assert said["distributions"]["pytest"] == pytest.__version__
    assert said["distributions"]["no-such-distribution"] is None
    assert said["python"].count(".") == 2


def test_a_riscv_board_is_known_by_its_vendor_ids() -> None:
    assert machine_facts.hardware(recorded_machines.root("bpi-f3"))["ids"] == [
        "0x710-0x8000000058000001-0x1000000049772200"
    ]
    assert machine_facts.hardware(recorded_machines.root("visionfive2"))["ids"] == [
        "0x489-0x8000000000000007-0x4210427"
    ]


def test_a_virtual_machine_is_recognised() -> None:
    virtual = {
        name
        for name in recorded_machines.NAMES
        if "virtualisation" in machine_facts.host_state(recorded_machines.root(name))
    }
    assert virtual == {"vm"}


def test_host_state_tells_the_governor_and_what_may_be_counted() -> None:
    state = machine_facts.host_state(recorded_machines.root("rpi4"))
    assert state["governors"] == ["ondemand"]
    assert state["perf_event_paranoid"] == "2"
    assert state["kernel"] == "6.6.51+rpt-rpi-v8"


@pytest.mark.parametrize("name", recorded_machines.NAMES)
def test_every_tree_has_an_id_and_a_label(name: str) -> None:
    facts = machine_facts.hardware(recorded_machines.root(name))
    assert len(machine_facts.machine_id(facts)) == 12
    assert plural(facts["cpus"], "CPU") in machine_facts.description(facts)


@pytest.mark.parametrize(
    ("name", "architecture", "described"),
    [
        ("bpi-f3", "riscv64", "SpacemiT X60, 8 CPUs, spacemit k1-x deb1 board"),
        ("visionfive2", "riscv64", "SiFive U74, 4 CPUs, StarFive VisionFive 2 v1.3B"),
        ("rpi4", "aarch64", "Cortex-A72, 4 CPUs, Raspberry Pi 4 Model B Rev 1.4"),
        ("rpi5", "aarch64", "Cortex-A76, 4 CPUs, Raspberry Pi 5 Model B Rev 1.0"),
        ("xeon", "x86_64", "Intel Xeon Gold 6334, 32 CPUs, 2 sockets, Supermicro SYS-620P-TRT"),
        ("ryzen", "x86_64", "AMD Ryzen 7 7700, 16 CPUs"),  # its firmware has a placeholder for a name
        ("vm", "x86_64", "AMD EPYC, 2 CPUs"),
    ],
)
def test_a_tree_is_named_by_its_own_files(name: str, architecture: str, described: str) -> None:
    facts = machine_facts.hardware(recorded_machines.root(name))
    assert facts["architecture"] == architecture
    assert machine_facts.description(facts) == described


def test_caches_are_counted_with_who_shares_them() -> None:
    caches = {(c["level"], c["type"]): c for c in machine_facts.hardware(recorded_machines.root("bpi-f3"))["caches"]}
    assert caches[1, "Data"] == {"level": 1, "type": "Data", "kib": 32, "shared_by": 1, "count": 8}
    assert caches[2, "Unified"] == {"level": 2, "type": "Unified", "kib": 512, "shared_by": 4, "count": 2}


def test_vector_extension_is_named_with_its_version() -> None:
    assert "rvv1.0" in machine_facts.hardware(recorded_machines.root("bpi-f3"))["extensions"]
    assert not any(
        "rvv" in word for word in machine_facts.hardware(recorded_machines.root("visionfive2"))["extensions"]
    )


def test_draft_vector_extension_is_not_taken_for_the_standard(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    block = "processor\t: 0\nisa\t\t: rv64imafdcv\nmvendorid\t: 0x5b7\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n"
    (tmp_path / "proc/cpuinfo").write_text(block)
    assert machine_facts.hardware(tmp_path)["extensions"] == ["rv64imafdc", "rvv0.7.1"]


def test_kinds_of_core_are_listed_the_fastest_first(tmp_path: Path) -> None:
    blocks = []
    for cpu, (part, capacity) in enumerate([("0xd05", 381)] * 4 + [("0xd0b", 1024)] * 2):
        ids = f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: {part}\nCPU revision\t: 0"
        blocks.append(f"processor\t: {cpu}\nFeatures\t: asimd\n{ids}")
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(str(capacity))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("\n\n".join(blocks))
    assert machine_facts.description(machine_facts.hardware(tmp_path)) == "Cortex-A76 x2 + Cortex-A55 x4, 6 CPUs"


def test_another_socket_is_not_overlooked(xeon: Path) -> None:
    before = identity(xeon)
    (xeon / "sys/devices/system/cpu/cpu8/cache/index3/size").write_text("24576K\n")
    assert identity(xeon) != before


def test_default_cores_stay_in_one_socket_though_numbers_alternate(tmp_path: Path) -> None:
    for cpu in range(8):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(str(cpu % 2))
    assert machine_cpus.default_cpus(3, tmp_path, range(8)) == (3, 5, 7)


def test_a_core_that_is_not_ours_is_told_from_one_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="Core 3 isn't allowed"):
        machine_cpus.check_cpus((3,), allowed=(0, 1), root=recorded_machines.root("rpi4"))
    with pytest.raises(UsageError, match="Core 4 doesn't exist"):
        machine_cpus.check_cpus((4,), root=recorded_machines.root("rpi4"))


def test_metal_in_a_cloud_is_no_virtual_machine(xeon: Path) -> None:
    (xeon / "sys/class/dmi/id/sys_vendor").write_text("Amazon EC2\n")
    (xeon / "sys/class/dmi/id/product_name").write_text("c6i.metal\n")
    assert "virtualisation" not in machine_facts.host_state(xeon)
    cpuinfo = xeon / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace("flags\t\t: fpu", "flags\t\t: hypervisor fpu"))
    assert machine_facts.host_state(xeon)["virtualisation"] == "amazon"


def test_emulated_board_is_a_virtual_machine(tmp_path: Path) -> None:
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"riscv-virtio\0")
    assert machine_facts.host_state(tmp_path)["virtualisation"] == "qemu"


def test_container_is_seen(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.containerenv").touch()
    assert machine_facts.host_state(tmp_path)["container"] == "podman"


def test_load_and_clock_are_of_the_moment() -> None:
    said = machine_facts.volatile(recorded_machines.root("rpi4"))
    assert said["load"] == 0.08
    assert said["khz"]["cpu3"] == 600000
    assert said["swap_used_mib"] == 0


@pytest.mark.parametrize(
    ("facts", "called"),
    [
        ({"label": " bench 3 ", "board": "Raspberry Pi 4", "model": "Cortex-A72"}, "bench 3"),
        ({"label": "", "board": "Raspberry Pi 4", "model": "Cortex-A72"}, "Raspberry Pi 4"),
        ({"model": "AMD EPYC"}, "AMD EPYC"),
        ({"architecture": "riscv64"}, ""),
    ],
)
def test_a_machine_is_called_by_what_it_was_given_its_board_or_its_cpu(facts: dict[str, str], called: str) -> None:
    assert machine_facts.label(facts) == called
    assert called in machine_facts.description(facts)
