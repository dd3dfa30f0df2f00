"""A results file of any size, made quickly: invented values in the form in which real runs are stored.

A sweep as it would be: frameworks x networks x batches x threads x rounds. Each run has the windows of two passes
(bare, counted, bare, counted, closed) with their latencies, three gauges over time, its metrics split between the
passes (task-clock and the other software events in both), some of them missing or scaled, and sometimes a doubt.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, insert, select

from hwprof import speed
from hwprof.records import Exactness, Kind, Role
from hwprof.store import Results, schema
from hwprof.store.readings import metric_ids, metric_key
from hwprof.store.writer import add_run, case_id
from tests.factories import NETWORKS, START_NS, make_case, make_reading, make_run, network_facts

FRAMEWORKS = ("onnxruntime", "opencv", "pytorch", "litert", "openvino")
OF_A_USER = tuple(f"user_cnn_{n:02d}" for n in range(1, 11))
BATCHES = (1, 2, 4, 8, 16)
THREADS = (1, 2, 4, 8)
SOFTWARE = ("task-clock", "page-faults", "context-switches", "cpu-migrations")
PASSES = (0, 1)
ROLES = ((Role.BARE, -1), (Role.COUNTED, 0), (Role.BARE, -1), (Role.COUNTED, 1), (Role.CLOSED, -1))
ITERATIONS = 51
SAMPLES = 20
CHUNK = 200  # runs per transaction


class Sweep:
    """`runs` runs of `metrics` metrics; the same ones for the same numbers."""

    def __init__(self, runs: int, metrics: int) -> None:
        self.runs, self.count = runs, metrics
        self.numbers = np.random.default_rng(7)
        self.networks = (*NETWORKS, *OF_A_USER)
        self.cases = list(itertools.product(self.networks, FRAMEWORKS, BATCHES, THREADS))
        hardware = ("cycles", "instructions", *(f"event-{i:03d}" for i in range(max(0, metrics - len(SOFTWARE) - 2))))
        self.names = (*SOFTWARE, *hardware)[:metrics]
        # how far a framework is from the others on a network, and how many of an event it causes there
        shape = (len(FRAMEWORKS), len(self.networks))
        self.speed = self.numbers.normal(0, 0.3, shape)
        share = self.numbers.choice([0.0, 0.0, -0.6], len(self.names))  # every third one goes with speed
        self.effect = share[:, None, None] * self.speed + self.numbers.normal(0, 0.25, (len(self.names), *shape))

    def planned(self) -> Iterator[tuple[int, int, str, str, int, int]]:
        """(number, round, network, framework, batch, threads) of each run, a round over all cases at a time."""
        for number in range(self.runs):
            round_, index = divmod(number, len(self.cases))
            yield (number, round_, *self.cases[index])

    def per_frame(self, network: str, framework: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Each metric's events per frame in one run."""
        macs = network_facts(network)[0]
        at = FRAMEWORKS.index(framework), self.networks.index(network)
        noise = self.numbers.normal(0, 0.03, len(self.names))
        return macs * 1e-3 * np.exp(self.effect[:, at[0], at[1]] + noise)

    def fps(self, network: str, framework: str, batch: int, threads: int) -> float:
        """Frames per second of one run."""
        macs, at = network_facts(network)[0], (FRAMEWORKS.index(framework), self.networks.index(network))
        gain = threads**0.7 * batch**0.08
        return float(2e10 / macs * gain * math.exp(self.speed[at] + self.numbers.normal(0, 0.03)))


def fill(path: Path, runs: int, metrics: int) -> int:
    """Make the file; how many readings are in it."""
    sweep = Sweep(runs, metrics)
    planned = sweep.planned()
    total = 0
    with Results.create(path) as results:
        experiment = results.begin_experiment("synthetic sweep", "", "benchmark", 0)
        # one real record brings the machine, its state, the software and the columns of a run; it is no part of these
        model = replace(make_run(fps=40.0), uid="f" * 12, round=1 << 20)
        results.database.write(lambda connection: add_run(connection, model, experiment))
        while chunk := list(itertools.islice(planned, CHUNK)):
            total += results.database.write(partial(_add, sweep=sweep, chunk=chunk, model=model.uid))
        results.database.write(lambda connection: _remove(connection, model.uid))
    return total


