"""What a layer's instructions do with vectors."""

from __future__ import annotations

import pytest

from hwprof.analysis.vector_work import VectorWork, vector_work
from hwprof.collectors.riscv.counters import readings
from hwprof.records import Origin, Reading, missing

CLASSES = (
    *("instructions", "vector-arith", "vector-load", "vector-store", "vset", "fp-arith", "fp-load", "fp-store"),
    *("load", "store", "atomic-load", "atomic-store", "atomic-rmw", "branch", "jump", "jump-indirect"),
)


def work(**counts: int) -> VectorWork:
    named = {name.replace("_", "-"): value for name, value in counts.items()}
    return vector_work(readings({**dict.fromkeys(CLASSES, 0), **named}))


def test_the_kinds_of_vector_instructions_add_up() -> None:
    found = work(instructions=1000, vector_arith=200, vector_load=40, vector_store=10)
    assert found.share == 0.25
    assert found.arithmetic == 200


def test_a_layer_stays_scalar_where_it_computes_without_one_vector_operation() -> None:
    assert work(instructions=100, fp_arith=20).stays_scalar
    assert work(instructions=100, fp_arith=20, vector_load=5, vector_store=5).stays_scalar  # a copy by vectors
    assert not work(instructions=100, fp_arith=20, vector_arith=1).stays_scalar
    assert not work(instructions=100).stays_scalar  # it moves data, and computes nothing


def test_what_was_not_counted_is_nowhere_zero() -> None:
    lost = vector_work([missing("vector-instructions", "lost"), missing("instructions", "lost")])
    assert lost.share is None
    assert lost.arithmetic is None
    assert not lost.stays_scalar
    both = VectorWork.sum_of([work(instructions=100, vector_arith=10), lost])
    assert both.counts == {}
    assert VectorWork.sum_of([]).counts == {}


def test_layers_add_up_and_elements_are_of_all_their_accesses() -> None:
    parts = [
        vector_work([Reading(name, value, origin=Origin.SIMULATED) for name, value in counts.items()])
        for counts in (
            {"vector-loads": 10.0, "vector-stores": 0.0, "vector-elements": 80.0, "vector-bytes": 320.0},
            {"vector-loads": 20.0, "vector-stores": 10.0, "vector-elements": 120.0, "vector-bytes": 480.0},
        )
    ]
    assert parts[0].counts["elements-per-vector-access"] == 8
    both = VectorWork.sum_of(parts).counts
    assert both["vector-bytes"] == 800
    assert both["elements-per-vector-access"] == pytest.approx(200 / 40)
