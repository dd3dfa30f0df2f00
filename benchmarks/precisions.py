"""INT8 beside FP32 in every framework that quantises: speed, what was truly computed, and top-1 agreement.

    python benchmarks/precisions.py [-n NETWORK ...] [-r ROUNDS] [-o FILE] [FRAMEWORK[:option=value] ...]

Each round runs every framework in both precisions, each in a fresh process, in a seeded order of its own. Speed-up:
median latency of FP32 over that of INT8, over all rounds, with a 95 % bootstrap interval over rounds. Agreement: the
share of images with the same top class as in FP32, with Wilson's interval, for two sets of weights: the seeded ones
(against the reference, 64 seeded images; such networks are chaotic, docs/precision.md), and the same network with its
last layer fitted to seeded classes of pictures (benchmarks/fitted.py), asked about others that it has not seen (the
framework's own FP32, and how many are right in either). Nothing is downloaded; what was converted and answered stays in
the cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fitted

from hwprof import plugins
from hwprof import speed as hwprof_speed
from hwprof.analysis.accuracy import Share, share
from hwprof.cache import default_cache
from hwprof.errors import HwprofError
from hwprof.frameworks.calibration import Calibration
from hwprof.machine.facts import hardware
from hwprof.networks import preprocess
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.records import Fidelity, Run
from hwprof.runner.rounds import Runner
from hwprof.runner.runs import RunFactory
from hwprof.runner.workshop import Artifacts, PreparationFailed, Workshop
from hwprof.studies.accuracy import dataset, measure
from hwprof.studies.matrix.matrix import MatrixColumn, columns
from hwprof.worker.protocol import Job, LoopSettings, Task

NETWORKS = ("mobilenet_v2", "resnet50", "squeezenet1_1")
PRECISIONS = ("fp32", "int8")
SEED, RESAMPLES = 0, 2000
# Both precisions by the same way of running, where INT8 has but one.
SAME_WAY = {"pytorch": "pytorch:mode=inductor"}
MEASURE = LoopSettings(window_s=0.5, min_iterations=10, warmup_s=1.0, events=("task-clock",), closed_window=False)


@dataclass(slots=True)
class Row:
    """One framework on one network. Latencies in ms, a pair (FP32, INT8) per round."""

    framework: str
    network: str
    rounds: list[tuple[float, float]] = field(default_factory=list)
    computed: str = ""
    seeded: Fidelity | None = None
    fitted: tuple[Share, Share, Share] | None = None  # agreement, right in FP32, right in INT8
    failure: str = ""


@dataclass(frozen=True, slots=True)
class OnceCompared(RunFactory):
    """Outputs are compared in a case's first run only: they are the same in the others."""

    compared: set[str]

    def job(self, planned: PlannedCase, paths: Artifacts, task: Task, **settings: Any) -> Job:
        """As ever, without a reference from the second time on."""
        job = RunFactory.job(self, planned, paths, task, **settings)
        if planned.case.key in self.compared:
            return dataclasses.replace(job, reference="")
        self.compared.add(planned.case.key)
        return job


class Once(Runner):
    """A runner of such runs."""

    compared: set[str]

    @property
    def runs(self) -> RunFactory:
        """See OnceCompared."""
        return OnceCompared(self.experiment, self.facts, self.session, self.compared)


def offered(asked: Sequence[str]) -> list[MatrixColumn]:
    """The frameworks asked for, or all that know INT8; those that are not installed are said, and left out."""
    names = [name for name in plugins.framework_names() if "int8" in plugins.adapter(name).precisions]
    found = columns(list(asked) or [SAME_WAY.get(name, name) for name in names])
    for column in found:
        if column.missing:
            say(f"{column.name}: {column.missing}")
    return [column for column in found if not column.missing]


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def latency_ms(run: Run) -> float:
    """Median latency over the bare windows."""
    return hwprof_speed.latency_ns(hwprof_speed.bare_latencies(run)) / 1e6


