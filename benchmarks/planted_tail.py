"""Does p99 get the reason that was planted? Page faults in 1 % of inferences, and a busy loop on the same CPU.

    python benchmarks/planted_tail.py [--repeats 5] [--seconds 3]

Live, on the first CPU that is allowed. An inference is a loop of Python code of about 1 ms; a planted one also writes
to 512 pages that are new (`mmap`). Quiet, and beside a busy loop on that CPU, each with nothing planted and with
faults. Prints for each what is said to be the reason of p99 and which events are named, and what share of the excess
lies in them. Exit code 1: faults were planted and not named in most repeats, or nothing was and they were; beside the
busy loop the reason is not waiting in most of them.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.names import AUTO_SOFTWARE
from hwprof.collectors.protocol import Session, Target
from hwprof.records import Case, Run
from hwprof.worker.iterations import open_ledgers, record
from hwprof.worker.loop import Loop, no_garbage_collection

if TYPE_CHECKING:  # numpy starts threads, and counters are open before the first
    from hwprof.analysis.over_time.tail import Tail

WAITING = "waiting for a CPU"
PAGES = 512
FAULTY = 0.01
FAULTS = frozenset({"page-faults", "minor-faults", "rusage-minor-faults"})


@contextmanager
def busy_loop(cpu: int) -> Iterator[int]:
    """The id of a process that computes for ever on this CPU, stopped. A child of counted ones would be counted."""
    code = f"import os\nos.sched_setaffinity(0, {{{cpu}}})\nprint(flush=True)\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def measure(perf: Session, seconds: float, faults: bool, seed: int) -> Tail:
    """What is said of the slowest inferences of one run."""
    from hwprof.analysis.over_time.tail import estimate

    rng = random.Random(seed)

    def infer(_: object) -> None:
        sum(range(40_000))
        if faults and rng.random() < FAULTY:
            with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as fresh:
                for page in range(PAGES):
                    fresh[page * mmap.PAGESIZE] = 1

    loop = Loop(infer, [None])
    loop.run(20, 0.0)
    with open_ledgers(perf) as ledgers, no_garbage_collection():
        perf.select(perf.passes[0] if perf.passes else None)
        window = record(loop, ledgers, seconds, 0)
        perf.select(None)
    found = estimate([Run("planted", Case("planted", "planted", "", 32), windows=(window,))])
    assert found is not None
    return found


def describe(found: Tail) -> str:
    """One repeat in a line."""
    parts = ", ".join(f"{p.name} {p.share:.2f} [{p.low:.2f}, {p.high:.2f}]" for p in found.parts)
    events = ", ".join(f"{e.metric} {e.slow:.2f}/{e.others:.3f} excess {e.excess:.2f}" for e in found.found)
    ratio = found.p99_ns / found.median_ns
    return f"{found.inferences:5} inferences, p99 {ratio:4.1f}x the median: {parts}; events: {events or 'none'}"


def main() -> int:
    """Print the table; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    cpu = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    print(f"load {os.getloadavg()[0]:.1f}; faults planted in {100 * FAULTY:g} % of inferences")
    kept = True
    with busy_loop(cpu) as sibling, PerfCollector().open(Target(), list(AUTO_SOFTWARE)) as perf:
        for busy in (False, True):
            for faults in (False, True):
                print(f"{'beside a busy loop' if busy else 'quiet'}, {'faults' if faults else 'nothing'} planted")
                named, waiting, carried = [], [], []
                for repeat in range(args.repeats):
                    os.kill(sibling, signal.SIGCONT if busy else signal.SIGSTOP)
                    found = measure(perf, args.seconds, faults, repeat)
                    print(f"  {describe(found)}", flush=True)
                    hits = [e for e in found.found if FAULTS & {e.metric, *e.also} and not e.less]
                    named.append(bool(hits))
                    carried += [e.excess for e in hits]
                    waiting.append(found.reason is not None and found.reason.name == WAITING)
                said = f"  faults named in {sum(named)} of {len(named)}, reason is waiting in {sum(waiting)}"
                print(
                    said + (f", median share of the excess in them {statistics.median(carried):.2f}" if carried else "")
                )
                kept = (
                    kept and (sum(named) * 2 > len(named)) == faults and (not busy or sum(waiting) * 2 > len(waiting))
                )
    print("kept" if kept else "BROKEN")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
