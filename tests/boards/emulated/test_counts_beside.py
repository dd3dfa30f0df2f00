"""The plugin's counts beside the guest kernel's, of the same program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet import CACHE, PACKAGES

ROOT = Path(__file__).parents[3]
ROUNDS = 100_000


@pytest.mark.board
@pytest.mark.timeout(1800)
def test_a_static_program_takes_as_many_instructions_in_the_plugin_as_on_the_board(tmp_path: Path) -> None:
    program = tmp_path / "vectors"
    source = ROOT / "tests/collectors/riscv/vectors.c"
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-pthread", str(source), "-o", str(program)], check=True)
    words = [sys.executable, str(ROOT / "tools/riscv_counts.py"), "--json", "--with", ",".join(PACKAGES)]
    environ = {**os.environ, "HWPROF_CACHE": str(CACHE), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*words, f"{program} 0", f"{program} {ROUNDS}"], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    none, many = json.loads(done.stdout)
    plugin = many["plugin"]["instructions"] - none["plugin"]["instructions"]
    board = many["board"] - none["board"]
    # Starting up is left out by the difference; the loop has seven vector instructions and its own two.
    assert plugin >= 9 * ROUNDS
    # 58 were seen: digits of the number, page faults of starting up. An instruction of the loop would be ROUNDS.
    assert abs(plugin - board) <= ROUNDS / 20
    assert many["plugin"]["vector-arith"] == 3 * ROUNDS
