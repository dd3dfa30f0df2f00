"""Against the kernel this runs on: its software events, which count everywhere that perf_event_open is allowed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from hwprof.collectors.perf import PerfCollector

pytestmark = pytest.mark.counting

HEAD = """
import json, mmap, sys, threading, time
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Target
from hwprof.errors import HwprofError
from hwprof.collectors.readings import between

def count(events, work):
    with PerfCollector().open(Target(), events) as session:
        session.select(session.passes[0])
        before = session.read()
        work()
        after = session.read()
        session.select(None)
        edges = zip(session.groups, before, after)
        found = [between(c, b, a, i) for g, b, a in edges for i, c in enumerate(g.counters)]
        return {r.metric: [r.value, r.exactness] for r in session.review(found)}
"""


def fresh(body: str) -> Any:
    """What a fresh process (one task, no numpy) prints as JSON."""
    code = HEAD + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_page_faults_of_a_mapping_touched_page_by_page_are_counted() -> None:
    found = fresh(
        """
        pages, size = 500, mmap.PAGESIZE
        def touch():
            for page in range(pages):
                area[page * size] = 1
        with mmap.mmap(-1, pages * size) as area:
            area.madvise(mmap.MADV_NOHUGEPAGE) if hasattr(mmap, "MADV_NOHUGEPAGE") else None
            print(json.dumps(count(["page-faults,minor-faults,major-faults"], touch)))
        """
    )
    faults, exactness = found["page-faults"]
    assert exactness == "exact"
    assert 500 <= faults < 600  # Python's own beside them: more where memory is short
    assert found["minor-faults"][0] + found["major-faults"][0] == faults
    assert found["minor-faults"][0] >= 500


def test_members_of_a_group_count_in_every_window_and_not_between() -> None:
    first, between, second = fresh(
        """
        def touch(pages):
            with mmap.mmap(-1, pages * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
                area.madvise(mmap.MADV_NOHUGEPAGE)
                for page in range(pages):
                    area[page * mmap.PAGESIZE] = 1
        marks = []
        with PerfCollector().open(Target(), ["page-faults"]) as session:
            index = [c.metric for c in session.groups[0].counters].index("page-faults")
            assert index > 0, "not the leader"
            for pages in (200, 300):
                session.select(session.passes[0])
                marks.append(session.read()[0].raw[index])
                touch(pages)
                marks.append(session.read()[0].raw[index])
                session.select(None)
                touch(1000)
        print(json.dumps([b - a for a, b in zip(marks, marks[1:])]))
        """
    )
    assert 200 <= first < 300
    assert between < 100
    assert 300 <= second < 400


def test_threads_started_later_are_counted() -> None:
    found = fresh(
        """
        def spin():
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
        def work():
            threads = [threading.Thread(target=spin) for _ in range(3)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        start = time.monotonic()
        found = count(["task-clock"], work)
        print(json.dumps([found["task-clock"], time.monotonic() - start]))
        """
    )
    (clock_ns, exactness), elapsed_s = found
    assert exactness == "exact"
    # perf's clock and the thread's own differ by the switches in between; without inheritance nothing of it is counted
    assert clock_ns >= 0.9 * 150e6
    # Python's threads take turns. Time that a hypervisor took is in both; were it counted twice, it would be 300 ms.
    assert clock_ns / 1e9 <= 1.5 * elapsed_s


def test_threads_that_run_already_are_stopped_and_started_by_select() -> None:
    bare, counted = fresh(
        """
        stop = threading.Event()
        def spin():
            while not stop.is_set():
                pass
        def burn():
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
        with PerfCollector().open(Target(), ["task-clock"]) as session:
            thread = threading.Thread(target=spin)
            thread.start()
            first = session.read(); burn(); second = session.read()
            session.select(session.passes[0])
            third = session.read(); burn(); fourth = session.read()
            session.select(None)
            stop.set(); thread.join()
        print(json.dumps([second[0].raw[0] - first[0].raw[0], fourth[0].raw[0] - third[0].raw[0]]))
        """
    )
    assert bare == 0
    assert counted >= 40e6


def test_opening_with_a_second_thread_is_refused() -> None:
    message = fresh(
        """
        wait = threading.Event()
        thread = threading.Thread(target=wait.wait)
        thread.start()
        try:
            with PerfCollector().open(Target(), ["page-faults"]):
                message = "opened"
        except HwprofError as error:
            message = str(error)
        wait.set(); thread.join()
        print(json.dumps(message))
        """
    )
    assert "2 threads" in message
    assert "numpy" in message


def test_the_collector_imports_neither_numpy_nor_other_heavy_libraries() -> None:
    loaded = fresh(
        """
        with PerfCollector().open(Target(), ["auto"]):
            pass
        print(json.dumps(sorted({m.partition(".")[0] for m in sys.modules})))
        """
    )
    assert not {"numpy", "pandas", "scipy", "sqlalchemy", "onnx", "matplotlib", "platformdirs"} & set(loaded)


def test_opening_leaves_one_task_and_no_descriptor() -> None:
    tasks, before, after = fresh(
        """
        import os
        before = len(os.listdir("/proc/self/fd"))
        with PerfCollector().open(Target(), ["auto"]):
            tasks = len(os.listdir("/proc/self/task"))
        print(json.dumps([tasks, before, len(os.listdir("/proc/self/fd"))]))
        """
    )
    assert tasks == 1
    assert before == after


def test_another_process_is_observed_by_its_pid() -> None:
    wait = "sys.stdin.readline()"
    code = f"import sys; print('up', flush=True); {wait}; bytearray(4 << 20); print('done', flush=True); {wait}"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        with PerfCollector().open_tasks(child.pid, ["page-faults"]) as session:
            session.select(session.passes[0])
            before = session.read()
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()
            after = session.read()
            assert not session.tasks_changed()
        child.stdin.write("\n")
        child.stdin.flush()
    index = [c.metric for c in session.groups[0].counters].index("page-faults")
    last, first = after[0].raw[index], before[0].raw[index]
    assert last is not None
    assert first is not None
    assert last > first
