"""Layers of profiled runs: insert and read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from hwprof.printable import encodable
from hwprof.records import Exactness, Layer, Origin, Reading, Run, Shape
from hwprof.store import schema
from hwprof.store.database import Database
from hwprof.store.readings import CHUNK, metric_ids, metric_key, shapes_of
from hwprof.store.scope import RunFilter


def add(connection: Connection, run_id: int, run: Run) -> None:
    """Insert the layers of one run and their readings."""
    if not run.layers:
        return
    connection.execute(
        insert(schema.layer),
        [
            {
                "run_id": run_id,
                "idx": index,
                "node": layer.name,
                "origin_node": json.dumps(layer.origins),
                "op": layer.op,
                "ns": None if layer.ns is None else round(layer.ns),
                "macs": layer.macs,
            }
            for index, layer in enumerate(run.layers)
        ],
    )
    readings = [(index, reading) for index, layer in enumerate(run.layers) for reading in layer.readings]
    if not readings:
        return
    shapes = shapes_of(reading for _, reading in readings)
    ids = metric_ids(connection, shapes)
    connection.execute(
        insert(schema.layer_reading),
        [
            {
                "run_id": run_id,
                "layer_idx": index,
                "metric_id": ids[metric_key(reading)],
                "value": reading.value,
                "exactness": reading.exactness.value,
                "origin": reading.origin.value,
                "why": encodable(reading.why),
            }
            for index, reading in readings
        ],
    )


def of_runs(connection: Connection, ids: Sequence[int]) -> dict[int, list[Layer]]:
    """Layers by run, in their order."""
    v, m = schema.layer_reading, schema.metric
    readings: dict[tuple[int, int], list[Reading]] = defaultdict(list)
    named = select(v, m.c.name, m.c.unit, m.c.domain, m.c.source, m.c.meaning, m.c.shape).join(
        m, v.c.metric_id == m.c.id
    )
    for row in connection.execute(named.where(v.c.run_id.in_(ids)).order_by(v.c.run_id, v.c.layer_idx, m.c.id)):
        readings[row.run_id, row.layer_idx].append(
            Reading(
                row.name,
                row.value,
                row.unit,
                Exactness(row.exactness),
                Origin(row.origin),
                row.domain,
                row.source,
                row.meaning,
                why=row.why,
                shape=row.shape and Shape(row.shape),
            )
        )
    t = schema.layer
    found: dict[int, list[Layer]] = defaultdict(list)
    for row in connection.execute(select(t).where(t.c.run_id.in_(ids)).order_by(t.c.run_id, t.c.idx)):
        origins = tuple(json.loads(row.origin_node or "[]"))
        own = tuple(readings[row.run_id, row.idx])
        found[row.run_id].append(Layer(row.node, row.op, row.ns, origins, row.macs, own))
    return found


def read(database: Database, ids: Sequence[int]) -> dict[int, list[Layer]]:
    """Layers of these runs (`listing.Entry.order`), in their order; runs without any are omitted."""
    found: dict[int, list[Layer]] = {}
    with database.read() as connection:
        for start in range(0, len(ids), CHUNK):
            found |= of_runs(connection, ids[start : start + CHUNK])
    return found


def read_longest(database: Database, most: int) -> dict[int, list[Layer]]:
    """Layers of the `most` runs whose layers take most time, by run (`listing.Entry.order`), the longest first."""
    table = schema.layer
    query = select(table.c.run_id).group_by(table.c.run_id).order_by(func.sum(table.c.ns).desc()).limit(most)
    chosen = RunFilter(None, database.condition)
    with database.read() as connection:
        ids = list(connection.scalars(chosen.restrict(query, table.c.run_id)))
        found = of_runs(connection, ids)
    return {identity: found[identity] for identity in ids}
