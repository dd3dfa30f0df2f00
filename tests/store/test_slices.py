"""Slices are stored as columns and come back as they were; files from before them lose nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis import overhead
from hwprof.cli import main
from hwprof.records import Role, Run, Shape, SliceCounts, from_json, to_json
from hwprof.reports.terminal import run as terminal
from hwprof.store import Results
from hwprof.store.masking import Masker
from tests.factories import make_run, make_sliced_run, raw_counts, with_schema_1, with_schema_2, with_schema_3

COUNTS = {"page-faults": (7, None, 0), "rusage-major-faults": (0, 0, (1 << 62) + 1)}


def sliced(**fields: Any) -> Run:
    """Three pairs with counts of which one could not be read, and the resident set as a level."""
    run = make_sliced_run([1.0, 1.1, 1.2], counts=COUNTS, **fields)
    rss = SliceCounts("rss", (5, 6, None), "B", "process", "proc:statm", 4096.0, Shape.LEVEL)
    windows = [
        dataclasses.replace(w, slices=dataclasses.replace(w.slices, counts=(*w.slices.counts, rss))) if w.slices else w
        for w in run.windows
    ]
    return dataclasses.replace(run, windows=tuple(windows))


def test_slices_come_back_as_they_were_and_what_could_not_be_read_is_not_zero(tmp_path: Path) -> None:
    run = sliced()
    with Results.create(tmp_path / "x.db") as results:
        results.add(run)
        (read,) = results.runs()
    assert read == run
    assert raw_counts(read.windows[1], "page-faults") == (7, None, 0)
    assert read.windows[-1].disturbed == (1, 3)
    assert read.windows[0].disturbed is None


def test_slices_survive_json() -> None:
    run = sliced()
    assert from_json(Run, json.loads(json.dumps(to_json(run)))) == run


def test_slices_come_along_in_a_merge_whatever_the_ids_of_metrics_are(tmp_path: Path) -> None:
    with Results.create(tmp_path / "here.db") as here, Results.create(tmp_path / "there.db") as there:
        own = make_run(metrics={"cycles": 1.0, "loads": 2.0, "rss": 3.0})
        here.add(own)
        there.add(sliced(round=1))
        here.merge(there.path)
        assert list(here.runs()) == [own, sliced(round=1)]


def test_masking_changes_no_number_of_a_slice_and_hides_the_secrets_of_a_set() -> None:
    members = ["command 'prog --token s3cr3t' net", "opencv net"]
    run = dataclasses.replace(sliced(), facts={"set": {"id": "a", "members": members, "alone": False}})
    masked = Masker().run(run)
    assert masked.windows == run.windows
    assert masked.facts["set"] == {
        "id": "a",
        "members": ["command 'prog --token [hidden]' net", "opencv net"],
        "alone": False,
    }


def test_the_length_of_a_window_of_slices_is_theirs(tmp_path: Path) -> None:
    run = sliced()
    with Results.create(tmp_path / "x.db") as results:
        results.add(run)
        frame = results.frame()
    counted = run.windows[1]
    assert round(1e9 * counted.elapsed_s) == sum(counted.latencies_ns)
    assert counted.t1_ns - counted.t0_ns > 2e9 * counted.elapsed_s
    assert frame["counted_throughput"].to_list() == [pytest.approx(15 / counted.elapsed_s)]


def test_only_asked_for_metrics_are_read_of_slices_too(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        results.add(sliced())
        (read,) = results.runs(metrics=["page-faults"])
    found = read.windows[1].slices
    assert found is not None
    assert [c.metric for c in found.counts] == ["page-faults"]


def test_a_pair_of_slices_with_25_counters_takes_less_than_a_kilobyte(tmp_path: Path) -> None:
    counts = {f"event-{n}": [1 << 40] * 25 for n in range(25)}
    runs = [make_sliced_run([1.0] * 25, counts=counts, round=n, iterations=40) for n in range(20)]
    with Results.create(tmp_path / "x.db") as results:
        results.add(runs[0])
        before = results.path.stat().st_size
        for run in runs[1:]:
            results.add(run)
        size = (results.path.stat().st_size - before) / len(runs[1:])
    latencies = 8 * sum(len(w.latencies_ns) for w in runs[0].windows)
    assert size - latencies < 25_000


def of_today(path: Path) -> list[Run]:
    """A file of two rounds of windows, as before slices."""
    runs = [make_run(metrics={"cycles": 5.0, "task-clock": 2.0}, round=n) for n in range(2)]
    with Results.create(path) as results:
        for run in runs:
            results.add(run)
    return runs


@pytest.mark.parametrize("turn_back", [with_schema_1, with_schema_2, with_schema_3])
def test_an_older_file_is_read_reported_and_compared_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], turn_back: Callable[[Path], None]
) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    runs = of_today(old)
    of_today(new)
    with Results.open(old) as results:
        frame = results.frame()
    code = main(["compare", str(old), str(new)])
    before = capsys.readouterr().out
    turn_back(old)
    assert main(["compare", str(old), str(new)]) == code
    assert capsys.readouterr().out == before
    with Results.open(old) as results:
        assert list(results.runs()) == runs
        assert results.frame().equals(frame)
    assert "not known from 2 pairs of windows" in terminal.text(runs)


def test_an_older_file_takes_runs_with_slices(tmp_path: Path) -> None:
    runs = of_today(tmp_path / "x.db")
    with_schema_2(tmp_path / "x.db")
    with Results.open(tmp_path / "x.db") as results:
        results.add(sliced(round=7))
        assert list(results.runs()) == [*runs, sliced(round=7)]
    assert overhead.estimate([*runs, sliced(round=7)]).of == "slices"
    assert [w.role for w in sliced().windows] == [Role.PAIRED, Role.COUNTED, Role.BARE]
