"""Guests that count the programs of known answer: one boot for each kind of hardware, for all tests of the session."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
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
TIMEOUT_S = 600
EVERYWHERE = ("programs", "group", "user", "threads", "fork", "exec_", "profile", "rights", "sampling", "validate")
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


Boot = Callable[..., Guest]


@pytest.fixture(scope="session")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Boots a guest of an architecture, has it count these parts, and returns what it found."""

    def start(arch: str, *parts: str, cpu: dict[str, bool] | None = None, smp: int = 1) -> Guest:
        folder = tmp_path_factory.mktemp(f"truth-{arch}")
        shutil.copy(build.build(CACHE / "truth", COMPILERS[arch]), folder / "truth")
        shutil.copy(HERE / "parts.py", folder)
        image = ensure_image(arch, PACKAGES, CACHE)
        script = f"python3 parts.py {' '.join(parts)}"
        result = run_guest(image, folder, script, smp=smp, icount=smp == 1, cpu_options=cpu or {}, timeout_s=TIMEOUT_S)
        assert result.exit_code == 0, result.stderr + result.console
        return Guest(arch, json.loads((folder / "out.json").read_text()))

    return start


@pytest.fixture(scope="session")
def riscv64(boot: Boot) -> Guest:
    """With Sscofpmf; counts exactly."""
    return boot("riscv64", *EVERYWHERE, "tlb", "never", "second", "firmware", "perf_in_turn")


@pytest.fixture(scope="session")
def arm64(boot: Boot) -> Guest:
    """Counts exactly; seven counters that multiplex."""
    return boot("arm64", *EVERYWHERE, "raw", "passes", "multiplexed", "perf_together")


@pytest.fixture(scope="session")
def riscv64_plain(boot: Boot) -> Guest:
    """Without Sscofpmf: no exclusion, no sampling."""
    return boot("riscv64", "group", "user", "rights", "sampling", cpu={"sscofpmf": False})


@pytest.fixture(scope="session")
def two_cpus(boot: Boot) -> Guest:
    """Two CPUs, where instructions can't be counted exactly, and page faults can."""
    return boot("riscv64", "threads", "fork", "exec_", smp=2)
