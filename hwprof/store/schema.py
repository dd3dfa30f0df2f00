"""The tables of a results file. Portable SQL: no column type or constraint that only one database knows.

Integer keys (text ids tripled the size). Ids of machines, host states and software are 63 bits of the SHA-256 of
their facts, so that two files agree on them when they are merged. Blobs are little-endian int64 (ns) or float64.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from hwprof.store.words import Words

# History: 1: first edition. 2: metric.shape. 3: slices, slice_counts, window.elapsed_ns, window.disturbed.
# 4: cases.shape.
VERSION = 4
# The value of `format` in the table `meta`.
FORMAT = "hwprof results"

# SQLite makes only an INTEGER key an alias of its row number; everybody else needs 64 bits asked for.
Id = BigInteger().with_variant(Integer, "sqlite")


class JSONText(TypeDecorator[Any]):
    """JSON in a TEXT column, canonical (sorted keys), integers of any size. Infinities and NaN are kept as
    {"$float": "inf"}: JSON itself has none, and databases reject them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else loads(value)


def dumps(value: Any) -> str:
    """Canonical JSON: the same text for equal values."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_mark(value), sort_keys=True, separators=(",", ":"))


def loads(text: str) -> Any:
    """The inverse of `dumps` (tuples come back as lists)."""
    # without a hook json stays in C, and texts with a marked number are rare
    return json.loads(text, object_hook=_unmark) if "$float" in text else json.loads(text)


def _mark(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, Mapping):
        return {str(k): _mark(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mark(v) for v in value]
    return value


def _unmark(value: dict[str, Any]) -> Any:
    return float(value["$float"]) if value.keys() == {"$float"} else value


def content_id(value: Any) -> int:
    """63 bits of the SHA-256 of the canonical JSON form: fits a signed 64-bit key."""
    return int.from_bytes(hashlib.sha256(dumps(value).encode()).digest()[:8], "big") >> 1


metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

machine = Table(
    "machine",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),  # of the facts
    Column("label", Words, nullable=False),
    Column("facts", JSONText, nullable=False),
)
host_state = Table(
    "host_state",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),  # of machine_id and facts
    Column("machine_id", Id, ForeignKey("machine.id"), nullable=False),
    Column("facts", JSONText, nullable=False),
)
software = Table(
    "software",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("facts", JSONText, nullable=False),
)
experiment = Table(
    "experiment",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False),
    Column("toml", Words, nullable=False),
    Column("plan_hash", Text, nullable=False, unique=True),
    Column("seed", BigInteger, nullable=False),
)
cases = Table(
    "cases",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("framework", Words, nullable=False),
    Column("network", Words, nullable=False),
    Column("recipe", Words, nullable=False),
    Column("size", Integer, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("cpus", JSONText, nullable=False),  # list
    Column("precision", Words, nullable=False),
    Column("options", JSONText, nullable=False),  # list of pairs
    Column("shape", Words, nullable=False, server_default=""),  # "": a square image, see size
    Column("macs", BigInteger),
    Column("params", BigInteger),
)
run = Table(
    "run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uid", Text, nullable=False, unique=True),
    Column("experiment_id", Id, ForeignKey("experiment.id")),  # NULL: on its own
    Column("case_id", Id, ForeignKey("cases.id"), nullable=False),
    Column("machine_id", Id, ForeignKey("machine.id"), nullable=False),
    Column("host_state_id", Id, ForeignKey("host_state.id"), nullable=False),
    Column("software_id", Id, ForeignKey("software.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Text, nullable=False),  # ok | failed
    Column("failure", JSONText),
    Column("started_utc", Text, nullable=False),
    Column("load_ns", BigInteger),
    Column("env", JSONText, nullable=False),
    Column("facts", JSONText, nullable=False),
    Column("fidelity", JSONText),
    # derived from the bare windows by hwprof/speed.py; NULL where there is none
    Column("latency_ns", Float(53)),
    Column("fps", Float(53)),
    Column("throughput", Float(53)),
)
_ok = text("status = 'ok'")
Index(
    "run_done",
    run.c.experiment_id,
    run.c.case_id,
    run.c.machine_id,
    run.c.kind,
    run.c.round,
    unique=True,
    sqlite_where=_ok,
    postgresql_where=_ok,
)
Index("run_of_case", run.c.case_id, run.c.kind)

window = Table(
    "window",
    metadata,
    Column("run_id", Id, ForeignKey("run.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("role", Text, nullable=False),
    Column("pass", Integer, nullable=False),
    Column("t0_ns", BigInteger, nullable=False),
    Column("t1_ns", BigInteger, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("latencies", LargeBinary, nullable=False),  # int64 ns
    Column("elapsed_ns", BigInteger),  # time within slices; NULL: t1_ns - t0_ns
    Column("disturbed", LargeBinary),  # int64 iterations; NULL: not watched
)
metric = Table(
    "metric",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("meaning", Text, nullable=False),
    Column("config", Text, nullable=False),  # an event's code as text: those of RISC-V reach beyond 2^63
    Column("shape", Text),  # NULL: not recorded (files of version 1), see columns.shape_of
    UniqueConstraint("name", "unit", "domain", "source", "meaning", "config", name="metric_once"),
)


def _of_window() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run_id", "window_idx"], ["window.run_id", "window.idx"])


reading = Table(
    "reading",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("window_idx", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),  # the order in which they came
    Column("metric_id", Id, ForeignKey("metric.id"), nullable=False),
    Column("value", Float(53)),  # NULL if and only if it is missing
    Column("raw", BigInteger),
    Column("raw_wide", Text),  # decimal digits, where 64 signed bits don't hold the raw count
    Column("enabled_ns", BigInteger),
    Column("running_ns", BigInteger),
    Column("running", Float(53)),
    Column("exactness", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("why", Text, nullable=False),
    _of_window(),
    sqlite_with_rowid=False,
)
# The slices of a window, one number of 64 bits per slice in each column
slices = Table(
    "slices",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("window_idx", Integer, primary_key=True),
    Column("t0_ns", LargeBinary, nullable=False),
    Column("t1_ns", LargeBinary, nullable=False),
    Column("iterations", LargeBinary, nullable=False),
    Column("turns", LargeBinary, nullable=False),
    Column("medians", LargeBinary, nullable=False),  # float64 ns, derived from the latencies
    _of_window(),
)
slice_counts = Table(
    "slice_counts",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("window_idx", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("metric_id", Id, ForeignKey("metric.id"), nullable=False),
    Column("scale", Float(53), nullable=False),
    Column("raw", LargeBinary, nullable=False),  # int64, the least one: could not be read
    _of_window(),
)
# Of windows whose counters were read after every inference. Older files may have float64 here, which nothing reads
iteration_counts = Table(
    "iteration_counts",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("window_idx", Integer, primary_key=True),
    Column("metric_id", Id, ForeignKey("metric.id"), primary_key=True),
    Column("vals", LargeBinary, nullable=False),  # int64, one per iteration, zlib
    _of_window(),
)
series = Table(
    "series",
    metadata,
    Column("run_id", Id, ForeignKey("run.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("metric_id", Id, ForeignKey("metric.id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("cumulative", Integer, nullable=False),  # 0 or 1
    Column("interval_ns", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("at_ns", LargeBinary, nullable=False),  # int64
    Column("vals", LargeBinary, nullable=False),  # float64, NaN: no answer
)
layer = Table(
    "layer",
    metadata,
    Column("run_id", Id, ForeignKey("run.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("node", Words, nullable=False),
    Column("origin_node", Text),
    Column("op", Words, nullable=False),
    Column("ns", BigInteger),
    Column("macs", BigInteger),
)
layer_reading = Table(
    "layer_reading",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("layer_idx", Integer, primary_key=True),
    Column("metric_id", Id, ForeignKey("metric.id"), primary_key=True),
    Column("value", Float(53)),
    Column("exactness", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("why", Text, nullable=False),
    ForeignKeyConstraint(["run_id", "layer_idx"], ["layer.run_id", "layer.idx"]),
)
doubt = Table(
    "doubt",
    metadata,
    Column("run_id", Id, ForeignKey("run.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("window_idx", Integer),  # NULL: of the whole run
    Column("code", Text, nullable=False),
    Column("detail", JSONText, nullable=False),
)
validation = Table(
    "validation",
    metadata,
    Column("host_state_id", Id, ForeignKey("host_state.id"), primary_key=True),
    Column("metric_id", Id, ForeignKey("metric.id"), primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("evidence", JSONText, nullable=False),
)
tuning = Table(
    "tuning",
    metadata,
    Column("machine_id", Id, ForeignKey("machine.id"), primary_key=True),
    Column("case_key", Text, primary_key=True),
    Column("winner", JSONText, nullable=False),
    Column("evidence", JSONText, nullable=False),
)
ceiling = Table(
    "ceiling",
    metadata,
    Column("host_state_id", Id, ForeignKey("host_state.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Float(53), nullable=False),
    Column("unit", Text, nullable=False),
    Column("evidence", JSONText, nullable=False),
)
