"""Is a planted cause of speed found over blocks, and a counter of equal spread that costs nothing not?

    python benchmarks/planted_blocks.py [--networks NAME ...] [--most N] [--rounds R] [--budget S] [--keep FILE]

ONNX Runtime measures blocks of the built-in networks, with page faults in a dose drawn for each block (dosed.py). They
really cost time. Beside the metrics that are counted stands `costless`: per frame of each block another dose of the
same distribution, which nothing executes. Instructions are the hardware's, else callgrind's.
Printed: r controlling for size, interval between parents, q, and the smallest |r| that could have been seen. Exit code
1 where the cause is not found, or `costless` is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import pandas as pd
from dosed import dose

from hwprof import plugins, store
from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.findings import Correlation
from hwprof.analysis.statistics import power
from hwprof.plan.experiment import parse
from hwprof.runner.rounds import Runner

CAUSE, COSTLESS = "page-faults", "costless"
NETWORKS = ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0", "squeezenet1_1", "googlenet", "densenet121")
PLAN = """
format = 1
name = "planted-blocks"
seed = 7
rounds = {rounds}
[matrix]
frameworks = ["dosed"]
networks = {networks}
blocks = true
most_blocks = {most}
[measure]
window_s = 0.2
alone_s = 0.3
min_iterations = 10
warmup_max_s = 0.5
[simulate]
when = "no-pmu"
budget_s = {budget}
[gauges]
idle_baseline_s = 0.0
"""


def register() -> None:
    """The planted framework as if a package had installed it, for this process and its workers."""
    paths = plugins.paths
    known = {"dosed": "dosed:ADAPTER"}
    plugins.paths = lambda group: {**paths(group), **(known if group == "hwprof.frameworks" else {})}  # type: ignore[assignment]
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)


def with_costless(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the counter that nothing executes."""
    out = frame.copy()
    out[COSTLESS] = [float(dose(name, COSTLESS)) for name in frame["network"]]
    out.attrs = {**frame.attrs, "metrics": {**frame.attrs["metrics"], COSTLESS: frame.attrs["metrics"][CAUSE]}}
    return out


def describe(c: Correlation) -> str:
    """A coefficient in one line."""
    if c.partial.r is None or c.partial.low is None or c.partial.high is None:
        return f"{c.metric.name}: {c.partial.why or 'no coefficient'}"
    reach = power.of_partial(c.partial, max(1.0, c.among))
    return (
        f"{c.metric.name}: r {c.partial.r:+.2f} [{c.partial.low:+.2f} ... {c.partial.high:+.2f}], "
        f"{c.partial.n} blocks of {c.partial.clusters} networks, q {'none' if c.q is None else f'{c.q:.3f}'}, "
        f"raw r {c.raw.r:+.2f}, could have seen {'nothing' if reach is None else f'{reach:.2f}'}"
    )


def main() -> int:
    """Measure, correlate, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--most", type=int, default=6, help="blocks of each network")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--budget", type=float, default=2400.0, help="seconds of simulation")
    parser.add_argument("--keep", type=Path, help="results file; what is there is not measured again")
    args = parser.parse_args()
    register()
    names = "[" + ", ".join(f'"{name}"' for name in args.networks) + "]"
    plan = parse(PLAN.format(rounds=args.rounds, networks=names, most=args.most, budget=args.budget), "planted")
    with tempfile.TemporaryDirectory() as folder:
        path = args.keep or Path(folder) / "planted.db"
        with store.Results.open(path, create=True) as results:
            for step in Runner(plan, results).run():
                failure = step.run.failure
                print(
                    f"[{step.done}/{step.total}] {step.run.case.network} {'' if failure is None else failure.message}"
                )
            frame = with_costless(results.frame())
    print(f"load {os.getloadavg()[0]:.1f}")
    found = {c.metric.name: c for c in analyse.analyse(frame)[0].correlations}
    for c in found.values():
        print(describe(c))
    cause, other = found.get(CAUSE), found.get(COSTLESS)
    right = cause is not None and cause.q is not None and cause.q < 0.05 and (cause.partial.r or 0.0) < 0
    wrong = other is not None and other.q is not None and other.q < 0.05
    print(f"the cause is {'found' if right else 'not found'}, the costless counter is {'found' if wrong else 'not'}")
    return 0 if right and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
