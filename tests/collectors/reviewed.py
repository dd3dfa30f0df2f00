"""Windows with readings of given values, and what the review makes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwprof.collectors.protocol import Gauge
from hwprof.collectors.review import RunFacts, review
from hwprof.collectors.sampler import Sampler
from hwprof.records import Origin, Reading, Role, Shape, Window
from tests.collectors.test_gauges import put

S, MS = 1_000_000_000, 1_000_000
ROOT = Path(__file__).parents[2]
RAPL = "sys/class/powercap/intel-rapl:0/"
KERNEL, HARDWARE = Origin.KERNEL, Origin.HARDWARE


def window_of(*readings: Reading, seconds: float = 2.0) -> Window:
    return Window(0, Role.COUNTED, 0, S, S + round(seconds * S), (S,), readings)


def event(metric: str, value: float, origin: Origin = HARDWARE, **fields: Any) -> Reading:
    base = metric.partition(":")[0]
    domain = "user" if metric.endswith(":u") else "user+kernel"
    return Reading(metric, value, origin=origin, **{"domain": domain, "source": f"perf:{base}", **fields})


def account(metric: str, seconds: float, source: str = "rusage") -> Reading:
    return Reading(metric, seconds, "s", domain="process", source=source, shape=Shape.COUNT)


def by_name(window: Window, facts: RunFacts | None = None) -> dict[str, Reading]:
    reviewed, _ = review(window, facts or RunFacts())
    assert review(reviewed, facts or RunFacts())[0] == reviewed, "a second look changes nothing"
    return {r.metric: r for r in reviewed.readings}


def marks(window: Window, facts: RunFacts | None = None) -> dict[str, str]:
    return {name: r.exactness.value for name, r in by_name(window, facts).items()}


def watched(root: Path, gauges: Sequence[Gauge], steps: Sequence[Mapping[str, str]], seconds: float = 2.0) -> Window:
    """The window from the first to the last of samples a second apart, `steps` being written before each.

    Its readings are reviewed; the samples themselves are as they were.
    """
    now = 0
    sampler = Sampler(gauges, clock=lambda: now)
    for tree in steps:
        now += S
        put(root, dict(tree))
        sampler.tick()
    bare = Window(0, Role.BARE, -1, S, S + round(seconds * S), ())
    bare = dataclasses.replace(bare, readings=sampler.readings(bare))
    before = sampler.series()
    found, _ = review(bare, RunFacts(series=before))
    assert sampler.series() == before
    return found
