"""What slices cost: CPU time per inference of bare and of counted slices beside a plain loop, in one process.

    python benchmarks/slice_cost.py [--seconds S] [--load N] [MS ...]        default: 0.1 1 10 100 ms per inference

The inference is a chain of numpy's matrix-vector products, one thread, 1 MB of weights, as long as it takes. A block
has three arms in a seeded random order, each with the same number of inferences (twice 40 ms): a plain loop, the same
again (A/A), and a pair as the worker measures it, with the worker's own sessions: a bare and a counted slice in random
order, their edges, and their way into the log. CPU time is the process's: of all of it ("pair, all"), and of the timed
span of either slice ("inside"). Printed: median over blocks of arm / plain, with the interval of paired.py; and
all / inside of the same pair ("edges"), which noise between arms does not touch. Events are open throughout: what open
events cost is the window `closed` of every run.

"inside" is what enters latencies, "all" what a measurement takes longer for it. From 1 ms on "inside" must lie below
0.5 %, or no higher than the A/A reaches: "kept". Where an interval holds both it is "not shown", and takes a quieter
machine or more seconds. Where the lower end is above 0.5 % it is "BROKEN", and the exit code is 1.
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
from typing import Any, cast

from paired import Change, bursts, change, load, started

from hwprof.collectors.protocol import Pass, Session
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case
from hwprof.worker.common import open_counters
from hwprof.worker.loop import Loop, no_garbage_collection
from hwprof.worker.protocol import SLICE_S, Job, LoopSettings, Task
from hwprof.worker.slices import Slice, SlicedMeasurement

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


class MeteredMeasurement(SlicedMeasurement):
    """Keeps the CPU time inside the bare and the counted slice of the last pair."""

    inside_ns: dict[str, int]

    def _run_slice(self, pass_: Pass | None, iterations: int | None, first: int) -> Slice:
        done = super()._run_slice(pass_, iterations, first)
        self.inside_ns["bare slice" if pass_ is None else "counted slice"] = cast(
            MeteredLoop, self._loop
        ).spent_ns.pop()
        return done


@dataclass(frozen=True, slots=True)
class Block:
    """CPU time per inference in ns: of each arm, and inside the slices of the pair."""

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
    count = max(1, round(SLICE_S / seconds))
    perf = sessions[-1]
    sliced = MeteredMeasurement(MeteredLoop(infer, ring), LoopSettings(iterations=1 << 40), perf.passes[:1], sessions)
    sliced.inside_ns = {}
    sliced._latency_ns = int(1e9 * SLICE_S / (count + 0.5))  # so that a slice has `count` inferences
    (pairs,) = sliced._pairs
    actions: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(infer, ring, 2 * count),
        "A/A": lambda: plain(infer, ring, 2 * count),
        "pair": lambda: sliced._run_pair(pairs),
    }
    rng, found = random.Random(seed), []
    with no_garbage_collection():
        for _ in range(number + 2):
            arms = {n: 1e9 * cpu_time(actions[n]) / (2 * count) for n in rng.sample(list(actions), len(actions))}
            found.append(Block(arms, {name: ns / count for name, ns in sliced.inside_ns.items()}))
    return found[2:]  # what happens once (page faults, specialised bytecode) is over


def compared(found: Sequence[Block]) -> dict[str, Change]:
    """Every row of the table."""
    rows = {"A/A": change([b.arms["A/A"] / b.arms["plain"] for b in found])}
    for name in sorted(found[0].inside):
        rows[f"{name}, inside"] = change([b.inside[name] / b.arms["plain"] for b in found])
    rows["pair, all"] = change([b.arms["pair"] / b.arms["plain"] for b in found])
    rows["pair, edges"] = change([b.arms["pair"] / statistics.mean(b.inside.values()) for b in found])
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
            number = max(MIN_BLOCKS, round(args.seconds / 6 / max(SLICE_S, ms / 1e3)))
            found = blocks(ms / 1e3, number, sessions, seed=round(1e3 * ms))
            rows = compared(found)
            taken = statistics.median(b.arms["plain"] for b in found) / 1e6
            print(f"{ms:g} ms per inference (median {taken:.3f} ms of CPU time), {number} blocks, {load()}")
            for name, row in rows.items():
                word = judge(row, rows["A/A"]) if ms >= 1 and name.endswith("inside") else ""
                broken += word == "BROKEN"
                print(f"  {name:<24}{row}  {word}".rstrip(), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