def _add(connection: Connection, sweep: Sweep, chunk: list[tuple[int, int, str, str, int, int]], model: str) -> int:
    """Rows of these runs, straight into the tables: making records of each reading would take most of an hour."""
    r = schema.run
    like = dict(connection.execute(select(r).where(r.c.uid == model)).one()._mapping)
    ids = _metrics(connection, sweep)
    rows: dict[Table, list[Any]] = {t: [] for t in (r, schema.window, schema.reading, schema.series, schema.doubt)}
    for number, round_, network, framework, batch, threads in chunk:
        case = make_case(framework, network, batch=batch, threads=threads)
        key = case_id(connection, case, *network_facts(network)[:2])
        run_id, fps = number + 2, sweep.fps(network, framework, batch, threads)
        noise = sweep.numbers.normal(0, 0.01, (len(ROLES), ITERATIONS))
        latencies = (1e9 * batch / fps * np.exp(noise)).astype("<i8")
        lengths = [int(own.sum() * 1.01) for own in latencies]
        bare = latencies[[i for i, (role, _) in enumerate(ROLES) if role is Role.BARE]].ravel()
        latency = speed.latency_ns(bare)
        own = {
            "id": run_id,
            "uid": f"{number:012x}",
            "case_id": key,
            "round": round_,
            "latency_ns": latency,
            "fps": speed.fps(batch, latency),
            "throughput": speed.throughput(batch * len(bare), int(bare.sum() * 1.01)),
        }
        rows[r].append({**like, **own})
        for index, (role, pass_) in enumerate(ROLES):
            t0 = START_NS + index * 10**10
            blob = latencies[index].tobytes()
            rows[schema.window].append(
                (run_id, index, role.value, pass_, t0, t0 + lengths[index], ITERATIONS, blob, None, None)
            )
        rows[schema.reading] += _readings(sweep, ids, run_id, network, framework, batch * ITERATIONS, lengths, threads)
        if number % 10 == 0:
            for seq, metric in enumerate(GAUGES):
                at = (START_NS + np.arange(SAMPLES) * 50_000_000).astype("<i8").tobytes()
                values = (GAUGES[metric][1] * sweep.numbers.normal(1, 0.02, SAMPLES)).astype("<f8").tobytes()
                rows[schema.series].append(
                    (run_id, seq, ids[metric], "package", "kernel", 0, 50_000_000, SAMPLES, at, values)
                )
        if number % 7 == 0:
            rows[schema.doubt].append((run_id, 0, None, "noisy", '{"ratio":1.5}'))
    connection.execute(insert(r), rows.pop(r))
    for table, added in rows.items():
        if added:
            marks = ",".join("?" * len(table.c))
            connection.exec_driver_sql(f'INSERT INTO "{table.name}" VALUES ({marks})', added)
    return len(rows[schema.reading])


GAUGES = {"power": ("W", 4.0), "rss": ("MiB", 120.0), "frequency": ("MHz", 1800.0)}


def _metrics(connection: Connection, sweep: Sweep) -> dict[str, int]:
    keys = {name: metric_key(make_reading(name, 1.0, 1)) for name in sweep.names}
    keys |= {name: (name, unit, "", "synthetic", "", "") for name, (unit, _) in GAUGES.items()}
    found = metric_ids(connection, dict.fromkeys(keys.values()))
    return {name: found[key] for name, key in keys.items()}


def _readings(
    sweep: Sweep,
    ids: dict[str, int],
    run_id: int,
    network: str,
    framework: str,
    frames: int,
    lengths: Any,
    threads: int,
) -> Iterator[tuple[Any, ...]]:
    """The software events in both passes, the hardware events half in each; each tenth is missing, some are scaled."""
    values = sweep.per_frame(network, framework) * frames
    for pass_ in PASSES:
        for seq, name in enumerate(sweep.names):
            index = ROLES.index((Role.COUNTED, pass_))
            if name not in SOFTWARE and seq % len(PASSES) != pass_:
                continue
            value: float | None = float(values[seq])
            exactness, why, share = Exactness.EXACT, "", 1.0
            if name == "task-clock":
                value = 0.97 * threads * lengths[index]
            elif name.startswith("event") and seq % 10 == 9:
                value, exactness, why = None, Exactness.MISSING, "synthetic: this machine has no such event"
            elif name.startswith("event") and seq % 40 == 8:
                exactness, share = Exactness.SCALED, 0.8
            origin = "kernel" if name in SOFTWARE else "hardware"
            raw = None if value is None else int(value * share)
            ns = lengths[index]
            ran = int(ns * share)
            yield (run_id, index, seq, ids[name], value, raw, None, ns, ran, share, exactness.value, origin, why)


def _remove(connection: Connection, uid: str) -> None:
    """The model, and its windows."""
    r = schema.run
    identity = connection.scalar(select(r.c.id).where(r.c.uid == uid, r.c.kind == Kind.NATIVE.value))
    connection.execute(schema.window.delete().where(schema.window.c.run_id == identity))
    connection.execute(r.delete().where(r.c.id == identity))
