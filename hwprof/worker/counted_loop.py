"""Inferences that callgrind counts, between two client requests."""

from __future__ import annotations

from typing import Any

from hwprof.collectors.client_requests import COUNTED, EMPTY, IGNORED, Requests
from hwprof.records import Role, Window
from hwprof.worker.loop import Loop, no_garbage_collection

# At least: the second inference of a session may still allocate (ONNX Runtime plans its memory after the first).
WARMUP = 2


def window(requests: Requests, tag: str, loop: Loop, iterations: int) -> Window:
    """Counts of so many iterations, and of the code between the two requests, in a dump called `tag`."""
    call, zero, dump = requests.edges(tag)
    with no_garbage_collection():
        call(zero)
        t0, t1, latencies = loop.run(iterations, 0.0)
        call(dump)
    return Window(1, Role.SIMULATED, -1, t0, t1, tuple(latencies))


def warmup(iterations: int) -> int:
    """How many inferences come before `iterations` that are counted."""
    return max(WARMUP, -(-iterations // 2))


def count(requests: Requests, loop: Loop, iterations: int) -> Window:
    """The window of `iterations` inferences; its counts are in the dump COUNTED less those in the dump EMPTY.

    Earlier ones warm up the process, the last of them the simulated caches too. The empty window is the same loop
    without inference, so that the difference is the inferences alone; the first one takes what happens once.
    """
    nothing = Loop(_nothing, loop.ring, loop.clock)
    loop.run(warmup(iterations) - 1, 0.0)
    requests.start()
    window(requests, IGNORED, nothing, iterations)
    window(requests, IGNORED, loop, 1)
    window(requests, EMPTY, nothing, iterations)
    return window(requests, COUNTED, loop, iterations)


def _nothing(bound: Any) -> None:
    """An inference of no network."""
