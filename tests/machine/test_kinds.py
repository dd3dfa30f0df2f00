"""CPUs by speed, cluster and core on modelled machines, and what a run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.errors import UsageError
from hwprof.machine.cpus import check_cpus, cpu_ranges
from hwprof.machine.kinds import behind_door, cpu_facts, cpu_title, read_clusters, select_cpus, through_door
from tests import recorded_machines

A100 = tuple(range(8, 16))


def inside_the_door(folder: Path) -> Path:
    """The modelled K3 as a thread sees it that went through the door."""
    recorded_machines.unpack((recorded_machines.TEXTS / "k3.txt").read_bytes().decode(), folder)
    (folder / "proc/self/status").write_text("Cpus_allowed_list:\t8-15\n")
    return folder


@pytest.mark.parametrize(
    ("machine", "text", "cpus"),
    [
        ("k3", "big", range(8)),
        ("k3", "kind=x100", range(8)),
        ("k3", "kind=SpacemiT X100", range(8)),
        ("k3", "kind=spacemit,x100", range(8)),
        ("k3", "cluster1", range(4, 8)),
        ("k3", "0,2-3", (0, 2, 3)),
        ("bpi-f3", "cluster0", range(4)),
        ("bpi-f3", "cluster1", range(4, 8)),
        ("bpi-f3", "kind=x60", range(8)),
        ("orangepi5", "big", range(4, 8)),
        ("orangepi5", "little", range(4)),
        ("orangepi5", "cluster2", (6, 7)),
        ("orangepi5", "kind=cortex-a76", range(4, 8)),
        ("orangepi5", "kind=A55", range(4)),
        ("rk3399", "big", (4, 5)),
        ("alderlake", "kind=e-core", range(4, 8)),
        ("p550", "kind=p550", range(4)),
        ("sg2044", "kind=c920", range(8)),
        ("sg2044", "cluster1", range(4, 8)),
        ("c930", "cluster1", (2, 3)),  # of the device tree alone
        ("c930", "kind=c930", range(4)),
        ("c950", "kind=c950", range(4)),
        ("k230", "kind=c908", (0,)),
        ("th1520", "kind=c910", range(4)),
    ],
)
def test_cpus_are_found_by_kind(machine: str, text: str, cpus: range) -> None:
    assert select_cpus(text, recorded_machines.root(machine)) == tuple(cpus)


@pytest.mark.parametrize(
    ("machine", "text", "said"),
    [
        ("bpi-f3", "big", "all are alike"),
        ("bpi-f3", "kind=a100", "no core here is of the kind 'a100'"),
        ("bpi-f3", "kind=", "no core here is of the kind ''"),
        ("bpi-f3", "cluster2", "there is no cluster2 here"),
        ("bpi-f3", "huge", "'huge' is no list of CPUs"),
        ("k3", "little", "this process may not use little"),
        ("k3", "kind=a100", "this process may not use kind=a100"),
    ],
)
def test_a_kind_that_is_not_there_is_refused_with_those_that_are(machine: str, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        select_cpus(text, recorded_machines.root(machine))
    assert said in refused.value.message
    assert refused.value.remedy


def test_kinds_whose_speed_nobody_tells_are_neither_big_nor_little(tmp_path: Path) -> None:
    recorded_machines.unpack((recorded_machines.TEXTS / "orangepi5.txt").read_bytes().decode(), tmp_path)
    for file in (*tmp_path.glob("sys/devices/system/cpu/*/cpu_capacity"), *tmp_path.glob("sys/**/cpuinfo_max_freq")):
        file.unlink()
    with pytest.raises(UsageError, match="can be called big"):
        select_cpus("big", tmp_path)
    assert select_cpus("kind=a76", tmp_path) == (4, 5, 6, 7)


def test_cores_behind_a_door_are_had_by_those_who_went_through_it(tmp_path: Path) -> None:
    outside, inside = recorded_machines.root("k3"), inside_the_door(tmp_path)
    assert behind_door(outside) == A100
    with pytest.raises(UsageError) as refused:
        select_cpus("kind=a100", outside)
    assert "/proc/set_ai_thread" in refused.value.remedy
    assert select_cpus("kind=a100", inside) == A100
    assert select_cpus("little", inside) == A100


def test_a_list_of_cores_behind_a_door_is_refused_with_the_way_in() -> None:
    outside = recorded_machines.root("k3")
    with pytest.raises(UsageError) as refused:
        check_cpus([8], allowed=range(8), root=outside, remedy=through_door([8], outside))
    assert "echo $$ > /proc/set_ai_thread" in refused.value.remedy
    assert through_door([0, 7], outside) == ""


def test_machines_without_a_door_have_no_cores_behind_it() -> None:
    assert behind_door(recorded_machines.root("bpi-f3")) == ()


def test_clusters_are_numbered_as_the_kernel_orders_them() -> None:
    clusters = read_clusters(recorded_machines.root("k3"))
    assert {name: cpu_ranges(cpus) for name, cpus in clusters.items()} == {
        "cluster0": "0-3",
        "cluster1": "4-7",
        "cluster2": "8-11",
        "cluster3": "12-15",
    }
    assert read_clusters(recorded_machines.root("vm")) == {}


def test_a_run_says_how_its_cores_were_asked_for_and_what_they_are() -> None:
    root = recorded_machines.root("k3")
    facts = cpu_facts((4, 5, 6, 7), "cluster1", root)
    assert facts == {"asked": "cluster1", "kinds": ["SpacemiT X100"], "clusters": ["cluster1"]}
    assert cpu_title((4, 5, 6, 7), {"cores": facts}) == "4,5,6,7 (cluster1: SpacemiT X100, cluster1)"
    assert "asked" not in cpu_facts((4, 5), "4-5", root)
    assert cpu_facts((0, 1), "0-1", recorded_machines.root("p550")) == {}
    assert cpu_title((0, 1), {}) == "0,1"
    assert cpu_title((), {}) == "any"
