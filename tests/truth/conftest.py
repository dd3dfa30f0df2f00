"""Guests that count the programs of known answer: one boot for each kind of hardware, for all tests of the session."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hwprof.artifacts import default_cache
from hwprof.boards import ensure_image, run_guest
from hwprof.validation import build

HERE = Path(__file__).parent
CACHE = default_cache()  # as it was before any test got a cache of its own
PACKAGES = ("onnxruntime", "opencv")  # as in tests/board: one image does for both
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
AT_ONCE = 2
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
    image = ensure_image(arch, PACKAGES, CACHE)
    script = f"python3 -m tests.truth.parts {' '.join(parts)}"
    result = run_guest(image, folder, script, smp=cpus, icount=cpus == 1, cpu_options=cpu, timeout_s=TIMEOUT_S)
    assert result.exit_code == 0, result.stderr + result.console
    return Guest(arch, json.loads((folder / "out.json").read_text()))


@pytest.fixture(scope="session")
def boards(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every board that a selected test asks for, booting side by side."""
    asked: set[str] = set()
    for item in request.session.items:
        asked.update(getattr(item, "fixturenames", ()))
        call = getattr(item, "callspec", None)
        asked.update(str(value) for value in (call.params.values() if call else ()))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        folders = {name: tmp_path_factory.mktemp(name) for name in BOARDS if name in asked}
        yield {name: pool.submit(boot, name, folder) for name, folder in folders.items()}
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def riscv64(boards: dict[str, Any]) -> Guest:
    """With Sscofpmf; counts exactly."""
    found: Guest = boards["riscv64"].result()
    return found


@pytest.fixture(scope="session")
def arm64(boards: dict[str, Any]) -> Guest:
    """Counts exactly; seven counters that multiplex."""
    found: Guest = boards["arm64"].result()
    return found


@pytest.fixture(scope="session")
def riscv64_plain(boards: dict[str, Any]) -> Guest:
    """Without Sscofpmf: no exclusion, no sampling."""
    found: Guest = boards["riscv64_plain"].result()
    return found


@pytest.fixture(scope="session")
def two_cpus(boards: dict[str, Any]) -> Guest:
    """Two CPUs, where instructions can't be counted exactly, and page faults can."""
    found: Guest = boards["two_cpus"].result()
    return found
