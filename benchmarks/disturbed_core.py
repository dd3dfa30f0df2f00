"""What a core that others use does to a ratio of two networks: by FPS, by throughput, by CPU time.

    python benchmarks/disturbed_core.py [-r ROUNDS] [-f FRAMEWORK] [--loops N] [--window S] [--keep FOLDER]

SqueezeNet 1.1 and ResNet-18 at 64 pixels, one thread, on one core: as the machine is, and with three busy loops pinned
to that core, in seeded turns. A short inference fits between two preemptions and its median shows none of them, a long
one does not. So FPS exaggerates the ratio, and CPU time does not. Printed: geometric mean of SqueezeNet / ResNet-18
over rounds with the 95 % t interval, FPS / throughput of either network, and the doubts of the runs.
--keep leaves quiet.db and loaded.db, for `hwprof report`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from known_causes import SPIN
from paired import load, started

from hwprof import speed
from hwprof.machine.cpus import allowed_cpus
from hwprof.plan.cases import plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.records import Role, Run
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop
from hwprof.store import Results
from hwprof.worker.protocol import LoopSettings

NETWORKS = ("squeezenet1_1", "resnet18")
SIZE, SEED = 64, 7
Rates = dict[str, float]


def rates(run: Run) -> Rates:
    """Frames per second by each definition. Raises ValueError where the run has none."""
    found, slices = speed.of_run(run), speed.of_role(run, Role.PAIRED)
    if run.failure is not None or None in (found.fps, found.throughput, found.cpu_s, slices.fps):
        raise ValueError(f"{run.case.title}: {run.failure or 'no speed, or no CPU time'}")
    values = {"FPS": found.fps, "throughput": found.throughput, "FPS of slices": slices.fps}
    rate = {name: value for name, value in values.items() if value is not None}
    return rate | {"frames per CPU second": 1 / found.cpu_s} if found.cpu_s else rate


def text(values: Sequence[float]) -> str:
    """`x12.0 [11.2 ... 12.9]`."""
    mean, low, high = speed.between_rounds(values)
    return f"x{mean:.2f}" + ("" if low is None or high is None else f" [{low:.2f} ... {high:.2f}]")


def main() -> None:
    """Rounds of both conditions, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-r", "--rounds", type=int, default=6)
    parser.add_argument("-f", "--framework", default="onnxruntime")
    parser.add_argument("--loops", type=int, default=3)
    parser.add_argument("--window", type=float, default=1.0, metavar="S")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    core = allowed_cpus()[-1]
    choices = tuple(Choice(args.framework, network, SIZE) for network in NETWORKS)
    settings = LoopSettings(window_s=args.window)
    experiment = Experiment("disturbed-core", choices, SEED, args.rounds, cpus=str(core), plan=settings)
    rng = random.Random(SEED)
    found: dict[str, dict[str, list[Run]]] = {c: {n: [] for n in NETWORKS} for c in ("quiet", "loaded")}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        runners = {c: Runner(experiment, Results.open(folder / f"{c}.db", create=True)) for c in found}
        cases = plan(experiment)
        for number in range(args.rounds):
            for condition in rng.sample(list(found), 2):
                runner = runners[condition]
                identity = runner.begin(cases)
                workshop = Workshop(runner.launcher, SEED)
                with started([[SPIN % core]] * args.loops if condition == "loaded" else []):
                    for planned in rng.sample(cases, len(cases)):
                        run = runner.measure(planned, workshop, number)
                        runner.save([run], identity)
                        found[condition][planned.case.network].append(run)
            print(f"round {number + 1} of {args.rounds}: {load()}", file=sys.stderr, flush=True)
    report(found, core, args.loops)


def report(found: dict[str, dict[str, list[Run]]], core: int, loops: int) -> None:
    """The ratios of both conditions."""
    print(f"{' / '.join(NETWORKS)}, {SIZE} px, cpu {core} of {os.cpu_count()}; loaded: {loops} busy loops on it")
    for condition, of in found.items():
        by_network = [[rates(run) for run in of[network]] for network in NETWORKS]
        print(condition)
        for name in by_network[0][0]:
            print(f"  {name:<22}{text([a[name] / b[name] for a, b in zip(*by_network, strict=True)])}")
        for network, values in zip(NETWORKS, by_network, strict=True):
            print(f"  FPS / throughput of {network}: {text([v['FPS'] / v['throughput'] for v in values])}")
        codes = sorted({doubt.code for runs in of.values() for run in runs for doubt in run.doubts})
        print(f"  doubts: {', '.join(codes) or 'none'}")


if __name__ == "__main__":
    main()
