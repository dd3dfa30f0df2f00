"""Metrics of one framework that are solved together are as each by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis.correlation import metrics, strata
from hwprof.analysis.correlation.coefficients import correlate, correlate_each
from hwprof.analysis.correlation.collapse import Logs

COVARIATES = ("macs", "instructions")


def frame(networks: int = 9, rounds: int = 2, count: int = 6) -> pd.DataFrame:
    """Two metrics without gaps, two that lack the same network, one that lacks another, one with a zero."""
    rng = np.random.default_rng(3)
    size = np.repeat(rng.normal(18, 1, networks), rounds)

    def near(logs: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.exp(logs + size + rng.normal(0, 0.2, len(size)))

    own = {f"metric{i}": near(-5.0) for i in range(count)}
    for name, place in (("metric2", 0), ("metric3", 0), ("metric4", 3)):
        own[name][place * rounds : (place + 1) * rounds] = np.nan
    own["metric5"][4] = 0.0
    out = pd.DataFrame(
        {
            "framework": "f",
            "network": [f"net{i // rounds}" for i in range(len(size))],
            "batch": 1,
            "round": [i % rounds for i in range(len(size))],
            "status": "ok",
            "fps": 1e9 / near(0.0),
            "macs": np.exp(size),
            "instructions": near(0.5),
            **own,
        }
    )
    out.attrs["metrics"] = {name: {"origin": "hardware", "per": "frame"} for name in ("instructions", *own)}
    return strata.label(out)


def test_metrics_solved_together_are_as_each_by_itself() -> None:
    data = frame()
    known = metrics.classify(data)
    asked = [(known[f"metric{i}"], COVARIATES, "") for i in range(6)]
    together = {c.metric.name: c for c in correlate_each(Logs(data, "f"), "f", asked)}
    assert {name: c.partial.n for name, c in together.items()} == {
        "metric0": 9,
        "metric1": 9,
        "metric2": 8,
        "metric3": 8,
        "metric4": 8,
        "metric5": 9,
    }
    for metric, chosen, weak in asked:
        alone = correlate(Logs(data, "f"), "f", metric, chosen, weak)
        assert alone is not None
        found = together[metric.name]
        assert (found.method, found.zeros, found.notes, found.covariates) == (
            alone.method,
            alone.zeros,
            alone.notes,
            alone.covariates,
        )
        for one, other in ((found.partial, alone.partial), (found.raw, alone.raw), (found.sized, alone.sized)):
            assert one.r == pytest.approx(other.r, abs=1e-12)
            assert one.p == pytest.approx(other.p, abs=1e-12)
        assert found.leave_out is not None
        assert alone.leave_out is not None
        assert found.leave_out.network == alone.leave_out.network
        assert found.leave_out.low == pytest.approx(alone.leave_out.low, abs=1e-12)


def test_a_metric_that_was_never_counted_has_no_coefficient() -> None:
    data = frame()
    data["metric0"] = np.nan
    known = metrics.classify(data)
    assert correlate(Logs(data, "f"), "f", known["metric0"], COVARIATES) is None
