"""Real pairs whose difference is known by construction: how often `hwprof explain` says the right thing first.

    python benchmarks/known_causes.py [-t TRIALS] [-r ROUNDS] [--window S] [--keep FOLDER] [PAIR ...]

vectors-off: OpenCV with its switch for vectors off (x86), which is work. shared-core: the same case on a core that
three busy loops share, which is parallelism with the wait for the core behind it. spinning: ONNX Runtime and OpenCV
with two threads each on one core, measured again with spin-waiting off (`--test spin`). Printed per trial: what
carries most of the ratio, and whether it is what was done. A machine with other work on it shows here: read it beside
the load.
--keep leaves the last trial's results file of each pair.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.frameworks.opencv import ADAPTER as OPENCV
from hwprof.machine.cpus import allowed_cpus

SPIN = "import os\nos.sched_setaffinity(0, {%d})\nwhile True: pass"


class Trial:
    """One results file, measured and asked by the command line."""

    def __init__(self, path: Path, rounds: int, window: float) -> None:
        self.path = path
        self.quick = ("-n", "squeezenet1_1", "-s", "64", "-r", str(rounds), "--window", str(window))
        self.rerun = ("-r", str(rounds), "--window", str(window))

    def hwprof(self, *words: str) -> str:
        """Standard output. Exits with the command's own words where it fails."""
        command = [sys.executable, "-P", "-m", "hwprof", *words, "--results", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"hwprof {' '.join(words)}: exit {done.returncode}\n{done.stderr.strip()}")
        return done.stdout

    def measure(self, *words: str) -> None:
        """`hwprof run` on the small network."""
        self.hwprof("run", *self.quick, *words)

    def explain(self, *words: str) -> dict[str, Any]:
        """The one explanation."""
        (found,) = json.loads(self.hwprof("explain", *words, "--json"))["explanations"]
        return dict(found)


def first_term(found: dict[str, Any]) -> dict[str, Any]:
    """The factor that carries most of the ratio."""
    return dict(max(found["factors"], key=lambda f: abs(f["log"])))


@contextmanager
def busy(core: int, loops: int) -> Any:
    """Loops that never sleep, on that core."""
    running = [subprocess.Popen([sys.executable, "-P", "-c", SPIN % core]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def vectors_off(trial: Trial) -> tuple[bool, str]:
    """The same arithmetic without wide vectors takes more instructions."""
    ((name, value),) = OPENCV.switches["simd"].options.items()
    trial.measure("-f", "opencv")
    trial.measure("-f", "opencv", "--option", f"{name}={value}")
    found = trial.explain("opencv", f"opencv,{name}={value}")
    first = first_term(found)
    return first["name"] in ("work", "clock x ipc x work") and first["ratio"] > 1, found["headline"]


def shared_core(trial: Trial) -> tuple[bool, str]:
    """A quarter of a core is left."""
    core = allowed_cpus()[-1]
    trial.measure("-f", "opencv", "--cpus", str(core))
    with busy(core, 3):
        trial.measure("-f", "opencv", "--cpus", str(core), "--option", "env.SHARED=yes")
    found = trial.explain("opencv", "opencv,env.SHARED=yes")
    slower = found["speeds"]["a"]["throughput"] > found["speeds"]["b"]["throughput"]
    waits = [c for c in found["clues"] if c["code"] == "run-queue-wait" and c["factor"] == "parallelism"]
    return slower and "preempted: " in found["headline"] and bool(waits), found["headline"]


def spinning(trial: Trial) -> tuple[bool, str]:
    """A thread that waits takes the core from the one it waits for, until it may sleep."""
    core = str(allowed_cpus()[-1])
    trial.measure("-f", "onnxruntime", "-t", "2", "--cpus", core)
    trial.measure("-f", "opencv", "-t", "2", "--cpus", core)
    found = trial.explain("onnxruntime", "opencv", "--test", "spin", *trial.rerun)
    return "Spin-waiting makes onnxruntime take" in found["headline"], found["headline"]


PAIRS: dict[str, Callable[[Trial], tuple[bool, str]]] = {
    "vectors-off": vectors_off,
    "shared-core": shared_core,
    "spinning": spinning,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Every pair, trial after trial; exit 1 where one was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=f"of {', '.join(PAIRS)} (default: all)")
    parser.add_argument("-t", "--trials", type=int, default=3)
    parser.add_argument("-r", "--rounds", type=int, default=4)
    parser.add_argument("--window", type=float, default=0.5, metavar="S")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    args = parser.parse_args(argv)
    if unknown := set(args.pairs) - set(PAIRS):
        parser.error(f"no pair {', '.join(sorted(unknown))}; there are {', '.join(PAIRS)}")
    wrong = 0
    for name in args.pairs or PAIRS:
        right = 0
        for number in range(args.trials):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{name}.db"
                load = os.getloadavg()[0]
                good, said = PAIRS[name](Trial(path, args.rounds, args.window))
                right += good
                print(
                    f"{name} {number + 1}: {'right' if good else 'WRONG'} (load before {load:.1f}): {said}", flush=True
                )
                if args.keep is not None:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, args.keep / path.name)
        wrong += args.trials - right
        print(f"{name}: {right} of {args.trials} right", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
