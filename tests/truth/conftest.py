"""Guests that count the programs of known answer: one boot for each kind of hardware, for all tests of the session."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hwprof.studies.validation import build
from tests.fleet import CACHE, ONE_CPU, PLAIN, TWO_CPUS, Board, Fleet, Job, register

HERE = Path(__file__).parent
EVERYWHERE = (
    *("programs", "group", "user", "threads", "fork", "exec_", "profile", "own", "rights", "sampling"),
    "validate",
)
# fixture -> architecture, parts, hardware
BOARDS: dict[str, tuple[str, tuple[str, ...], Board]] = {
    "riscv64": ("riscv64", (*EVERYWHERE, "tlb", "never", "second", "firmware", "perf_in_turn"), ONE_CPU["riscv64"]),
    "arm64": ("arm64", (*EVERYWHERE, "raw", "passes", "multiplexed", "perf_together"), ONE_CPU["arm64"]),
    "riscv64_plain": ("riscv64", ("user", "rights", "sampling"), PLAIN),
    "two_cpus": ("riscv64", ("threads", "fork", "exec_"), TWO_CPUS["riscv64"]),
}
COMPILERS = {"riscv64": build.CROSS["riscv64"], "arm64": build.CROSS["aarch64"]}


@dataclass(frozen=True)
class Guest:
    """What a guest found, by part."""

    arch: str
    found: dict[str, Any]

    def __getitem__(self, part: str) -> Any:
        said = self.found[part]
        assert "error" not in said, said["error"]
        return said


def counting(name: str, folder: Path) -> str:
    """What has a board count its parts in `folder`; what it prints is kept there."""
    arch, parts, _ = BOARDS[name]
    shutil.copy(build.build(CACHE / "truth", COMPILERS[arch]), folder / "truth")
    package = folder / "tests" / "truth"
    package.mkdir(parents=True)
    for file in ("__init__.py", "parts.py", "readings.py", "watcher.py"):
        shutil.copy(HERE / file, package)
    return f"python3 -m tests.truth.parts {' '.join(parts)} >printed 2>&1; echo $? >exit-code"


def counted(name: str, fleet: Fleet) -> Guest:
    """What was found in the folder of the board's job."""
    folder = fleet.result(f"{name}-truth").folder
    assert (folder / "exit-code").read_text() == "0\n", (folder / "printed").read_text()
    return Guest(BOARDS[name][0], json.loads((folder / "out.json").read_text()))


def asks_for(name: str) -> Callable[[pytest.Item], bool]:
    """Whether a test of this folder has the board as a fixture, or as the value of one."""

    def asked(item: pytest.Item) -> bool:
        if HERE not in item.path.parents:
            return False
        call = getattr(item, "callspec", None)
        return name in (*getattr(item, "fixturenames", ()), *(call.params.values() if call else ()))

    return asked


register(
    Job(f"{name}-truth", BOARDS[name][2], partial(counting, name), asks_for(name), 3 if name in COMPILERS else 1)
    for name in BOARDS
)


@pytest.fixture(scope="session")
def riscv64(fleet: Fleet) -> Guest:
    """With Sscofpmf; counts exactly."""
    return counted("riscv64", fleet)


@pytest.fixture(scope="session")
def arm64(fleet: Fleet) -> Guest:
    """Counts exactly; seven counters that multiplex."""
    return counted("arm64", fleet)


@pytest.fixture(scope="session")
def riscv64_plain(fleet: Fleet) -> Guest:
    """Without Sscofpmf: no exclusion, no sampling."""
    return counted("riscv64_plain", fleet)


@pytest.fixture(scope="session")
def two_cpus(fleet: Fleet) -> Guest:
    """Two CPUs, where instructions can't be counted exactly, and page faults can."""
    return counted("two_cpus", fleet)


@pytest.fixture(scope="module", params=["riscv64", "arm64"])
def guest(request: pytest.FixtureRequest) -> Guest:
    """Either of the two that count exactly."""
    found: Guest = request.getfixturevalue(request.param)
    return found