def computed(run: Run) -> str:
    """Of an INT8 run: how many convolutions and matrix products were computed in what, and how."""
    told = run.facts["computed"]
    parts = [f"{count} {name}" for name, count in sorted(told.items(), key=lambda item: item[0] != "int8") if count]
    return ", ".join(parts) + ("" if run.facts.get("dot_product") else "; no dot-product instructions")


def measured(found: Sequence[MatrixColumn], network: str, args: argparse.Namespace) -> list[Row]:
    """A row per framework: latencies of all rounds, and the outputs against the reference."""
    rows = [Row(column.name, network) for column in found]
    pairs = [(c.framework, precision, c.options) for c in found for precision in PRECISIONS]
    choices = tuple(Choice(f, network, args.size, 1, args.threads, precision, o) for f, precision, o in pairs)
    experiment = Experiment(
        "precisions", choices, SEED, args.rounds, plan=MEASURE, timeout_s=args.timeout, idle_baseline_s=0.0
    )
    runner = Once(experiment)
    runner.compared = set()
    workshop, cases = Workshop(runner.launcher, SEED, args.timeout), plan(experiment)
    for number in range(args.rounds):
        order = list(range(len(cases)))
        random.Random(f"{SEED}/{number}").shuffle(order)
        values: dict[int, float] = {}
        for place in order:
            row = rows[place // 2]
            if row.failure:
                continue
            run = runner.measure(cases[place], workshop, number)
            if run.failure is not None:
                row.failure = f"{cases[place].case.precision}: {run.failure.message}"
                say(f"  {row.framework} {network}: {row.failure}")
                continue
            values[place] = latency_ms(run)
            if place % 2:
                row.computed = computed(run)
                row.seeded = run.fidelity or row.seeded
        for i, row in enumerate(rows):
            if 2 * i in values and 2 * i + 1 in values:
                row.rounds.append((values[2 * i], values[2 * i + 1]))
                say(f"  round {number + 1}: {row.framework} {network} {values[2 * i]:.2f} {values[2 * i + 1]:.2f} ms")
    return rows


def agree(found: Sequence[MatrixColumn], rows: Sequence[Row], args: argparse.Namespace) -> None:
    """Ask the fitted network in every framework, FP32 and INT8, and put the answers into the rows."""
    network, folder = rows[0].network, default_cache() / "fitted"
    runner = Runner(Experiment("precisions", (), SEED))
    shown, asked = fitted.pictures(folder, SEED, args.images)
    plain = plan(Experiment("precisions", (Choice("onnxruntime", network, args.size, 1, 1, "fp32", ()),), SEED))[0]
    source = Workshop(runner.launcher, SEED, args.timeout).network(plain)
    path = fitted.fitted(source, network, folder, shown)
    calibration = Calibration(str(shown))
    workshop = Workshop(runner.launcher, SEED, args.timeout, calibration)
    data, how = dataset.read(asked), preprocess.Preprocess()
    for column, row in zip(found, rows, strict=True):
        if row.failure:
            continue
        choices = [Choice(column.framework, str(path), 0, 1, args.threads, p, column.options) for p in PRECISIONS]
        cases = [plan(Experiment("precisions", (choice,), SEED, calibration=calibration))[0] for choice in choices]
        try:
            named = list(zip(PRECISIONS, cases, strict=True))
            result = measure.measure(workshop, named, data, how, preprocess.decoder())
        except PreparationFailed as error:
            say(f"  {column.name} {network}, fitted: {error.failure.message}")
            continue
        for name, failure in result.failures:
            say(f"  {column.name} {network}, fitted, {name}: {failure.message}")
        if result.pairs:
            same = round(result.pairs[0].agreement * result.images)
            row.fitted = (share(same, result.images), result.scores[0].top1, result.scores[1].top1)
            say(f"  {column.name} {network}, fitted: {same} of {result.images} the same")


def ratio(rounds: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Median of FP32's over that of INT8's, with a 95 % bootstrap interval: rounds are drawn."""

    def of(drawn: Sequence[tuple[float, float]]) -> float:
        return statistics.median(a for a, _ in drawn) / statistics.median(b for _, b in drawn)

    rng = random.Random(SEED)
    found = sorted(of(rng.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES))
    return of(rounds), found[int(0.025 * RESAMPLES)], found[int(0.975 * RESAMPLES)]


def percent(given: Share) -> str:
    """As `97 % [91 ... 99]`."""
    return f"{given.value:.0%} [{100 * given.low:.0f} ... {100 * given.high:.0f}]".replace("%", " %")


def cells(row: Row) -> list[str]:
    """One line of the table."""
    start = [row.network, row.framework]
    if not row.rounds:
        return [*start, "-", "-", "-", row.failure or "-", "-", "-", "-"]
    mid, low, high = ratio(row.rounds)
    ms = [f"{statistics.median(values):.2f}" for values in zip(*row.rounds, strict=True)]
    seeded = answered = right = "-"
    if row.seeded is not None:
        top1, inputs = row.seeded.top1, row.seeded.inputs
        seeded = "-" if top1 is None else percent(share(round(top1 * inputs), inputs))
        seeded += "" if row.seeded.faithful else " UNFAITHFUL"
    if row.fitted is not None:
        answered, right = percent(row.fitted[0]), f"{row.fitted[1].value:.0%}, {row.fitted[2].value:.0%}"
    speed = f"{mid:.2f} [{low:.2f} ... {high:.2f}]"
    return [*start, *ms, speed, row.computed, seeded, answered, right.replace("%", " %")]


HEAD = ["network", "framework", "FP32 ms", "INT8 ms", "speed-up", "computed in INT8's case", "same top-1, seeded"]
HEAD += ["same top-1, fitted", "right: FP32, INT8"]


def table(rows: Sequence[Row], args: argparse.Namespace) -> str:
    """A page in Markdown: how it was measured, and the table."""
    cpu = hardware().get("model", "unknown CPU")
    lines = [
        "# INT8 beside FP32",
        "",
        "Written by `python benchmarks/precisions.py -o FILE`. docs/precision.md explains it.",
        f"{cpu}; batch 1, {args.threads} thread(s), {args.rounds} interleaved rounds of fresh processes.",
        "Brackets: 95 %, bootstrap over rounds, Wilson's over images.",
        f"Seeded: 64 images; fitted: {args.images * fitted.CLASSES} pictures of {fitted.CLASSES} classes.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, ask, print; 4 where a case failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("framework", nargs="*", help="default: all with int8 that are installed, PyTorch compiled in both precisions")
    add("-n", "--network", nargs="+", default=list(NETWORKS), help=f"default: {' '.join(NETWORKS)}")
    add("-s", "--size", type=int, default=0, help="side in pixels (default: the network's own)")
    add("-t", "--threads", type=int, default=1)
    add("-r", "--rounds", type=int, default=3, help="PyTorch compiles anew in each (default: 3)")
    add("--images", type=int, default=8, help="pictures per class that the fitted network is asked (default: 8)")
    add("--no-fitted", action="store_true", help="leave the fitted network out")
    add("--timeout", type=float, default=1200.0, help="seconds for one process, a conversion too (default: 1200)")
    add("-o", "--output", type=Path, metavar="FILE", help="write the table there, too")
    args = parser.parse_args()
    try:
        found, rows = offered(args.framework), []
        for network in args.network:
            some = measured(found, network, args)
            if not args.no_fitted:
                agree(found, some, args)
            rows += some
            if args.output is not None:  # after each network: whoever stops it keeps what there is
                args.output.write_text(table(rows, args))
    except HwprofError as error:
        print(f"precisions: {error}", file=sys.stderr)
        return error.exit_code
    print(table(rows, args), end="")
    return 4 if any(row.failure for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
