"""What doctor says on a board that somebody has just unpacked: the advice, line by line."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.cli import doctor as command
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import EXCLUDE_KERNEL, EXCLUDE_USER, Attr, Rights, read_rights
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.skeleton import file_name, pattern, skeleton
from hwprof.collectors.perf.tables import CANONICAL, find_table, parse_table
from hwprof.doctor import host as doctor_host
from hwprof.doctor.counters import LIMITED, MISSING, OK, Finding, Probe
from hwprof.machine import facts, limits
from tests import recorded_machines
from tests.collectors.perf.fake import FakeKernel, Key
from tests.collectors.perf.scheduled import CYCLES, FakePmu, ScheduledKernel
from tests.doctor.test_host import ASKED, Refusing, found_on, only

NEW_RISCV = (
    "processor\t: 0\nisa\t: rv64gcv_sscofpmf\nmvendorid\t: 0x123\nmarchid\t: 0x8000000000000004\nmimpid\t: 0x5\n"
)


class Kernel(Refusing):
    """Refuses with `hardware` what a PMU counts; with `whole` what is not user code alone; `apart`: can exclude."""

    def __init__(self, code: int = 0, software: bool = True, whole: int = 0, apart: bool = True) -> None:
        super().__init__(code, software)
        self.whole, self.apart = whole, apart

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        excluding = attr.flags & (EXCLUDE_KERNEL | EXCLUDE_USER)
        if attr.type != 1 and excluding and not self.apart:
            raise OSError(errno.EINVAL, "no exclusion")
        if not excluding and self.whole:
            raise OSError(self.whole, "refused")
        return super().open(attr, pid, cpu, group_fd, flags)


def seen(name: str, kernel: Refusing, **changes: object) -> list[Finding]:
    """Findings on a recorded machine whose kernel answers as `kernel` does."""
    collector = PerfCollector(recorded_machines.root(name), kernel)
    found = replace(found_on(name), events=collector.probe(ASKED), opening=collector.permission())
    return doctor_host.examine(replace(found, **changes))  # type: ignore[arg-type]


def new_board(tmp_path: Path, cpuinfo: str) -> Probe:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    return replace(found_on("bpi-f3"), root=tmp_path, hardware=facts.hardware(tmp_path))


def test_bpi_f3_has_its_table_and_its_counters_and_no_power_sensor() -> None:
    findings = seen("bpi-f3", Kernel())
    table = only(findings, "event table")
    assert (table.status, "SpacemiT X60" in table.detail) == (OK, True)
    assert "from documents" in table.detail
    assert "16 programmable" in only(findings, "counters").detail
    assert "--meter" in only(findings, "power").remedy
    assert "schedutil" in only(findings, "governor").detail
    assert "is 1" in only(findings, "kernel.perf_user_access").detail


def test_visionfive2_tells_that_level_2_would_not_be_enough() -> None:
    findings = seen("visionfive2", Kernel(errno.EACCES, software=False))
    level = only(findings, "kernel.perf_event_paranoid")
    assert level.status == MISSING
    assert "no Sscofpmf" in level.detail
    assert "2 would allow nothing either" in level.detail
    assert "sysctl kernel.perf_event_paranoid=1" in level.remedy
    assert "/etc/sysctl.d/" in level.remedy
    # One remedy, in one place: nothing else says "=2".
    assert not [f for f in findings if "paranoid=2" in f.remedy]


def test_visionfive2_at_level_2_is_a_dead_end_said_plainly() -> None:
    kernel = Kernel(whole=errno.EACCES, apart=False)
    dead = only(seen("visionfive2", kernel, rights=Rights(2, privileged=False)), "dead end")
    assert dead.status == MISSING
    assert "cycles, instructions: a dead end for this user" in dead.detail
    assert "no hardware event can be had" in dead.detail
    assert "nothing less helps" in dead.remedy


def test_pi4_without_rights_is_told_the_exact_command() -> None:
    findings = seen("rpi4", Kernel(whole=errno.EACCES))
    assert "Cortex-A72" in only(findings, "event table").detail
    assert "only user code" in only(findings, "kernel.perf_event_paranoid").detail
    remedy = only(findings, "kernel.perf_event_paranoid").remedy
    assert "setcap cap_perfmon+ep" in remedy
    assert "loses its counters" in remedy  # what that does to the programs it is set on
    user = only(findings, "user code only")
    assert "cycles" in user.detail
    assert user.remedy == "sudo sysctl kernel.perf_event_paranoid=1"


def test_skylake_server_at_ubuntus_level() -> None:
    findings = seen("skylake", Kernel(errno.EACCES, software=False))
    level = only(findings, "kernel.perf_event_paranoid")
    assert "is 4: nothing may be counted (EACCES)" in level.detail
    assert "2 is enough for user code alone" in level.remedy
    assert "cap_perfmon" not in level.remedy  # of no use beyond level 2
    assert only(findings, "NMI watchdog").remedy == "sudo sysctl kernel.nmi_watchdog=0"
    assert "one of them taken by the NMI watchdog" in only(findings, "counters").detail
    assert "no_turbo" in only(findings, "boost").remedy
    assert (
        only(findings, "energy[package-0]").detail
        == "powercap:intel-rapl:0: a processor package; a total in J, every 1 ms"
    )
    assert only(findings, "temperature").detail == "x86_pkg_temp"
    assert "0.8 to 3 GHz" in only(findings, "limits").detail


def test_alder_lake_has_a_table_for_each_kind_and_advice_to_choose_one() -> None:
    findings = seen("alderlake", Kernel(), rights=Rights(1, privileged=False))
    tables = [f.detail for f in findings if f.what == "event table"]
    assert [d.split(" (from")[0] for d in tables] == [
        "cpu_core: Intel Golden Cove (hybrid)",
        "cpu_atom: Intel Gracemont",
    ]
    kinds = only(findings, "kinds of core")
    assert "cpu_core on 0-3, cpu_atom on 4-7" in kinds.detail
    assert "cycles@cpu_core" in kinds.detail
    assert "--cpus 0-3" in kinds.remedy
    assert "8 programmable" in only(findings, "counters of cpu_core").detail
    assert "6 programmable" in only(findings, "counters of cpu_atom").detail
    # Each event once, not once for each kind and once more for the sum.
    assert only(findings, "hardware events").detail == "2 can be counted"


def test_a_board_with_two_clusters_is_told_to_use_the_fast_one() -> None:
    assert "--cpus 4-5" in only(seen("rk3399", Kernel()), "kinds of core").remedy


def with_pmus(folder: Path, *pmus: FakePmu) -> list[Finding]:
    """Findings on a board that has these PMUs."""
    kernel = ScheduledKernel(pmus=pmus)
    events = kernel.collector(folder).probe(ASKED)
    return doctor_host.examine(replace(new_board(folder, NEW_RISCV), events=events))


def test_pmus_that_claim_the_same_cpus_are_told_instead_of_taken_for_kinds(tmp_path: Path) -> None:
    kinds = FakePmu("pmu_big", 12, 8, {CYCLES: 1}, (0, 1)), FakePmu("pmu_little", 13, 2, {CYCLES: 1}, (2, 3))
    findings = with_pmus(tmp_path, *kinds, FakePmu("cpu", 4, 4, {CYCLES: 1}))
    told = only(findings, "kinds of core")
    assert told.status == MISSING
    assert told.detail.startswith("the PMUs cpu and pmu_big both claim CPUs 0 to 1: ")
    assert "unload the module" in told.remedy
    assert len([f for f in findings if "both claim" in f.detail]) == 1, "once, not for each event"
    assert not [f for f in findings if f.detail.startswith("cpu on")]


def test_a_kind_whose_cpus_are_not_listed_is_said_to_be_so(tmp_path: Path) -> None:
    """As of Linux before 4.10 on Arm."""
    clusters = [FakePmu(f"armv8_cortex_{name}", 8 + i, 4, {CYCLES: 1}) for i, name in enumerate(("a53", "a72"))]
    told = only(with_pmus(tmp_path, *clusters), "kinds of core")
    assert "armv8_cortex_a53 on CPUs that sysfs does not list" in told.detail
    assert not told.remedy


def test_an_event_that_one_kind_lacks_is_told_for_that_kind() -> None:
    collector = PerfCollector(recorded_machines.root("rk3399"), Kernel())
    found = replace(found_on("rk3399"), events=collector.probe(["cycles", "branches"]))
    finding = only(doctor_host.examine(found), "not available")
    assert finding.detail.startswith("branches@armv8_cortex_a72: ")


def test_an_unknown_id_is_told_with_the_file_to_write(tmp_path: Path) -> None:
    finding = only(doctor_host.examine(new_board(tmp_path, NEW_RISCV)), "event table")
    assert finding.status == LIMITED
    assert "none for 0x123-0x8000000000000004-0x5" in finding.detail
    assert "hwprof doctor --table > hwprof/configs/cpus/" in finding.remedy
    assert '[match] ids = ["0x123-0x8000000000000004-*"]' in finding.remedy
    assert "HWPROF_CPUS" in finding.remedy


def test_a_kernel_that_prints_no_ids_is_told_so(tmp_path: Path) -> None:
    finding = only(doctor_host.examine(new_board(tmp_path, "processor\t: 0\nisa\t: rv64gc\n")), "event table")
    assert "no vendor ids" in finding.detail
    assert "newer kernel" in finding.remedy


def test_the_skeleton_is_a_table_that_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = new_board(tmp_path, NEW_RISCV).root
    text = doctor_host.table_skeletons(root)
    table = parse_table(text, "skeleton")
    assert set(table.absent) == set(CANONICAL)
    own = tmp_path / "mine"
    own.mkdir()
    (own / "new.toml").write_text(text)
    assert find_table(Catalog(root).ids[0]) is None
    monkeypatch.setenv("HWPROF_CPUS", str(own))
    found = Catalog(root).table
    assert found is not None
    assert found.match == ("0x123-0x8000000000000004-*",)


def test_a_users_table_comes_before_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'name = "mine"\nverified = "my board"\n[match]\nids = ["0x710-0x8000000058000001-*"]'
    (tmp_path / "x60.toml").write_text(text)
    monkeypatch.setenv("HWPROF_CPUS", str(tmp_path))
    assert Catalog(recorded_machines.root("bpi-f3")).table_name == "mine"
    assert "checked on my board" in only(seen("bpi-f3", Kernel()), "event table").detail


def test_the_skeleton_of_an_arm_core_has_the_codes_that_its_pmu_shows() -> None:
    catalog = Catalog(recorded_machines.root("rpi3"))
    (kind,) = catalog.kinds
    table = parse_table(skeleton(replace(kind, table=None), catalog, "Cortex-A99"), "skeleton")
    assert table.events["l1d-misses"].config == 0x03
    assert table.events["loads"].config == 0x06
    assert "backend-stalls" in table.absent  # the PMU shows no such event
    assert table.name == "Cortex-A99"


def test_the_skeleton_of_a_hybrid_names_the_pmu() -> None:
    catalog = Catalog(recorded_machines.root("alderlake"))
    assert [pattern(kind, catalog) for kind in catalog.kinds] == [
        "GenuineIntel-6-9a:cpu_core",
        "GenuineIntel-6-9a:cpu_atom",
    ]
    assert file_name(catalog.kinds[0], "Intel Core i3-1215U") == "intel-core-i3-1215u.toml"


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.main(parser.parse_args(["--table"])) == 0
    assert "[match]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("engine", "way"), [("docker", "--cap-add PERFMON"), ("kubernetes", "capabilities"), ("podman", "podman run")]
)
def test_a_container_that_forbids_the_call_is_told_its_engines_way(engine: str, way: str) -> None:
    host = {**found_on("ryzen").host, "container": engine}
    findings = seen("ryzen", Kernel(errno.EPERM, software=False), host=host)
    refused = only(findings, "perf_event_open")
    assert "EPERM" in refused.detail
    assert engine in refused.detail
    assert way in refused.remedy
    assert "a sysctl does not help" in refused.remedy
    assert "not what stops it" in only(findings, "kernel.perf_event_paranoid").detail
    assert {f.remedy for f in findings if f.what == "not available"} == {"see perf_event_open below"}


def test_a_refusal_in_spite_of_the_right_is_a_security_modules() -> None:
    kernel = Kernel(errno.EACCES, software=False)
    level = only(seen("rpi4", kernel, rights=Rights(2, privileged=True)), "kernel.perf_event_paranoid")
    assert level.status == MISSING
    assert "security module" in level.detail
    assert "SELinux" in level.remedy


@pytest.mark.parametrize(("uid_map", "privileged"), [("0 0 4294967295", True), ("0 1000 1", False), (None, True)])
def test_root_of_a_rootless_container_has_no_rights(tmp_path: Path, uid_map: str | None, privileged: bool) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/perf_event_paranoid").write_text("2\n")
    (tmp_path / "proc/self/status").write_text("CapEff:\t000001ffffffffff\n")
    if uid_map:
        (tmp_path / "proc/self/uid_map").write_text(f"{uid_map:>30}\n")
    rights = read_rights(tmp_path)
    assert rights == Rights(2, privileged)
    if not privileged:
        found = replace(found_on("bpi-f3"), root=tmp_path, rights=rights)
        assert "user namespace" in only(doctor_host.examine(found), "kernel.perf_event_paranoid").detail


@pytest.mark.parametrize(("level", "privileged"), [(2, True), (3, False), (4, False)])
def test_cap_perfmon_is_a_right_up_to_level_2_only(tmp_path: Path, level: int, privileged: bool) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/perf_event_paranoid").write_text(f"{level}\n")
    (tmp_path / "proc/self/status").write_text(f"CapEff:\t{1 << 38:016x}\n")
    assert read_rights(tmp_path) == Rights(level, privileged)


def test_a_kernel_without_perf_events_is_told_apart() -> None:
    refused = only(seen("ryzen", Kernel(errno.ENOSYS, software=False)), "perf_event_open")
    assert "ENOSYS" in refused.detail
    assert "CONFIG_PERF_EVENTS" in refused.remedy


def test_counters_that_somebody_holds_are_counted_by_trial() -> None:
    def crowded(keys: tuple[Key, ...]) -> tuple[float, bool]:
        return (0.5 if len([k for k in keys if k[0] == 4]) > 3 else 1.0), True

    raw = {(4, code): 7 for code in range(0x10000)} | {(4, 0x400019C): 7}
    kernel = FakeKernel(events=raw, counters=99, behave=crowded)
    assert PerfCollector(recorded_machines.root("skylake"), kernel).free_counters() == {"cpu": (3, 4)}
    finding = only(seen("skylake", Kernel(), counters={"cpu": (3, 4)}), "counters")
    assert finding.status == LIMITED
    assert "3 of 4 are free: the NMI watchdog has one" in finding.detail
    two = only(seen("skylake", Kernel(), counters={"cpu": (2, 4)}), "counters")
    assert "other programs the others" in two.detail
    free = only(seen("skylake", Kernel(), counters={"cpu": (4, 4)}), "counters")
    assert (free.status, "4 of 4 programmable ones are free" in free.detail) == (OK, True)


def test_limits_of_the_process_are_told(tmp_path: Path) -> None:
    probe = new_board(tmp_path, NEW_RISCV)
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/job\n")
    (tmp_path / "proc/self/status").write_text("Seccomp:\t2\nCpus_allowed_list:\t0,2-3\n")
    for name, text in {"user.slice": "1073741824", "user.slice/job": "max"}.items():
        (tmp_path / "sys/fs/cgroup" / name).mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup" / name / "memory.max").write_text(text + "\n")
    (tmp_path / "sys/devices/system/cpu").mkdir(parents=True)
    (tmp_path / "sys/devices/system/cpu/online").write_text("0-7\n")
    findings = doctor_host.examine(probe)
    assert "1,024 MiB" in only(findings, "memory limit").detail
    assert "3 of 8 cores: 0,2,3" in only(findings, "cores allowed").detail
    assert limits.has_seccomp_filter(tmp_path)
    assert limits.can_exclude(tmp_path) is True


def test_test_equipment_is_told_with_what_it_answers(tmp_path: Path) -> None:
    probe = new_board(tmp_path, NEW_RISCV)
    folder = tmp_path / "sys/bus/event_source/devices/testpmu"
    (folder / "events").mkdir(parents=True)
    for name, text in {"type": "9", "test_equipment": "made up", "events/cache-misses": "event=0x11"}.items():
        (folder / name).write_text(f"{text}\n")
    finding = only(doctor_host.examine(probe), "test equipment")
    assert finding.status == LIMITED
    assert "testpmu answers cache-misses" in finding.detail


def test_no_limit_is_told_where_there_is_none() -> None:
    findings = seen("bpi-f3", Kernel())
    assert not [f for f in findings if f.what in ("memory limit", "cores allowed", "perf_event_open", "dead end")]
