"""Windows of a run become one number in one way: in evidence, in the frame, and in the terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.analysis.factors.cycles import top_down
from hwprof.analysis.factors.evidence import collect
from hwprof.records import Reading, Role, Run, Series, Shape, Window
from hwprof.reports.terminal import counts as report
from hwprof.store import Results
from tests.analysis.planted import in_slices, planted

READINGS = {
    "page-faults": ("", Shape.COUNT),
    "rss": ("MiB", Shape.LEVEL),
    "rss-peak": ("MiB", Shape.LEVEL),
    "cgroup-throttled": ("", Shape.TOTAL),
}


def unequal_windows() -> Run:
    """Counted windows of 1 and 3 s with 10 and 30 inferences, and values of 100 and 900."""
    windows = [Window(0, Role.BARE, -1, 0, 10**9, (10**8,) * 10)]
    for index, (seconds, value) in enumerate(((1, 100.0), (3, 900.0)), 1):
        readings = tuple(Reading(n, value, unit, shape=shape) for n, (unit, shape) in READINGS.items())
        windows.append(Window(index, Role.COUNTED, 0, 0, seconds * 10**9, (10**8,) * (10 * seconds), readings))
    return dataclasses.replace(planted(), windows=tuple(windows))


def test_counts_are_of_all_frames_and_levels_of_all_the_time(tmp_path: Path) -> None:
    run = unequal_windows()
    found = collect([run])
    assert found is not None
    values = {name: found.quantities[name].value for name in READINGS}
    assert values == pytest.approx({"page-faults": 25.0, "rss": 700.0, "rss-peak": 900.0, "cgroup-throttled": 500.0})
    with Results.open(tmp_path / "r.db", create=True) as results:
        results.add(run)
        (row,) = results.frame().to_dict("records")
    assert {name: row[name] for name in READINGS} == pytest.approx(values)
    lines = {line.split()[1]: float(line.split()[0]) for line in report.lines([run], everything=True)[1:]}
    assert lines == pytest.approx(values)


def test_a_gauge_between_slices_is_of_whoever_ran_then() -> None:
    seen = Series("cpu-frequency", "Hz", "cpu0", at_ns=(10, 15_000_000), values=(2e9, 1e9))
    run = dataclasses.replace(in_slices(planted()), series=(seen,))
    stretch = dataclasses.replace(run.windows[2], t0_ns=0, t1_ns=1000)
    found = collect([dataclasses.replace(run, windows=(*run.windows[:2], stretch))])
    assert found is not None
    assert found.series["cpu-frequency"] == (2e9, 2e9)


DISPATCH = {  # per frame, of 6 slots in each of 1e8 / 1.5 cycles
    "ex_ret_ops": 2e8,
    "de_src_op_disp_all": 2.4e8,
    "de_no_dispatch_per_slot_no_ops_from_frontend": 0.6e8,
    "de_no_dispatch_per_slot_backend_stalls": 1e8,
    "de_no_dispatch_per_slot_smt_contention": 0.0,
}


def test_slots_by_the_formulas_of_the_machines_table() -> None:
    zen4 = {"label": "m", "ids": ["AuthenticAMD-25-97-2"]}
    found = collect([planted(metrics=DISPATCH, machine=zen4)])
    assert found is not None
    top = top_down(found)
    assert top is not None
    assert (top.retiring, top.bad_speculation, top.frontend, top.backend) == pytest.approx((0.5, 0.1, 0.15, 0.25))
    assert top.caution == ""
    unknown = collect([planted(metrics=DISPATCH)])
    assert unknown is not None
    assert top_down(unknown) is None
    wrong = collect([planted(metrics={**DISPATCH, "ex_ret_ops": 3e8, "de_src_op_disp_all": 3.4e8}, machine=zen4)])
    assert wrong is not None
    top = top_down(wrong)
    assert top is not None
    assert top.caution == "SUSPECT: the parts add up to 125% of the slots"
