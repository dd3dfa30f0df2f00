"""`hwprof --version` against `python -c pass`, in turn: the median ratio, pair by pair."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

PAIRS = 20


def seconds(words: list[str]) -> float:
    """Wall time of one run of a command."""
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians and the ratio."""
    ours, theirs = [sys.executable, "-P", "-m", "hwprof", "--version"], [sys.executable, "-P", "-c", "pass"]
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(PAIRS)]
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    print(f"hwprof --version {1e3 * a:.1f} ms, python -P -c pass {1e3 * b:.1f} ms, ratio {ratio:.2f} (at most 4)")


if __name__ == "__main__":
    main()
