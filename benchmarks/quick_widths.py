"""How precisely two checkouts of hwprof know the ratio of two frameworks, in equal time: `quick` beside itself.

    python benchmarks/quick_widths.py FORMER [-n NETWORK ...] [--rounds N] [--repetitions N] [--keep FOLDER]

FORMER is another checkout, for example of `git worktree add FORMER COMMIT`; this one is the other arm. Both run
`hwprof sweep` on those networks of `quick` (batch 1, its windows, its gauges, nothing simulated) in the interpreter
that runs this, in turn and in a seeded order. This one measures N rounds. The former gets as many as take the same
time, by a sweep of each that is not counted. Each repetition is a new sweep in a results file of its own.

Printed per network, over repetitions: the ratio ONNX Runtime / OpenCV by FPS and by CPU time per frame (which ranks
where others use the core), the median width of its 95 % interval (upper / lower end - 1), and by how much the estimates
of the repetitions differ from each other (standard deviation): an interval that is narrower than that promises too
much. Intervals: of rounds by Welch's t where cases are measured one after another, by the t interval of the sets'
ratios where they are measured side by side.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paired import load, turns_of

from hwprof import speed
from hwprof.records import Run
from hwprof.store import Results

HERE = Path(__file__).resolve().parents[1]
FRAMEWORKS = ("onnxruntime", "opencv")
ESTIMATORS = {"FPS": 0, "CPU time": 2}  # with their columns in `speed.Turns`
SEED = 7
EXPERIMENT = """
format = 1
name = "quick-{number}"
seed = {number}
rounds = {rounds}

[matrix]
frameworks = ["onnxruntime", "opencv"]
networks = [{networks}]
size = 96
batch = 1
threads = 1
precision = "fp32"

[measure]
window_s = 0.25
min_iterations = 10
warmup_max_s = 1.0
timeout_s = 60

[counters]
events = ["auto"]

[gauges]
hz = 10
idle_baseline_s = 3
"""


@dataclass(slots=True)
class Arm:
    """A checkout, its rounds, and what each repetition found: seconds, and by network and estimator the interval."""

    name: str
    folder: Path
    rounds: int
    seconds: list[float] = field(default_factory=list)
    found: list[dict[tuple[str, str], speed.Interval]] = field(default_factory=list)

    def sweep(self, path: Path, networks: Sequence[str], number: int) -> float:
        """Seconds that it took."""
        file = path.with_suffix(".toml")
        names = ", ".join(f'"{network}"' for network in networks)
        file.write_text(EXPERIMENT.format(number=number, rounds=self.rounds, networks=names))
        command = [sys.executable, "-P", "-m", "hwprof", "sweep", str(file), "--results", str(path)]
        environ = {**os.environ, "PYTHONPATH": str(self.folder)}
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=path.parent)
        if done.returncode:
            sys.exit(f"{self.name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return time.monotonic() - start


def of_set(first: Run, second: Run, by: str) -> float:
    """How often as fast the first is; NaN where too few turns are of both, or nothing was counted."""
    logs = speed.side_by_side([turns_of(first), turns_of(second)])[:, ESTIMATORS[by]]
    return math.exp(float(logs[1] - logs[0]))


def rate(run: Run, by: str) -> float:
    """Frames per second, or per second of CPU time; NaN where it is not known."""
    found = speed.of_run(run)
    if by == "FPS":
        return found.fps or math.nan
    return 1 / found.cpu_s if found.cpu_s else math.nan


def welch(first: Sequence[float], second: Sequence[float]) -> speed.Interval:
    """Ratio of geometric means with its 95 % interval; no bounds where a side has one value."""
    from scipy.stats import t

    logs = [[math.log(value) for value in side] for side in (first, second)]
    middle = statistics.mean(logs[0]) - statistics.mean(logs[1])
    if min(map(len, logs)) < 2:
        return speed.Interval(math.exp(middle), None, None)
    parts = [statistics.variance(side) / len(side) for side in logs]
    freedom = sum(parts) ** 2 / sum(p**2 / (len(side) - 1) for p, side in zip(parts, logs, strict=True))
    half = float(t.ppf(0.975, freedom)) * math.sqrt(sum(parts))
    return speed.Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half))


def ratio(runs: Sequence[Run], by: str) -> speed.Interval:
    """First framework over the second, of one network: within sets where there are some."""
    sides = [[r for r in runs if r.case.framework == name and r.failure is None] for name in FRAMEWORKS]
    pairs = [
        (a, b)
        for a, b in itertools.product(*sides)
        if "set" in a.facts and a.facts["set"]["id"] == b.facts.get("set", {}).get("id")
    ]
    if pairs:
        return speed.between_rounds([of_set(a, b, by) for a, b in pairs])
    return welch(*([rate(run, by) for run in side] for side in sides))


def intervals(path: Path, networks: Sequence[str]) -> dict[tuple[str, str], speed.Interval]:
    """By network and estimator."""
    with Results.open(path) as results:
        runs = list(results.runs(kind="native"))
    return {
        (network, by): ratio([run for run in runs if run.case.network == network], by)
        for network, by in itertools.product(networks, ESTIMATORS)
    }


def width(found: speed.Interval) -> float:
    """Upper over lower end, less 1; infinite without bounds."""
    return math.inf if found.low is None or found.high is None else found.high / found.low - 1


def report(arms: Sequence[Arm], networks: Sequence[str]) -> None:
    """A line for each network and arm, and the ratio of widths."""
    for arm in arms:
        print(f"{arm.name}: {arm.rounds} rounds, {statistics.median(arm.seconds):.0f} s (median) a sweep")
    for network, by in itertools.product(networks, ESTIMATORS):
        print(f"{network} by {by}")
        widths = []
        for arm in arms:
            found = [repetition[network, by] for repetition in arm.found]
            logs = [math.log(interval.value) for interval in found]
            spread = f"{100 * statistics.stdev(logs):.1f} %" if len(logs) > 1 else "not known"
            widths.append(statistics.median(map(width, found)))
            middle = math.exp(statistics.mean(logs))
            print(f"  {arm.name:<7} x{middle:.3f}   width {100 * widths[-1]:.1f} %   between sweeps {spread}")
        print(f"  {widths[0] / widths[1]:.1f} times narrower")


def main() -> None:
    """Sweeps in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("former", type=Path, help="another checkout")
    parser.add_argument("-n", "--network", nargs="+", default=["squeezenet1_1", "mobilenet_v2", "resnet18"])
    parser.add_argument("--rounds", type=int, default=3, help="of this checkout")
    parser.add_argument("--repetitions", type=int, default=4)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    if not (args.former / "hwprof" / "__init__.py").is_file():
        parser.error(f"{args.former} is no checkout of hwprof")
    arms = Arm("former", args.former.resolve(), args.rounds), Arm("this", HERE, args.rounds)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(args.repetitions + 2):
            for arm in rng.sample(arms, 2):
                path = folder / f"{arm.name}-{number}.db"
                seconds = arm.sweep(path, args.network, number)
                print(f"{arm.name}, sweep {number}: {seconds:.0f} s, {load()}", file=sys.stderr, flush=True)
                arm.seconds.append(seconds)
                arm.found.append(intervals(path, args.network))
            if number < 2:  # the first sweeps prepare the models, the second ones tell how long a round takes
                if number == 1:
                    former, this = arms
                    former.rounds = max(2, round(args.rounds * this.seconds[0] / former.seconds[0]))
                for arm in arms:
                    arm.seconds.clear()
                    arm.found.clear()
    report(arms, args.network)


if __name__ == "__main__":
    main()
