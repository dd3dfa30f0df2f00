"""Which metrics `hwprof run` shows: what was asked for, what follows from it, what is missing and why."""

from __future__ import annotations

import dataclasses

from hwprof.records import TEST_EQUIPMENT, Exactness, Origin, Reading, Run, missing
from hwprof.reports.terminal import counts
from hwprof.reports.terminal.style import Palette
from tests.factories import make_run

PMU = "No hardware counters here."
METRICS = {
    "cycles": 2_000_000.0,
    "instructions": 3_000_000.0,
    "cache-misses": 1_500.0,
    "page-faults": 0.5,
    "branches": 7.0,
    "rss": 90.0,
}


def with_readings(run: Run, *readings: Reading) -> Run:
    bare, window = run.windows
    return dataclasses.replace(run, windows=(bare, dataclasses.replace(window, readings=(*window.readings, *readings))))


def lacking(*names: str, why: str = PMU) -> Run:
    return with_readings(make_run(metrics={"page-faults": 0.5}), *(missing(name, why) for name in names))


def test_only_what_was_asked_for_is_shown_and_the_rest_is_counted() -> None:
    lines = counts.lines([make_run(metrics=METRICS)], asked=("cache-misses", "cycles", "page-faults"))
    assert [line.split()[1] for line in lines[1:5]] == ["cycles", "cache-misses", "page-faults", "IPC"]
    assert lines[-1] == "  Also recorded: 3 metrics (-v shows them)"


def test_misses_are_per_thousand_instructions_and_the_unit_is_explained() -> None:
    lines = counts.lines([make_run(metrics=METRICS)], asked=("cache-misses",))
    assert lines[1].split() == ["1,500", "cache-misses", "0.50", "100", "%", "exact"]
    assert counts.MPKI_NOTE in lines[2]
    without = counts.lines([make_run(metrics={"cache-misses": 3.0})], asked=("cache-misses",))
    assert "k-insn" not in "\n".join(without)


def test_ipc_stands_where_cycles_and_instructions_are_both_there() -> None:
    (ipc,) = (line for line in counts.lines([make_run(metrics=METRICS)], asked=("cycles",)) if "IPC" in line)
    assert ipc.split()[0] == "1.500"
    for name in ("cycles", "instructions"):
        half = {name: METRICS[name]}
        assert "IPC" not in "\n".join(counts.lines([make_run(metrics=half)], asked=(name,)))
    assert "IPC" not in "\n".join(counts.lines([make_run(metrics=METRICS)], asked=("page-faults",)))


def test_ipc_is_as_doubtful_as_its_counts() -> None:
    run = make_run(metrics=METRICS, exactness={"cycles": Exactness.SUSPECT})
    (ipc,) = (line for line in counts.lines([run], asked=("cycles",)) if "  IPC" in line)
    assert "suspect" in ipc


def test_without_names_a_short_set_is_shown() -> None:
    text = "\n".join(counts.lines([make_run(metrics=METRICS)]))
    assert "instructions" in text
    assert "branches" not in text
    assert "Also recorded: 2 metrics" in text
    everything = "\n".join(counts.lines([make_run(metrics=METRICS)], everything=True))
    assert "branches" in everything
    assert "synthetic branches" in everything, "what it means"
    assert "Also recorded" not in everything


def test_what_is_missing_for_one_reason_is_one_line() -> None:
    lines = counts.lines([lacking("cycles", "instructions", "cache-misses")])
    assert [line for line in lines if counts.ABSENT in line] == [
        f"  {counts.ABSENT}  cycles, instructions, cache-misses: {PMU}"
    ]


def test_what_was_asked_for_and_never_read_is_not_silent() -> None:
    lines = counts.lines([make_run(metrics=METRICS)], asked=("cycles", "slots"))
    assert f"  {counts.ABSENT}  slots: no reading was recorded" in lines


def test_missing_metrics_that_nobody_asked_for_are_counted() -> None:
    lines = counts.lines([lacking("branches", "slots")], asked=("page-faults",))
    assert lines[-1] == "  Also recorded: 0 metrics; 2 not available (-v shows them)"
    assert PMU not in "\n".join(lines)
    assert PMU in "\n".join(counts.lines([lacking("branches")], asked=("page-faults",), everything=True))


def test_each_kind_of_core_is_what_was_asked_for() -> None:
    run = make_run(metrics={"cycles@cpu_core": 4.0, "cycles@cpu_atom": 2.0, "cpu-busy[cpu1]": 1.0})
    shown = [line.split()[1] for line in counts.lines([run], asked=("cycles",))[1:3]]
    assert shown == ["cycles@cpu_core", "cycles@cpu_atom"]


def test_what_may_be_wrong_says_why_and_is_emphasised() -> None:
    suspect = Reading("loads", 5.0, exactness=Exactness.SUSPECT, why="failed validation", source="perf:loads")
    run = with_readings(make_run(), suspect)
    (line,) = (line for line in counts.lines([run], asked=("loads",)) if "loads" in line)
    assert line.split()[-3:] == ["suspect", "failed", "validation"]
    coloured = counts.lines([run], asked=("loads",), palette=Palette(True))
    assert coloured[1].startswith("\033[33m")


def test_80_columns_hold_the_usual_metrics_without_a_note() -> None:
    lines = counts.lines([make_run(metrics={**METRICS, "cycles": 2e12, "instructions": 3e12})], width=80)
    assert max(map(len, lines)) <= 80
    assert "2,000,000,000,000" in "\n".join(lines)
    assert "+" not in "\n".join(lines)


def test_counted_slots_become_their_shares() -> None:
    slots = {"topdown-retiring": 30.0, "topdown-bad-spec": 10.0, "topdown-fe-bound": 20.0, "topdown-be-bound": 40.0}
    lines = counts.lines([make_run(metrics=slots)], asked=tuple(slots))
    shares = {line.split("top-down ")[1].split("  ")[0]: line.split()[0] for line in lines if "top-down" in line}
    assert shares == {"retiring": "30.0", "bad speculation": "10.0", "front end": "20.0", "back end": "40.0"}
    assert "top-down" not in "\n".join(counts.lines([make_run(metrics={**slots, "cycles": 1.0})], asked=("cycles",)))


def test_what_an_emulator_counted_is_marked_in_what_follows_from_it() -> None:
    run = make_run(metrics=METRICS)
    bare, window = run.windows
    unreal = tuple(dataclasses.replace(r, origin=Origin.EMULATED) for r in window.readings)
    run = dataclasses.replace(run, windows=(bare, dataclasses.replace(window, readings=unreal)))
    (ipc,) = (line for line in counts.lines([run], asked=("cycles",)) if "  IPC" in line)
    assert "exact (emulated)" in ipc


def test_what_test_equipment_counted_says_so_without_being_asked() -> None:
    meaning = f"{TEST_EQUIPMENT} (testpmu); cache misses, of a level that depends on the CPU"
    reading = Reading("cache-misses", 5.0, source="perf:cache-misses", origin=Origin.EMULATED, meaning=meaning)
    run = with_readings(make_run(), reading)
    (line,) = (line for line in counts.lines([run], asked=("cache-misses",)) if "cache-misses" in line)
    assert line.endswith(f"exact (emulated)  {TEST_EQUIPMENT} (testpmu)")
