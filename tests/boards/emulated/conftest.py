"""Boards that run hwprof itself: each architecture with one CPU and exact counts, and with two.

`board_image(arch)` is for everybody who has a job for a guest: `run_guest(board_image("riscv64"), folder, script)`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hwprof.boards.image import ensure_image
from hwprof.boards.machines import Image
from hwprof.frameworks.debian import sets_of
from tests.fleet import ARCHITECTURES, CACHE, ONE_CPU, PACKAGES, TWO_CPUS, Fleet, Job, Outcome, asks, register

EXPERIMENT = """
format = 1
name = "{name}"
seed = 7
rounds = {rounds}
[matrix]
frameworks = ["onnxruntime", "opencv"]
networks = {networks}
size = [32]
[measure]
{window}
min_iterations = 4
warmup_iterations = {warmup}
timeout_s = 600
[counters]
events = ["cycles", "instructions", "dTLB-load-misses", "branch-misses", "task-clock", "page-faults"]
[gauges]
idle_baseline_s = 0.0
"""

# The second sweep lacks CAP_SYS_ADMIN (21) and CAP_PERFMON (38): it counts user mode alone, without the ticks and
# switches of the kernel; addresses and hashes are the same in every process and arrays lie at a page's beginning, since
# what depends on them (alignment, the order of sets) moves a framework's count by some 4e-4 between processes.
EXACT = """
uname -m
hwprof sweep ./board.toml --results sweep.db
echo "sweep ended with $?"
echo 2 >/proc/sys/kernel/perf_event_paranoid
echo 0 >/proc/sys/kernel/randomize_va_space
export PYTHONHASHSEED=0 GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4096:glibc.malloc.mmap_max=10000000
python3 -c "
import ctypes, os
for capability in (21, 38):
    assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
os.execvp('hwprof', ['hwprof', 'sweep', './user.toml', '--results', 'user.db'])"
echo "second sweep ended with $?"
echo "this is stderr" >&2
exit 7
"""

# Two threads of one process at once, on two CPUs: what is counted must be both of them. The network and its reference
# are those of the sweep.
TWO = """
grep -c ^processor /proc/cpuinfo
hwprof run -f onnxruntime -n squeezenet1_1 -s 32 -t 2 --cpus 0,1 -r 1 --iterations 5 -w 2 \
  -e cycles,instructions,task-clock,context-switches --option spin=true --results two.db
two=$?
HWPROF_CACHE=/tmp/empty hwprof sweep ./bundle.tar --results bundle.db 2>bundle.txt >&2
echo "bundle ended with $?"
echo 2 >/proc/sys/kernel/perf_event_paranoid
su nobody -s /bin/sh -c "cd /tmp; HOME=/tmp PATH=$PATH PYTHONPATH=$PYTHONPATH hwprof run --backend perf \\
  -e cycles,context-switches -r 1 --no-save --json -- python3 -c pass" >user.json
exit $two
"""
BUNDLE = """
rounds = 1
[matrix]
frameworks = ["onnxruntime", "opencv"]
networks = ["tiny_cnn"]
[measure]
iterations = 4
min_iterations = 4
warmup_iterations = 2
timeout_s = 600
[gauges]
idle_baseline_s = 0.0
"""


def sweeps(folder: Path) -> str:
    """Two sweeps, in a folder with their experiments."""
    board = {
        "name": "board",
        "rounds": 1,
        "networks": '["tiny_cnn", "squeezenet1_1"]',
        "window": "iterations = 4",
        "warmup": 2,
    }
    # Inferences enough for Python to have specialised the loop, and as many in each round.
    user = {"name": "user", "rounds": 3, "networks": '["tiny_cnn"]', "window": "iterations = 100", "warmup": 20}
    for words in (board, user):
        (folder / f"{words['name']}.toml").write_text(EXPERIMENT.format(**words))
    return EXACT


def bundled(arch: str) -> Callable[[Path], str]:
    """The script of two CPUs, in a folder with a bundle that was prepared here for them."""

    def prepare(folder: Path) -> str:
        (folder / "bundle.toml").write_text(BUNDLE)
        words = [sys.executable, "-P", "-m", "hwprof", "prepare", "bundle.toml", "--for", arch, "-o", "bundle.tar"]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True)
        return TWO

    return prepare


for arch in ARCHITECTURES:
    register(
        [
            Job(f"{arch}-swept", ONE_CPU[arch], sweeps, asks("exact", arch), 5),
            Job(f"{arch}-two", TWO_CPUS[arch], bundled(arch), asks("two", arch), 3),
        ]
    )


@pytest.fixture(scope="session")
def board_image() -> Callable[..., Image]:
    """`board_image(arch)`: the image that all tests share; `board_image(arch, packages)`: another one."""

    def image(arch: str, packages: tuple[str, ...] = PACKAGES) -> Image:
        return ensure_image(arch, sets_of(packages), cache=CACHE)

    return image


@pytest.fixture(scope="session", params=ARCHITECTURES)
def exact(request: pytest.FixtureRequest, fleet: Fleet) -> Outcome:
    """A board of one CPU with exact counts, after a sweep."""
    return fleet.result(f"{request.param}-swept")


@pytest.fixture(scope="session", params=ARCHITECTURES)
def two(request: pytest.FixtureRequest, fleet: Fleet) -> Outcome:
    """A board of two CPUs, after a run of two threads."""
    return fleet.result(f"{request.param}-two")
