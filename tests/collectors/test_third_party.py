"""Collectors of the entry points `hwprof.collectors`: they count in a real worker, and a broken one costs no run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwprof.records import Exactness, Run, Shape, from_json
from hwprof.store import Results
from tests.packages import ROOT, hwprof, install, register

RUN = ("run", "-f", "onnxruntime", "-n", "tiny_cnn", "-s", "32", "-r", "1", "-w", "1", "--iterations", "3", "--json")

# `edges` is read twice per window, whatever else is done: it counts exactly 1. `tasks` says where it was opened.
COLLECTORS = """
import gc, os
from contextlib import contextmanager
from hwprof.collectors.protocol import Group
from hwprof.records import Counter, Shape, Snapshot

class Session:
    passes, unavailable = (), {}
    def __init__(self, name):
        tasks = len(os.listdir("/proc/self/task"))
        self.groups = [Group((Counter(name, source=f"{tasks} task", shape=Shape.TOTAL),))]
        self.reads = 0
    def select(self, pass_):
        pass
    def read(self):
        self.reads += 1
        return (Snapshot(self.reads, (self.reads,), self.reads, self.reads),)
    def review(self, readings):
        return readings

class Edges:
    name = "edges"
    @contextmanager
    def open(self, target, requests):
        yield self.session()
    def session(self):
        return Session(self.name)

class Garbage(Session):
    on = 0
    def read(self):
        self.on += gc.isenabled()
        (now,) = super().read()
        return (now._replace(raw=(self.on + sum(s["collections"] for s in gc.get_stats()),)),)

class Collections(Edges):
    name = "collections"
    def session(self):
        return Garbage(self.name)

class Unopened(Edges):
    name = "unopened"
    def session(self):
        raise OSError("no such device")

class Unread(Edges):
    name = "unread"
    def session(self):
        session = Session(self.name)
        session.read = lambda: 1 / 0
        return session

class Unclosed(Edges):
    name = "unclosed"
    @contextmanager
    def open(self, target, requests):
        yield self.session()
        raise RuntimeError("busy\\nstill busy")

class Crooked(Edges):
    name = "crooked"
    def session(self):
        session = Session(self.name)
        session.read = lambda: (Snapshot(1, (1.5,), 1, 1),)
        return session
"""
CLASSES = ("Edges", "Collections", "Unopened", "Unread", "Unclosed", "Crooked")
ENTRIES = {**{name.lower(): f"some_collectors:{name}" for name in CLASSES}, "absent": "no_such_module:Collector"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path, str]:
    """A run with the example package and broken collectors and gauges installed: its record, its results, stderr."""
    folder = tmp_path_factory.mktemp("third-party")
    site = install(ROOT / "docs/examples/collector-package", folder)
    register(site, "some_collectors", COLLECTORS, "hwprof.collectors", ENTRIES)
    gauges = {"bus": "some_gauges:gauges", "gone": "no_such_module:gauges"}
    register(site, "some_gauges", "def gauges(pid, root='/'):\n    raise OSError('no bus')\n", "hwprof.gauges", gauges)
    done = hwprof(site, *RUN, where=folder)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["runs"]
    del told["facts"]["over_time"]  # derived from the record, not part of it
    return from_json(Run, told), folder / "hwprof.db", done.stderr


pytestmark = pytest.mark.slow


def test_the_example_counts_in_the_worker_and_arrives_with_its_shape(run: tuple[Run, Path, str]) -> None:
    record, path, _ = run
    with Results.open(path) as results:
        (stored,) = results.runs()
        frame = results.frame()
    assert stored == record
    for window in stored.windows:
        found = {r.metric: r for r in window.readings if r.source == "proc:io"}
        assert {name: r.shape for name, r in found.items()} == {
            "read-calls": Shape.COUNT,
            "read-bytes": Shape.COUNT,
            "disk-bytes": Shape.TOTAL,
        }
        assert (found["read-calls"].value or 0) >= 1, "its own first look at the file is one"
    per = {name: frame.attrs["metrics"][name]["per"] for name in ("read-calls", "read-bytes", "disk-bytes")}
    assert per == {"read-calls": "frame", "read-bytes": "frame", "disk-bytes": "window"}
    counted = next(w for w in stored.windows if w.role == "counted")
    (value,) = (r.value for r in counted.readings if r.metric == "read-bytes")
    assert value is not None
    assert frame["read-bytes"].to_list() == [value / 3]


def test_a_known_count_is_exact_in_every_window(run: tuple[Run, Path, str]) -> None:
    record, path, _ = run
    edges = [r for w in record.windows for r in w.readings if r.metric == "edges"]
    assert [r.value for r in edges] == [1.0] * len(record.windows)
    assert {r.source for r in edges} == {"1 task"}, "opened before numpy and the framework start threads"
    with Results.open(path) as results:
        assert results.frame()["edges"].to_list() == [1.0], "a total is not divided by the frames"


def test_no_garbage_is_collected_in_any_slice(run: tuple[Run, Path, str]) -> None:
    found = [r.value for w in run[0].windows for r in w.readings if r.metric == "collections"]
    assert found == [0.0] * len(run[0].windows)


def test_perf_and_cpu_count_beside_them(run: tuple[Run, Path, str]) -> None:
    metrics = {r.metric for w in run[0].windows for r in w.readings}
    assert {"cpu-user-time", "voluntary-switches"} <= metrics


def test_a_broken_collector_costs_its_own_counts_and_says_so(run: tuple[Run, Path, str]) -> None:
    record, _, stderr = run
    assert record.failure is None
    told = {d.detail["collector"]: d.detail["reason"] for d in record.doubts if d.code == "collector-failed"}
    assert told == {
        "absent": "ModuleNotFoundError: No module named 'no_such_module'",
        "crooked": "TypeError: 'float' object cannot be interpreted as an integer",
        "unclosed": "RuntimeError: busy still busy",
        "unopened": "OSError: no such device",
        "unread": "ZeroDivisionError: division by zero",
    }
    lost = [r for w in record.windows for r in w.readings if r.metric in ("unread", "crooked")]
    assert len(lost) == 2 * len(record.windows)
    assert {r.exactness for r in lost} == {Exactness.MISSING}
    assert {r.why.partition(":")[0] for r in lost} == {"the collector failed"}
    assert "Traceback" not in stderr


def test_a_gauge_that_cannot_be_made_costs_no_run_either(run: tuple[Run, Path, str]) -> None:
    told = {d.detail["gauge"]: d.detail["reason"] for d in run[0].doubts if d.code == "gauge-failed"}
    assert told == {"bus": "OSError: no bus", "gone": "ModuleNotFoundError: No module named 'no_such_module'"}
    assert any(series.metric == "rss" for series in run[0].series)
