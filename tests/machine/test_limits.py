"""Limits of control groups on modelled trees: of the group itself, of those above it, in both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.machine import limits

# where a group's files are, and how it is called in /proc/self/cgroup
VERSIONS = {
    "v2": ("sys/fs/cgroup", "0::/outer/inner\n"),
    "v1": ("sys/fs/cgroup/CONTROLLER", "4:memory:/outer/inner\n2:cpu:/outer/inner\n1:name=systemd:/\n0::/\n"),
    "v1, two controllers": (
        "sys/fs/cgroup/cpu,cpuacct",
        "4:memory:/outer/inner\n2:cpu,cpuacct:/outer/inner\n1:name=systemd:/\n",
    ),
    "v1 beside v2": ("sys/fs/cgroup/CONTROLLER", "2:cpu:/outer/inner\n1:memory:/outer/inner\n0::/other\n"),
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize("version", VERSIONS)
def test_a_control_group_comes_before_those_above_it(tmp_path: Path, version: str) -> None:
    base, lines = VERSIONS[version]
    base = base.replace("CONTROLLER", "cpu")
    tree(tmp_path, {"proc/7/cgroup": lines, f"{base}/outer/inner/x": ""})
    groups = limits.control_groups("cpu", tmp_path, 7)
    assert [str(group.relative_to(tmp_path)) for group in groups] == [f"{base}/outer/inner", f"{base}/outer", base]


def test_a_controller_of_version_2_beside_version_1_is_found_in_its_own_mount(tmp_path: Path) -> None:
    unified = "sys/fs/cgroup/unified"
    files = {f"{unified}/cgroup.controllers": "cpu", f"{unified}/b/cpu.max": ""}
    tree(tmp_path, {"proc/self/cgroup": "1:memory:/a\n0::/b\n", **files})
    assert limits.control_groups("cpu", tmp_path) == (tmp_path / unified / "b", tmp_path / unified)


def test_a_container_that_does_not_see_its_host_path_has_its_own_top(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/self/cgroup": "0::/../docker/4711\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"})
    assert limits.control_groups("cpu", tmp_path) == (tmp_path / "sys/fs/cgroup",)
    assert limits.cpu_limit(tmp_path) == "50000 100000"
    assert limits.control_groups("cpu", tmp_path / "nothing") == ()


def test_the_tightest_cpu_limit_of_all_levels_counts(tmp_path: Path) -> None:
    outer = "sys/fs/cgroup/outer"
    tree(tmp_path, {"proc/self/cgroup": "0::/outer/inner\n", f"{outer}/inner/cpu.max": "max 100000\n"})
    assert limits.cpu_limit(tmp_path) is None
    tree(tmp_path, {f"{outer}/cpu.max": "150000 100000\n"})
    assert limits.cpu_limit(tmp_path) == "150000 100000"
    tree(tmp_path, {f"{outer}/inner/cpu.max": "400000 100000\n"})
    assert limits.cpu_limit(tmp_path) == "150000 100000"


def test_the_cpu_limit_of_a_parent_in_version_1(tmp_path: Path) -> None:
    outer = "sys/fs/cgroup/cpu,cpuacct/outer"
    none = {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}
    files = {f"{outer}/inner/{name}": text for name, text in none.items()}
    files |= {f"{outer}/cpu.cfs_quota_us": "50000\n", f"{outer}/cpu.cfs_period_us": "100000\n"}
    tree(tmp_path, {"proc/self/cgroup": "2:cpu,cpuacct:/outer/inner\n", **files})
    assert limits.cpu_limit(tmp_path) == "50000 100000"


def test_the_least_memory_limit_of_all_levels_counts(tmp_path: Path) -> None:
    outer = "sys/fs/cgroup/outer"
    files = {f"{outer}/memory.max": "2097152\n", f"{outer}/memory.current": "1500000\n"}
    files |= {f"{outer}/memory.stat": "inactive_file 100000\n", f"{outer}/inner/memory.max": "max\n"}
    files |= {f"{outer}/inner/memory.current": "1000000\n", f"{outer}/inner/memory.stat": "inactive_file 7\n"}
    tree(tmp_path, {"proc/self/cgroup": "0::/outer/inner\n", **files})
    assert limits.memory_limit(tmp_path) == 2097152
    assert limits.memory_left(tmp_path) == 2097152 - 1500000 + 100000
    tree(tmp_path, {f"{outer}/inner/memory.max": "1048576\n"})
    assert limits.memory_limit(tmp_path) == 1048576
    assert limits.memory_left(tmp_path) == 1048576 - 1000000 + 7


def test_version_1_tells_the_memory_limit_of_levels_that_a_container_does_not_see(tmp_path: Path) -> None:
    top, none = "sys/fs/cgroup/memory", "9223372036854771712\n"
    stat = "inactive_file 1\nhierarchical_memory_limit 2097152\ntotal_inactive_file 4096\n"
    files = {f"{top}/memory.limit_in_bytes": none, f"{top}/memory.usage_in_bytes": "1000000\n"}
    tree(tmp_path, {"proc/self/cgroup": "4:memory:/docker/4711\n0::/\n", **files, f"{top}/memory.stat": stat})
    assert limits.memory_limit(tmp_path) == 2097152
    assert limits.memory_left(tmp_path) == 2097152 - 1000000 + 4096
    tree(tmp_path, {f"{top}/memory.stat": f"hierarchical_memory_limit {none}"})
    assert limits.memory_limit(tmp_path) is None
    assert limits.memory_left(tmp_path) is None
