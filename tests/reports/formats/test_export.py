"""What leaves the results file can be read by others, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from hwprof.errors import NotInstalled, ResultsError, UsageError
from hwprof.records import Failure, Fidelity, Run, from_json
from hwprof.reports.formats import export
from hwprof.store import Results
from tests.factories import make_run, make_simulated_run

RUNS = (
    make_run("onnxruntime", "resnet18", metrics={"cycles": 1e9 / 3, "loads": None, "page-faults": 0.0}),
    make_run("pytorch", "сеть", options={"mode": "eager", "level": 2}, metrics={"cycles": 5.0}),
    make_run("opencv", "alexnet", options={"mode": 3}, failure=Failure("killed", 'a, b\n"c"')),
    make_simulated_run("onnxruntime", "resnet18", metrics={"instructions": 1e8}),
)


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Results]:
    with Results.create(tmp_path / "x.db") as opened:
        experiment = opened.begin_experiment("quick", "", "plan", 7)
        for run in RUNS:
            opened.add(run, experiment)
        yield opened


def test_csv_keeps_every_digit_and_leaves_missing_empty(results: Results, tmp_path: Path) -> None:
    assert export.export(results, "csv", str(tmp_path / "x.csv")) == 3
    read = pd.read_csv(tmp_path / "x.csv", dtype=object, keep_default_na=False)
    assert read["cycles"].to_list() == [repr(1e9 / 3), "5.0", ""]
    assert read["loads"].to_list() == ["", "", ""]
    assert read["page-faults"].to_list() == ["0.0", "", ""]
    assert read["instructions@callgrind"].to_list() == ["100000000.0", "", ""]
    assert read["network"].to_list() == ["resnet18", "сеть", "alexnet"]
    assert read["status"].to_list() == ["ok", "ok", "failed"]


def test_parquet_gives_the_frame_back_with_its_description(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    assert export.export(results, "parquet", str(tmp_path / "x.parquet")) == 3
    read, frame = pd.read_parquet(tmp_path / "x.parquet"), results.frame()
    assert list(read.columns) == list(frame.columns)
    for name in frame.attrs["metrics"]:
        pd.testing.assert_series_equal(read[name], frame[name])
    assert read.attrs["metrics"] == frame.attrs["metrics"]
    assert read["option.mode"].to_list()[1:] == ["eager", "3"], "options of mixed types become text"
    assert read["faithful"].to_list()[:2] == [True, True]
    assert pd.isna(read["faithful"][2])


def test_without_pyarrow_the_remedy_is_named(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match="pip install pyarrow"):
        export.export(results, "parquet", str(tmp_path / "x.parquet"))
    assert not (tmp_path / "x.parquet").exists()


def test_json_holds_the_records_in_full(results: Results, tmp_path: Path) -> None:
    assert export.export(results, "json", str(tmp_path / "x.json")) == 4
    document = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert (document["format"], document["records_format"]) == (1, 1)
    assert [from_json(Run, data) for data in document["runs"]] == list(RUNS)
    assert document["experiments"][0]["name"] == "quick"


def test_json_of_one_kind(results: Results, tmp_path: Path) -> None:
    assert export.export(results, "json", str(tmp_path / "x.json"), "simulated") == 1
    assert export.export(results, "csv", str(tmp_path / "x.csv"), "all") == 4


def test_json_of_nothing_is_json(tmp_path: Path) -> None:
    with Results.create(tmp_path / "empty.db") as empty:
        assert export.export(empty, "json", str(tmp_path / "x.json")) == 0
        assert export.export(empty, "csv", str(tmp_path / "x.csv")) == 0
    assert json.loads((tmp_path / "x.json").read_text())["runs"] == []
    assert (tmp_path / "x.csv").read_text().startswith("run,experiment,")


def test_json_stays_json_where_a_number_is_infinite(tmp_path: Path) -> None:
    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    with Results.create(tmp_path / "x.db") as results:
        results.add(make_run(fidelity=Fidelity(float("inf"), float("nan"), 0.0, 8, 1e-3)))
        export.export(results, "json", str(tmp_path / "x.json"))
    document = json.loads((tmp_path / "x.json").read_text(), parse_constant=refuse)
    assert document["runs"][0]["fidelity"]["max_abs"] == {"$float": "inf"}


@pytest.mark.parametrize(
    ("asked", "output", "expected"),
    [
        (None, "a.csv", "csv"),
        (None, "a.PARQUET", "parquet"),
        (None, "a.json", "json"),
        (None, "-", "csv"),
        (None, "a", "csv"),
        ("json", "a.csv", "json"),
    ],
)
def test_the_name_says_the_format(asked: str | None, output: str, expected: str) -> None:
    assert export.format_of(asked, output) == expected


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UsageError, match="xlsx"):
        export.format_of("xlsx", "a.csv")


@pytest.mark.parametrize("place", ["nowhere/x.csv", "x.db/x.csv", "", "/proc/x.csv"])
@pytest.mark.parametrize("format_", ["csv", "json"])
def test_a_place_that_can_not_be_written_is_one_line(
    results: Results, tmp_path: Path, place: str, format_: str
) -> None:
    with pytest.raises(ResultsError, match="can't be written") as caught:
        export.export(results, format_, str(tmp_path / place))
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_one_line(results: Results, format_: str) -> None:
    with pytest.raises(ResultsError, match="No space left"):
        export.export(results, format_, "/dev/full")


def test_an_interrupted_export_leaves_the_old_file(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")

    def stop(results: Results, kind: str | None) -> Iterator[Run]:
        yield RUNS[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(Results, "runs", stop)
    with pytest.raises(KeyboardInterrupt):
        export.export(results, "json", str(path))
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.db", "x.json"]
