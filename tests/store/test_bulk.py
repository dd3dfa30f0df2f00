"""Runs that other programs reported, many in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hwprof.errors import ResultsError
from hwprof.exchange.imports import imported_run
from hwprof.records import Case, Failure, Run
from hwprof.store import Results, bulk, writer
from hwprof.store.writer import AlreadyDone
from tests.factories import make_run


def reported(number: int, network: str = "net", uid: str = "", failure: Failure | None = None) -> Run:
    record = {"format": "DLI", "file": "x.csv", "row": {"FPS": str(number)}, "fps": float(number + 1)}
    return imported_run(
        Case("tvm", network, "dli", 224),
        record,
        uid=uid,
        round=number,
        failure=failure,
        machine={"model": "Invented"},
        host_state={"os": "Linux"},
        software={"python": "3.12"},
    )


def write(place: Path, runs: list[Run]) -> int:
    with Results.open(place, create=True) as results:
        return bulk.add_reported(results.database, runs, results.begin_experiment("import x.csv", "", "digest", 0))


def test_a_run_of_many_is_stored_as_one_alone_would_be(tmp_path: Path) -> None:
    runs = [reported(0), reported(1), reported(2, failure=Failure("internal", "failed in DLI"))]
    assert write(tmp_path / "many.db", runs) == 3
    with Results.open(tmp_path / "one.db", create=True) as results:
        number = results.begin_experiment("import x.csv", "", "digest", 0)
        for run in runs:
            results.add(run, number)
        alone, frame = list(results.runs()), results.frame()
    with Results.open(tmp_path / "many.db") as results:
        assert list(results.runs()) == alone
        assert results.frame().to_csv() == frame.to_csv()


def test_what_is_stored_already_is_skipped_over_the_bounds_of_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)
    runs = [reported(number) for number in range(5)]
    assert write(tmp_path / "r.db", runs[1:4]) == 3
    assert write(tmp_path / "r.db", runs) == 2
    with Results.open(tmp_path / "r.db") as results:
        assert sorted(run.round for run in results.runs()) == [0, 1, 2, 3, 4]
        assert [uid for uid, _, _ in bulk.imported(results.database)] == [runs[i].uid for i in (1, 2, 3, 0, 4)]


def test_a_round_that_is_done_is_not_stored_twice(tmp_path: Path) -> None:
    assert write(tmp_path / "r.db", [reported(0)]) == 1
    with pytest.raises(AlreadyDone):
        write(tmp_path / "r.db", [reported(0, uid="another")])
    with Results.open(tmp_path / "r.db") as results:
        assert len(list(results.runs())) == 1


def test_measured_windows_are_not_dropped_silently(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="windows"):
        write(tmp_path / "r.db", [make_run()])


def test_a_case_is_looked_up_once_whatever_transactions_its_runs_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(connection: Connection, case: Case, *rest: int | None) -> int:
        asked.append(case.network)
        return writer.case_id(connection, case, *rest)

    monkeypatch.setattr(bulk, "CHUNK", 2)
    monkeypatch.setattr(bulk, "case_id", counted)
    assert write(tmp_path / "r.db", [reported(i, network) for i in range(5) for network in ("a", "b")]) == 10
    assert sorted(asked) == ["a", "b"]


def test_a_transaction_that_is_begun_again_looks_its_cases_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first try inserted is gone with it."""
    monkeypatch.setattr(bulk, "CHUNK", 2)
    with Results.open(tmp_path / "r.db", create=True) as results:
        number = results.begin_experiment("import x.csv", "", "digest", 0)
        write_once = results.database.write

        def locked_at_first(action: Callable[[Connection], Any]) -> Any:
            def failed(connection: Connection) -> None:
                action(connection)
                raise ResultsError("locked")

            with pytest.raises(ResultsError, match="locked"):
                write_once(failed)
            return write_once(action)

        monkeypatch.setattr(results.database, "write", locked_at_first)
        runs = [reported(i, network) for i in range(2) for network in ("a", "b", "c")]
        assert bulk.add_reported(results.database, runs, number) == 6
        assert sorted(run.case.network for run in results.runs()) == ["a", "a", "b", "b", "c", "c"]


def test_the_id_of_a_run_is_the_hash_of_its_content_as_ever() -> None:
    """Files that were imported before must be known again."""
    run = reported(3)
    content = [run.case.form, dict(run.facts["imported"]), 3, {"model": "Invented"}, ""]
    assert run.uid == hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
