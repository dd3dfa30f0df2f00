"""Kinds follow from what a metric is made of."""

from __future__ import annotations

import pandas as pd
import pytest

from hwprof.analysis.correlation import metrics
from hwprof.analysis.correlation.metrics import MetricKind
from hwprof.errors import ResultsError


@pytest.mark.parametrize(
    ("name", "attributes", "kind"),
    [
        ("cycles", {}, MetricKind.DEFINITIONAL),
        ("cycles:u", {}, MetricKind.DEFINITIONAL),
        ("instructions@callgrind", {}, MetricKind.DEFINITIONAL),
        ("task-clock", {"unit": "ns"}, MetricKind.DEFINITIONAL),
        ("something-new", {"unit": "ns"}, MetricKind.DEFINITIONAL),
        ("something-new", {"unit": "cycles"}, MetricKind.DEFINITIONAL),
        ("cpu_clk_unhalted.thread", {}, MetricKind.DEFINITIONAL),
        ("u_mode_cycles", {}, MetricKind.DEFINITIONAL),
        ("mcycle:u", {}, MetricKind.DEFINITIONAL),
        ("frontend-stalls", {"unit": "cycles"}, MetricKind.COMPONENT),
        ("context-switches", {}, MetricKind.TIMER),
        ("cpu-migrations", {}, MetricKind.TIMER),
        ("involuntary-switches", {}, MetricKind.TIMER),
        ("something-new", {"unit": "J"}, MetricKind.DEFINITIONAL),
        ("something-new", {}, MetricKind.EXPLANATORY),
        ("something-new", {"per": "level"}, MetricKind.GAUGE),
        ("something-new", {"per": "window"}, MetricKind.RATE),
        ("cache-misses", {}, MetricKind.EXPLANATORY),
        ("page-faults", {}, MetricKind.EXPLANATORY),
        ("stalled-cycles-backend", {}, MetricKind.COMPONENT),
    ],
)
def test_kind_of_a_metric(name: str, attributes: dict[str, str], kind: MetricKind) -> None:
    assert metrics.metric_of(name, attributes).kind is kind


def test_normalised_events_are_rates() -> None:
    assert metrics.kind_of({"event": 1, "instructions": -1}) is MetricKind.RATE
    assert metrics.kind_of({"event": 1, "cycles": -1}) is MetricKind.RATE
    assert metrics.kind_of({"instructions": 1, "cycles": -1}) is MetricKind.DEFINITIONAL


def test_simulated_says_so_and_by_what() -> None:
    assert "simulated (callgrind)" in metrics.metric_of("L1D-misses@callgrind", {"origin": "simulated"}).label
    assert metrics.metric_of("L1D-misses", {"origin": "hardware"}).label == "L1D-misses"


@pytest.mark.parametrize("attributes", [{}, {"origin": ""}, {"origin": "hardware"}])
def test_counts_of_one_kind_of_core_are_not_called_simulated(attributes: dict[str, str]) -> None:
    found = metrics.metric_of("cache-misses@cpu_core", attributes)
    assert not found.simulated
    assert found.label == "cache-misses@cpu_core"


def test_a_frame_that_does_not_name_its_metrics_is_refused() -> None:
    with pytest.raises(ResultsError, match="metrics"):
        metrics.classify(pd.DataFrame({"cycles": [1.0]}))
