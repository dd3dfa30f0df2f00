"""What the edge of a window costs: enabling the counters and reading them, beside a pair of timer reads.

    python benchmarks/window_edge.py [--edges 20000]

One thread, eight software events in one group. Prints medians in microseconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.names import AUTO_SOFTWARE
from hwprof.collectors.protocol import Target

LIMIT_US = 20.0


def median_us(
    action: Callable[[], object], times: int, after: Callable[[], object] = lambda: None
) -> tuple[float, float]:
    """(median, 99th percentile) of one call of `action` in microseconds; `after` follows each call, untimed."""
    clock = time.perf_counter_ns
    taken = []
    for _ in range(times):
        start = clock()
        action()
        taken.append(clock() - start)
        after()
    taken.sort()
    return statistics.median(taken) / 1e3, taken[int(len(taken) * 0.99)] / 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--edges", type=int, default=20_000)
    times = parser.parse_args().edges

    def timer_pair() -> None:
        time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)

    with PerfCollector().open(Target(), list(AUTO_SOFTWARE)) as session:
        # Hardware anchors come along where the machine has them, in a group of their own.
        print(f"groups: {', '.join(str(len(g.counters)) + ' events' for g in session.groups)}; {times} edges")
        pass_ = session.passes[0]

        def disable() -> None:
            session.select(None)

        def enable() -> None:
            session.select(pass_)

        def opening_edge() -> None:
            session.select(pass_)
            session.read()

        def closing_edge() -> None:
            session.read()
            session.select(None)

        rows = [
            ("timer pair", median_us(timer_pair, times)),
            ("opening edge: select + read", median_us(opening_edge, times, disable)),
        ]
        enable()
        rows.append(("read alone", median_us(session.read, times)))
        rows.append(("closing edge: read + select(None)", median_us(closing_edge, times, enable)))
    for name, (median, tail) in rows:
        print(f"  {name:<34} median {median:7.2f} us   p99 {tail:7.2f} us")
    edge = max(median for name, (median, _) in rows if "edge" in name)
    print(f"  an edge costs {edge:.2f} us; the limit is {LIMIT_US:.0f} us: {'kept' if edge <= LIMIT_US else 'BROKEN'}")


if __name__ == "__main__":
    main()
