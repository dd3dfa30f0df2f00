"""What `hwprof run` prints of rounds that failed."""

from __future__ import annotations

import dataclasses

from hwprof.records import Failure
from hwprof.reports.terminal.run import text
from tests.factories import make_run

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
