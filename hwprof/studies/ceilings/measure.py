"""Measures a machine's ceilings on given CPUs: several repetitions each, the median kept, the spread beside it.

Rates are per CPU time: on a shared machine the program gets a share of its CPUs, and a ceiling is what they can do
while it has them. The share is stored. Well below 1, the figures of caches and memory are disturbed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwprof.errors import HwprofError, NotInstalled
from hwprof.records import Ceiling
from hwprof.studies.ceilings import kernels
from hwprof.studies.ceilings.kernels import KernelProgram

REPETITIONS = 7
SECONDS = 0.1
TIMEOUT_S = 300.0
# Least working set for memory, and how much of free memory may be used
DRAM_LEAST = 64 << 20
DRAM_FACTOR = 4

Ask = Callable[[Path, Sequence[str]], list[Mapping[str, float]]]


def ask(program: Path, words: Sequence[str]) -> list[Mapping[str, float]]:
    """Run the program; its lines. Raises HwprofError."""
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HwprofError(f"the program that measures ceilings failed: {error}") from error
    if done.returncode:
        reason = {3: "not enough memory", 4: "a CPU that this process may not use"}.get(done.returncode, "")
        raise HwprofError(f"the program that measures ceilings ended with code {done.returncode} {reason}".strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


def calibrate(
    facts: Mapping[str, Any],
    cpus: Sequence[int],
    folder: Path,
    *,
    repetitions: int = REPETITIONS,
    seconds: float = SECONDS,
    available: int | None = None,
    run: Ask = ask,
    build: Callable[[kernels.KernelBuild, Path], KernelProgram] = kernels.build,
) -> Iterator[Ceiling]:
    """Every ceiling in turn. `facts`: the hardware; `available`: bytes of free memory. Without a compiler: numpy's."""
    tail = (f"{seconds:g}", str(repetitions), ",".join(map(str, cpus)))
    used = tuple(cpus)
    best: KernelProgram | None = None
    try:
        todo = kernels.variants(str(facts.get("architecture", "")), facts.get("extensions", ()))
        built = [build(v, folder) for v in todo]
    except NotInstalled as error:
        yield from by_numpy(used, repetitions, seconds, str(error))
        return
    scalar: dict[str, float] = {}
    for one in built:
        for kind in one.variant.kinds:
            what = "int8" if kind == "int8" else ("fp16" if one.variant.element == 2 else "fp32")
            if one.path is None:
                yield Ceiling(what, one.variant.name, used, None, "", why=one.why)
                continue
            found = _ceiling(what, one.variant.name, used, "op/s", run(one.path, (kind, "0", *tail)), one)
            if one.variant.name == "scalar" and found.value:
                scalar[what] = found.value
            elif found.value and what in scalar:
                found = _with(found, times_scalar=found.value / scalar[what])
            yield found
        if one.path is not None and one.variant.number == "float" and "fp" in one.variant.kinds:
            best = one
    if not any(v.element == 2 for v in todo):
        yield Ceiling("fp16", "-", used, None, "", why="this CPU has no FP16 arithmetic that is known of")
    if best is None or best.path is None:
        return
    for level, size in levels(facts.get("caches", ()), len(used), available):
        extra = {"working_set_bytes": size, "isa": best.variant.name}
        lines = run(best.path, ("triad", str(size), *tail))
        yield _with(_ceiling("bandwidth", level, used, "B/s", lines, best), **extra)
        lines = run(best.path, ("chase", str(size), *tail[:2], str(used[0])))
        yield _with(_ceiling("latency", level, used, "s", lines, best, rate=False), **extra)


def _with(ceiling: Ceiling, **more: Any) -> Ceiling:
    return replace(ceiling, evidence={**ceiling.evidence, **more})


