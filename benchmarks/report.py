"""How long `hwprof report` takes, how much memory, and how fast its page opens, on synthetic results (and removed).

    python benchmarks/report.py [RUNS] [METRICS] [--keep FOLDER] [--rounds N]    default: 10000 runs x 200 metrics

The results are those of benchmarks/synthetic.py: a sweep over 5 frameworks, 20 networks, 5 batches, 4 numbers of
threads and as many rounds as it takes. With playwright and chromium there (another interpreter may have them:
--browser-python), opening is measured from asking for the page until its load event, until it is painted, and until
the table of all runs is sorted; the median of five, beside pandas' plain HTML table of the runs. The report is made
by a fresh process each round, in turn with a process in which pandas merely reads the readings; medians are printed.
Memory is the largest sum over the report's process and those that it starts, looked at five times a second: resident
sets, so that pages which two of them share count twice.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

with contextlib.suppress(ImportError):  # an interpreter that is there for its browser need not have it
    import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TRIES = 5
LOOK_S = 0.2  # between looks at the memory: one takes milliseconds, of which the report has none to spare
PAINTED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
SORT = """() => {
  const block = [...document.querySelectorAll("div.table")].at(-1);
  [...block.querySelectorAll("th button")].find((b) => b.textContent === "FPS").click();
  return [block.querySelector("th[aria-sort]").textContent, block.querySelectorAll("tbody tr").length];
}"""

# what one would do without hwprof: all readings as a table, all runs as a page
PEER = """import sqlite3, sys, pandas
with sqlite3.connect(sys.argv[1]) as results:
    pandas.read_sql_query("SELECT * FROM reading", results)
    runs = "SELECT uid, framework, network, size, batch, threads, cpus, precision, round, fps, latency_ns, throughput"
    runs += ", load_ns, status, kind FROM run JOIN cases ON cases.id = case_id"
    pandas.read_sql_query(runs, results).to_html(sys.argv[2])
"""


def opening(page: Path, peer: Path) -> dict[str, list[float]] | None:
    """Seconds from asking for the page to load event, to the first picture, to a sorted table; None: no browser.

    `cpu`: of the renderer's process until the page is painted. `peer`: another page, painted.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    times: dict[str, list[float]] = {name: [] for name in ("load", "painted", "sorted", "cpu", "peer")}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(TRIES):
            tab = browser.new_page()
            session = tab.context.new_cdp_session(tab)
            session.send("Performance.enable")
            started = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            times["load"].append(time.perf_counter() - started)
            tab.evaluate(PAINTED)
            times["painted"].append(time.perf_counter() - started)
            spent = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            times["cpu"].append(spent["ProcessTime"])
            said, rows = tab.evaluate(SORT)
            assert said == "FPS", said
            assert rows > 0
            times["sorted"].append(time.perf_counter() - started)
            tab.close()
            tab = browser.new_page()
            started = time.perf_counter()
            tab.goto(peer.as_uri(), wait_until="load")
            tab.evaluate(PAINTED)
            times["peer"].append(time.perf_counter() - started)
            tab.close()
        browser.close()
    return times


class Spent(NamedTuple):
    """What a command took. `mib`: at its peak, of all its processes together."""

    wall: float
    cpu: float
    mib: float


def spent(command: list[str], environment: dict[str, str]) -> Spent:
    """Run a command to its end; ends the benchmark where it fails."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    peak = 0
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, resident(child.pid))
        time.sleep(LOOK_S)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command[1:4])} ended with {child.returncode}")
    # what ended between two looks is in the kernel's own maximum, though of one process alone
    return Spent(wall, usage.ru_utime + usage.ru_stime, max(peak / 2**20, usage.ru_maxrss / 1024))


def resident(pid: int) -> int:
    """Bytes that a process and all that it started have in memory."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def middle(rounds: list[Spent]) -> Spent:
    """The median of each."""
    return Spent(*(statistics.median(values) for values in zip(*rounds, strict=True)))


def opened_by(python: str, page: Path, peer: Path) -> dict[str, list[float]] | None:
    """`opening` in another interpreter."""
    command = [python, __file__, "--only-open", str(page), str(peer)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {str(k): [float(t) for t in v] for k, v in found.items()} if found else None


def main() -> None:
    """Build, report, open, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=int, default=10_000)
    parser.add_argument("metrics", nargs="?", type=int, default=200)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there and leave everything")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often the report is made (default: 3)")
    parser.add_argument("--browser-python", default=sys.executable, metavar="PYTHON", help="one that has playwright")
    parser.add_argument("--only-open", type=Path, nargs=2, metavar="PAGE", help="open these, print seconds as JSON")
    args = parser.parse_args()
    if args.only_open:
        print(json.dumps(opening(*(page.resolve() for page in args.only_open))))
        return
    from synthetic import fill

    folder = (args.keep or Path(tempfile.mkdtemp(prefix="hwprof-benchmark-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "synthetic.db"
    if not path.exists():
        print(f"{fill(path, args.runs, args.metrics):,} readings written")
    print(f"synthetic: {args.runs} runs x {args.metrics} metrics, {path.stat().st_size / 2**20:,.0f} MiB", flush=True)
    command = [sys.executable, "-P", "-m", "hwprof", "report", str(path), "-o", str(folder / "report")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    page, peer = folder / "report" / "report.html", folder / "peer.html"
    reports, reads = [], []
    for number in range(args.rounds):
        reports.append(spent(command, environment))
        reads.append(spent([sys.executable, "-P", "-c", PEER, str(path), str(peer)], environment))
        load = "{:.1f} {:.1f} {:.1f}".format(*os.getloadavg())
        print(
            f"round {number + 1}: report {reports[-1].wall:.2f} s, {reports[-1].cpu:.2f} s of CPU; "
            f"pandas {reads[-1].cpu:.2f} s of CPU; load {load}",
            flush=True,
        )
    report, reading = middle(reports), middle(reads)
    print(f"hwprof report {report.wall:8.2f} s   {report.cpu:.2f} s of CPU, {os.cpu_count()} cores")
    print(f"peak memory   {report.mib:8.0f} MiB")
    print(
        f"pandas reads  {reading.cpu:8.2f} s of CPU, {reading.mib:.0f} MiB: the report takes "
        f"x{report.cpu / reading.cpu:.2f} the CPU time of merely reading all readings"
    )
    print(f"page          {page.stat().st_size / 2**20:8.2f} MiB", flush=True)
    times = opened_by(args.browser_python, page, peer)
    if times is None:
        print("opening       not measured: chromium or playwright is not there")
    else:
        at = {name: statistics.median(values) for name, values in times.items()}
        print(f"load event    {at['load']:8.2f} s   of {TRIES}: {min(times['load']):.2f} to {max(times['load']):.2f}")
        print(f"painted       {at['painted']:8.2f} s   {at['cpu']:.2f} s of CPU in the page's process")
        print(f"first sort    {at['sorted']:8.2f} s   from asking for the page")
        print(f"pandas' table {at['peer']:8.2f} s   the page takes x{at['painted'] / at['peer']:.2f} of it")
    if args.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
