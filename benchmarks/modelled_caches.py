"""What modelling caches costs in the riscv64 simulator: user time of the same programs, with caches over without.

    python benchmarks/modelled_caches.py [ROUNDS]

Three programs of tests/collectors/riscv/memory.c (a stride, a pointer chase, a product of matrices), in turn with and
without caches, in ROUNDS rounds (default: 7); per program the median of the ratios and their range. Asked for: at most
3 times the plugin without caches.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from hwprof.collectors.riscv.simulator import Cpu, arguments, parse

SOURCE = Path(__file__).parents[1] / "tests" / "collectors" / "riscv" / "memory.c"
PROGRAMS = (("load", "1048576", "600"), ("chase", "131072", "8000000"), ("matrix", "224", "1"))
MOST = 3.0


def user_s(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(words, check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main(rounds: int) -> int:
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "memory"
        compiler = os.environ.get("RISCV_CC", "riscv64-linux-gnu-gcc")
        subprocess.run([compiler, "-O1", "-static", str(SOURCE), "-o", str(program)], check=True)
        for given in PROGRAMS:
            ratios = []
            for _ in range(rounds):
                times = [
                    user_s([*arguments(Path("/"), cpu, Path(folder) / "counters"), str(program), *given])
                    for cpu in (Cpu(), parse("riscv64:cpu=spacemit-x60"))
                ]
                ratios.append(times[1] / times[0])
            median = statistics.median(ratios)
            worst = max(worst, median)
            print(f"{' '.join(given)}: {median:.2f} times the user time [{min(ratios):.2f}, {max(ratios):.2f}]")
    print(f"at most {MOST:g} asked for, {worst:.2f} found")
    return 0 if worst <= MOST else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
