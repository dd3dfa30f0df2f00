"""How long `hwprof report` takes, how much memory, and how fast its page opens, on synthetic results (and removed).

    python benchmarks/report.py [RUNS] [METRICS] [--keep FOLDER]        default: 10000 runs x 200 metrics

Invented values that vary between networks, frameworks and rounds, so that every coefficient is computed. With
playwright and chromium there, opening is measured until the page has run its script; the median of five.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hwprof.records import Run
from hwprof.store import Results
from hwprof.store.writer import add_run
from tests.factories import NETWORKS, make_run

FRAMEWORKS = ("onnxruntime", "opencv", "pytorch", "litert")
BATCHES = (1, 2, 4, 8)


def fill(path: Path, runs: int, metrics: int) -> None:
    """`runs` synthetic runs of 4 frameworks x 10 networks x 4 batches, as many rounds as it takes."""
    numbers = random.Random(7)
    cases = [(f, n, b) for f in FRAMEWORKS for n in NETWORKS for b in BATCHES]
    effects = {(f, n, i): numbers.gauss(0, 0.3) for f in FRAMEWORKS for n in NETWORKS for i in range(metrics)}

    def one(framework: str, network: str, batch: int) -> Run:
        macs = NETWORKS[network][0]
        values: dict[str, float | None] = {
            f"event-{i:03d}": None
            if i % 10 == 9
            else macs * 1e-3 * math.exp(effects[framework, network, i] + numbers.gauss(0, 0.03))
            for i in range(metrics - 1)
        }
        values["task-clock"] = macs / 20
        fps = 2e10 / macs * math.exp(effects[framework, network, 0] + numbers.gauss(0, 0.03))
        return make_run(framework, network, batch=batch, fps=fps, metrics=values, iterations=101)

    # three unlike rounds of each case, again and again: making records is not what is measured here
    templates = [[one(*case) for case in cases] for _ in range(3)]

    with Results.create(path) as results:
        experiment = results.begin_experiment("synthetic benchmark", "", "benchmark", 0)
        for start in range(0, runs, 100):

            def add(connection: object, start: int = start) -> None:
                for number in range(start, min(runs, start + 100)):
                    round_, index = divmod(number, len(cases))
                    template = templates[round_ % 3][index]
                    run = dataclasses.replace(template, round=round_, uid=f"{number:08x}")
                    add_run(connection, run, experiment)  # type: ignore[arg-type]

            results.database.write(add)


def opening(page: Path) -> float | None:
    """Median seconds from asking for the page until its load event is over; None without a browser."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(5):
            tab = browser.new_page()
            started = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")  # painted once
            times.append(time.perf_counter() - started)
            tab.close()
        browser.close()
    return statistics.median(times)


def main() -> None:
    """Build, report, open, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=int, default=10_000)
    parser.add_argument("metrics", nargs="?", type=int, default=200)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there and leave everything")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="hwprof-benchmark-"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "synthetic.db"
    if not path.exists():
        fill(path, args.runs, args.metrics)
    print(f"synthetic: {args.runs} runs x {args.metrics} metrics, {path.stat().st_size / 2**20:,.0f} MiB")
    command = [sys.executable, "-m", "hwprof", "report", str(path), "-o", str(folder / "report")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    taken = time.perf_counter() - started
    if status:
        raise SystemExit(f"hwprof report ended with {os.waitstatus_to_exitcode(status)}")
    page = folder / "report" / "report.html"
    print(f"hwprof report {taken:8.2f} s   {usage.ru_utime + usage.ru_stime:.2f} s of CPU")
    print(f"peak memory   {usage.ru_maxrss / 1024:8.0f} MiB")
    print(f"page          {page.stat().st_size / 2**20:8.2f} MiB")
    seconds = opening(page)
    print(
        "opening       not measured: chromium or playwright is not there"
        if seconds is None
        else f"opening       {seconds:8.2f} s"
    )
    if args.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
