"""What `hwprof run` prints of rounds that failed."""

from __future__ import annotations

import dataclasses

from hwprof.records import Failure
from hwprof.reports.terminal.run import text
from tests.factories import make_latencies, make_run, make_sliced_run

MEMORY = Failure("memory", "out of memory: 64 TiB", "a smaller batch or size needs less", "load", "Traceback ...")
KILLED = Failure("killed", "the worker died of SIGSEGV", "its output says more", "load", "terminate called")


def test_a_failure_of_every_round_is_said_once_without_the_workers_traceback() -> None:
    runs = [dataclasses.replace(make_run(round=i), windows=(), failure=MEMORY) for i in range(3)]
    shown = text(runs)
    assert shown.count("64 TiB") == 1
    assert "3 of 3 attempts failed: memory" in shown
    assert "Traceback" not in shown


def test_a_crash_shows_what_the_worker_said_last() -> None:
    good = make_run()
    shown = text([good, dataclasses.replace(good, round=1, windows=(), failure=KILLED)])
    assert "1 of 2 attempts failed: killed" in shown
    assert "| terminate called" in shown


def test_an_emulated_machines_speed_is_marked_even_where_its_pmu_counted_nothing() -> None:
    run = dataclasses.replace(make_run(metrics={"page-faults": 3.0}), host_state={"emulated": True})
    assert "EMULATED: FPS" in text([run])
    assert "EMULATED" not in text([make_run()])


def test_numpys_version_is_not_the_frameworks() -> None:
    software = {"distributions": {"onnxruntime": None, "numpy": "2.2.4"}}
    assert "2.2.4" not in text([dataclasses.replace(make_run(), software=software)])
    told = dataclasses.replace(make_run(), software=software, facts={"version": "1.21.0"})
    assert "onnxruntime 1.21.0" in text([told])


def test_the_heading_counts_pairs_of_slices() -> None:
    run = make_sliced_run([1.0] * 9, passes=2)
    assert "1 round x (18 pairs of slices, 1 bare window)" in text([run])
    alone = dataclasses.replace(run, windows=(run.windows[0], run.windows[-1]))
    assert "1 round x (9 bare slices, 1 bare window)" in text([alone])
    assert "1 round x (1 bare, 1 counted window)" in text([make_run()])


def test_what_is_within_a_run_is_of_its_bare_stretch_and_never_the_cases_precision() -> None:
    run = make_sliced_run([1.0] * 9, fps=50.0)
    bare = dataclasses.replace(
        run.windows[-1], latencies_ns=make_latencies(20_000_000, 55), t1_ns=run.windows[-1].t0_ns + 1_100_000_000
    )
    run = dataclasses.replace(run, windows=(*run.windows[:-1], bare))
    (line,) = (line for line in text([run]).splitlines() if "of this stretch of time" in line)
    assert "(1.1 s of the first round), not the precision of the case" in line
    low, high = (float(word.strip("[]")) for word in line.split()[:3:2])
    assert 19.5 <= low <= 20.0 <= high <= 20.5, "the slices take 10 ms"
    assert "of this stretch" not in text([make_run(fps=50.0)]), "0.6 s are three blocks"
