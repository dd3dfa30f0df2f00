"""How long `Results.frame()` takes, on a synthetic results file that is built for it (labelled so, and removed).

    python benchmarks/results_frame.py [RUNS] [METRICS]        default: 10000 runs x 200 metrics

Every run has a bare and a counted window of 100 iterations; every tenth metric is MISSING with a reason. Building
takes longer than reading and is timed apart, as one transaction per run is what a sweep does.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hwprof.store import Results
from hwprof.store.writer import add_run
from tests.factories import NETWORKS, make_run

FRAMEWORKS = ("onnxruntime", "opencv", "pytorch", "tflite")
BATCHES = (1, 2, 4, 8)


def fill(results: Results, runs: int, metrics: int) -> None:
    """`runs` synthetic runs; many per transaction, for building is not what is measured here."""
    values = {f"event-{i:03d}": None if i % 10 == 9 else 1000.0 * (i + 1) for i in range(metrics)}
    networks = tuple(NETWORKS)
    experiment = results.begin_experiment("synthetic benchmark", "", "benchmark", 0)
    templates = [
        make_run(f, n, batch=b, metrics=values, iterations=101) for f in FRAMEWORKS for n in networks for b in BATCHES
    ]
    for start in range(0, runs, 100):
        numbers = range(start, min(runs, start + 100))

        def add(connection: object, numbers: range = numbers) -> None:
            for number in numbers:
                round_, index = divmod(number, len(templates))
                run = dataclasses.replace(templates[index], round=round_, uid=f"{number:08x}")
                add_run(connection, run, experiment)  # type: ignore[arg-type]

        results.database.write(add)


def main() -> None:
    """Build, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=int, default=10_000)
    parser.add_argument("metrics", nargs="?", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hwprof-benchmark-") as folder:
        path = Path(folder) / "synthetic.db"
        with Results.create(path) as results:
            started = time.perf_counter()
            fill(results, args.runs, args.metrics)
            built = time.perf_counter()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            read = time.perf_counter()
            frame = results.frame()
            done = time.perf_counter()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            one = make_run(metrics={f"event-{i:03d}": 1.0 for i in range(args.metrics)}, uid="ffffffff", round=10**6)
            single = time.perf_counter()
            results.add(one)
            single = time.perf_counter() - single
        print(f"synthetic: {args.runs} runs x {args.metrics} metrics, {path.stat().st_size / 2**20:,.0f} MiB")
        print(f"built in     {built - started:8.2f} s")
        print(f"frame()      {done - read:8.2f} s   {frame.shape[0]} rows x {frame.shape[1]} columns")
        print(f"peak memory  {peak / 1024:8.0f} MiB ({memory / 1024:.0f} MiB before)")
        print(f"one add()    {single * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
