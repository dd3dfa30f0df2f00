"""How often the overhead of counting is claimed where nothing was counted: runs whose both roles are bare (A/A).

    python benchmarks/false_words.py [--runs N] [--per-process N] [--window S] [--neighbours N] [NETWORK:SIZE ...]

A worker's own slices, sessions, edges and seeded orders, but the counters stay disabled in the "counted" slices too.
Runs follow each other in one process, a fresh one after every --per-process of them: a run's overhead is estimated
within its process, so that what differs between processes has no part in it. Half of the runs are measured as the
machine is, half beside neighbours that take a core in bursts, in turn. Each run is asked by
hwprof.analysis.overhead, and so is each case of three runs of three processes, as `-r 3` has them.

Printed, with exact (Clopper-Pearson) 95 % intervals: the share with a false word (the doubt "overhead", whose lower end
is above 3 %), which must not be shown to be above 5 % (else the exit code is 1), and how often the interval covers 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ALLOWED = 0.05
ROUNDS = 3
NETWORKS = ("tiny_cnn:32", "squeezenet1_1:96")
IMAGES = 8


# ---- in a process of its own


def child(package: str) -> None:
    """Reads a job from stdin, prints the windows of all runs."""
    sys.path.append(str(Path(__file__).parent))  # last: what lies beside this file shadows nothing
    from adapter_calls import expose, nobody

    expose("hwprof", Path(package) / "__init__.py")
    from hwprof.collectors.protocol import Pass, Session
    from hwprof.records import from_json, to_json
    from hwprof.worker.common import Stage, load_model, open_counters
    from hwprof.worker.loop import Loop, no_garbage_collection, rehearse, warm_up
    from hwprof.worker.protocol import Job
    from hwprof.worker.slices import SlicedMeasurement

    asked = json.load(sys.stdin)
    job = from_json(Job, asked["job"])
    os.sched_setaffinity(0, job.cpus or os.sched_getaffinity(0))
    with ExitStack() as closing, ExitStack() as perf_closing:
        perf, sessions = open_counters(job, closing, perf_closing)
        passes = perf.passes[:1] or [Pass(0, ())]

        class Disabled:
            """The session of perf, whose counters nobody enables."""

            groups, unavailable = perf.groups, perf.unavailable
            read, review = staticmethod(perf.read), staticmethod(perf.review)
            passes: Sequence[Pass] = ()

            def select(self, pass_: Pass | None) -> None:
                perf.select(None)

        bare: list[Session] = [*sessions[:-1], Disabled()]
        with load_model(job, Stage(nobody()), IMAGES) as (model, ring, _):
            loop = Loop(model.infer, ring)
            warm_up(loop, job.plan.warmup_s)
            rehearse(passes[0], loop, job.plan, bare)
            found = []
            with no_garbage_collection():
                for number in range(asked["runs"]):
                    order = f"{asked['process']}/{number}"
                    plan = dataclasses.replace(job.plan, window_s=asked["window_s"], order=order)
                    sliced = SlicedMeasurement(loop, plan, passes, bare)
                    while not sliced.is_complete():
                        sliced.run_turn()
                    found.append([to_json(dataclasses.replace(w, readings=())) for w in sliced.windows()])
    print(json.dumps({"runs": found}), file=sys.__stdout__, flush=True)
    os._exit(0)


# ---- in ours


@dataclasses.dataclass(slots=True)
class Tally:
    """What was said of cases that have no overhead."""

    asked: int = 0
    unknown: int = 0
    doubted: int = 0
    covered: int = 0
    widths: list[float] = dataclasses.field(default_factory=list)

    def ask(self, runs: Sequence[Any]) -> None:
        """One case: what hwprof says of it."""
        from hwprof.analysis import overhead

        found = overhead.estimate(runs)
        self.asked += 1
        self.doubted += bool(overhead.doubts(runs))
        if found.low is None or found.high is None:
            self.unknown += 1
            return
        self.covered += found.low <= 0 <= found.high
        self.widths.append(found.high - found.low)

    def lines(self) -> list[str]:
        """For people."""
        from paired import share

        known = self.asked - self.unknown
        out = [f"    false words     {share(self.doubted, self.asked)}"]
        if self.unknown:
            out.append(f"    no interval     {share(self.unknown, self.asked)}")
        if known:
            out.append(f"    0 is covered    {share(self.covered, known)}")
            out.append(f"    median width    {statistics.median(self.widths):.2f} points")
        return out

    def is_broken(self) -> bool:
        """Whether the share of false words is shown to be above what is allowed."""
        from paired import clopper_pearson

        return self.asked > 0 and clopper_pearson(self.doubted, self.asked)[0] > ALLOWED


def show(what: str, tallies: tuple[Tally, Tally]) -> None:
    """Single runs, and cases of several rounds where there are some."""
    for text, tally in zip(("single runs", f"cases of {ROUNDS} rounds"), tallies, strict=True):
        if tally.asked:
            print("\n".join([f"  {what}, {text}", *tally.lines()]), flush=True)


def main() -> int:
    """Both conditions in turn, process by process."""
    from adapter_calls import ask
    from paired import bursts, load, started

    from hwprof.records import Case, Run, Window, from_json

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="*", default=list(NETWORKS), metavar="NETWORK:SIZE")
    parser.add_argument("--runs", type=int, default=200, help="of each condition, over all networks")
    parser.add_argument("--per-process", type=int, default=10, metavar="N")
    parser.add_argument("--window", type=float, default=0.5, metavar="S", help="of bare slices in a run")
    parser.add_argument("--neighbours", type=int, default=3, metavar="N", help="under load")
    args = parser.parse_args()
    processes = -(-args.runs // len(args.network) // args.per_process)
    runs: dict[str, dict[tuple[str, int], list[Run]]] = {"as the machine is": {}, "under load": {}}
    for process in range(processes):
        for word in args.network:
            name, _, size = word.partition(":")
            settings = argparse.Namespace(network=name, size=int(size))
            for condition, found in runs.items():
                neighbours = args.neighbours if condition == "under load" else 0
                more = {"runs": args.per_process, "process": f"{condition}/{process}", "window_s": args.window}
                with started(bursts(neighbours)):
                    answer = ask("onnxruntime", settings, Path(__file__), more)
                case = Case("onnxruntime", name, "", int(size))
                found[word, process] = [
                    Run(f"{process}-{i}", case, windows=tuple(from_json(Window, w) for w in windows))
                    for i, windows in enumerate(answer["runs"])
                ]
                print(f"{word} {condition}, process {process + 1} of {processes}: {load()}", flush=True)
    broken = False
    for condition, found in runs.items():
        print(condition)
        everything = Tally(), Tally()
        for word in args.network:
            of_network = Tally(), Tally()
            for single, cases in (of_network, everything):
                for process in range(processes):
                    for run in found[word, process]:
                        single.ask([run])
                for first in range(0, processes - ROUNDS + 1, ROUNDS):
                    for rounds in zip(*(found[word, first + i] for i in range(ROUNDS)), strict=True):
                        cases.ask(rounds)
            show(word, of_network)
        if len(args.network) > 1:
            show("all", everything)
        broken |= any(tally.is_broken() for tally in everything)
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    sys.exit(main())
