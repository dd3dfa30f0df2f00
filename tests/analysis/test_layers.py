"""Steps of three ways of naming, mapped to the same network: conv, norm, relu, conv, norm, add, pool, gemm."""

from __future__ import annotations

import pytest

from hwprof.analysis.layers import NetworkNode, align_layers, locate_steps, owners
from hwprof.frameworks.protocol import Step
from hwprof.records import Layer

NODES = (
    NetworkNode("conv1", "Conv", ("x",), ("a",), 100),
    NetworkNode("norm1", "BatchNormalization", ("a",), ("b",)),
    NetworkNode("relu1", "Relu", ("b",), ("c",)),
    NetworkNode("conv2", "Conv", ("c",), ("d",), 50),
    NetworkNode("norm2", "BatchNormalization", ("d",), ("e",)),
    NetworkNode("add", "Add", ("e", "c"), ("f",)),
    NetworkNode("pool", "MaxPool", ("f",), ("g",)),
    NetworkNode("gemm", "Gemm", ("g",), ("y",), 10),
)


def told(*names: str) -> list[Step]:
    return [Step(f"step {name}", "op", 1.0, (name,)) for name in names]


def test_steps_named_by_their_first_node_take_the_light_ones_behind() -> None:
    assert owners(NODES, told("conv1", "conv2", "pool", "gemm")) == [
        ("conv1", "norm1", "relu1"),
        ("conv2", "norm2", "add"),
        ("pool",),
        ("gemm",),
    ]


def test_steps_named_by_their_last_tensor_take_the_heavy_node_before() -> None:
    assert owners(NODES, told("c", "e", "f", "g", "y")) == [
        ("conv1", "norm1", "relu1"),
        ("conv2", "norm2"),
        ("add",),
        ("pool",),
        ("gemm",),
    ]


def test_steps_that_list_their_nodes_are_taken_at_their_word() -> None:
    steps = [Step("s", "op", 1.0, ("conv1", "norm1", "relu1")), Step("t", "op", 1.0, ("add", "conv2", "norm2"))]
    assert owners(NODES, steps) == [("conv1", "norm1", "relu1"), ("conv2", "norm2", "add", "pool")]


def test_a_change_of_layout_is_nobodys() -> None:
    (first, layout, *_) = locate_steps(NODES, [*told("conv1"), Step("reorder_1", "Reorder", 3.0, ("reorder_1",))])
    assert first.macs == 100
    assert (layout.origins, layout.macs) == ((), None)


def test_a_heavy_node_that_nobody_names_is_not_put_behind_another_heavy_one() -> None:
    steps = told("conv2")
    assert owners(NODES, steps)[0][0] == "conv2"
    assert all("conv1" not in names for names in owners(NODES, steps))


def test_a_node_is_counted_once_though_two_steps_name_it() -> None:
    found = owners(NODES, told("conv1", "a", "conv2", "pool", "gemm"))
    assert found[:2] == [("conv1", "norm1", "relu1"), ()]


def test_unknown_macs_stay_unknown() -> None:
    nodes = (NetworkNode("conv1", "Conv", ("x",), ("a",), None), NetworkNode("relu1", "Relu", ("a",), ("b",)))
    assert locate_steps(nodes, told("conv1"))[0].macs is None


def test_parts_are_as_coarse_as_the_coarsest_framework() -> None:
    fused = locate_steps(NODES, told("conv1", "conv2", "pool", "gemm"))
    apart = locate_steps(NODES, told("a", "b", "c", "d", "e", "f", "g", "y"))
    rows = align_layers(NODES, {"fused": fused, "apart": apart})
    assert [row.nodes for row in rows] == [
        ("conv1", "norm1", "relu1"),
        ("conv2", "norm2", "add"),
        ("pool",),
        ("gemm",),
    ]
    assert [row.ns["apart"] for row in rows] == [3.0, 3.0, 1.0, 1.0]
    assert [row.macs for row in rows] == [100, 50, 0, 10]


def test_times_of_all_parts_add_up_to_those_of_all_steps() -> None:
    layers = [*locate_steps(NODES, told("c", "f", "g", "y")), Layer("copy", "Copy", 7.0)]
    rows = align_layers(NODES, {"a": layers})
    assert sum(row.ns["a"] or 0.0 for row in rows) == pytest.approx(sum(layer.ns or 0.0 for layer in layers))
    assert rows[-1].nodes == ()
    assert rows[-1].ns["a"] == 7.0


def test_a_part_of_which_a_framework_tells_nothing_has_no_time_there_not_zero() -> None:
    rows = align_layers(
        NODES,
        {"all": locate_steps(NODES, told("conv1", "conv2", "pool", "gemm")), "some": locate_steps(NODES, told("gemm"))},
    )
    assert rows[0].ns == {"all": 1.0, "some": None}
