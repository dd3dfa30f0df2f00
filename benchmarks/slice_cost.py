"""What slices cost: CPU time per inference of bare and of counted slices beside a plain loop, in one process.

    python benchmarks/slice_cost.py [--seconds S] [--load N] [MS ...]        default: 0.1 1 10 100 ms per inference

The inference is a chain of numpy's matrix-vector products, one thread, 1 MB of weights, as long as it takes. A block
has four arms in a seeded random order, each with the same number of inferences (about 40 ms): a plain loop, the same
again (A/A), a bare slice and a counted slice of the worker's own code with the worker's own sessions. CPU time is the
process's, from before the slice's first edge to after its last ("all"), and of the timed span alone ("inside").
Printed: median over blocks of arm / plain, with the interval of paired.py; and all / inside of the same slice
("edges"), which noise between slices does not touch. Events are open throughout: what open events cost is the window
`closed` of every run.

"inside" is what enters latencies, "all" what a measurement takes longer for it. From 1 ms on both must lie below 0.5 %,
or no higher than the A/A reaches: "kept". Where an interval holds both it is "not shown", and takes a quieter machine
or more seconds. Where the lower end is above 0.5 % it is "BROKEN", and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from paired import Change, bursts, change, load, started

from hwprof.collectors.protocol import Session
from hwprof.networks.graph import InputSpec
from hwprof.records import Case
from hwprof.worker.common import open_counters
from hwprof.worker.loop import Loop, no_garbage_collection
from hwprof.worker.protocol import SLICE_S, Job, LoopSettings, Task
from hwprof.worker.slices import SlicedMeasurement

MIN_BLOCKS = 12
LIMIT = 0.5  # percent, from 1 ms per inference on
SIDE, WEIGHTS = 256, 4  # 256 x 256 x 4 bytes, four times


@dataclass(frozen=True, slots=True)
class MeteredLoop(Loop):
    """Keeps the CPU time of each timed span."""

    spent_ns: list[int] = field(default_factory=list)

    def run(
        self, iterations: int | None, seconds: float, at_least: int = 1, first: int = 0
    ) -> tuple[int, int, array[int]]:
        """As the loop itself."""
        before = time.process_time_ns()
        done = Loop.run(self, iterations, seconds, at_least, first)
        self.spent_ns.append(time.process_time_ns() - before)
        return done


@dataclass(frozen=True, slots=True)
class Block:
    """CPU time per inference in ns: of each arm with its edges, and of both slices inside."""

    arms: dict[str, float]
    inside: dict[str, float]


def plain(infer: Callable[[Any], Any], ring: Sequence[Any], count: int) -> list[int]:
    """The loop that anyone would write."""
    clock, times = time.perf_counter_ns, []
    for i in range(count):
        start = clock()
        infer(ring[i % len(ring)])
        times.append(clock() - start)
    return times


def chain(seconds: float) -> tuple[Callable[[Any], Any], list[Any]]:
    """An inference that takes so long, and a ring of inputs."""
    import numpy as np

    rng = np.random.default_rng(1)
    weights = [rng.standard_normal((SIDE, SIDE), dtype=np.float32) / 16 for _ in range(WEIGHTS)]
    ring = [rng.standard_normal(SIDE, dtype=np.float32) for _ in range(8)]

    def infer_of(products: int) -> Callable[[Any], Any]:
        def infer(x: Any) -> Any:
            for i in range(products):
                x = np.tanh(weights[i % WEIGHTS] @ x)
            return x

        return infer

    trial = infer_of(500)
    each = min(cpu_time(lambda: trial(ring[0])) for _ in range(20)) / 500
    return infer_of(max(1, round(seconds / each))), ring


def cpu_time(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    before = time.process_time()
    action()
    return time.process_time() - before


def blocks(seconds: float, number: int, sessions: Sequence[Session], seed: int) -> list[Block]:
    """So many blocks of the four arms."""
    infer, ring = chain(seconds)
    loop = MeteredLoop(infer, ring)
    perf = sessions[-1]
    sliced = SlicedMeasurement(loop, LoopSettings(), perf.passes, sessions)
    count = max(1, round(SLICE_S / seconds))
    actions: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(infer, ring, count),
        "A/A": lambda: plain(infer, ring, count),
        "bare slice": lambda: sliced._run_slice(None, count, 0),
        "counted slice": lambda: sliced._run_slice(perf.passes[0], count, 0),
    }
    rng, found = random.Random(seed), []
    with no_garbage_collection():
        for _ in range(number + 2):
            block = Block({}, {})
            for name in rng.sample(list(actions), len(actions)):
                block.arms[name] = 1e9 * cpu_time(actions[name]) / count
                if "slice" in name:
                    block.inside[name] = loop.spent_ns[-1] / count
            found.append(block)
    return found[2:]  # what happens once (page faults, specialised bytecode) is over


def compared(found: Sequence[Block]) -> dict[str, Change]:
    """Every row of the table."""
    rows = {"A/A": change([b.arms["A/A"] / b.arms["plain"] for b in found])}
    for name in sorted(found[0].inside):
        rows[f"{name}, all"] = change([b.arms[name] / b.arms["plain"] for b in found])
        rows[f"{name}, inside"] = change([b.inside[name] / b.arms["plain"] for b in found])
        rows[f"{name}, edges"] = change([b.arms[name] / b.inside[name] for b in found])
    return rows


def judge(row: Change, control: Change) -> str:
    """What the interval says of the promise."""
    if row.high <= max(LIMIT, control.high, -control.low):
        return "kept"
    return "BROKEN" if row.low > LIMIT else "not shown"


def main() -> int:
    """One process, counters first, as in a worker; the exit code says whether the promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ms", nargs="*", type=float, default=[0.1, 1.0, 10.0, 100.0], metavar="MS")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="S", help="for each length of inference")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="neighbours that take a core in bursts")
    args = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    job = Job(Task.MEASURE, Case("numpy", "chain", "", 0), "", 0, InputSpec("x", (1, SIDE)))
    broken = 0
    with ExitStack() as closing, ExitStack() as perf_closing, started(bursts(args.load)):
        perf, sessions = open_counters(job, closing, perf_closing)
        if not perf.passes:
            sys.exit("perf events can't be opened here: there are no counted slices")
        events = sum(len(group.counters) for session in sessions for group in session.groups)
        print(f"{events} counters of {len(sessions)} sessions, {load()}", flush=True)
        for ms in args.ms:
            number = max(MIN_BLOCKS, round(args.seconds / 4 / max(SLICE_S, ms / 1e3)))
            found = blocks(ms / 1e3, number, sessions, seed=round(1e3 * ms))
            rows = compared(found)
            taken = statistics.median(b.arms["plain"] for b in found) / 1e6
            print(f"{ms:g} ms per inference (median {taken:.3f} ms of CPU time), {number} blocks, {load()}")
            for name, row in rows.items():
                word = judge(row, rows["A/A"]) if ms >= 1 and name.endswith(("all", "inside")) else ""
                broken += word == "BROKEN"
                print(f"  {name:<24}{row}  {word}".rstrip(), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
