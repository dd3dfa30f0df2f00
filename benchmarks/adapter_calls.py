"""What an adapter's call costs beside the cheapest call that its framework's Python API has, on a network so small that
the call dominates.

    python benchmarks/adapter_calls.py [-n NETWORK] [-s SIZE] [--slices N] [--clock cpu|wall] [--all] [FRAMEWORK ...]

FRAMEWORK is a name, with options as in pytorch:mode=inductor.

Each framework runs in its own interpreter (`hwprof env create NAME`). The network is loaded once, by the adapter. Pairs
of slices of 20 ms alternate, in a seeded random order within each pair: inferences by `adapter.infer`, and by a bare
call of bare_calls.py on the same loaded model. Each pair gives a ratio of times per call. Printed: the median ratio
adapter / bare over all pairs with its 95 % interval (order statistics, as the sign test has them), against the cheapest
bare call; --all prints every one. Above 1: the adapter costs more.

`--clock cpu` (default) is the CPU time of the process, which a busy machine disturbs less; `wall` sees sleeping too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SLICE_S = 0.02
SEED = 7
AIM = 1.03
IMAGES = 8
Bare = tuple[Callable[[Any], Any], list[Any]]  # a call, and what it is given in turn

VARIANTS = (
    *("onnxruntime", "opencv", "opencv5", "caffe", "openvino", "ncnn", "mnn", "litert", "tensorflow", "tvm"),
    *("executorch", "mxnet", "pytorch", "pytorch:mode=torchscript", "pytorch:mode=inductor"),
)


# ---- in the framework's own interpreter


def nobody() -> Any:
    """The other end of a worker's stages."""
    return SimpleNamespace(send=lambda message: None)


def child(package: str) -> None:
    """Reads a job from stdin, prints for each bare call the us per call of every pair."""
    expose("hwprof", Path(package) / "__init__.py")
    calls = expose("bare_calls", Path(__file__).with_name("bare_calls.py")).CALLS
    from hwprof.records import from_json
    from hwprof.worker.common import Stage, batches, load_model
    from hwprof.worker.protocol import Job

    asked = json.load(sys.stdin)
    job = from_json(Job, asked["job"])
    clock = time.process_time if asked["clock"] == "cpu" else time.perf_counter
    found: dict[str, Any] = {}
    with load_model(job, Stage(nobody()), IMAGES) as (model, ring, _):
        images = [image for (image,) in batches(job, IMAGES)]  # networks of one input
        for text, make in calls[job.case.framework].items():
            call, bare = make(model, images)
            found[text] = pairs((model.infer, ring), (call, bare), clock, asked["slices"])
        version = model.facts()["version"]
    print(json.dumps({"version": version, "pairs": found}), file=sys.__stdout__, flush=True)
    os._exit(0)


def expose(name: str, path: Path) -> Any:
    """One module or package to this interpreter, and nothing of what lies beside it."""
    import importlib.util

    folders = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pairs(ours: Bare, bare: Bare, clock: Callable[[], float], slices: int) -> list[tuple[float, float]]:
    """us per call of both, for each pair of slices."""
    for call, ring in (ours, bare):
        many(call, ring, clock, SLICE_S)
    times = [max(1, round(SLICE_S / many(call, ring, clock, 2 * SLICE_S))) for call, ring in (ours, bare)]
    rng, out = random.Random(SEED), []
    for _ in range(slices):
        taken = [0.0, 0.0]
        for place in rng.sample((0, 1), 2):
            call, ring = (ours, bare)[place]
            n, size = times[place], len(ring)
            begin = clock()
            for i in range(n):
                call(ring[i % size])
            taken[place] = (clock() - begin) / n * 1e6
        out.append((taken[0], taken[1]))
    return out


def many(call: Callable[[Any], Any], ring: Sequence[Any], clock: Callable[[], float], seconds: float) -> float:
    """Seconds per call over about so many seconds."""
    count, begin, wall = 0, clock(), time.perf_counter()
    while time.perf_counter() - wall < seconds or not count:
        call(ring[count % len(ring)])
        count += 1
    return max((clock() - begin) / count, 1e-7)


