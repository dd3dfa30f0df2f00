"""Profiles of several rounds as one, and the overhead of profiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from hwprof.analysis import profiles
from hwprof.records import Kind, Layer, Role, Run, Window
from tests.factories import make_run


def profiled(number: int, times: Sequence[float | None], latency_ns: int = 300) -> Run:
    layers = tuple(Layer(f"layer{i}", "Conv", ns) for i, ns in enumerate(times))
    window = Window(0, Role.LAYERS, 0, 0, 2 * latency_ns, (latency_ns, latency_ns))
    return dataclasses.replace(make_run(round=number), kind=Kind.LAYERS, windows=(window,), layers=layers)


def test_a_layer_has_the_median_of_the_rounds_that_timed_it() -> None:
    found = profiles.medians([profiled(0, (10.0, None)), profiled(1, (30.0, None)), profiled(2, (20.0, None))])
    assert [layer.ns for layer in found] == [20.0, None]


def test_overhead_compares_with_bare_windows_and_is_unknown_without_them() -> None:
    native = make_run()
    bare = profiles.latency_ns([native], Kind.NATIVE, Role.BARE)
    assert bare is not None
    slow = profiled(1, (1.0,), round(2 * bare))
    assert profiles.overhead([native, slow]) == pytest.approx(1.0, rel=1e-3)
    assert profiles.overhead([slow]) is None


def test_the_share_of_the_layers_is_of_the_profiled_time() -> None:
    assert profiles.layer_share([profiled(0, (100.0, 50.0))]) == pytest.approx(0.5)
    assert profiles.layer_share([make_run()]) is None
