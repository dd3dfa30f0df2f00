"""Counts of each inference: stored packed, read back as they were, and absent from older files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from hwprof.records import Case, Role, Run, Shape, SliceCounts, Window
from hwprof.store import Results, packing, schema
from tests.factories import make_run

COUNTS = (
    SliceCounts("page-faults", (0,) * 999 + (512,), source="perf:page-faults"),
    SliceCounts("run-queue-wait", tuple(range(1000)), "ns", "thread", "proc:schedstat"),
    SliceCounts("cpu", (1,) * 1000, domain="thread", shape=Shape.LEVEL),
)


def recorded() -> Run:
    base = make_run()
    window = Window(2, Role.RECORDED, -1, 0, 10**9, tuple(10**6 + i for i in range(1000)), inferences=COUNTS)
    return Run(base.uid, base.case, windows=(*base.windows, window), machine=base.machine)


def test_they_are_read_back_as_they_were_and_take_little_space(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add(recorded())
        (run,) = results.runs()
        *_, window = run.windows
        assert sorted(window.inferences, key=lambda c: c.metric) == sorted(COUNTS, key=lambda c: c.metric)
        with results.database.read() as connection:
            sizes = [len(blob) for blob in connection.scalars(select(schema.iteration_counts.c.vals))]
    assert sum(sizes) < 3 * 8 * 1000 / 4


def test_they_are_merged_into_another_file(tmp_path: Path) -> None:
    with Results.create(tmp_path / "a.db") as there:
        there.add(recorded())
    with Results.create(tmp_path / "b.db") as here:
        here.merge(tmp_path / "a.db")
        (run,) = here.runs()
    assert {c.metric for c in run.windows[-1].inferences} == {c.metric for c in COUNTS}


def test_speed_and_the_frame_are_those_without_the_window(tmp_path: Path) -> None:
    rows = []
    for name, run in (("with.db", recorded()), ("without.db", _without_the_window(recorded()))):
        with Results.create(tmp_path / name) as results:
            results.add(run)
            frame = results.frame()
        rows.append({c: frame[c].iloc[0] for c in ("fps", "throughput", "latency_ms", "p99_ms")})
    assert rows[0] == rows[1]


def _without_the_window(run: Run) -> Run:
    return Run(run.uid, run.case, windows=run.windows[:-1], machine=run.machine)


@pytest.mark.parametrize("blob", [np.arange(1000, dtype="<f8").tobytes(), b"", b"12345678"])
def test_what_older_files_may_have_in_their_place_is_not_read(tmp_path: Path, blob: bytes) -> None:
    assert packing.unpack_small(blob) is None
    with Results.create(tmp_path / "r.db") as results:
        results.add(recorded())
        table = schema.iteration_counts
        results.database.write(lambda connection: connection.execute(table.update().values(vals=blob)))
        (run,) = results.runs()
    assert run.windows[-1].inferences == ()
    assert len(run.windows[-1].latencies_ns) == 1000


def test_a_count_that_could_not_be_read_is_no_zero() -> None:
    assert packing.unpack_small(packing.pack_small((1, None, -3))) == (1, None, -3)


def test_cases_without_them_are_asked_for_none(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add(make_run(case=Case("f", "n", "", 32)))
        (run,) = results.runs()
    assert all(window.inferences == () for window in run.windows)
