"""Modelled caches in QEMU itself: misses against arithmetic, and beside callgrind on the same pattern and geometry."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hwprof.collectors.riscv.counters import CounterFile
from hwprof.collectors.riscv.simulator import arguments, parse

CPU = parse("riscv64:l1d=32k/8/64,l2=512k/16/64")
GEOMETRY = ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=524288,16,64"]
SOURCE = Path(__file__).parent / "memory.c"
LINES_64K, LINES_1M = 1024, 16_384

pytestmark = pytest.mark.board


def built(compiler: str, folder: Path) -> Path:
    made = folder / f"memory-{Path(compiler).name}"
    subprocess.run([compiler, "-O1", "-static", str(SOURCE), "-o", str(made)], check=True)
    return made


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("riscv64-linux-gnu-gcc", tmp_path_factory.mktemp("memory"))


def counts(program: Path, pattern: str, size: int, times: int, before: int = 0) -> dict[str, int]:
    """Class -> count of so many times, beyond those of the same program that ends `before` them."""

    def of(repetitions: int) -> dict[str, int]:
        file = program.parent / "counters"
        words = [*arguments(Path("/"), CPU, file), str(program), pattern, str(size), str(repetitions)]
        subprocess.run(words, check=True, capture_output=True)
        return CounterFile(file).read().total()

    idle, busy = of(before), of(before + times)
    return {name: busy[name] - idle[name] for name in busy}


def test_a_stride_of_lines_misses_what_arithmetic_says(program: Path) -> None:
    found = counts(program, "load", 64 << 10, 100)  # twice the L1: of 8 ways each set gets 16 lines in turn
    assert found["l1d-load-misses"] == pytest.approx(100 * LINES_64K, rel=1e-3)
    assert found["l2-misses"] == pytest.approx(LINES_64K, abs=30)  # each line once
    found = counts(program, "load", 1 << 20, 20)  # twice the L2
    assert found["l1d-load-misses"] == pytest.approx(20 * LINES_1M, rel=1e-3)
    assert found["l2-misses"] == pytest.approx(20 * LINES_1M, rel=1e-3)
    found = counts(program, "load", 16 << 10, 100)
    assert found["l1d-load-misses"] == pytest.approx(256, abs=40)  # each of its lines once, and starting
    assert found["foreign"] == 0


def test_stores_allocate_and_are_told_from_loads(program: Path) -> None:
    found = counts(program, "store", 64 << 10, 100)
    assert found["l1d-store-misses"] == pytest.approx(100 * LINES_64K, rel=1e-3)
    assert found["l1d-load-misses"] < 100


def test_a_chase_through_all_lines_misses_at_every_step_or_at_none(program: Path) -> None:
    # once around, so that building them is forgotten: of 2048 lines every step is a miss, of 256 none
    assert counts(program, "chase", 128 << 10, 200_000, before=4096)["l1d-load-misses"] == 200_000
    assert counts(program, "chase", 16 << 10, 200_000, before=4096)["l1d-load-misses"] == 0


@pytest.mark.valgrind
def test_a_product_of_matrices_misses_as_callgrind_says(program: Path, tmp_path: Path) -> None:
    host = built("gcc", tmp_path)

    def callgrind(times: int) -> dict[str, int]:
        out = tmp_path / f"out{times}"
        tool = ["valgrind", "--tool=callgrind", "--cache-sim=yes", *GEOMETRY, f"--callgrind-out-file={out}", "-q"]
        subprocess.run([*tool, str(host), "matrix", "128", str(times)], check=True, capture_output=True)
        text = out.read_text()
        names, totals = (re.search(rf"^{word}: (.+)$", text, re.MULTILINE) for word in ("events", "totals"))
        assert names is not None
        assert totals is not None
        return dict(zip(names[1].split(), map(int, totals[1].split()), strict=False))

    idle, busy = callgrind(0), callgrind(2)
    found = counts(program, "matrix", 128, 2)
    theirs = sum(busy[name] - idle[name] for name in ("D1mr", "D1mw"))
    assert found["l1d-load-misses"] + found["l1d-store-misses"] == pytest.approx(theirs, rel=1e-3)
