"""Results of another board come in whole, once, and with their machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hwprof.errors import ResultsError
from hwprof.records import Series
from hwprof.store import Results, schema
from tests.factories import make_run, make_simulated_run

THERE = {"label": "there", "ids": {"mvendorid": 1 << 63}}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Results, Results]]:
    with Results.create(tmp_path / "here.db") as here, Results.create(tmp_path / "there.db") as there:
        yield here, there


def test_runs_come_in_whole_and_only_once(pair: tuple[Results, Results]) -> None:
    here, there = pair
    own = make_run(metrics={"cycles": 1.0, "loads": 2.0})
    here.add(own, here.begin_experiment("quick", "", "plan", 7))
    runs = [
        make_run(metrics={"loads": 2.0, "cycles": None, "power": 3.0}, machine=THERE, series=[Series("power", "W")]),
        make_run(round=1, metrics={"cycles": 5.0}, machine=THERE),
        make_simulated_run(metrics={"instructions": 1e8}, machine=THERE),
    ]
    there.begin_experiment("another", "", "other plan", 7)
    experiment = there.begin_experiment("quick", "", "plan", 7)
    for run in runs:
        there.add(run, experiment)
    merged = here.merge(there.path)
    assert (merged.added, merged.known, merged.rivals) == (3, 0, ())
    assert list(here.runs()) == [own, *runs]
    assert [e.name for e in here.experiments()] == ["quick"]
    assert here.experiments()[0].ok == 4
    again = here.merge(there.path)
    assert (again.added, again.known) == (0, 3)
    assert list(here.runs()) == [own, *runs]
    assert list(there.runs()) == runs


def test_derived_columns_come_along(pair: tuple[Results, Results]) -> None:
    here, there = pair
    there.add(make_run(fps=25.0))
    here.merge(there.path)
    assert here.frame()["fps"].to_list() == [25.0]


def test_a_rival_of_a_round_is_left_out_and_named(pair: tuple[Results, Results]) -> None:
    here, there = pair
    for results, uid in ((here, "aa"), (there, "bb")):
        results.add(make_run(uid=uid), results.begin_experiment("quick", "", "plan", 7))
    there.add(make_run(uid="cc"))
    merged = here.merge(there.path)
    assert (merged.added, merged.known, merged.rivals) == (1, 0, ("bb",))
    assert [run.uid for run in here.runs()] == ["aa", "cc"]


def test_tables_without_records_come_along(pair: tuple[Results, Results]) -> None:
    here, there = pair
    here.add(make_run(metrics={"loads": 1.0}))
    run_id = there.add(make_run(metrics={"cycles": 1.0}, machine=THERE))
    with there.database.read() as connection:
        row = connection.execute(select(schema.run).where(schema.run.c.id == run_id)).one()
        metric_id = connection.scalar(select(schema.metric.c.id))
    rows = {
        "layer": {"run_id": run_id, "idx": 0, "node": "conv", "op": "Conv"},
        "layer_reading": {
            **{"run_id": run_id, "layer_idx": 0, "metric_id": metric_id, "value": 5.0},
            **{"exactness": "exact", "origin": "kernel", "why": ""},
        },
        "iteration_counts": {"run_id": run_id, "window_idx": 1, "metric_id": metric_id, "vals": b"12345678"},
        "validation": {
            **{"host_state_id": row.host_state_id, "metric_id": metric_id},
            **{"verdict": "good", "evidence": {"x": 1}},
        },
        "tuning": {"machine_id": row.machine_id, "case_key": "k", "winner": {}, "evidence": []},
        "ceiling": {"host_state_id": row.host_state_id, "name": "dram", "value": 9.5, "unit": "GB/s", "evidence": {}},
    }
    for name, values in rows.items():
        there.database.write(lambda c, n=name, v=values: c.execute(schema.metadata.tables[n].insert(), v))  # type: ignore[misc]
    here.merge(there.path)
    here.merge(there.path)
    with here.database.read() as connection:
        for name in rows:
            assert connection.scalar(select(func.count()).select_from(schema.metadata.tables[name])) == 1, name
        joined = select(schema.metric.c.name).join(schema.validation)
        assert connection.scalar(joined) == "cycles", "ids are translated"


def test_a_file_is_not_merged_with_itself(pair: tuple[Results, Results]) -> None:
    with pytest.raises(ResultsError, match="is the file itself"):
        pair[0].merge(pair[0].path)


def test_what_is_no_results_file_is_not_merged(pair: tuple[Results, Results], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n")
    for name in ("x.csv", "none.db"):
        with pytest.raises(ResultsError):
            pair[0].merge(tmp_path / name)
