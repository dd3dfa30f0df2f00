"""Programs put around the worker that count for it: callgrind.

callgrind executes the worker on a simulated CPU with simulated caches and a branch predictor: its counts repeat and
its time means nothing. They are never merged with counts of the real CPU. The worker itself asks for the edges of its
window (`client_requests`); what it dumped is read here.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.collectors.client_requests import CODE, COUNTED, EMPTY
from hwprof.collectors.modelled_caches import Cache, geometry, options
from hwprof.collectors.protocol import Available, Unavailable, UnswitchedWrapper
from hwprof.errors import CaseFailed
from hwprof.records import Origin, Reading, Shape

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


# How callgrind's counts came about; part of every reading's source, for counts of two editions are never compared.
# 1 (sources without an edition): switched on and off from outside, with 8 to 10 million instructions of the worker's
# own work between the edges. 2: from within, by client requests around the loop, an empty loop subtracted.
EDITION = 2


def callgrind_available(path: str | None = None, machine: str = "") -> Available | Unavailable:
    """Whether valgrind is on the PATH, and the worker can speak to it on this kind of machine."""
    machine = machine or platform.machine()
    if machine not in CODE:
        return Unavailable(f"callgrind's client requests are not known for {machine}", f"known: {', '.join(CODE)}")
    if shutil.which("valgrind", path=path):
        return Available("callgrind")
    return Unavailable("valgrind is not installed", "apt-get install valgrind")


def version() -> str:
    """What valgrind calls itself; "" where it gives no answer."""
    done = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Callgrind(UnswitchedWrapper):
    """Runs the worker under callgrind, instrumentation off until the worker asks for it.

    `directory` must exist and be this run's own: callgrind dumps into it.
    """

    directory: Path
    caches: Mapping[str, Cache] = field(default_factory=geometry)

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line with callgrind in front."""
        return [
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",
            "--cache-sim=yes",
            "--branch-sim=yes",
            *options(self.caches),
            f"--callgrind-out-file={self.directory}/callgrind.out",
            "--vgdb=no",
            "--quiet",
            *command,
        ]

    def parse(self) -> list[Reading]:
        """Readings of the counted window less the empty one, over all threads. CaseFailed where a dump is missing."""
        counted, empty = self._dump(COUNTED), self._dump(EMPTY)
        return readings({name: max(0, count - empty.get(name, 0)) for name, count in counted.items()})

    def _dump(self, tag: str) -> dict[str, int]:
        """Counts of the dump that the worker called `tag`; the one at the end of the program has no tag."""
        line = f"desc: Trigger: Client Request: {tag}\n"
        for path in self.directory.glob("callgrind.out*"):
            text = path.read_text(errors="replace")
            if line in text[:4096]:
                return totals(text)
        raise CaseFailed(f"callgrind left no dump of the window '{tag}'", "free space in TMPDIR, and try again")


def totals(text: str) -> dict[str, int]:
    """Event name -> count of one callgrind dump (its `events:` and `totals:` lines). CaseFailed where it is cut off."""
    events = re.search(r"^events: (.+)$", text, re.MULTILINE)
    values = re.search(r"^totals: ([\d ]+)$", text, re.MULTILINE)
    if not events or not values:
        raise CaseFailed("a callgrind dump without events or totals", "free space in TMPDIR, and try again")
    counts = [int(v) for v in values[1].split()]
    names = events[1].split()
    # callgrind leaves trailing zeros away
    return dict(zip(names, counts + [0] * (len(names) - len(counts)), strict=True))


def readings(counts: Mapping[str, int]) -> list[Reading]:
    """Canonical metrics from callgrind's counts; a metric whose events are not all there is left out."""
    return [
        Reading(
            metric,
            float(sum(counts[e] for e in events)),
            origin=Origin.SIMULATED,
            domain="user",
            source=f"callgrind:v{EDITION}:{'+'.join(events)}",
            meaning=meaning,
            raw=sum(counts[e] for e in events),
            shape=Shape.COUNT,
        )
        for metric, (events, meaning) in METRICS.items()
        if all(e in counts for e in events)
    ]
