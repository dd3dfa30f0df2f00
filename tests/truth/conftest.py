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

from hwprof.boards import run_guest
from hwprof.validation import build
from tests import fleet
from tests.fleet import CACHE, Fleet, register, shared_image

HERE = Path(__file__).parent
TIMEOUT_S = 1500
EVERYWHERE = (
    *("programs", "group", "user", "threads", "fork", "exec_", "profile", "own", "rights", "sampling"),
    "validate",
)
# fixture -> architecture, parts, CPU options, CPUs (one counts exactly)
BOARDS: dict[str, tuple[str, tuple[str, ...], dict[str, bool], int]] = {
    "riscv64": ("riscv64", (*EVERYWHERE, "tlb", "never", "second", "firmware", "perf_in_turn"), {}, 1),
    "arm64": ("arm64", (*EVERYWHERE, "raw", "passes", "multiplexed", "perf_together"), {}, 1),
    "riscv64_plain": ("riscv64", ("user", "rights", "sampling"), {"sscofpmf": False}, 1),
    "two_cpus": ("riscv64", ("threads", "fork", "exec_"), {}, 2),
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


def boot(name: str, folder: Path) -> Guest:
    """Have a board count its parts in `folder`."""
    arch, parts, cpu, cpus = BOARDS[name]
    shutil.copy(build.build(CACHE / "truth", COMPILERS[arch]), folder / "truth")
    package = folder / "tests" / "truth"
    package.mkdir(parents=True)
    for name in ("__init__.py", "parts.py", "watcher.py"):
        shutil.copy(HERE / name, package)
    script = f"python3 -m tests.truth.parts {' '.join(parts)}"
    result = run_guest(
        shared_image(arch), folder, script, smp=cpus, icount=cpus == 1, cpu_options=cpu, timeout_s=TIMEOUT_S
    )
    assert result.exit_code == 0, result.stderr + result.console
    return Guest(arch, json.loads((folder / "out.json").read_text()))


def asks(name: str) -> Callable[[pytest.Item], bool]:
    """Whether a test of this folder has the board as a fixture, or as the value of one."""

    def asked(item: pytest.Item) -> bool:
        if HERE not in item.path.parents:
            return False
        call = getattr(item, "callspec", None)
        return name in (*getattr(item, "fixturenames", ()), *(call.params.values() if call else ()))

    return asked


register(
    fleet.Guest(f"{name}-truth", partial(boot, name), asks(name), 3 if name in COMPILERS else 1) for name in BOARDS
)


@pytest.fixture(scope="session")
def riscv64(fleet: Fleet) -> Guest:
    """With Sscofpmf; counts exactly."""
    found: Guest = fleet.result("riscv64-truth")
    return found


@pytest.fixture(scope="session")
def arm64(fleet: Fleet) -> Guest:
    """Counts exactly; seven counters that multiplex."""
    found: Guest = fleet.result("arm64-truth")
    return found


@pytest.fixture(scope="session")
def riscv64_plain(fleet: Fleet) -> Guest:
    """Without Sscofpmf: no exclusion, no sampling."""
    found: Guest = fleet.result("riscv64_plain-truth")
    return found


@pytest.fixture(scope="session")
def two_cpus(fleet: Fleet) -> Guest:
    """Two CPUs, where instructions can't be counted exactly, and page faults can."""
    found: Guest = fleet.result("two_cpus-truth")
    return found
