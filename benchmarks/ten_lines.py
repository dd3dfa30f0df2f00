"""hwprof's FPS beside that of a ten-line loop over the framework's own API, on the same loaded model in one process.

    python benchmarks/ten_lines.py [-n NETWORK] [-s SIZE] [--seconds S] [--load N] [FRAMEWORK ...]

Each framework runs in its own interpreter (`hwprof env create NAME`). The adapter loads the network once; counters are
open, as in a worker. Pairs of 40 ms alternate in a seeded random order within each pair: a bare slice of the worker's
own code, and a loop that calls the framework as its documentation does (the first call of bare_calls.py), timed by
time.perf_counter. Each pair gives the ratio hwprof / loop of FPS (1 / median latency) and of throughput
(inferences / elapsed time). Printed: the median ratio over all pairs as a change in percent, with the interval of
paired.py, and the loop against itself (A/A). Aim: within 2 %. The exit code is 1 where an interval of FPS lies outside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

AIM = 2.0  # percent
IMAGES = 8
FRAMEWORKS = (
    *("onnxruntime", "opencv", "opencv5", "caffe", "openvino", "ncnn", "mnn", "litert", "tensorflow", "tvm"),
    *("executorch", "mxnet", "pytorch"),
)


# ---- in the framework's own interpreter


def ten_lines(call: Callable[[Any], Any], inputs: Sequence[Any], seconds: float) -> tuple[float, float]:
    """FPS by the median, and inferences per second."""
    latencies: list[float] = []
    start = now = time.perf_counter()
    while now - start < seconds:
        begin = time.perf_counter()
        call(inputs[len(latencies) % len(inputs)])
        now = time.perf_counter()
        latencies.append(now - begin)
    return 1 / statistics.median(latencies), len(latencies) / (now - start)


def child(package: str) -> None:
    """Reads a job from stdin, prints (FPS, inferences per second) of every slice of every arm."""
    sys.path.append(str(Path(__file__).parent))  # last: what lies beside this file shadows nothing
    from adapter_calls import expose, nobody

    expose("hwprof", Path(package) / "__init__.py")
    from bare_calls import CALLS

    from hwprof.records import from_json
    from hwprof.worker.common import Stage, batches, load_model, open_counters
    from hwprof.worker.loop import Loop, no_garbage_collection, warm_up
    from hwprof.worker.protocol import SLICE_S, Job
    from hwprof.worker.slices import SlicedMeasurement

    asked = json.load(sys.stdin)
    job = from_json(Job, asked["job"])
    os.sched_setaffinity(0, job.cpus or os.sched_getaffinity(0))
    with ExitStack() as closing, ExitStack() as perf_closing:
        perf, sessions = open_counters(job, closing, perf_closing)
        with load_model(job, Stage(nobody()), IMAGES) as (model, ring, _):
            name, make = next(iter(CALLS[job.case.framework].items()))
            call, inputs = make(model, [image for (image,) in batches(job, IMAGES)])
            loop = Loop(model.infer, ring)
            sliced = SlicedMeasurement(loop, job.plan, perf.passes, sessions)
            warm_up(loop, job.plan.warmup_s)

            def ours() -> tuple[float, float]:
                done = sliced._run_slice(None, None, 0)
                return 1e9 / statistics.median(done.latencies_ns), len(done.latencies_ns) / (
                    done.t1_ns - done.t0_ns
                ) * 1e9

            def theirs() -> tuple[float, float]:
                return ten_lines(call, inputs, SLICE_S)

            arms = {"hwprof": ours, "loop": theirs, "again": theirs}
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
            rng = random.Random(job.seed)
            with no_garbage_collection():
                for _ in range(asked["triples"]):
                    for arm in rng.sample(list(arms), len(arms)):
                        found[arm].append(arms[arm]())
            version = model.facts()["version"]
    print(json.dumps({"call": name, "version": version, "arms": found}), file=sys.__stdout__, flush=True)
    os._exit(0)


# ---- in ours


def rows(word: str, found: dict[str, Any]) -> tuple[list[str], bool]:
    """The lines of one framework, and whether its FPS is within the aim."""
    from paired import change

    arms = found["arms"]
    over = {
        (arm, what): change([a[at] / b[at] for a, b in zip(arms[arm], arms["loop"], strict=True)])
        for arm in ("hwprof", "again")
        for at, what in enumerate(("FPS", "throughput"))
    }
    fps = over["hwprof", "FPS"]
    outside = fps.low > AIM or fps.high < -AIM
    word_ = "OUTSIDE" if outside else "within" if max(fps.high, -fps.low) <= AIM else "not shown"
    lines = [
        f"{word} {found['version'][:12]}, {found['call']}: {statistics.median(f for f, _ in arms['loop']):.1f} FPS"
    ]
    for what in ("FPS", "throughput"):
        text = f"  {what:<11}{over['hwprof', what]}   A/A {over['again', what]}"
        lines.append(f"{text}   {word_} {AIM:g} %" if what == "FPS" else text)
    return lines, not outside


def main() -> int:
    """Every framework that is here."""
    from adapter_calls import ask
    from paired import bursts, load, started

    from hwprof.errors import HwprofError
    from hwprof.worker.protocol import SLICE_S

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", nargs="*", help=f"default: {', '.join(FRAMEWORKS)}")
    parser.add_argument("-n", "--network", default="squeezenet1_1")
    parser.add_argument("-s", "--size", type=int, default=96)
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="for each framework")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="neighbours that take a core in bursts")
    args = parser.parse_args()
    print(f"{args.network} {args.size} px, batch 1, {args.threads} thread(s), {load()}")
    triples = max(12, round(args.seconds / 3 / SLICE_S))
    kept = True
    with started(bursts(args.load)):
        for word in args.framework or FRAMEWORKS:
            try:
                lines, good = rows(word, ask(word, args, Path(__file__), {"triples": triples}))
            except HwprofError as error:
                lines, good = [f"{word}: not measured: {error}"], True
            kept &= good
            print("\n".join(lines), flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    sys.exit(main())
