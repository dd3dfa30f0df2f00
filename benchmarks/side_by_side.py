"""Whether a case is as fast between turns of others as it is alone: each turn of a set beside turns without the others.

    python benchmarks/side_by_side.py [-t THREADS ...] [-w small|large ...] [--blocks N] [--no-planted] [FRAMEWORK ...]

All members are loaded together and stopped while they wait, as in a set. A block measures every framework after every
other member, in a seeded random order: the other has a turn, then the framework has one ("in the set"), and at once two
more that nothing interrupts ("alone", and "alone again" for the A/A). Spinning is as the frameworks have it by default.
Two members are planted: a spinner, one of whose threads never waits, and a sweeper, which reads 256 MB in each
inference. Working sets: `small` is SqueezeNet 1.1 at 96 pixels (5 MB of weights), `large` a chain of matrix products
with a quarter more weights than the last-level cache holds.

Printed: median over blocks of latency, and of CPU time per inference, in the set / alone as a change in percent, with
the interval of paired.py. CPU time is that of all threads, and leaves out what other programs take of a core.
What differs by more than 2 % with its whole interval is NAMED, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from paired import Change, change, load, turns_of

from hwprof import plugins
from hwprof.collectors.memory import headroom
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.machine.facts import machine_facts
from hwprof.machine.session import begin_session
from hwprof.plan.cases import plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.records import Role, Run
from hwprof.runner.launcher import Launcher
from hwprof.runner.members import Member, Ticket
from hwprof.runner.runs import RunFactory
from hwprof.runner.workshop import Workshop
from hwprof.worker.protocol import SLICE_S, LoopSettings

NAMED = 2.0  # percent
SEED = 7
SETS = 2
SPARE = 1.3  # slices that a member could have, for each that is planned
PLANTED = ("spinner", "sweeper")
SIDE = 4096  # of the matrices of the chain, 64 MB each
PIXELS = 32


Triple = tuple[list[float], list[float], list[float]]  # logs of latency and CPU time: in the set, alone, alone again


@dataclass(slots=True)
class Seat:
    """A member with what each of its turns was for: (block, after whom, which of the three), None: for another."""

    member: Member
    turns: list[tuple[int, str, int] | None] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of its framework."""
        return self.member.ticket.planned.case.framework

    def take_turn(self, what: tuple[int, str, int] | None, stop: bool) -> None:
        """One turn."""
        self.turns.append(what)
        self.member.take_turn(stop)


