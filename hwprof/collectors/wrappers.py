"""Programs put around the worker that count for it: callgrind.

callgrind executes the worker on a simulated CPU with simulated caches and a branch predictor: its counts repeat to
about 0.01 % and its time means nothing. They are never merged with counts of the real CPU.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.collectors.protocol import Available, Unavailable
from hwprof.errors import CaseFailed
from hwprof.records import Origin, Reading

# canonical metric -> the events of callgrind that add up to it, and what the number means
# (valgrind manual, "Cachegrind" and "Callgrind": Ir, Dr, Dw, I1mr, D1mr, D1mw, ILmr, DLmr, DLmw, Bc, Bcm, Bi, Bim)
METRICS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "instructions": (("Ir",), "instructions executed in user space"),
    "loads": (("Dr",), "data reads"),
    "stores": (("Dw",), "data writes"),
    "l1i-misses": (("I1mr",), "misses of the simulated first-level instruction cache"),
    "l1d-misses": (("D1mr", "D1mw"), "read and write misses of the simulated first-level data cache"),
    "llc-misses": (("ILmr", "DLmr", "DLmw"), "misses of the simulated last-level cache"),
    "branches": (("Bc", "Bi"), "conditional and indirect branches"),
    "branch-misses": (("Bcm", "Bim"), "mispredictions of a simulated predictor"),
}


def callgrind_available(path: str | None = None) -> Available | Unavailable:
    """Whether valgrind and its control program are on the PATH."""
    if shutil.which("valgrind", path=path) and shutil.which("callgrind_control", path=path):
        return Available("callgrind")
    return Unavailable("valgrind is not installed", "apt-get install valgrind")


@dataclass(slots=True)
class Callgrind:
    """Runs the worker under callgrind with collection off, and switches it on from outside for each window.

    `directory` must exist and be this run's own. The first window warms the simulated caches; its counts are zeroed
    before the next one begins.
    """

    directory: Path
    origin: Origin = Origin.SIMULATED
    dumped: list[int] = field(default_factory=list)

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line with callgrind in front."""
        return [
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",
            "--cache-sim=yes",
            "--branch-sim=yes",
            f"--callgrind-out-file={self.directory}/callgrind.out",
            f"--vgdb-prefix={self.directory}/vgdb",
            "--quiet",
            *command,
        ]

    def start(self, pid: int, window: int) -> None:
        """Instrumentation on; what an earlier window counted is dropped."""
        if window > 0:
            self._control(pid, "-z")
        self._control(pid, "-i", "on")

    def stop(self, pid: int, window: int) -> None:
        """Keep the counts of this window on disk. Instrumentation stays on, so that the caches stay warm."""
        if window > 0:
            self._control(pid, "-d", f"window {window}")
            self.dumped.append(window)

    def _control(self, pid: int, *words: str) -> None:
        command = ["callgrind_control", f"--vgdb-prefix={self.directory}/vgdb", *words, str(pid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0 or "Error" in done.stdout + done.stderr:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise CaseFailed(f"callgrind_control {' '.join(words)} failed: {said[-1] if said else 'no word'}")

    def parse(self) -> list[Reading]:
        """Readings of the last dumped window, summed over threads. Raises CaseFailed where there is no dump."""
        dumps = [p for p in self.directory.glob("callgrind.out.*") if b"window" in p.read_bytes()[:4096]]
        if not dumps:
            raise CaseFailed("callgrind left no dump of the window")
        counts = _merge([totals(p.read_text(errors="replace")) for p in dumps])
        return readings(counts)


def totals(text: str) -> dict[str, int]:
    """Event name -> count of one callgrind dump (its `events:` and `totals:` or `summary:` lines)."""
    events = re.search(r"^events: (.+)$", text, re.MULTILINE)
    values = re.search(r"^(?:totals|summary): (.+)$", text, re.MULTILINE)
    if not events or not values:
        raise CaseFailed("a callgrind dump without events or totals")
    counts = [int(v) for v in values[1].split()]
    names = events[1].split()
    # callgrind leaves trailing zeros away
    return dict(zip(names, counts + [0] * (len(names) - len(counts)), strict=True))


def _merge(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            merged[name] = merged.get(name, 0) + count
    return merged


def readings(counts: Mapping[str, int]) -> list[Reading]:
    """Canonical metrics from callgrind's counts; a metric whose events are not all there is left out."""
    return [
        Reading(
            metric,
            float(sum(counts[e] for e in events)),
            origin=Origin.SIMULATED,
            domain="user",
            source=f"callgrind:{'+'.join(events)}",
            meaning=meaning,
            raw=sum(counts[e] for e in events),
        )
        for metric, (events, meaning) in METRICS.items()
        if all(e in counts for e in events)
    ]
