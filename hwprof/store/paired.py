"""Columns of the frame from slices and from bare stretches: speed side by side, CPU time per frame, waiting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Row, select

from hwprof import speed
from hwprof.collectors.vocabulary import Name
from hwprof.machine.contention import cpus_allowed, share_taken
from hwprof.records import Origin, Role
from hwprof.store import packing, schema
from hwprof.store.columns import CPU_TIMES, Floats, MetricRow, set_of
from hwprof.store.readings import Sums
from hwprof.store.scope import RunFilter

PAIRED = ("paired_fps", "paired_throughput", "paired_cpu_ms")
SHARES = ("cpu_ms", "waiting", "stolen")


def paired_columns(
    connection: Connection, only: RunFilter, runs: Sequence[Row[Any]], rows: Mapping[int, int]
) -> dict[str, Any]:
    """`set`, and the speeds by bare slices with what the members of a set share removed; NaN without slices."""
    out: dict[str, Any] = {name: np.full(len(runs), np.nan) for name in PAIRED}
    out["set"] = pd.Series([set_of(r.facts) for r in runs], dtype=object)
    members: dict[str, list[tuple[int, speed.Turns]]] = defaultdict(list)
    for run_id, turns in _turns(connection, only, {r.id: r.case_batch for r in runs}):
        row = rows[run_id]
        members[out["set"][row] or f"run {run_id}"].append((row, turns))
    for several in members.values():
        logs = speed.side_by_side([turns for _, turns in several])
        at = [row for row, _ in several]
        for name, values in zip(
            PAIRED, (1e9 * np.exp(-logs[:, 0]), 1e9 * np.exp(-logs[:, 1]), 1e3 * np.exp(logs[:, 2])), strict=True
        ):
            out[name][at] = values
    return out


def _turns(connection: Connection, only: RunFilter, batches: Mapping[int, int]) -> Iterator[tuple[int, speed.Turns]]:
    """Run -> its bare slices by turn, without those in which a page came from the disk."""
    s, w, r, c, m = schema.slices, schema.window, schema.run, schema.slice_counts, schema.metric
    bare = (w.c.run_id == s.c.run_id) & (w.c.idx == s.c.window_idx) & (w.c.role == Role.PAIRED.value)
    query = select(s.c.run_id, s.c.t0_ns, s.c.t1_ns, s.c.iterations, s.c.turns, s.c.medians, s.c.window_idx)
    query = query.join(w, bare).join(r, r.c.id == s.c.run_id).order_by(s.c.run_id, s.c.window_idx)
    wanted = (*CPU_TIMES, Name.RUSAGE_MAJOR_FAULTS)
    counts: dict[tuple[int, int], dict[str, Floats]] = defaultdict(dict)
    counted = select(c.c.run_id, c.c.window_idx, m.c.name, c.c.scale, c.c.raw).join(m, m.c.id == c.c.metric_id)
    counted = counted.join(r, r.c.id == c.c.run_id).where(m.c.name.in_([str(name) for name in wanted]))
    for run_id, index, name, scale, raw in connection.execute(only.apply(counted)):
        values = np.frombuffer(raw, dtype="<i8")
        counts[run_id, index][name] = np.where(values == packing.NO_COUNT, np.nan, values * scale)
    columns: dict[int, list[Floats]] = defaultdict(list)
    for run_id, t0, t1, iterations, turns, medians, index in connection.execute(only.apply(query)):
        found = counts.get((run_id, index), {})
        unknown = np.full(len(turns) // 8, np.nan)
        elapsed = np.frombuffer(t1, "<i8") - np.frombuffer(t0, "<i8")
        cpu = sum((found.get(name, unknown) for name in CPU_TIMES), np.zeros(len(unknown)))
        faults = np.nan_to_num(found.get(Name.RUSAGE_MAJOR_FAULTS, unknown))
        parts = (
            np.frombuffer(turns, "<i8"),
            np.frombuffer(medians, "<f8"),
            elapsed,
            cpu,
            np.frombuffer(iterations, "<i8"),
        )
        columns[run_id].append(np.stack([p.astype(np.float64) for p in parts])[:, faults == 0])
    for run_id, tables in columns.items():
        table = np.concatenate(tables, axis=1)
        numbers, medians, elapsed, cpu, iterations = table
        yield run_id, speed.by_turn(numbers, medians, elapsed, cpu, iterations, batches[run_id])


def share_columns(
    sums: Sequence[Sums],
    metrics: Mapping[int, MetricRow],
    runs: Sequence[Row[Any]],
    rows: Mapping[int, int],
    hosts: Mapping[int, Mapping[str, Any]],
) -> dict[str, Floats]:
    """CPU time per frame in ms, and the shares of time that others took from its threads and that was stolen.

    Of bare stretches. `hosts`: how the machine was set, by id.
    """
    n = len(runs)
    totals = {name: np.full(n, np.nan) for name in (*CPU_TIMES, Name.RUN_QUEUE_WAIT)}
    frames, ns = np.full(n, np.nan), np.full(n, np.nan)
    of_cpus = {name: np.zeros(n) for name in (Name.CPU_BUSY, Name.CPU_STEAL)}
    cores = {name: np.zeros(n) for name in of_cpus}
    cpus = [{f"[cpu{cpu}]" for cpu in r.case_cpus} for r in runs]
    for one in sums:
        name = metrics[one.metric_id].name
        if one.role is not Role.BARE or one.origin is not Origin.KERNEL:
            continue
        at = np.array([rows[int(run)] for run in one.run], dtype=np.int64)
        known = one.count > 0
        if name in totals:
            totals[Name(name)][at[known]] = one.total[known]
            frames[at[known]], ns[at[known]] = one.frames[known], one.ns[known]
        elif (kind := name.partition("[")[0]) in of_cpus:
            ours = known & np.array([name.removeprefix(kind) in cpus[row] for row in at], dtype=bool)
            of_cpus[Name(kind)][at[ours]] += one.total[ours]
            cores[Name(kind)][at[ours]] += one.ns[ours] / 1e9
    threads = np.array([r.case_threads for r in runs], dtype=np.float64)
    allowed = np.array([cpus_allowed(r.case_cpus, hosts[r.host_state_id]) for r in runs], dtype=np.float64)
    used = np.asarray(sum(totals[name] for name in CPU_TIMES))
    busy = np.where(cores[Name.CPU_BUSY] > 0, sum(of_cpus.values()), np.nan)
    steal = Name.CPU_STEAL
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "cpu_ms": 1e3 * used / frames,
            "waiting": share_taken(totals[Name.RUN_QUEUE_WAIT], used, ns / 1e9, threads, allowed, busy),
            "stolen": np.where(cores[steal] > 0, of_cpus[steal] / cores[steal], np.nan),
        }
