"""Synthetic runs for tests: invented figures in the form of real records. Nothing here was measured.

Latencies lie symmetrically around batch / fps, so that their median, and with it FPS, is what was asked for.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwprof.records import (
    Case,
    Doubt,
    Exactness,
    Failure,
    Fidelity,
    Kind,
    Origin,
    Reading,
    Role,
    Run,
    Scalar,
    Series,
    SliceCounts,
    Slices,
    Window,
    missing,
)

# Metric name -> (unit, origin). What is not named here is a hardware event without a unit.
UNITS: Mapping[str, tuple[str, Origin]] = {
    "task-clock": ("ns", Origin.KERNEL),
    "cpu-clock": ("ns", Origin.KERNEL),
    "page-faults": ("", Origin.KERNEL),
    "minor-faults": ("", Origin.KERNEL),
    "major-faults": ("", Origin.KERNEL),
    "context-switches": ("", Origin.KERNEL),
    "cpu-migrations": ("", Origin.KERNEL),
    "energy": ("J", Origin.HARDWARE),
    "power": ("W", Origin.HARDWARE),
    "rss": ("MiB", Origin.KERNEL),
    "frequency": ("MHz", Origin.KERNEL),
    "temperature": ("°C", Origin.HARDWARE),
}
LEVELS = ("power", "rss", "frequency", "temperature")

# (macs, params, input side): rounded figures of the real networks; any other name gets some derived from its letters
NETWORKS: Mapping[str, tuple[int, int, int]] = {
    "squeezenet1_1": (349_000_000, 1_235_496, 224),
    "mobilenet_v2": (300_774_272, 3_504_872, 224),
    "mobilenet_v3_small": (56_516_000, 2_542_856, 224),
    "resnet18": (1_814_073_344, 11_689_512, 224),
    "resnet50": (4_089_184_256, 25_557_032, 224),
    "googlenet": (1_497_000_000, 6_624_904, 224),
    "densenet121": (2_834_000_000, 7_978_856, 224),
    "efficientnet_b0": (385_800_000, 5_288_548, 224),
    "alexnet": (714_000_000, 61_100_840, 224),
    "shufflenet_v2_x1_0": (144_900_000, 2_278_604, 224),
}

MACHINE: Mapping[str, Any] = {"label": "synthetic board", "model": "Synthetic A1", "cpus": 4, "l2_bytes": 1 << 20}
HOST_STATE: Mapping[str, Any] = {"kernel": "6.0.0-synthetic", "governor": "performance", "note": "synthetic"}
SOFTWARE: Mapping[str, Any] = {"python": "3.11.0", "distributions": {"onnxruntime": "0.0.synthetic"}}

START_NS = 1_000_000_000_000


def make_case(
    framework: str = "onnxruntime",
    network: str = "mobilenet_v2",
    *,
    batch: int = 1,
    threads: int = 1,
    size: int | None = None,
    cpus: Sequence[int] = (),
    precision: str = "fp32",
    recipe: str = "recipe-1/seed-7",
    options: Mapping[str, Scalar] | None = None,
    shape: str = "",
) -> Case:
    """One case; `size` None: the network's usual side, of a `shape` 0."""
    usual = 0 if shape else network_facts(network)[2]
    pairs = tuple(sorted((options or {}).items()))
    side = usual if size is None else size
    return Case(framework, network, recipe, side, batch, threads, tuple(cpus), precision, pairs, shape)


def network_facts(network: str) -> tuple[int, int, int]:
    """(macs, params, side) of a network; the same figures for the same name."""
    if network in NETWORKS:
        return NETWORKS[network]
    number = int(hashlib.sha256(network.encode(errors="surrogatepass")).hexdigest()[:8], 16)
    return 50_000_000 + number % 4_000_000_000, 1_000_000 + number % 50_000_000, 224


