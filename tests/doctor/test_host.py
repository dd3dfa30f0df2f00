"""What doctor makes of a machine: plain words, and the command that changes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.collectors import power
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import Attr, Rights
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.doctor import host as doctor_host
from hwprof.doctor.counters import LIMITED, MISSING, OK, Finding, Probe
from hwprof.machine import facts
from tests import recorded_machines

ASKED = ["cycles", "instructions", "task-clock", "page-faults"]


class Refusing:
    """A kernel on which hardware events fail with one errno, kernel ones open."""

    def __init__(self, code: int, software: bool = True) -> None:
        self.code = code
        self.software = software

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """perf_event_open; type 1: the kernel's own events."""
        if self.code and not (self.software and attr.type == 1):
            raise OSError(self.code, "refused")
        return 9

    def control(self, fd: int, request: int) -> None:
        """ioctl."""

    def read(self, fd: int, size: int) -> bytes:
        """Nothing is read by probing."""
        raise AssertionError("probing reads nothing")

    def close(self, fd: int) -> None:
        """close."""

    def tasks(self, pid: int | None) -> tuple[int, ...]:
        """One thread."""
        return (1,)

    def spin(self) -> None:
        """No trial."""


def found_on(name: str, code: int = 0, software: bool = True) -> Probe:
    """A recorded machine as doctor sees it, with a kernel that answers `code` to hardware events."""
    root = recorded_machines.root(name)
    level = int((root / "proc/sys/kernel/perf_event_paranoid").read_text())
    return Probe(
        root=root,
        hardware=facts.hardware(root),
        host=facts.host_state(root),
        moment=facts.volatile(root),
        rights=Rights(level, privileged=False),
        events=PerfCollector(root, Refusing(code, software)).probe(ASKED),
        power=power.probe(root),
        simulators={
            "callgrind": Unavailable("valgrind is not installed", "apt-get install valgrind"),
            "riscv64": Unavailable("qemu-riscv64 can't load plugins", "apt-get install qemu-user on Debian 12"),
        },
        compiler=Unavailable("a C compiler is not installed", "sudo apt-get install gcc libc6-dev"),
        frameworks={"onnxruntime": ("1.21.0", "pip install onnxruntime"), "pytorch": (None, "pip install torch")},
    )


def only(findings: list[Finding], what: str) -> Finding:
    """The one finding about something."""
    (one,) = [f for f in findings if f.what == what]
    return one


@pytest.mark.parametrize("name", recorded_machines.NAMES)
@pytest.mark.parametrize("code", [0, 1, 2, 13, 22])
def test_whatever_is_missing_has_a_reason(name: str, code: int) -> None:
    findings = doctor_host.examine(found_on(name, code))
    assert {f.status for f in findings} <= {OK, LIMITED, MISSING}
    assert all(f.detail and f.area and f.what for f in findings)
    assert 3 <= len(doctor_host.summary(findings)) <= 8


def test_the_table_of_a_known_board_is_found() -> None:
    finding = only(doctor_host.examine(found_on("bpi-f3")), "event table")
    assert finding.status == OK
    assert "X60" in finding.detail


