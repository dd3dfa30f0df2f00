"""How long `hwprof report` takes, how much memory, and how fast its page opens, on synthetic results (and removed).

    python benchmarks/report.py [RUNS] [METRICS] [--keep FOLDER]        default: 10000 runs x 200 metrics

The results are those of benchmarks/synthetic.py: a sweep over 5 frameworks, 20 networks, 5 batches, 4 numbers of
threads and as many rounds as it takes. With playwright and chromium there (another interpreter may have them:
--browser-python), opening is measured from asking for the page until its load event, until it is painted, and until
the table of all runs is sorted; the median of five, beside pandas' plain HTML table of the runs. The report is timed
beside pandas merely reading the readings.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TRIES = 5
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


def spent(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """(wall seconds, CPU seconds, peak MiB) of a command; ends the benchmark where it fails."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[2]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


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
    parser.add_argument("--browser-python", default=sys.executable, metavar="PYTHON", help="one that has playwright")
    parser.add_argument("--only-open", type=Path, nargs=2, metavar="PAGE", help="open these, print seconds as JSON")
    args = parser.parse_args()
    if args.only_open:
        print(json.dumps(opening(*(page.resolve() for page in args.only_open))))
        return
    from benchmarks.synthetic import fill

    folder = (args.keep or Path(tempfile.mkdtemp(prefix="hwprof-benchmark-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "synthetic.db"
    if not path.exists():
        print(f"{fill(path, args.runs, args.metrics):,} readings written")
    print(f"synthetic: {args.runs} runs x {args.metrics} metrics, {path.stat().st_size / 2**20:,.0f} MiB", flush=True)
    command = [sys.executable, "-m", "hwprof", "report", str(path), "-o", str(folder / "report")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    taken, cpu, peak = spent(command, environment)
    page = folder / "report" / "report.html"
    print(f"hwprof report {taken:8.2f} s   {cpu:.2f} s of CPU")
    print(f"peak memory   {peak:8.0f} MiB")
    peer = folder / "peer.html"
    _, reading, _ = spent([sys.executable, "-c", PEER, str(path), str(peer)], environment)
    print(
        f"pandas reads  {reading:8.2f} s of CPU: the report takes x{cpu / reading:.2f} of merely reading all readings"
    )
    print(f"page          {page.stat().st_size / 2**20:8.2f} MiB", flush=True)
    times = opened_by(args.browser_python, page, peer)
    if times is None:
        print("opening       not measured: chromium or playwright is not there")
    else:
        middle = {name: statistics.median(values) for name, values in times.items()}
        print(
            f"load event    {middle['load']:8.2f} s   of {TRIES}: {min(times['load']):.2f} to {max(times['load']):.2f}"
        )
        print(f"painted       {middle['painted']:8.2f} s   {middle['cpu']:.2f} s of CPU in the page's process")
        print(f"first sort    {middle['sorted']:8.2f} s   from asking for the page")
        print(f"pandas' table {middle['peer']:8.2f} s   the page takes x{middle['painted'] / middle['peer']:.2f} of it")
    if args.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