def _ceiling(
    what: str,
    of: str,
    cpus: tuple[int, ...],
    unit: str,
    lines: Sequence[Mapping[str, float]],
    built: KernelProgram | None = None,
    rate: bool = True,
) -> Ceiling:
    """Median per CPU time of the rates that the program printed."""
    if not lines:
        return Ceiling(what, of, cpus, None, unit, why="the program said nothing")
    shares = [min(1.0, max(1e-3, line["share"])) for line in lines]
    raw = [line["rate"] for line in lines]
    values = [r / s if rate else r * s for r, s in zip(raw, shares, strict=True)]
    evidence: dict[str, Any] = {
        "repetitions": len(values),
        "low": min(values),
        "high": max(values),
        "share": statistics.median(shares),
        "by_wall_clock": statistics.median(raw),
    }
    if built is not None:
        flags = " ".join((*kernels.FLAGS, *built.variant.flags))
        evidence |= {"compiler": built.compiler, "flags": flags}
        if (kind := "int8" if what == "int8" else "fp") in built.vectors and what not in ("bandwidth", "latency"):
            evidence["vectorised"] = built.vectors[kind]
    return Ceiling(what, of, cpus, statistics.median(values), unit, evidence)


def levels(caches: Sequence[Mapping[str, Any]], threads: int, available: int | None) -> list[tuple[str, int]]:
    """(level, bytes of one thread's working set): half of what a thread has of a cache; memory: four last levels.

    A shared cache is divided among the threads that share it. Without a topology: memory only.
    """
    found = []
    data = [c for c in caches if c.get("type") in ("Data", "Unified")]
    for cache in sorted(data, key=lambda c: int(c["level"])):
        sharers = max(1, min(threads, int(cache.get("shared_by", 1))))
        found.append((f"L{cache['level']}", int(cache["kib"]) * 1024 // sharers // 2))
    total = max((int(c["kib"]) * 1024 * int(c.get("count", 1)) for c in data), default=0)
    size = max(DRAM_LEAST, DRAM_FACTOR * total) // threads
    if available is not None:
        size = min(size, available // 4 // threads)
    return [*dict(found).items(), ("DRAM", size)]


NUMPY = """
import json, os, sys, time
os.sched_setaffinity(0, {cpus})
import numpy as np
n, m, seconds = 512, {elements}, {seconds}
a = np.full((n, n), .5, np.float32); b = a.copy(); c = a.copy()
x, y, z = (np.ones(m, np.float32) for _ in range(3))
def one(kind):
    t0, c0, done = time.monotonic(), time.process_time(), 0.0
    while time.monotonic() - t0 < seconds:
        if kind == "fp":
            np.dot(a, b, out=c); done += 2.0 * n ** 3
        else:
            np.add(y, z, out=x); done += 12.0 * m
    c1, t = time.process_time() - c0, time.monotonic() - t0
    return dict(rate=done / t, share=c1 / t / {width})
for kind in ("fp", "triad"):
    one(kind)
    print(kind, json.dumps([one(kind) for _ in range({repetitions})]))
"""


def by_numpy(cpus: tuple[int, ...], repetitions: int, seconds: float, why: str) -> Iterator[Ceiling]:
    """FP32 by BLAS and the bandwidth of memory by an addition, where there is no compiler; all else is missing."""
    text = NUMPY.format(
        cpus=set(cpus), elements=DRAM_LEAST // 4, seconds=seconds, repetitions=repetitions, width=len(cpus)
    )
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(names, str(len(cpus)))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", text], env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise HwprofError(f"numpy could not measure ceilings: {done.stderr.strip().rpartition(chr(10))[2]}")
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    note = {"by": "numpy", "instead": why}
    yield _with(_ceiling("fp32", "numpy BLAS", cpus, "op/s", json.loads(said["fp"])), **note)
    one = _ceiling("bandwidth", "DRAM", cpus, "B/s", json.loads(said["triad"]))
    yield _with(one, **note, working_set_bytes=3 * DRAM_LEAST)
    for what, of in (("int8", "-"), ("fp16", "-"), ("bandwidth", "caches"), ("latency", "-")):
        yield Ceiling(what, of, cpus, None, "", why=why)
