"""hwprof beside the frameworks' own benchmark programs: same model, threads, batch, cores and number of inferences.

    python benchmarks/outside_tools.py [-n NETWORK] [-s SIZE] [-b BATCH ...] [-r ROUNDS] [-i ITERATIONS] [RUNNER ...]

Each round has four fresh processes, ours twice and theirs twice, in a seeded order of its own. Printed for each runner
whose program is here: median latencies (of ours over the bare windows; of theirs as told), the ratio of the medians
over all rounds, ours / theirs, with a 95 % bootstrap interval over rounds, and two A/A comparisons, ours / ours and
theirs / theirs, computed alike. The aim is a ratio within 5 %; a machine too noisy to tell shows in the A/A columns.
A second line has the same of the least latency of each process, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Sequence

from hwprof import speed
from hwprof.environments import interpreters
from hwprof.errors import CaseFailed, HwprofError
from hwprof.plan import runners
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.runners import UNITS_NS
from hwprof.plugins import adapter
from hwprof.records import Run
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop
from hwprof.worker.protocol import LoopSettings

AIM = 0.05
RESAMPLES = 2000
Rows = list[list[float]]
SEED = 5
OURS, THEIRS = (0, 1), (2, 3)  # places in a round


def latencies_ms(run: Run) -> tuple[float, float]:
    """Median and least latency of one run; NaN where a runner does not tell the least. Raises CaseFailed."""
    if run.failure is not None:
        raise CaseFailed(f"{run.case.title}: {run.failure.message}", run.failure.remedy)
    if "latency_ns" in run.facts:
        if run.facts["latency_ns"] is None:
            raise CaseFailed(f"{run.facts['runner']} printed no latency in its usual unit", "a larger network (-n)")
        least = run.facts["figures"].get("minimum")
        ns = UNITS_NS[runners.find(run.facts["runner"]).unit]
        return float(run.facts["latency_ns"]) / 1e6, float("nan") if least is None else least * ns / 1e6
    bare = speed.bare_latencies(run)
    return speed.latency_ns(bare) / 1e6, min(bare) / 1e6


def ratio(rounds: Sequence[Sequence[float]], above: Sequence[int], below: Sequence[int]) -> tuple[float, float, float]:
    """Median of the columns `above` over that of `below`, with a 95 % bootstrap interval: rounds are drawn."""

    def of(drawn: Sequence[Sequence[float]]) -> float:
        over = [values[i] for values in drawn for i in above]
        return statistics.median(over) / statistics.median(values[i] for values in drawn for i in below)

    rng = random.Random(SEED)
    found = sorted(of(rng.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES))
    return of(rounds), found[int(0.025 * RESAMPLES)], found[int(0.975 * RESAMPLES)]


def compare(
    ours: PlannedCase, theirs: PlannedCase, runner: Runner, workshop: Workshop, rounds: int
) -> tuple[Rows, Rows]:
    """Median and least latencies in ms, a list per round: ours, ours again, theirs, theirs again."""
    medians, minima = [], []
    for number in range(rounds):
        order = list(range(4))
        random.Random(f"{SEED}/{number}").shuffle(order)
        values = [(0.0, 0.0)] * 4
        for place in order:
            values[place] = latencies_ms(runner.measure(ours if place in OURS else theirs, workshop, number))
        medians.append([median for median, _ in values])
        minima.append([least for _, least in values])
        print(
            f"  round {number + 1}: {' '.join(f'{m:.3f} >= {n:.3f}' for m, n in values)} ms",
            file=sys.stderr,
            flush=True,
        )
    return medians, minima


def line(name: str, rows: Rows) -> str:
    """The latencies, the ratio and the A/A ratios with their intervals."""
    cells = [ratio(rows, OURS, THEIRS), ratio(rows, OURS[:1], OURS[1:]), ratio(rows, THEIRS[:1], THEIRS[1:])]
    shown = "".join(f"{mid:7.3f} [{low:.3f} {high:.3f}]" for mid, low, high in cells)
    ours, theirs = (statistics.median(values[i] for values in rows for i in who) for who in (OURS, THEIRS))
    verdict = "within" if abs(cells[0][0] - 1) <= AIM else "NOT within"
    return f"{name:<28}{ours:>9.3f}{theirs:>10.3f}{shown}  {verdict} {AIM:.0%}"


def there(name: str) -> bool:
    """The framework and the runner's program are on this machine."""
    one = runners.find(name)
    environment = adapter(one.framework).environment
    try:
        where = interpreters.require(one.framework, environment)
        runners.program(one.command[0].replace("{python}", where.python), where.python, name)
    except HwprofError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


def main() -> None:
    """One line per runner and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner", nargs="*", help="default: all that are on this machine")
    parser.add_argument("-n", "--network", default="mobilenet_v2")
    parser.add_argument("-s", "--size", type=int, default=0)
    parser.add_argument("-b", "--batch", type=int, nargs="+", default=[1])
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("-r", "--rounds", type=int, default=10)
    parser.add_argument("-i", "--iterations", type=int, default=200)
    args = parser.parse_args()
    measure = LoopSettings(iterations=args.iterations, events=("task-clock",), closed_window=False)
    head = (
        f"{'runner':<28}{'ours ms':>9}{'theirs ms':>10}   ours / theirs         ours / ours           theirs / theirs"
    )
    print(f"{args.network}, {args.threads} thread(s), {args.rounds} rounds of {args.iterations} iterations\n{head}")
    for name in args.runner or [name for name in runners.names() if there(name)]:
        for batch in args.batch:
            pair = [
                Choice(runners.find(name).framework, args.network, args.size, batch, args.threads, "fp32", ()),
                Choice(runners.FRAMEWORK, args.network, args.size, batch, args.threads, "fp32", (("runner", name),)),
            ]
            experiment = Experiment("outside", tuple(pair), SEED, args.rounds, plan=measure, timeout_s=600.0)
            runner = Runner(experiment)
            ours, theirs = plan(experiment)
            medians, minima = compare(ours, theirs, runner, Workshop(runner.launcher, SEED), args.rounds)
            for what, rows in (("", medians), (" minimum", minima)):
                print(line(f"{name} b{batch}{what}", rows), flush=True)


if __name__ == "__main__":
    main()
