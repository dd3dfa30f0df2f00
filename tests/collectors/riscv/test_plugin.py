"""The plugin as it counts, in a small stand-in for QEMU: what the file says while it runs, threads, flushes, forks."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest

from hwprof.collectors.riscv import build
from hwprof.collectors.riscv.counters import CounterFile

pytestmark = pytest.mark.cc

VFADD, VLE, VSE, VSETVLI, ADD, C_LW = "022190d7", "02056407", "02056427", "0d0572d7", "00c58533", "41c8"
APIS = [api for _, api in build.INTERFACES]


class FakeQemu:
    """A running stand-in; `tell` gives it a command and waits until it is done."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ok\n"


@functools.cache
def built(folder: Path, api: int) -> tuple[Path, Path]:
    """The stand-in and the plugin for one version of the interface."""
    source = Path(__file__).parent / "fake_qemu.c"
    include = str(resources.files("hwprof.collectors.riscv"))
    made = folder / f"fake-qemu-{api}"
    command = ["cc", "-rdynamic", f"-I{include}", f"-DQEMU_API={api}", str(source), "-o", str(made), "-ldl"]
    subprocess.run(command, check=True)
    return made, build.plugin(api, folder)


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are, built once."""
    folder = tmp_path_factory.getbasetemp() / "riscv-plugin"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def fake_qemu(programs: Path, folder: Path, *arguments: str, api: int = 1) -> Iterator[FakeQemu]:
    """A stand-in with the plugin loaded, counting into `counters` below `folder`."""
    words = [*map(str, built(programs, api)), "riscv64", f"out={folder}/counters", *arguments]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        fake = FakeQemu(process)
        yield fake
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("per", ["block", "instruction"])
def test_counts_by_class_are_there_while_it_runs(programs: Path, tmp_path: Path, per: str, api: int) -> None:
    with fake_qemu(programs, tmp_path, f"per={per}", api=api) as qemu:
        qemu.tell("vcpu 0")
        qemu.tell(f"block loop {VSETVLI} {VLE} {VFADD} {VFADD} {VSE} {ADD} {C_LW}")
        file = CounterFile(tmp_path / "counters")
        assert file.per_instruction == (per == "instruction")
        qemu.tell("run 0 loop 1000")
        first = file.read().total()
        qemu.tell("run 0 loop 7")
        second = file.read().total()
    assert {name: count for name, count in first.items() if count} == {
        "instructions": 7000,
        "vset": 1000,
        "vector-load": 1000,
        "vector-arith": 2000,
        "vector-store": 1000,
        "other": 1000,
        "load": 1000,
    }
    assert second["vector-arith"] - first["vector-arith"] == 14
    assert sum(second.values()) == 2 * second["instructions"]  # each instruction is of exactly one class


def test_threads_are_apart_and_one_without_a_slot_is_told(programs: Path, tmp_path: Path) -> None:
    with fake_qemu(programs, tmp_path, "slots=2") as qemu:
        for vcpu in range(3):
            qemu.tell(f"vcpu {vcpu}")
        qemu.tell(f"block a {ADD}")
        qemu.tell(f"block v {VFADD} {VFADD}")
        for vcpu, block, times in ((0, "a", 5), (1, "v", 3), (2, "v", 100)):
            qemu.tell(f"run {vcpu} {block} {times}")
        file = CounterFile(tmp_path / "counters")
        counts = file.read()
    per_thread = [dict(zip(counts.names, t.counts, strict=True)) for t in counts.threads]
    assert [t["instructions"] for t in per_thread] == [5, 6]
    assert [t["vector-arith"] for t in per_thread] == [0, 6]
    assert counts.lost == 1


def test_a_number_given_to_a_second_thread_goes_on_counting(programs: Path, tmp_path: Path) -> None:
    with fake_qemu(programs, tmp_path) as qemu:
        for _ in range(2):
            qemu.tell("vcpu 0")
        qemu.tell(f"block a {ADD}")
        qemu.tell("run 0 a 4")
        (thread,) = CounterFile(tmp_path / "counters").read().threads
    assert thread.vcpus == 2
    assert thread.counts[0] == 4


def test_counts_outlive_a_flush_of_the_translations(programs: Path, tmp_path: Path) -> None:
    with fake_qemu(programs, tmp_path) as qemu:
        qemu.tell("vcpu 0")
        qemu.tell(f"block a {ADD}")
        qemu.tell("run 0 a 10")
        qemu.tell("flush")
        qemu.tell(f"block b {VLE}")
        qemu.tell("run 0 b 1")
        total = CounterFile(tmp_path / "counters").read().total()
    assert (total["other"], total["vector-load"]) == (10, 1)


def test_a_forked_child_counts_nothing_into_the_parents_file(programs: Path, tmp_path: Path) -> None:
    with fake_qemu(programs, tmp_path) as qemu:
        qemu.tell("vcpu 0")
        qemu.tell(f"block child {ADD}")
        qemu.tell("fork")
        qemu.tell("run 0 child 2")
        counts = CounterFile(tmp_path / "counters").read()
    assert counts.total()["instructions"] == 2
    assert counts.forks == 1


def test_accesses_go_through_the_caches_and_are_counted_by_what_they_move(programs: Path, tmp_path: Path) -> None:
    # an L1 of one set with two lines, an L2 of four
    with fake_qemu(programs, tmp_path, "l1d=128/2/64", "l2=256/4/64") as qemu:
        for vcpu in range(2):
            qemu.tell(f"vcpu {vcpu}")
        qemu.tell(f"block m {C_LW} {VLE}")
        for at in ("0", "40", "0", "80", "40", "0"):  # 0 stays, being used again; 40 goes for 80, 80 for 40 ...
            qemu.tell(f"touch 0 m 0 {at} 2 r")
        qemu.tell("touch 0 m 0 3c 3 w")  # over the edge of two lines, both there
        qemu.tell("touch 0 m 1 100 2 w")
        qemu.tell("touch 1 m 0 1000 2 r")
        total = CounterFile(tmp_path / "counters").read().total()
    assert total["l1d-load-misses"] == 5  # 0, 40, 80, 40, 0: the third access found its line
    assert total["l1d-store-misses"] == 1
    assert total["l2-misses"] == 4  # 0, 40, 80, 100
    assert (total["vector-elements"], total["vector-bytes"], total["scalar-bytes"]) == (1, 4, 6 * 4 + 8)
    assert total["foreign"] == 1


@pytest.mark.parametrize("api", APIS)
def test_without_caches_no_access_calls_back(programs: Path, tmp_path: Path, api: int) -> None:
    with fake_qemu(programs, tmp_path, api=api) as qemu:
        qemu.tell("vcpu 0")
        qemu.tell(f"block m {C_LW}")
        qemu.tell("touch 0 m 0 0 2 r")
        total = CounterFile(tmp_path / "counters").read().total()
    assert "l1d-load-misses" not in total


@pytest.mark.parametrize(
    ("target", "arguments", "said"),
    [
        ("x86_64", ["out=o"], "riscv64, not x86_64"),
        ("riscv64", [], "got no path"),
        ("riscv64", ["out=o", "slots=0"], "another number"),
        ("riscv64", ["out=o", "speed=9"], "no argument speed=9"),
        ("riscv64", ["out=/nowhere/o"], "can't write /nowhere/o"),
        ("riscv64", ["out=o", "l1d=100/3/60"], "can't model l1d=100/3/60"),
        ("riscv64", ["out=o", "l2=512/2/64"], "can't model l2 without l1d"),
    ],
)
def test_what_it_does_not_understand_it_refuses(
    programs: Path, tmp_path: Path, target: str, arguments: list[str], said: str
) -> None:
    words = [*map(str, built(programs, 1)), target, *arguments]
    done = subprocess.run(words, cwd=tmp_path, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert said in done.stderr