def make_latencies(median_ns: int, iterations: int = 31, spread: float = 0.01, seed: int = 0) -> tuple[int, ...]:
    """An odd number of latencies, in random order, symmetrical around `median_ns` within +-`spread` of it."""
    random_ = random.Random(seed)
    half = [round(median_ns * spread * random_.random()) for _ in range(max(0, iterations - 1) // 2)]
    values = [median_ns, *(median_ns + d for d in half), *(median_ns - d for d in half)]
    random_.shuffle(values)
    return tuple(values)


def make_window(
    index: int, role: Role, latencies: Sequence[int], readings: Sequence[Reading] = (), pass_: int = -1
) -> Window:
    """A window whose length is the sum of its latencies and 1 % of loop overhead."""
    t0 = START_NS + index * 10_000_000_000
    return Window(index, role, pass_, t0, t0 + round(sum(latencies) * 1.01), tuple(latencies), tuple(readings))


def make_reading(
    name: str,
    per_frame: float | None,
    frames: int,
    *,
    origin: Origin | None = None,
    exactness: Exactness = Exactness.EXACT,
    domain: str = "user+kernel",
    why: str = "synthetic: this machine has no such event",
) -> Reading:
    """A reading of `per_frame` x `frames` (levels: as it is); None: MISSING. `name:u` is counted in user mode only."""
    unit, usual = UNITS.get(name.partition(":")[0], ("", Origin.HARDWARE))
    origin = usual if origin is None else origin
    domain = "user" if name.endswith(":u") else domain
    source = "callgrind" if origin is Origin.SIMULATED else f"synthetic:{name}"
    common: dict[str, Any] = {"unit": unit, "origin": origin, "domain": domain, "source": source}
    if per_frame is None:
        return missing(name, why, **common)
    value = per_frame if name in LEVELS else per_frame * frames
    return Reading(name, float(value), exactness=exactness, running=1.0, meaning=f"synthetic {name}", **common)


def make_run(
    framework: str = "onnxruntime",
    network: str = "mobilenet_v2",
    *,
    fps: float = 40.0,
    round: int = 0,
    metrics: Mapping[str, float | None] | None = None,
    batch: int = 1,
    threads: int = 1,
    size: int | None = None,
    cpus: Sequence[int] = (),
    precision: str = "fp32",
    options: Mapping[str, Scalar] | None = None,
    case: Case | None = None,
    exactness: Mapping[str, Exactness] | None = None,
    domain: str = "user+kernel",
    iterations: int = 31,
    attempt: int = 1,
    fidelity: Fidelity | None = None,
    doubts: Sequence[Doubt] = (),
    series: Sequence[Series] = (),
    failure: Failure | None = None,
    facts: Mapping[str, Any] | None = None,
    machine: Mapping[str, Any] = MACHINE,
    host_state: Mapping[str, Any] = HOST_STATE,
    software: Mapping[str, Any] = SOFTWARE,
    uid: str | None = None,
) -> Run:
    """A native run with a bare and a counted window.

    `metrics`: value per frame (W, MiB, MHz, degrees: the level), None for one that is MISSING. A `failure` leaves the
    windows out. The uid follows from case, kind, round and attempt, so that equal arguments give equal runs.
    """
    case = case or make_case(
        framework,
        network,
        batch=batch,
        threads=threads,
        size=size,
        cpus=cpus,
        precision=precision,
        options=options,
    )
    uid = uid or make_uid(case, Kind.NATIVE, round, attempt, machine)
    macs, params, _ = network_facts(case.network)
    common: dict[str, Any] = {
        "round": round,
        "attempt": attempt,
        "started_utc": f"2000-01-01T00:{round:02d}:00Z",
        "env": {"OMP_NUM_THREADS": str(case.threads)},
        "machine": machine,
        "host_state": host_state,
        "software": software,
        "doubts": tuple(doubts),
    }
    if failure is not None:
        return Run(uid, case, failure=failure, facts=dict(facts or {}), macs=macs, params=params, **common)
    latency = int(1e9 * case.batch / fps + 0.5)
    seed = int(uid[:8], 16)
    bare = make_latencies(latency, iterations, seed=seed)
    counted = make_latencies(latency, iterations, seed=seed + 1)
    frames = len(counted) * case.batch
    readings = [
        make_reading(name, value, frames, exactness=(exactness or {}).get(name, Exactness.EXACT), domain=domain)
        for name, value in (metrics or {}).items()
    ]
    return Run(
        uid,
        case,
        load_ns=200_000_000,
        windows=(make_window(0, Role.BARE, bare), make_window(1, Role.COUNTED, counted, readings, pass_=0)),
        series=tuple(series),
        facts=facts if facts is not None else {"peak_rss_bytes": 96 << 20, "synthetic": True},
        fidelity=fidelity or Fidelity(1e-6, 1e-6, 1.0, inputs=8, tolerance=1e-3),
        macs=macs,
        params=params,
        **common,
    )


def make_simulated_run(
    framework: str = "onnxruntime",
    network: str = "mobilenet_v2",
    *,
    metrics: Mapping[str, float | None],
    round: int = 0,
    case: Case | None = None,
    uid: str | None = None,
    machine: Mapping[str, Any] = MACHINE,
    **fields: Any,
) -> Run:
    """A run under callgrind: one iteration, values per frame with origin SIMULATED; its time says nothing."""
    case = case or make_case(framework, network, **fields)
    macs, params, _ = network_facts(case.network)
    readings = [make_reading(name, value, case.batch, origin=Origin.SIMULATED) for name, value in metrics.items()]
    return Run(
        uid or make_uid(case, Kind.SIMULATED, round, 1, machine),
        case,
        Kind.SIMULATED,
        round=round,
        started_utc="2000-01-01T01:00:00Z",
        windows=(make_window(0, Role.SIMULATED, (5_000_000_000,), readings),),
        macs=macs,
        params=params,
        machine=machine,
        host_state=HOST_STATE,
        software=SOFTWARE,
    )


def make_uid(case: Case, kind: Kind, round: int, attempt: int, machine: Mapping[str, Any]) -> str:
    """12 hex digits that follow from what the run is."""
    text = f"{case.key} {kind.value} {round} {attempt} {sorted(machine.items())}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def make_sliced_run(
    changes: Sequence[float],
    *,
    bare_ns: int = 10_000_000,
    iterations: int = 5,
    passes: int = 1,
    counts: Mapping[str, Sequence[int | None]] | None = None,
    **fields: Any,
) -> Run:
    """A native run of slices: of pair i of each pass the counted one is `changes[i]` times as slow as the bare one.

    `counts`: raw numbers of each counted slice. A bare stretch comes last, as in a measured run.
    """
    base = make_run(**fields)
    windows: list[Window] = []
    for number in range(passes):
        t0 = [START_NS + (number * len(changes) + i) * 200_000_000 for i in range(len(changes))]
        columns = tuple(SliceCounts(name, tuple(raw), source="synthetic") for name, raw in (counts or {}).items())
        durations = [round(bare_ns * change) for change in changes]
        windows.append(_sliced_window(2 * number, Role.PAIRED, -1, t0, [bare_ns] * len(changes), iterations))
        t0 = [t + 100_000_000 for t in t0]
        windows.append(_sliced_window(2 * number + 1, Role.COUNTED, number, t0, durations, iterations, columns))
    windows.append(replace(base.windows[0], index=len(windows), disturbed=(1, 3)))
    return replace(base, windows=tuple(windows))


def _sliced_window(
    index: int,
    role: Role,
    pass_: int,
    t0: Sequence[int],
    durations: Sequence[int],
    iterations: int,
    counts: tuple[SliceCounts, ...] = (),
) -> Window:
    t1 = tuple(start + ns * iterations for start, ns in zip(t0, durations, strict=True))
    slices = Slices(tuple(t0), t1, (iterations,) * len(t0), tuple(range(len(t0))), counts)
    latencies = tuple(ns for ns in durations for _ in range(iterations))
    return Window(index, role, pass_, t0[0], t1[-1], latencies, slices=slices)


def raw_counts(window: Window, metric: str) -> tuple[int | None, ...]:
    """What one counter counted in each slice of a window. Raises ValueError where it has no such column, or two."""
    assert window.slices is not None
    (raw,) = (counts.raw for counts in window.slices.counts if counts.metric == metric)
    return raw


def with_schema_3(path: Path) -> None:
    """Turn a results file of today into one of before the shapes of cases; what it has of them is lost."""
    _change_schema(path, 3, "ALTER TABLE cases DROP COLUMN shape")


def with_schema_2(path: Path) -> None:
    """Turn a results file of today into one of before slices; what it has of them is lost."""
    with_schema_3(path)
    _change_schema(
        path,
        2,
        "DROP TABLE slice_counts",
        "DROP TABLE slices",
        'ALTER TABLE "window" DROP COLUMN elapsed_ns',
        'ALTER TABLE "window" DROP COLUMN disturbed',
    )


def with_schema_1(path: Path) -> None:
    """Turn a results file of today into one of before, when no shape was recorded."""
    with_schema_2(path)
    _change_schema(path, 1, "ALTER TABLE metric DROP COLUMN shape")


def _change_schema(path: Path, version: int, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(version),))
    connection.commit()
    connection.close()
