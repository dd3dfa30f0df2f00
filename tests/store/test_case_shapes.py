"""The shape of a case is stored, merged, exported and masked; files from before there was one are read as ever."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.records import Run, from_json
from hwprof.reports.formats.export import export
from hwprof.store import Results
from tests.factories import make_case, make_run, make_simulated_run, with_schema_3

SHAPES = ("3x48x320", "3x48x640", "ids 128, mask 128")


def runs_of_shapes() -> list[Run]:
    return [make_run(case=make_case(network="crnn", shape=shape), metrics={"cycles": 5.0}) for shape in SHAPES]


def test_cases_that_differ_in_shape_alone_are_stored_apart_and_come_back(results: Results) -> None:
    runs = runs_of_shapes()
    results.add_all(runs)
    assert list(results.runs()) == runs
    assert len({run.case.key for run in results.runs()}) == len(SHAPES)
    frame = results.frame()
    assert frame["shape"].tolist() == list(SHAPES)
    assert frame["size"].tolist() == [0, 0, 0]
    assert results.over_time().groupby("shape")["run"].nunique().to_dict() == dict.fromkeys(SHAPES, 1)


def test_simulated_counts_go_to_their_shape(results: Results) -> None:
    case, other = (make_case(network="crnn", shape=shape) for shape in SHAPES[:2])
    results.add_all([make_run(case=case, metrics={}), make_run(case=other, metrics={})])
    results.add(make_simulated_run(case=case, metrics={"instructions": 7.0}))
    found = results.frame().set_index("shape")["instructions@callgrind"]
    assert found[SHAPES[0]] == 7.0
    assert found.isna()[SHAPES[1]]


def test_a_square_image_has_no_shape(results: Results) -> None:
    results.add(make_run())
    assert results.frame()["shape"].tolist() == [""]


def test_a_file_from_before_shapes_takes_cases_with_one_and_keeps_its_own(tmp_path: Path) -> None:
    old = make_run(metrics={"cycles": 5.0})
    with Results.create(tmp_path / "x.db") as results:
        results.add(old)
    with_schema_3(tmp_path / "x.db")
    with Results.open(tmp_path / "x.db") as results:
        results.add_all(runs_of_shapes())
        results.add(make_run(round=1, metrics={"cycles": 5.0}))
        assert next(iter(results.runs())) == old
        assert results.frame().groupby("shape")["run"].nunique().to_dict() == {"": 2, **dict.fromkeys(SHAPES, 1)}
        assert results.frame().query("shape == ''")["round"].tolist() == [0, 1]
        with results.database.read() as connection:
            (count,) = connection.exec_driver_sql("SELECT COUNT(*) FROM cases").one()
    assert count == 1 + len(SHAPES)


def test_shapes_are_merged_and_an_older_file_is_too(tmp_path: Path) -> None:
    with Results.create(tmp_path / "old.db") as results:
        results.add(make_run())
    with_schema_3(tmp_path / "old.db")
    with Results.create(tmp_path / "other.db") as results:
        results.add_all(runs_of_shapes())
    with Results.create(tmp_path / "x.db") as results:
        results.add(make_run(round=1))
        assert results.merge(tmp_path / "other.db").added == len(SHAPES)
        assert results.merge(tmp_path / "old.db").added == 1
        assert sorted(results.frame()["shape"]) == sorted(["", "", *SHAPES])
        assert len({run.case.key for run in results.runs()}) == 1 + len(SHAPES)


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_shapes_are_exported(results: Results, tmp_path: Path, format_: str) -> None:
    results.add_all(runs_of_shapes())
    path = tmp_path / f"t.{format_}"
    if format_ == "parquet":
        pytest.importorskip("pyarrow")
    export(results, format_, str(path))
    if format_ == "csv":
        with path.open() as file:
            assert [row["shape"] for row in csv.DictReader(file)] == list(SHAPES)
    elif format_ == "json":
        assert [from_json(Run, run).case.shape for run in json.loads(path.read_text())["runs"]] == list(SHAPES)
    else:
        import pandas as pd

        assert pd.read_parquet(path)["shape"].tolist() == list(SHAPES)


def test_a_record_from_before_shapes_is_read() -> None:
    from hwprof.records import Case

    case = make_case()
    assert from_json(Case, case.form) == case


def test_names_of_inputs_are_masked_as_other_names_are(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        results.add(make_run(case=make_case(network="n", shape="/home/anna/ids 128, mask 128"), metrics={}))
    with Results.open(tmp_path / "x.db", masked=True) as results:
        (run,) = results.runs()
        assert "anna" not in run.case.shape
        assert "anna" not in results.frame()["shape"][0]


def test_two_files_with_one_shape_each_have_no_case_in_common_by_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow, wide, _ = runs_of_shapes()
    for name, runs in (("a.db", [narrow, make_run()]), ("b.db", [wide, make_run()])):
        with Results.create(tmp_path / name) as results:
            results.add_all(runs)
    main(["compare", str(tmp_path / "a.db"), str(tmp_path / "b.db"), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [change["case"]["shape"] for change in found["changes"]] == [""]
    assert [case["shape"] for case in found["only_old"]] == ["3x48x320"]
    assert [case["shape"] for case in found["only_new"]] == ["3x48x640"]