# ---- in ours


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(median, bounds) by order statistics; NaN bounds below six values, which have no 95 % level."""
    from scipy.stats import binom

    ordered, n = sorted(values), len(values)
    k = int(binom.ppf(0.025, n, 0.5))
    low, high = (ordered[k - 1], ordered[n - k]) if k else (math.nan, math.nan)
    return statistics.median(ordered), low, high


def ask(word: str, args: argparse.Namespace, script: Path, more: dict[str, Any]) -> dict[str, Any]:
    """What the child of `script` answers to the job and `more`, in the framework's interpreter.

    Raises HwprofError where the framework or its conversion is not to be had.
    """
    import hwprof
    from hwprof.environments import interpreters
    from hwprof.errors import CaseFailed
    from hwprof.networks.inputs import UNSAID
    from hwprof.plan.cases import plan
    from hwprof.plan.experiment import Choice, Experiment
    from hwprof.plan.options import parse_option
    from hwprof.plugins import adapter
    from hwprof.records import to_json
    from hwprof.runner.rounds import Runner
    from hwprof.runner.workshop import PreparationFailed, Workshop
    from hwprof.worker.protocol import Task

    name, _, options = word.partition(":")
    interpreters.require(name, adapter(name).environment)
    given = tuple(sorted(parse_option(part) for part in options.split(",") if part))
    choice = Choice(
        name,
        args.network,
        args.size,
        1,
        getattr(args, "threads", 1),
        "fp32",
        given,
        inputs=getattr(args, "inputs", UNSAID),
    )
    runner = Runner(Experiment("calls", (choice,), SEED, 1))
    planned = plan(runner.experiment)[0]
    try:
        paths = Workshop(runner.launcher, SEED).get(planned)
    except PreparationFailed as error:
        raise CaseFailed(f"{word}: {error.failure.message}", error.failure.remedy) from error
    asked = {"job": to_json(runner.runs.job(planned, paths, Task.MEASURE)), **more}
    done = subprocess.run(
        [planned.python, "-P", str(script), "--child", str(Path(hwprof.__file__).parent)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env={**interpreters.clean_environ(planned.python, os.environ), **planned.environ()},
    )
    if done.returncode:
        raise CaseFailed(f"{word}: {(done.stderr.strip().splitlines() or ['ended'])[-1][:300]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def rows(word: str, found: dict[str, Any], everything: bool) -> list[str]:
    """One line, against the cheapest bare call; `everything`: a line for each."""
    lines = {}
    for text, pairs_ in found["pairs"].items():
        middle, low, high = interval([ours / bare for ours, bare in pairs_])
        ours, bare = (statistics.median(p[i] for p in pairs_) for i in (0, 1))
        verdict = f"  above {AIM:.2f}" if middle > AIM and low > 1 else ""  # not where noise may be all of it
        head = f"{word:<26}{found['version'][:12]:<14}{ours:>9.1f}{bare:>9.1f}"
        lines[text] = middle, f"{head}{middle:>8.3f} [{low:.3f}, {high:.3f}]  {text}{verdict}"
    ordered = [line for _, line in sorted(lines.values(), reverse=True)]
    return ordered if everything else ordered[:1]


def main() -> None:
    """One line per framework that is here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", nargs="*", help=f"default: {', '.join(VARIANTS)}")
    parser.add_argument("-n", "--network", default="tiny_cnn")
    parser.add_argument("-s", "--size", type=int, default=32)
    parser.add_argument("--slices", type=int, default=60, help="pairs of slices for each bare call")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--all", action="store_true", help="a line for each bare call")
    args = parser.parse_args()
    from hwprof.errors import HwprofError

    print(f"{args.network} {args.size} px, batch 1, one thread, {args.slices} pairs of slices, {args.clock} time")
    print(f"{'framework':<26}{'version':<14}{'ours us':>9}{'bare us':>9}   ratio [95 % interval]  bare call")
    for word in args.framework or VARIANTS:
        try:
            found = ask(word, args, Path(__file__), {"clock": args.clock, "slices": args.slices})
            print("\n".join(rows(word, found, args.all)), flush=True)
        except HwprofError as error:
            print(f"{word:<26}not measured: {error}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    main()
