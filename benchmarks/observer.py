"""What full collection costs: FPS of counted against bare windows of one process, with an A/A comparison beside it.

    python benchmarks/observer.py [NETWORK [SIZE [PAIRS]]]

Windows come in quadruples bare, counted, bare, bare in a seeded order; B/A is counted over the bare one, A/A one bare
over another. Printed: the geometric mean ratio and its 95 % t interval over pairs. Above 0.99 at the lower end is the
aim, for inferences of 1 ms and more; a noisy machine shows in the A/A line.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from pathlib import Path

from hwprof.collectors.cpu import CpuCollector
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Session, Target
from hwprof.records import Case, Role, Window
from hwprof.worker.loop import Loop, warm_up, window
from hwprof.worker.protocol import LoopSettings


def rate(done: Window) -> float:
    """Iterations per second by the median latency."""
    return 1e9 / statistics.median(done.latencies_ns)


def main() -> None:
    """Open the counters first, as a worker does; then the framework."""
    name, size, pairs = (*sys.argv[1:4], *("squeezenet1_1", "96", "600")[len(sys.argv) - 1 :])
    plan = LoopSettings(window_s=0.03, min_iterations=10)
    with PerfCollector().open(Target(), ["auto"]) as perf, CpuCollector().open(Target(), []) as cpu:
        from hwprof.frameworks.onnxruntime import ADAPTER
        from hwprof.networks.find import resolve
        from hwprof.networks.images import synthetic_inputs
        from hwprof.speed import between_rounds

        network = resolve(name)
        spec = network.input_spec(int(size), 1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            network.write(path, 0, int(size))
            with ADAPTER.load(path, Case("onnxruntime", name, "", int(size)), spec) as model:
                loop = Loop(model.infer, [model.bind(image) for image in synthetic_inputs(spec, 8, 0)])
                warm_up(loop, 3.0)
                sessions: list[Session] = [cpu, perf]
                observed, control = [], []
                for number in range(int(pairs)):
                    order = ["bare", "counted", "a", "b"]
                    random.Random(number).shuffle(order)
                    found = {}
                    for what in order:
                        pass_ = perf.passes[0] if what == "counted" else None
                        role = Role.COUNTED if pass_ else Role.BARE
                        found[what] = rate(window(0, role, pass_, loop, plan, sessions))
                    observed.append(found["counted"] / found["bare"])
                    control.append(found["a"] / found["b"])
    counted = sum(len(group.counters) for group in perf.groups)
    print(f"{name} {size} px, {1e3 / found['bare']:.2f} ms, {counted} events, {pairs} pairs")
    for label, ratios in (("counted / bare", observed), ("A/A: bare / bare", control)):
        mean, low, high = between_rounds(ratios)
        print(f"{label:<18} {mean:.4f}  95 % [{low:.4f} ... {high:.4f}]  median {statistics.median(ratios):.4f}")


if __name__ == "__main__":
    main()