def test_an_unknown_cpu_is_told_with_its_ids(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    cpuinfo = "processor\t: 0\nisa\t: rv64gc\nmvendorid\t: 0x123\nmarchid\t: 0x4\nmimpid\t: 0x5\n"
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    finding = only(doctor_host.examine(replace(found_on("vm", 2), root=tmp_path)), "event table")
    assert finding.status == LIMITED
    assert "0x123-0x4-0x5" in finding.detail
    assert "configs/cpus" in finding.remedy


def test_container_that_forbids_counting_is_not_told_to_set_a_sysctl() -> None:
    refused = next(f for f in doctor_host.examine(found_on("ryzen", 1)) if f.status == MISSING)
    assert "seccomp" in refused.remedy
    assert "a sysctl does not help" in refused.remedy


def test_pmu_without_exclusion_is_a_dead_end_without_rights() -> None:
    class NoExclusion(Refusing):
        def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
            if attr.type != 1:
                raise OSError(22 if attr.flags & 0x30 else 13, "refused")
            return 9

    root = recorded_machines.root("visionfive2")
    events = PerfCollector(root, NoExclusion(0)).probe(ASKED)
    findings = doctor_host.examine(replace(found_on("visionfive2"), events=events))
    refused = next(f for f in findings if "cycles" in f.detail and f.status == MISSING)
    assert refused.what == "dead end"
    assert "user and kernel together or not at all" in refused.detail
    assert "perf_event_paranoid=1" in refused.remedy
    assert "nothing less helps" in refused.remedy


def test_nmi_watchdog_takes_a_counter() -> None:
    finding = only(doctor_host.examine(found_on("xeon")), "NMI watchdog")
    assert "kernel.nmi_watchdog=0" in finding.remedy
    assert not [f for f in doctor_host.examine(found_on("vm", 2)) if f.what == "NMI watchdog"]


def test_clock_that_moves_has_its_command() -> None:
    findings = doctor_host.examine(found_on("xeon"))
    assert "performance" in only(findings, "governor").remedy
    assert "intel_pstate/no_turbo" in only(findings, "boost").remedy
    assert "cpufreq/boost" in only(doctor_host.examine(found_on("ryzen")), "boost").remedy


def test_missing_clock_is_not_taken_for_a_fixed_one() -> None:
    assert only(doctor_host.examine(found_on("vm", 2)), "cpufreq").status == LIMITED


def test_swap_is_told_only_where_there_is_some() -> None:
    assert "swapoff" in only(doctor_host.examine(found_on("rpi4")), "swap").remedy
    assert not [f for f in doctor_host.examine(found_on("vm", 2)) if f.what == "swap"]


def test_board_without_power_sensor_is_told_of_a_meter(tmp_path: Path) -> None:
    probe = replace(found_on("bpi-f3"), power=power.probe(tmp_path))
    finding = only(doctor_host.examine(probe), "power")
    assert finding.status == MISSING
    assert "--meter" in finding.remedy


def test_power_sensor_is_told_with_unit_and_interval() -> None:
    there = {"power[vin]": Available("hwmon:ina226", "W, every 35 ms")}
    finding = only(doctor_host.examine(replace(found_on("rpi4"), power=there)), "power[vin]")
    assert finding.detail == "hwmon:ina226: W, every 35 ms"


def test_frameworks_and_tools_that_are_absent_say_how_to_get_them() -> None:
    findings = doctor_host.examine(found_on("rpi4"))
    assert only(findings, "onnxruntime") == Finding("frameworks", "onnxruntime", OK, "1.21.0")
    assert only(findings, "pytorch").remedy == "pip install torch"
    assert only(findings, "simulation: callgrind").remedy == "apt-get install valgrind"
    assert "qemu-user" in only(findings, "simulation: riscv64").remedy
    assert only(findings, "C compiler").status == MISSING


@pytest.mark.parametrize(
    ("name", "code", "what", "remedy"),
    [
        ("vm", 2, "", "vPMU"),
        ("rpi4", 13, "kernel.perf_event_paranoid", "sysctl"),
        ("xeon", 0, "governor", "cpupower"),
        ("xeon", 0, "NMI watchdog", "nmi_watchdog=0"),
        ("xeon", 0, "boost", "no_turbo"),
        ("bpi-f3", 0, "power", "--meter"),
        ("bpi-f3", 0, "simulation: callgrind", "apt-get"),
        ("bpi-f3", 0, "C compiler", "apt-get install gcc"),
        ("bpi-f3", 0, "pytorch", "pip install torch"),
    ],
)
def test_each_lack_has_its_remedy(name: str, code: int, what: str, remedy: str) -> None:
    findings = [f for f in doctor_host.examine(found_on(name, code)) if f.status != OK]
    assert any(remedy in f.remedy for f in findings if what in ("", f.what))


def test_a_good_machine_is_told_so() -> None:
    found = found_on("rpi4")
    host = {**found.host, "governors": ["performance"], "boost": "0"}
    rights = Rights(1, privileged=False)
    both = {name: Available(name) for name in ("callgrind", "riscv64")}
    good = replace(found, host=host, rights=rights, compiler=Available("/usr/bin/cc"), simulators=both)
    findings = doctor_host.examine(good)
    for what in ("event table", "hardware events", "kernel events", "governor", "simulation: riscv64", "C compiler"):
        assert only(findings, what).status == OK
    assert not [f for f in findings if f.area == "counters" and f.status != OK]


def test_vm_without_counters_says_what_works_and_what_to_do() -> None:
    finding = only(doctor_host.examine(found_on("vm", 2)), "hardware events")
    assert finding.status == MISSING
    assert "no hardware counters in this VM" in finding.detail
    assert "page faults" in finding.detail
    for way in ("-cpu host,pmu=on", "bare-metal", "--simulate", "apt-get install valgrind"):
        assert way in finding.remedy


def test_board_without_a_pmu_node_is_not_called_a_vm() -> None:
    finding = only(doctor_host.examine(found_on("rpi5", 2)), "hardware events")
    assert "VM" not in finding.detail
    assert "device tree" in finding.remedy


def test_paranoid_does_not_bind_the_privileged() -> None:
    name = "kernel.perf_event_paranoid"
    root = replace(found_on("xeon"), rights=Rights(3, privileged=True))
    assert only(doctor_host.examine(root), name).status == OK
    assert only(doctor_host.examine(found_on("xeon")), name).status == MISSING
    assert only(doctor_host.examine(found_on("rpi4")), name).status == LIMITED


def test_in_a_container_the_sysctl_is_the_hosts() -> None:
    found = found_on("rpi4")
    inside = replace(found, host={**found.host, "container": "docker"})
    assert only(doctor_host.examine(inside), "kernel.perf_event_paranoid").remedy.startswith(
        "on the container's host: "
    )


def test_lowered_clock_is_told_with_what_the_cpu_can_do() -> None:
    found = found_on("rpi5")
    assert only(doctor_host.examine(found), "limits").status == OK
    lowered = replace(found, host={**found.host, "max_khz": ["1800000"]})
    assert "can do 2.4" in only(doctor_host.examine(lowered), "limits").detail


def test_limit_of_the_control_group_is_told_in_cpus() -> None:
    found = found_on("rpi4")
    held = replace(found, host={**found.host, "cgroup_cpu_max": "150000 100000"})
    assert "gets 1.5 CPUs" in only(doctor_host.examine(held), "control group").detail


def test_other_programs_are_told() -> None:
    busy = replace(found_on("rpi4"), moment={"load": 3.5})
    assert only(doctor_host.examine(busy), "load").status == LIMITED
    assert not [f for f in doctor_host.examine(found_on("rpi4")) if f.what == "load"]
