"""Old files are brought up to date in one transaction; newer ones are refused."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hwprof.errors import ResultsError
from hwprof.store import Results, migrate, schema
from hwprof.store.database import Database
from tests.factories import make_run, with_schema_1


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of an invented version 0, in which a run had its latency in microseconds."""
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
            INSERT INTO meta VALUES ('format', 'hwprof results'), ('schema_version', '0');
            CREATE TABLE run (id INTEGER PRIMARY KEY, uid TEXT, latency_us REAL);
            INSERT INTO run VALUES (1, 'aa', 2.5), (2, 'bb', NULL);
            """
        )
    return path


def to_1(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE run ADD COLUMN latency_ns REAL")
    connection.exec_driver_sql("UPDATE run SET latency_ns = latency_us * 1000")


def to_2(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE run DROP COLUMN latency_us")


def broken(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE run RENAME TO gone")
    connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")


def upgrade(path: Path, steps: Mapping[int, migrate.Step], target: int) -> None:
    database = Database(path)
    migrate.bring_up_to_date(database, create=False, steps=steps, target=target)
    database.close()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    found: list[tuple[object, ...]] = connection.execute(query).fetchall()
    connection.close()
    return found


VERSION = "SELECT value FROM meta WHERE key = 'schema_version'"


def test_steps_are_done_in_order_and_data_survives(old: Path) -> None:
    upgrade(old, {1: to_2, 0: to_1}, 2)
    assert rows(old, "SELECT * FROM run") == [(1, "aa", 2500.0), (2, "bb", None)]
    assert rows(old, VERSION) == [("2",)]


def test_a_file_of_today_is_left_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    upgrade(old, {0: broken}, 0)
    assert old.read_bytes() == before


def test_a_step_that_fails_changes_nothing(old: Path) -> None:
    with pytest.raises(ResultsError, match="nowhere"):
        upgrade(old, {0: to_1, 1: broken}, 2)
    assert rows(old, "SELECT uid, latency_us FROM run") == [("aa", 2.5), ("bb", None)]
    assert rows(old, VERSION) == [("0",)]


def test_a_version_without_a_way_is_refused(old: Path) -> None:
    with pytest.raises(ResultsError, match="schema 0, from which no way leads"):
        Results.open(old)


def test_opening_migrates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    run = make_run(metrics={"cycles": 1.0})
    with Results.create(path) as results:
        results.add(run)

    def note(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('note', 'migrated')")

    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr(migrate, "STEPS", {schema.VERSION - 1: note})
    with Results.open(path) as results:
        assert list(results.runs()) == [run]
    assert rows(path, VERSION) == [(str(schema.VERSION),)]
    assert rows(path, "SELECT value FROM meta WHERE key = 'note'") == [("migrated",)]


def test_a_newer_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Results.create(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
    with pytest.raises(ResultsError, match="newer hwprof") as caught:
        Results.open(path, create=True)
    assert "upgrade" in caught.value.remedy


def test_an_old_file_that_may_not_be_written_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    run = make_run(metrics={"cycles": 1.0})
    with Results.create(path) as results:
        results.add(run)
    with_schema_1(path)
    before = path.read_bytes()
    real = sqlite3.connect

    def connect(address: str, **words: Any) -> sqlite3.Connection:  # root may write everywhere: SQLite is told not to
        connection: sqlite3.Connection = real(address.replace(f"{path}?mode=rw", f"{path}?mode=ro"), **words)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Results.open(path) as results:
        assert list(results.runs()) == [run]
        assert results.frame()["cycles"].to_list() == [1.0]
        with pytest.raises(ResultsError, match=r"x\.db can't be written"):
            results.add(make_run(round=1))
    assert path.read_bytes() == before
    assert list(tmp_path.glob("hwprof-*")) == []


def test_there_is_a_step_from_every_version_to_the_next() -> None:
    assert sorted(migrate.STEPS) == list(range(1, schema.VERSION))


def test_every_table_of_the_design_exists(tmp_path: Path) -> None:
    Results.create(tmp_path / "x.db").close()
    names = {row[0] for row in rows(tmp_path / "x.db", "SELECT name FROM sqlite_master WHERE type = 'table'")}
    expected = "meta machine host_state software experiment cases run window metric reading slices slice_counts"
    rest = "iteration_counts series layer layer_reading doubt validation tuning ceiling"
    assert names == {*expected.split(), *rest.split()}


def test_the_schema_is_portable_sql() -> None:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateIndex, CreateTable

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    text = "".join(str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables)
    assert "BYTEA" in text
    indices = [str(CreateIndex(i).compile(dialect=dialect)) for t in schema.metadata.sorted_tables for i in t.indexes]
    assert any("WHERE status = 'ok'" in index for index in indices)
