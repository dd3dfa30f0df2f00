"""Every way a results file can fail is one line with a remedy, and loses nothing that was saved."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from hwprof.errors import ResultsError
from hwprof.store import Locked, Results, schema
from tests.factories import make_run


def one_line(error: ResultsError) -> None:
    assert "\n" not in str(error)
    assert error.remedy


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="No results file") as caught:
        Results.open(tmp_path / "none.db")
    one_line(caught.value)
    assert not (tmp_path / "none.db").exists(), "looking must not make it"


@pytest.mark.parametrize("content", [b"run,fps\n1,2\n" * 100, b"SQLite format 4\x00", b"x"])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    for create in (False, True):
        with pytest.raises(ResultsError, match="is no hwprof results file") as caught:
            Results.open(path, create=create)
        one_line(caught.value)
    assert path.read_bytes() == content


def test_a_database_header_with_rubbish_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"SQLite format 3\x00" + b"rubbish " * 600)
    with pytest.raises(ResultsError) as caught:
        Results.open(path)
    one_line(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE bookmarks (url TEXT)",
        "CREATE TABLE meta (key TEXT, value TEXT)",
        "CREATE TABLE meta (id INTEGER, version INTEGER, note TEXT)",
    ],
)
def test_another_programs_database_is_left_alone(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(ResultsError, match="is no hwprof results file"):
            Results.open(path, create=create)
    assert path.read_bytes() == before


def test_an_empty_file_holds_no_results_and_can_become_a_results_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(ResultsError, match="holds no results"):
        Results.open(path)
    with Results.open(path, create=True) as results:
        results.add(make_run())
    with Results.open(path) as results:
        assert len(list(results.runs())) == 1


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="is a directory"):
        Results.open(tmp_path, create=True)


@pytest.mark.parametrize("place", ["nowhere/x.db", "file/x.db", "/proc/hwprof.db"])
def test_a_place_that_can_not_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError) as caught:
        Results.open(tmp_path / place, create=True)
    one_line(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_can_be_read_but_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Results.create(path).close()
    path.chmod(0o400)
    with Results.open(path) as results:
        assert list(results.runs()) == []
        with pytest.raises(ResultsError, match="can't be written"):
            results.ensure_writable()


def test_a_read_only_database_is_reported_before_a_sweep(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        event.listen(results.database.engine, "connect", lambda c, record: c.execute("PRAGMA query_only = ON"))
        with pytest.raises(ResultsError, match="can't be written") as caught:
            results.ensure_writable()
        one_line(caught.value)


def test_ensure_writable_can_be_called_again(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        results.ensure_writable()
        results.ensure_writable()
        assert list(results.runs()) == []


def test_create_never_takes_an_existing_file(tmp_path: Path) -> None:
    Results.create(tmp_path / "x.db").close()
    with pytest.raises(ResultsError, match="exists already"):
        Results.create(tmp_path / "x.db")


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        kept = [make_run(round=0, metrics={"cycles": 1.0})]
        results.add(kept[0])
        full = True

        def limit(connection: Any, record: Any) -> None:
            if full:  # SQLite then says what it says on a full disk: database or disk is full
                pages = connection.execute("PRAGMA page_count").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count = {pages}")

        event.listen(results.database.engine, "connect", limit)
        large = make_run(round=1, metrics={"cycles": 1.0}, iterations=20_001)
        with pytest.raises(ResultsError, match="disk is full") as caught:
            results.add(large)
        one_line(caught.value)
        assert list(results.runs()) == kept
        full = False
        results.add(large)
        assert list(results.runs()) == [*kept, large]


def test_a_write_that_the_system_refuses_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    # the kernel refuses to let the file grow beyond 400 kB: EFBIG in the middle of a transaction
    script = f"""
import resource
from hwprof.errors import ResultsError
from hwprof.store import Results
from tests.factories import make_run
with Results.create({str(path)!r}) as results:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    for number in range(100):
        try:
            results.add(make_run(round=number, iterations=2001))
        except ResultsError as error:
            print(number, error)
            break
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    saved = int(said.split()[0])
    assert 0 < saved < 99
    with Results.open(path) as results:
        assert list(results.runs()) == [make_run(round=number, iterations=2001) for number in range(saved)]


def test_a_locked_file_is_waited_for_and_then_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Results.create(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    with Results.open(path, timeout_s=0.01) as results:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Locked, match="locked by another process") as caught:
            results.add(make_run())
        one_line(caught.value)
        other.execute("ROLLBACK")
        results.add(make_run())
    other.close()


def test_a_file_that_vanishes_under_a_sweep_is_noticed(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        (tmp_path / "x.db").unlink()
        with pytest.raises(ResultsError, match="can't be opened"):
            results.add(make_run())
        assert not (tmp_path / "x.db").exists()


def test_foreign_keys_are_enforced(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        row = {"run_id": 5, "seq": 0, "code": "x", "detail": {}}
        with pytest.raises(ResultsError, match="FOREIGN KEY"):
            results.database.write(lambda connection: connection.execute(schema.doubt.insert(), row))


def test_no_journal_is_left_beside_the_file(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        results.add(make_run())
    assert [p.name for p in tmp_path.iterdir()] == ["x.db"]


def test_odd_characters_in_a_path(tmp_path: Path) -> None:
    path = tmp_path / "50% of? #1 ключ.db"
    with Results.create(path) as results:
        results.add(make_run())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
