"""Profiles of several rounds as one, and the overhead of profiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from hwprof.analysis import profiles
from hwprof.records import Kind, Layer, Role, Run, Window
from hwprof.reports.terminal import layers
from tests.factories import make_run
from tests.planted_sets import with_slices


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


def test_what_profiling_costs_is_not_told_of_a_shared_core() -> None:
    quiet, shared = (with_slices(make_run(metrics={}), 0.4, preempted=p) for p in (False, True))
    slow = profiled(1, (1.0,), 500_000)
    assert profiles.overhead([quiet, slow]) == pytest.approx(0.25, rel=0.01)
    said = " ".join(layers.text([quiet, slow], (), 1).split())
    assert "0.400 ms without it, in another process: profiling costs +25" in said
    assert profiles.taken_time([quiet, shared, slow]) == pytest.approx(0.75, rel=0.01)
    assert "what profiling costs is not known, others took 75% of the time" in layers.text([shared, slow], (), 1)


def test_the_latency_without_the_profile_is_that_of_the_bare_stretch() -> None:
    run = with_slices(make_run(metrics={}), 0.4, alone=1.5)
    assert profiles.latency_ns([run], Kind.NATIVE, Role.BARE) == pytest.approx(600_000, rel=0.01)
