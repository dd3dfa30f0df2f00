from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from hwprof.cli import events
from hwprof.cli.parsers import command_parser
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.tables import CANONICAL
from hwprof.errors import HwprofError, NotAvailable, UnknownEvent, UsageError
from tests import recorded_machines
from tests.collectors.perf.fake import SOFTWARE, FakeKernel

BPI_F3 = recorded_machines.root("bpi-f3")


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
    root = recorded_machines.root("alderlake")
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
    assert text.count("This CPU and kernel do not count this event") == 1
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


@pytest.mark.parametrize("is_mounted", [False, True])
def test_a_pattern_of_tracepoints_without_tracefs_says_why(tmp_path: Path, is_mounted: bool) -> None:
    if is_mounted:  # and this user may not look into it
        (tmp_path / "sys/kernel/tracing/events").mkdir(parents=True)
    with pytest.raises(NotAvailable, match="Tracepoints can't be listed: tracefs is not mounted, or not readable"):
        list(events.listing(PerfCollector(tmp_path, FakeKernel()), "sched:*"))


def test_a_pattern_that_no_tracepoint_matches_is_an_unknown_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = tmp_path / "sys/kernel/tracing/events/sched/sched_switch"
    point.mkdir(parents=True)
    (point / "id").write_text("5\n")
    monkeypatch.setattr(events, "PerfCollector", lambda: PerfCollector(tmp_path, FakeKernel()))
    with pytest.raises(UnknownEvent, match=r"sched:none\*"):
        events.main(command_parser("events")[0].parse_args(["sched:none*"]))


@pytest.mark.parametrize("pattern", ["cache-*", "sched:*", "cycle?", "*"])
def test_where_events_are_counted_a_pattern_is_refused_with_the_command_that_lists(pattern: str) -> None:
    with pytest.raises(UsageError, match="is a pattern, and one name is needed") as caught:
        x60().probe([pattern])
    assert f"hwprof events '{pattern}'" in caught.value.remedy


GOOD = {"type": "33\n", "format/event": "config:0-7\n", "events/good": "event=0x1\n"}


def pmu(root: Path, files: dict[str, str | bytes]) -> PerfCollector:
    """The board of `x60` with one more PMU, `odd`, of these files."""
    machine = root / "machine"
    shutil.copytree(BPI_F3, machine)
    for name, content in {**GOOD, **files}.items():
        path = machine / "sys/bus/event_source/devices/odd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    collector = PerfCollector(machine, FakeKernel(events=SOFTWARE))
    collector.catalog.lenient = True
    return collector


@pytest.mark.parametrize(
    ("files", "named", "why"),
    [
        ({"format/strange": "config:0-7:junk"}, "odd/format/strange", "unreadable PMU format"),
        ({"format/strange": "config:7-0", "events/bad": "strange=1"}, "odd/bad/", "'strange' of the PMU odd can't"),
        ({"format/strange": "config:0-99999999999999999999"}, "odd/format/strange", "unreadable PMU format"),
        ({"format/strange": b"\xff\xfe"}, "odd/format/strange", "can't be read"),
        ({"events/bad": "nosuch=0x1"}, "odd/bad/", "no term or event 'nosuch'"),
        ({"events/bad": "event=?"}, "odd/bad/", "'event=?' is no number"),
        ({"events/bad": "event=0xfffff"}, "odd/bad/", "does not fit"),
        ({"events/bad": "config=-1"}, "odd/bad/", "does not fit"),
        ({"events/bad": "event=1,period=200"}, "odd/bad/", "for sampling"),
        ({"events/bad": "bad"}, "odd/bad/", "no term or event 'bad'"),
        ({"events/bad": b"\xff\xfe=1"}, "odd/bad/", "the event 'bad' of the PMU odd can't be read"),
        ({"events/bad/inside": "event=1"}, "odd/bad/", "the event 'bad' of the PMU odd can't be read"),
        ({"events/a,b": "event=1"}, "odd/a,b/", "no term or event 'a'"),
        ({"type": "\N{SUPERSCRIPT TWO}"}, "odd", "holds no PMU's number"),
        ({"type": "99999999999"}, "odd", "holds no PMU's number"),
    ],
)
def test_what_can_not_be_read_is_named_and_the_rest_is_listed(
    tmp_path: Path, files: dict[str, str | bytes], named: str, why: str
) -> None:
    collector = pmu(tmp_path, files)
    rows = [*events.listing(collector), *events.unreadable_rows(collector)]
    found = {row.name: row for row in rows}
    assert why in found[named].reason
    assert not found[named].available
    assert {*CANONICAL, "page-faults", "vector_micro_op"} <= {*found}
    assert ("odd/good/" in found) == ("type" not in files)
    assert named in events.table(collector, rows)


def test_an_entry_or_a_file_of_the_users_tables_that_can_not_be_read_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = 'name = "mine"\nverified = "never"\n[match]\nids = ["0x710-*"]\n'
    texts = {
        "a.toml": f'{head}[events.loads]\ncode = 1\n[events.stores]\ncode = "zz"\n[events]\nl2-misses = 3\n',
        "b.toml": "name = ",
    }
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "d.toml").write_bytes(b"\xff")
    monkeypatch.setenv("HWPROF_CPUS", str(folder))
    collector = pmu(tmp_path, {})
    rows = {row.name: row for row in [*events.listing(collector), *events.unreadable_rows(collector)]}
    assert {"a.toml: stores", "a.toml: l2-misses", "b.toml", "d.toml"} <= {*rows}
    assert rows["loads"].source == "perf:r1"
    assert "its entry in" in rows["stores"].reason
    with pytest.raises(HwprofError, match=r"a\.toml"):  # what is to be counted must not change in silence
        PerfCollector(BPI_F3, FakeKernel()).probe(["loads"])


def test_an_odd_tracepoint_is_named_and_an_unknown_one_is_still_an_error(tmp_path: Path) -> None:
    traced = "machine/sys/kernel/tracing/events/sched"
    for name, text in (("switch", "7"), ("wakeup", "junk")):
        (tmp_path / traced / name).mkdir(parents=True)
        (tmp_path / traced / name / "id").write_text(text)
    collector = PerfCollector(tmp_path / "machine", FakeKernel(events={(2, 7): 1}))
    rows = {row.name: row for row in events.listing(collector, "sched:*")}
    assert rows["sched:switch"].available
    assert "holds no number" in rows["sched:wakeup"].reason
    with pytest.raises(UnknownEvent):
        list(events.listing(collector, "sched:nobody"))
