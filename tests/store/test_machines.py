"""Ceilings in a results file: as they were added, and of rows that say less than today's."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from hwprof.records import Ceiling, Counter
from hwprof.store import Results, schema
from hwprof.store.validation import NewVerdict
from tests.factories import HOST_STATE, MACHINE, make_run

TABLES = ("machine", "host_state")


def test_a_ceiling_comes_back_as_it_was_added_and_one_without_a_value_is_no_row(tmp_path: Path) -> None:
    added = Ceiling("bandwidth", "L2", (0, 4), 5e9, "B/s", {"share": 0.9, "at_utc": "1"})
    with Results.create(tmp_path / "r.db") as results:
        results.add_ceilings(MACHINE, HOST_STATE, [added, Ceiling("fp16", "-", (0, 4), None, "", why="none here")])
        (found,) = results.ceilings()
        (identity,) = results.machines()
    assert found == dataclasses.replace(added, machine_id=identity, machine=MACHINE["label"])


@pytest.mark.parametrize(
    ("name", "evidence", "expected"),
    [
        ("fp32 avx2 cpus=0,4", {}, ("fp32", "avx2", (0, 4))),
        ("fp32 numpy BLAS cpus=2", {}, ("fp32", "numpy BLAS", (2,))),
        ("bandwidth DRAM", {}, ("bandwidth", "DRAM", ())),
        ("latency L2", {"cpus": [3]}, ("latency", "L2", (3,))),
        ("peak", {"what": "int8", "of": "vnni", "cpus": [1]}, ("int8", "vnni", (1,))),
        ("dram", {"threads": 1}, ("dram", "", ())),
    ],
)
def test_a_row_with_a_name_alone_is_read_by_its_name(
    tmp_path: Path, name: str, evidence: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add_ceilings(MACHINE, HOST_STATE, [Ceiling("fp32", "other", (9,), 1.0, "op/s")])
        host = results.database.write(lambda c: c.scalar(schema.ceiling.select()))
        row = {"host_state_id": host, "name": name, "value": 2.0, "unit": "op/s", "evidence": evidence}
        results.database.write(lambda c: c.execute(insert(schema.ceiling), row))
        (found,) = (c for c in results.ceilings() if c.value == 2.0)
    assert (found.what, found.of, found.cpus) == expected


def test_a_machine_is_one_row_whatever_is_stored_with_it(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add(make_run())
        results.add_ceilings(MACHINE, HOST_STATE, [Ceiling("fp32", "avx2", (0,), 1.0, "op/s")])
        results.add_tuning(MACHINE, "key", {}, {})
        results.add_validation(MACHINE, HOST_STATE, [NewVerdict(Counter("cycles"), "exact", False, "", "1", {})])
        with results.database.read() as connection:
            counts = [connection.scalar(select(func.count()).select_from(schema.metadata.tables[n])) for n in TABLES]
    assert counts == [1, 1]
