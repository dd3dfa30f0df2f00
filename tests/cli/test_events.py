from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from hwprof.cli import events
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.catalog import CANONICAL
from hwprof.errors import UnknownEvent
from tests.collectors.perf.fake import SOFTWARE, FakeKernel

BPI_F3 = Path(__file__).parents[1] / "machines" / "bpi-f3"


def x60(extra: dict[tuple[int, int], int] | None = None) -> PerfCollector:
    return PerfCollector(BPI_F3, FakeKernel(events=SOFTWARE | (extra or {})))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    parser = argparse.ArgumentParser()
    events.add_arguments(parser)
    assert events.main(parser.parse_args(words)) == 0
    return capsys.readouterr().out


def test_canonical_names_come_first_and_each_is_probed() -> None:
    rows = list(events.listing(x60({(4, 0x3B): 1})))
    assert [r.name for r in rows[: len(CANONICAL)]] == list(CANONICAL)
    found = {r.name: r for r in rows}
    assert found["vector-instructions"].available
    assert not found["vector-loads"].available
    assert "do not count this event" in found["vector-loads"].reason
    assert found["task-clock"].available
    assert found["vector_micro_op"].kind == "vendor"
    assert [found[n].unit for n in ("vector-instructions", "l2-misses", "cycles")] == [
        "instructions",
        "misses",
        "cycles",
    ]


def test_on_a_hybrid_each_kind_of_core_has_a_line() -> None:
    root = BPI_F3.parent / "alderlake"
    rows = {r.name: r for r in events.listing(PerfCollector(root, FakeKernel(events={(4, 0xFCC7): 1})), "vector-i*")}
    assert rows["vector-instructions@cpu_core"].available
    assert "no event" in rows["vector-instructions@cpu_atom"].reason
    text = events.table(PerfCollector(root, FakeKernel()), list(rows.values()))
    assert "CPU Intel Golden Cove (hybrid)" in text
    assert "CPU Intel Gracemont" in text


def test_a_pattern_selects() -> None:
    assert [r.name for r in events.listing(x60(), "vector-*")] == [
        "vector-instructions",
        "vector-loads",
        "vector-stores",
    ]
    assert {r.name for r in events.listing(x60(), "FAULTS")} >= {"page-faults", "minor-faults", "major-faults"}


def test_a_reason_that_many_share_is_spelled_out_once() -> None:
    collector = x60()
    text = events.table(collector, list(events.listing(collector)))
    assert text.count("this CPU and kernel do not count this event") == 1
    assert "SpacemiT X60" in text


def test_text_is_cut_to_the_terminal() -> None:
    collector = x60()
    text = events.table(collector, list(events.listing(collector, "l2-*")), columns=40)
    assert all(len(line) <= 40 for line in text.split("why not:")[0].splitlines())


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "--json", "*-faults"))
    assert found["format"] == 1
    assert {e["name"] for e in found["events"]} >= {"page-faults", "minor-faults", "major-faults"}
    assert all(e["available"] or e["reason"] for e in found["events"])


def test_text_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert "page-faults" in run(capsys, "faults")


def test_nothing_found_is_an_unknown_event(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownEvent, match="page-faults"):
        run(capsys, "page-fauts")


def test_tracepoints_are_listed_only_for_a_pattern_with_a_colon(tmp_path: Path) -> None:
    for name in ("sched_switch", "sched_wakeup"):
        point = tmp_path / "sys/kernel/tracing/events/sched" / name
        point.mkdir(parents=True)
        (point / "id").write_text("5\n")
    collector = PerfCollector(tmp_path, FakeKernel(events=SOFTWARE | {(2, 5): 1}))
    assert [r.name for r in events.listing(collector, "sched:*")] == ["sched:sched_switch", "sched:sched_wakeup"]
    assert not any(r.kind == "tracepoint" for r in events.listing(collector))


def test_without_tracefs_a_tracepoint_says_how_to_mount_it(tmp_path: Path) -> None:
    (row,) = events.listing(PerfCollector(tmp_path, FakeKernel()), "sched:sched_switch")
    assert "mount -t tracefs" in row.remedy