def last_level_bytes() -> int:
    """Size of the last-level cache of the first CPU, from sysfs."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return max((int(s[:-1]) * units[s[-1]] if s[-1] in units else int(s)) for s in sizes)


def write_chain(path: Path, size: int) -> None:
    """An .onnx of matrix products whose weights take at least `size` bytes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(SEED)
    nodes, weights = [helper.make_node("Flatten", ["input"], ["x0"])], []
    width, number = 3 * PIXELS * PIXELS, max(1, -(-size // (4 * SIDE * SIDE)))
    for i in range(number):
        matrix = rng.standard_normal((width, SIDE), dtype=np.float32) / np.float32(width) ** 0.5
        weights.append(numpy_helper.from_array(matrix, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]))
        width = SIDE
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 3, PIXELS, PIXELS))
    out = helper.make_tensor_value_info(f"x{number}", TensorProto.FLOAT, (1, SIDE))
    graph = helper.make_graph(nodes, "chain", [given], [out], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def register_planted() -> None:
    """The planted members as frameworks, as if a package had installed them, for this process and its workers."""
    here, paths = Path(__file__).parent, plugins.paths
    known = {name: f"planted_members:{name.upper()}" for name in PLANTED}
    plugins.paths = lambda group: {**paths(group), **(known if group == "hwprof.frameworks" else {})}  # type: ignore[assignment]
    os.environ["PYTHONPATH"] = str(here)


def take_turns(seats: Sequence[Seat], measured: Sequence[str], blocks: int, rng: random.Random) -> None:
    """All blocks, or until a member has as many slices as were planned."""
    pairs = [(a, b) for a, b in itertools.permutations(seats, 2) if a.name in measured]
    for block in range(blocks):
        for seat, other in rng.sample(pairs, len(pairs)):
            if not all(s.member.has_turns for s in seats):
                return
            other.take_turn(None, stop=True)
            for which in range(3):
                if seat.member.has_turns:
                    seat.take_turn((block, other.name, which), stop=which == 2)


def measure(
    choices: Sequence[Choice], measured: Sequence[str], blocks: int, lengths: dict[str, float], closing: ExitStack
) -> dict[str, list[Triple]]:
    """Blocks of one set: what each framework's turns took after each member.

    `lengths`: seconds of a slice of each framework, known from an earlier set; they are replaced by this one's.
    """
    turns = blocks * (3 * (len(choices) - 1) + len(measured) - 1)
    settings = LoopSettings(alone_s=0.1, closed_window=False)
    experiment = Experiment("side-by-side", tuple(choices), SEED, 1, plan=settings, timeout_s=900, gauge_hz=1)
    launcher, facts, session = Launcher(), machine_facts(), begin_session()
    launcher.headroom = headroom
    workshop = Workshop(launcher, SEED)
    seats = []
    for planned in plan(experiment):
        window_s = SPARE * turns * lengths.get(planned.case.framework, SLICE_S)
        factory = RunFactory(replace(experiment, plan=replace(settings, window_s=window_s)), facts, session)
        watcher = GaugeWatcher(experiment.gauge_hz, planned.case.cpus)
        seat = Seat(Member(Ticket(planned, 0), workshop.get(planned), factory, launcher, watcher))
        closing.callback(seat.member.close)
        seat.member.load()
        seat.member.stop()
        if seat.member.run is not None:
            sys.exit(f"{planned.case.title}: {seat.member.run.failure}")
        seats.append(seat)
    take_turns(seats, measured, blocks, random.Random(SEED))
    found: dict[str, list[Triple]] = {}
    for seat in seats:
        if seat.name in measured:
            while seat.member.has_turns:
                seat.take_turn(None, stop=False)
            seat.member.finish(0.0)
            run = seat.member.run
            if run is None or run.failure is not None:
                sys.exit(f"{seat.name}: {None if run is None else run.failure}")
            lengths[seat.name] = slice_length(run)
            after = of_run(run, seat.turns)
            if len(after) > 1:
                found[f"{seat.name} after any"] = [triple for triples in after.values() for triple in triples]
            found |= {f"{seat.name} after {other}": triples for other, triples in after.items()}
    return found


def slice_length(run: Run) -> float:
    """Mean length of a bare slice, seconds."""
    slices = [w.slices for w in run.windows if w.role is Role.PAIRED and w.slices is not None]
    return sum(s.elapsed_ns for s in slices) / sum(len(s.turns) for s in slices) / 1e9


def measure_sets(choices: Sequence[Choice], measured: Sequence[str], blocks: int) -> dict[str, list[Triple]]:
    """Blocks of fresh sets, until there are so many. The first set has one: it tells how long slices are."""
    found: dict[str, list[Triple]] = {}
    lengths: dict[str, float] = {}
    while not found or min(map(len, found.values())) < blocks:
        with ExitStack() as closing:
            fresh = measure(choices, measured, -(-blocks // SETS) if lengths else 1, lengths, closing)
        for what, triples in fresh.items():
            found.setdefault(what, []).extend(triples)
    return found


def of_run(run: Run, turns: Sequence[tuple[int, str, int] | None]) -> dict[str, list[Triple]]:
    """Latency and CPU time of each block by whom the turn came after. Incomplete blocks are left out."""
    found = turns_of(run)
    logs = dict(zip(found.numbers.tolist(), found.logs[:, (0, 2)].tolist(), strict=True))
    cells: dict[tuple[int, str], dict[int, list[float]]] = {}
    for turn, what in enumerate(turns):
        if what is not None and turn in logs:
            block, other, which = what
            cells.setdefault((block, other), {})[which] = logs[turn]
    triples: dict[str, list[Triple]] = {}
    for (_, other), cell in sorted(cells.items()):
        if len(cell) == 3:
            triples.setdefault(other, []).append((cell[0], cell[1], cell[2]))
    return triples


def rows(triples: Sequence[Triple]) -> dict[str, tuple[Change, Change]]:
    """(in the set over alone, A/A), by latency and by CPU time where that was counted."""
    found = {}
    for at, name in enumerate(("latency", "CPU time")):
        known = [
            [turn[at] for turn in triple] for triple in triples if not any(math.isnan(turn[at]) for turn in triple)
        ]
        if known:
            moved = change([math.exp(in_set - (alone + again) / 2) for in_set, alone, again in known])
            found[name] = moved, change([math.exp(again - alone) for _, alone, again in known])
    return found


def judge(moved: Change) -> str:
    """Whether the interval lies within 2 %, beyond, or holds both."""
    if moved.low > NAMED or moved.high < -NAMED:
        return "NAMED"
    return "within" if max(moved.high, -moved.low) <= NAMED else "not shown"


def main() -> int:
    """Every number of threads with every working set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", nargs="*", default=["onnxruntime", "opencv"])
    parser.add_argument("-t", "--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("-w", "--working-set", nargs="+", choices=("small", "large"), default=["small", "large"])
    parser.add_argument("--blocks", type=int, default=30, help="at least, over fresh sets")
    parser.add_argument("--no-planted", action="store_true")
    args = parser.parse_args()
    register_planted()
    names = (*args.framework, *(() if args.no_planted else PLANTED))
    named = []
    with tempfile.TemporaryDirectory() as folder:
        chain, llc = Path(folder) / "chain.onnx", last_level_bytes()
        if "large" in args.working_set:
            write_chain(chain, llc * 5 // 4)
        for working_set, threads in itertools.product(args.working_set, args.threads):
            network, size = ("squeezenet1_1", 96) if working_set == "small" else (str(chain), PIXELS)
            choices = [Choice(n, network, size, threads=1 if n in PLANTED else threads) for n in names]
            found = measure_sets(choices, args.framework, args.blocks)
            print(f"{working_set} working set, {threads} thread(s), last-level cache {llc >> 20} MB, {load()}")
            for what, triples in found.items():
                for name, (moved, control) in rows(triples).items():
                    word = judge(moved)
                    if word == "NAMED":
                        named.append(f"{name} of {what}, {working_set}, {threads} thread(s)")
                    print(f"  {what:<28}{name:<9}{moved}   A/A {control}   {word}", flush=True)
    print(
        "not to be measured so: " + "; ".join(named) if named else f"nothing is shown to move by more than {NAMED:g} %"
    )
    return 1 if named else 0


if __name__ == "__main__":
    sys.exit(main())
