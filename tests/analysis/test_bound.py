"""What bounds a case, by its own runs alone."""

from __future__ import annotations

import dataclasses

from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bound import judge_runs
from hwprof.records import Failure, Reading, Role
from tests.factories import make_run, make_window


def test_a_case_that_others_kept_from_its_cpu_is_bounded_by_them() -> None:
    runs = []
    for number in range(3):
        run = make_run(fps=40.0, round=number, cpus=(0,))
        window = run.windows[0]
        busy = 0.6 * window.elapsed_s
        readings = [
            Reading("cpu-user-time", busy, "s"),
            Reading("cpu-system-time", 0.0, "s"),
            Reading("run-queue-wait", 0.4 * window.elapsed_s, "s"),
        ]
        bare = make_window(0, Role.BARE, window.latencies_ns, readings)
        runs.append(dataclasses.replace(run, windows=(bare, run.windows[1])))
    first = judge_runs(runs)[0]
    assert (first.code, first.state) == ("other-load", State.YES)


def test_every_rule_is_judged_without_a_results_file() -> None:
    codes = [v.code for v in judge_runs([make_run()])]
    assert len(codes) == len(set(codes)) > 10


def test_a_case_without_a_speed_is_not_judged() -> None:
    assert judge_runs([make_run(failure=Failure("killed", "out of memory"))]) == ()
