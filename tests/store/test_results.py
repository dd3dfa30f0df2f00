"""Runs go in and come out as they were; a sweep can be resumed from what the file says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from hwprof.errors import ResultsError
from hwprof.records import (
    Case,
    Doubt,
    Exactness,
    Failure,
    Fidelity,
    Kind,
    Layer,
    Origin,
    Reading,
    Role,
    Run,
    Series,
    Window,
    missing,
)
from hwprof.store import AlreadyDone, Results, default_path, schema
from tests.factories import make_case, make_run, make_simulated_run

KILLED = Failure("killed", "the worker died of SIGSEGV during 'window'", "its output says more", "window", "log\nend")


def count(results: Results, table: str) -> int:
    with results.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.metadata.tables[table])) or 0


def full_run() -> Run:
    """Something in every field, with what is hard to store."""
    readings = (
        Reading(
            "cycles", 1e18 / 3, "", Exactness.SCALED, Origin.HARDWARE, "user", "perf:cycles", "m", 0.5, 7, 20, 10, ""
        ),
        Reading("page-faults", 0.0, source="perf:page-faults"),
        Reading("wraps", 1.0, raw=(1 << 64) - 1),
        Reading("negative", -1.5, raw=-(1 << 63)),
        missing("l3-misses", "no such event here: ключ ✓ 'quoted\" \\ \x00", unit="B"),
        Reading("cycles", 5.0, raw=5),
    )
    case = Case(
        "onnxruntime",
        "сеть-网络.onnx",
        "sha256:ab",
        0,
        2,
        3,
        (0, 2, 63),
        "int8",
        (("mode", "eager"), ("scale", 1.5), ("spin", False), ("wide", 3)),
    )
    return Run(
        "0f3a",
        case,
        Kind.NATIVE,
        2,
        3,
        "2000-01-01T00:00:00+00:00",
        None,
        (
            Window(0, Role.BARE, -1, 5, 5 + 4_000_000, (1_000_000, 1_000_001, 999_999), ()),
            Window(1, Role.COUNTED, 0, (1 << 62), (1 << 62) + 10, (1, 2), readings),
            Window(2, Role.CLOSED, -1, 1, 2, (), ()),
        ),
        (
            Series("power", "W", "rail 1", "hwmon:x", Origin.HARDWARE, False, 10, (1, 2, 3), (1.5, None, 0.0)),
            Series("energy", "J", cumulative=True),
        ),
        {"OMP_NUM_THREADS": "3", "ODD": "\udc80"},
        {"code": (1 << 63) + 5, "big": 10**30, "none": None, "nested": {"list": [1, 2.5, True]}, "inf": float("inf")},
        Fidelity(float("inf"), float("inf"), 0.0, 8, 0.05),
        (Doubt("multiplexed", {"count": 2}), Doubt("throttled", {}, 1)),
        None,
        10**15,
        None,
        {"label": "board", "isa": "rv64", "ids": {"mvendorid": (1 << 63) + 1}},
        {"kernel": "6.1"},
        {"python": "3.11"},
    )


def test_a_run_comes_back_as_it_was_added(results: Results) -> None:
    run = full_run()
    results.add(run)
    assert results.find("0f3a") == run
    assert list(results.runs()) == [run]


def test_an_empty_and_a_failed_run_come_back(results: Results) -> None:
    empty = Run("aa", Case("f", "n", "", 0), kind=Kind.COMMAND)
    failed = make_run(failure=KILLED)
    results.add(empty)
    results.add(failed)
    assert list(results.runs()) == [empty, failed]


def test_a_value_that_is_no_number_becomes_missing_and_says_so(results: Results) -> None:
    window = Window(0, Role.COUNTED, 0, 0, 1, (1,), (Reading("power", float("nan"), "W"),))
    results.add(Run("aa", make_case(), windows=(window,)))
    (reading,) = results.find("aa").windows[0].readings
    assert (reading.value, reading.exactness) == (None, Exactness.MISSING)
    assert "nan" in reading.why


def test_derived_columns_follow_the_definitions(results: Results) -> None:
    # 20 x 10 ms and one of 100 ms, batch 4: the slow one is beyond 3 sigma of 14.3 +- 19.6
    latencies = (10_000_000,) * 20 + (100_000_000,)
    windows = (
        Window(0, Role.BARE, -1, 0, 300_000_000, latencies),
        Window(1, Role.COUNTED, 0, 0, 1_000_000_000, (50_000_000,)),
        Window(2, Role.BARE, -1, 0, 100_000_000, (10_000_000,) * 10),
    )
    results.add(Run("aa", make_case(batch=4), windows=windows))
    with results.database.read() as connection:
        row = connection.execute(select(schema.run)).one()
    assert (row.latency_ns, row.fps) == (10_000_000, 400)
    assert row.throughput == pytest.approx(31 * 4 / 0.4)


def test_without_bare_windows_there_is_no_speed(results: Results) -> None:
    results.add(make_simulated_run(metrics={"instructions": 1e6}))
    with results.database.read() as connection:
        row = connection.execute(select(schema.run)).one()
    assert (row.latency_ns, row.fps, row.throughput) == (None, None, None)


def test_what_runs_share_is_stored_once(results: Results) -> None:
    for number in range(3):
        results.add(make_run(round=number, metrics={"cycles": 5e7, "instructions": 9e7}))
    other = {"label": "another board"}
    results.add(make_run(metrics={"cycles": 5e7}, machine=other))
    sizes = {name: count(results, name) for name in ("machine", "host_state", "software", "cases", "metric", "run")}
    assert sizes == {"machine": 2, "host_state": 2, "software": 1, "cases": 1, "metric": 2, "run": 4}


def test_macs_that_one_run_knows_are_known_for_its_case(results: Results) -> None:
    failed = make_run(failure=KILLED, attempt=1)
    good = make_run(attempt=2)
    results.add(dataclasses.replace(failed, macs=None))
    results.add(good)
    assert [run.macs for run in results.runs()] == [good.macs, good.macs]


def test_the_same_plan_is_the_same_experiment(results: Results) -> None:
    first = results.begin_experiment("quick", "format = 1", "abc", 7)
    other = results.begin_experiment("quick", "format = 1 # changed", "abd", 7)
    assert results.begin_experiment("quick", "format = 1", "abc", 7) == first != other


def test_done_and_failed_tell_what_is_left_to_do(results: Results) -> None:
    mine, other = (results.begin_experiment("e", "", plan, 0) for plan in ("a", "b"))
    results.add(make_run(round=0), mine)
    results.add(make_run(round=1, failure=KILLED), mine)
    results.add(make_run(round=1, attempt=2, failure=KILLED), mine)
    results.add(make_run(round=2, failure=KILLED), mine)
    results.add(make_run(round=2, attempt=2), mine)
    results.add(make_run(round=5), other)
    key = make_case().key
    assert results.done(mine) == {(key, Kind.NATIVE, 0), (key, Kind.NATIVE, 2)}
    assert results.failed(mine) == {(key, "native", 1): 2}
    assert results.done(other) == {(key, "native", 5)}
    assert (results.experiments()[0].ok, results.experiments()[0].failed) == (2, 3)


def test_done_can_be_asked_for_one_machine(results: Results) -> None:
    mine = results.begin_experiment("e", "", "a", 0)
    here, there = {"label": "here"}, {"label": "there"}
    results.add(make_run(round=0, machine=here), mine)
    results.add(make_run(round=0, machine=there), mine)
    results.add(make_run(round=1, machine=there), mine)
    assert {key[2] for key in results.done(mine, here)} == {0}
    assert {key[2] for key in results.done(mine, there)} == {0, 1}
    assert results.done(mine, {"label": "nowhere"}) == set()


def test_a_second_good_run_of_the_same_round_is_refused(results: Results) -> None:
    mine = results.begin_experiment("e", "", "a", 0)
    results.add(make_run(uid="aa01"), mine)
    with pytest.raises(AlreadyDone, match="aa01"):
        results.add(make_run(uid="aa02"), mine)
    results.add(make_run(uid="aa03", failure=KILLED), mine)
    results.add(make_run(uid="aa04"))
    results.add(make_run(uid="aa05"))  # on its own, a case may be measured as often as one likes
    assert [run.uid for run in results.runs()] == ["aa01", "aa03", "aa04", "aa05"]


def test_the_database_itself_refuses_a_second_good_run(results: Results) -> None:
    mine = results.begin_experiment("e", "", "a", 0)
    results.add(make_run(uid="aa01"), mine)
    results.add(make_run(uid="aa02", failure=KILLED), mine)
    with pytest.raises(ResultsError, match="UNIQUE"):
        results.database.write(lambda connection: connection.execute(schema.run.update().values(status="ok")))


@pytest.mark.parametrize(
    ("run", "experiment", "message"),
    [
        (make_run(uid="aa01"), None, "in the results already"),
        (make_run(uid="bb"), 17, "no experiment 17"),
        (Run("cc", make_case(), windows=(Window(0, Role.BARE, -1, 0, 1, (1,)),) * 2), None, "same index"),
        (Run("d\udc80", make_case(), failure=KILLED), None, "not valid text"),
        (Run("ee", make_case()), None, "has no latency"),
        (Run("ff", make_case(), windows=(Window(0, Role.BARE, -1, 0, 1, ()),)), None, "has no latency"),
    ],
)
def test_a_run_that_can_not_be_saved_leaves_nothing_behind(
    results: Results, run: Run, experiment: int | None, message: str
) -> None:
    results.add(make_run(uid="aa01"))
    tables = ("run", "window", "reading", "cases", "metric", "machine")
    before = [count(results, table) for table in tables]
    with pytest.raises(ResultsError, match=message):
        results.add(run, experiment)
    assert [count(results, table) for table in tables] == before


def test_an_error_halfway_through_a_run_leaves_nothing_behind(results: Results) -> None:
    bad = Series("power", "W", at_ns=(1 << 70,), values=(1.0,))  # found after windows and readings are in
    run = make_run(metrics={"cycles": 1.0}, series=[bad])
    with pytest.raises(OverflowError):
        results.add(run)
    assert [count(results, table) for table in ("run", "window", "reading", "cases")] == [0, 0, 0, 0]


def test_find_takes_the_beginning_of_an_id(results: Results) -> None:
    for uid in ("7f3a01", "7f3b02", "7f3b", "00aa"):
        results.add(make_run(uid=uid))
    assert results.find("7F3A").uid == "7f3a01"
    assert results.find("7f3b").uid == "7f3b", "a whole id wins over those that begin with it"
    with pytest.raises(ResultsError, match="ambiguous: 3 runs"):
        results.find("7f")
    for unknown in ("ffff", "%", "_f3a"):
        with pytest.raises(ResultsError, match="No run"):
            results.find(unknown)
    with pytest.raises(ResultsError, match="empty"):
        results.find(" ")


def test_runs_can_be_filtered(results: Results) -> None:
    mine = results.begin_experiment("e", "", "a", 0)
    runs = [
        make_run("onnxruntime", "resnet18"),
        make_run("opencv", "resnet18"),
        make_run("opencv", "alexnet", failure=KILLED),
        make_simulated_run("opencv", "alexnet", metrics={}),
    ]
    results.add(runs[0])
    for run in runs[1:]:
        results.add(run, mine)
    assert list(results.runs(framework="opencv")) == runs[1:]
    assert list(results.runs(network="resnet18")) == runs[:2]
    assert list(results.runs(kind="simulated")) == runs[3:]
    assert list(results.runs(status="failed")) == [runs[2]]
    assert list(results.runs(experiment=mine, status="ok", kind=Kind.NATIVE)) == [runs[1]]


def test_streaming_goes_beyond_one_chunk(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwprof.store.reader.CHUNK", 2)
    runs = [make_run(round=number, metrics={"cycles": 1.0 + number}) for number in range(5)]
    for run in runs:
        results.add(run)
    assert list(results.runs()) == runs


def test_latencies_are_little_endian_int64(results: Results) -> None:
    results.add(Run("aa", make_case(), windows=(Window(0, Role.BARE, -1, 0, 9, (1, 1 << 40)),)))
    with results.database.read() as connection:
        blob = connection.scalar(select(schema.window.c.latencies))
    assert np.frombuffer(blob or b"", dtype="<i8").tolist() == [1, 1 << 40]


def test_default_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HWPROF_RESULTS", raising=False)
    assert default_path(None) == Path("hwprof.db")
    monkeypatch.setenv("HWPROF_RESULTS", "/data/r.db")
    assert default_path() == Path("/data/r.db")
    assert default_path("mine.db") == Path("mine.db")


def test_names_that_are_no_utf8_are_kept_as_they_came(results: Results, tmp_path: Path) -> None:
    odd = "mod\udce8le"
    machine = {"label": f"{odd} board"}
    step = Layer(odd, odd, 5.0, (odd,))
    reading = Reading("power", 3.0, "W", source=f"meter:{odd}", why=odd)
    window = Window(0, Role.COUNTED, 0, 0, 10, (10,), (reading,))
    case = make_case(odd, f"{odd}.onnx", size=8, recipe=odd, options={"path": odd})
    run = Run("aa", case, windows=(window,), machine=machine, layers=(step,), kind=Kind.LAYERS)
    results.add(run)
    (found,) = results.runs(network=f"{odd}.onnx", framework=odd)
    assert (found.case, found.machine, found.layers) == (run.case, machine, (step,))
    assert found.case.key == case.key
    assert found.windows[0].readings[0].source == r"meter:mod\xe8le"  # a description: escaped when it is stored
    frame = results.frame("layers")
    assert (frame["network"].item(), frame["machine"].item()) == (r"mod\xe8le.onnx", r"mod\xe8le board")
    with Results.create(tmp_path / "other.db") as other:
        assert other.merge(results.path).added == 1
        assert list(other.runs()) == [found]
