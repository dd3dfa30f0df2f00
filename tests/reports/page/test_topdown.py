"""Top-down bars and timelines carry the marks of how they were made, and unlike sources are never one bar."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from hwprof.analysis import topdown
from hwprof.analysis.topdown import Bar
from hwprof.records import Exactness, Origin, Run, Series
from hwprof.reports.background import Processes
from hwprof.reports.figures.choose import Figures
from hwprof.reports.formats import write
from hwprof.reports.html import gather, hardware, page, render
from hwprof.store import Results
from tests.cli.test_report import stored
from tests.factories import HOST_STATE, START_NS, make_run

SLOTS = {"topdown-retiring": 4e6, "topdown-bad-spec": 1e6, "topdown-fe-bound": 2e6, "topdown-be-bound": 3e6}
BACK = {**SLOTS, "topdown-be-bound": 13e6}
BOARD = {"label": "emulated board", "cpus": 1}


def marked(run: Run, **change: object) -> Run:
    windows = tuple(
        dataclasses.replace(w, readings=tuple(dataclasses.replace(r, **change) for r in w.readings))  # type: ignore[arg-type]
        for w in run.windows
    )
    return dataclasses.replace(run, windows=windows)


def bars(path: Path, runs: Sequence[Run]) -> list[Bar]:
    with Results.open(stored(path, runs)) as results:
        found = gather.gather(results)
        return topdown.bars(found.frame, found.machines)


def test_a_board_and_a_machine_are_two_bars_and_the_boards_says_emulated(tmp_path: Path) -> None:
    board = marked(make_run(metrics=BACK, machine=BOARD), origin=Origin.EMULATED)
    found = bars(tmp_path / "r.db", [make_run(metrics=SLOTS), board])
    assert [("emulated board" in b.name, b.marks) for b in found] == [(True, ("EMULATED",)), (False, ())]
    assert [b.shares[3] for b in found] == pytest.approx([0.65, 0.3])


def test_simulated_slots_are_a_bar_of_their_own_beside_counted_ones(tmp_path: Path) -> None:
    both = make_run(metrics=SLOTS)
    simulated = marked(make_run(metrics=BACK), origin=Origin.SIMULATED, source="callgrind")
    windows = [
        dataclasses.replace(w, readings=(*w.readings, *s.readings))
        for w, s in zip(both.windows, simulated.windows, strict=True)
    ]
    found = bars(tmp_path / "r.db", [dataclasses.replace(both, windows=tuple(windows))])
    assert {(b.marks, round(b.shares[3], 2)) for b in found} == {((), 0.3), (("SIMULATED",), 0.65)}


def test_slots_of_one_kind_of_core_say_which(tmp_path: Path) -> None:
    parts = {f"{name}@cpu_core": value for name, value in BACK.items()}
    found = bars(tmp_path / "r.db", [make_run(metrics={**SLOTS, **parts})])
    assert {(b.marks, round(b.shares[3], 2)) for b in found} == {((), 0.3), (("cpu_core only",), 0.65)}


def test_a_part_of_the_slots_makes_no_bar(tmp_path: Path) -> None:
    named_alike = {"topdown-slots-retired": 4e6, "topdown-fetch-bubbles": 2e6, "topdown-be-bound": 3e6}
    assert not bars(tmp_path / "r.db", [make_run(metrics={**named_alike, "topdown-bad-spec": 1e6, "td-front": 1e6})])


def test_multiplexed_slots_say_scaled(tmp_path: Path) -> None:
    (found,) = bars(tmp_path / "r.db", [make_run(metrics=SLOTS, exactness=dict.fromkeys(SLOTS, Exactness.SCALED))])
    assert found.title.endswith("SCALED")


def test_the_marks_reach_page_and_markdown(tmp_path: Path) -> None:
    level = Series(
        "frequency",
        "Hz",
        "cpu0",
        "sys",
        Origin.KERNEL,
        False,
        0,
        tuple(START_NS + i * 10**9 for i in range(4)),
        (1e9,) * 4,
    )
    board = make_run(metrics=SLOTS, machine=BOARD, host_state={**HOST_STATE, "emulated": True})
    run = dataclasses.replace(marked(board, origin=Origin.EMULATED), series=(level,))
    drawn = hardware.timeline(run, "onnxruntime", "t")
    assert drawn is not None
    assert drawn.title.endswith("EMULATED")
    plain = dataclasses.replace(make_run(metrics=SLOTS), series=(dataclasses.replace(level, origin=Origin.SIMULATED),))
    other = hardware.timeline(plain, "onnxruntime", "t")
    assert other is not None
    assert other.title.endswith("SIMULATED")
    assert {row[0] for row in other.rows} == {"throughput (frames/s)", "frequency (GHz) SIMULATED"}
    with Results.open(stored(tmp_path / "r.db", [run])) as results:
        material = gather.gather(results)
    text = render.render(page.build(material))
    assert "· onnxruntime EMULATED" in text
    with Processes(0, "the figures") as none:
        figures = Figures(tmp_path, none)
        write.begin(material, figures)
        write.write(material, tmp_path, ["markdown"], figures)
    (row,) = (line for line in (tmp_path / "report.md").read_text().splitlines() if "40.0%" in line)
    assert row.endswith("EMULATED |")


ZEN4 = {"label": "a Zen 4", "cpus": 1, "ids": ["AuthenticAMD-25-97-2"]}
DISPATCH = {  # of 6 slots a cycle
    "cycles": 1e6,
    "ex_ret_ops": 3e6,
    "de_src_op_disp_all": 3.6e6,
    "de_no_dispatch_per_slot_no_ops_from_frontend": 0.9e6,
    "de_no_dispatch_per_slot_backend_stalls": 1.2e6,
    "de_no_dispatch_per_slot_smt_contention": 0.3e6,
}


def test_the_formulas_of_a_table_make_a_bar_beside_one_of_counted_slots(tmp_path: Path) -> None:
    runs = [make_run(metrics=SLOTS), make_run(metrics=DISPATCH, machine=ZEN4)]
    counted, derived = bars(tmp_path / "r.db", runs)
    assert counted.shares == pytest.approx((0.4, 0.1, 0.2, 0.3))
    assert derived.shares == pytest.approx([part / 5.7 for part in (3.0, 0.6, 0.9, 1.2)])
    assert derived.marks == ("5% of the slots went to the core's other thread",)
    assert "a Zen 4" in derived.name


def test_a_bar_whose_parts_do_not_add_up_is_suspect(tmp_path: Path) -> None:
    wrong = {**DISPATCH, "de_no_dispatch_per_slot_backend_stalls": 2.4e6}
    (found,) = bars(tmp_path / "r.db", [make_run(metrics=wrong, machine=ZEN4)])
    assert found.marks[0] == "SUSPECT: the parts add up to 120% of the slots"
    (counted,) = bars(tmp_path / "s.db", [make_run(metrics={**SLOTS, "slots": 2e7})])
    assert counted.marks == ("SUSPECT: the parts add up to 50% of the slots",)
    (alright,) = bars(tmp_path / "t.db", [make_run(metrics={**SLOTS, "slots": 1e7})])
    assert alright.marks == ()


def test_a_lacking_event_leaves_no_bar(tmp_path: Path) -> None:
    lacking = {name: value for name, value in DISPATCH.items() if name != "ex_ret_ops"}
    assert not bars(tmp_path / "r.db", [make_run(metrics=lacking, machine=ZEN4)])
    assert not bars(tmp_path / "s.db", [make_run(metrics=DISPATCH, machine={"label": "other", "cpus": 1})])
