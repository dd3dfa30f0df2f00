"""Models of FPS on planted truth: they find what is there, and say so where there is nothing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hwprof.analysis import models
from tests.analysis.statistics.test_regression import data


def frame(n: int = 10, gain: float = 0.0, noise: float = 0.05, seed: int = 0, frameworks: int = 3) -> pd.DataFrame:
    """FPS falls with MACs; with `gain`, also with parameters. Network names, sizes and figures are invented."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        macs, params = rng.normal(20, 1.2), rng.normal(15, 1.0)
        for f in range(frameworks):
            y = 25 - macs - gain * params + 0.3 * f + rng.normal(0, noise)
            for r in range(2):
                rows.append(  # noqa: PERF401  three loops deep
                    {
                        "framework": f"f{f}",
                        "network": f"n{i}",
                        "size": 224,
                        "batch": 1,
                        "threads": 1,
                        "round": r,
                        "status": "ok",
                        "kind": "native",
                        "fps": math.exp(y + rng.normal(0, 0.01)),
                        "macs": math.exp(macs),
                        "params": math.exp(params),
                        "cache-misses": math.exp(macs + rng.normal(0, 0.3)),
                        "context-switches": math.exp(-y),
                        "task-clock": math.exp(-y),
                    }
                )
    out = pd.DataFrame(rows)
    per_frame = {"unit": "", "per": "frame", "origin": "hardware"}
    out.attrs["metrics"] = {
        "cache-misses": per_frame,
        "context-switches": per_frame,
        "task-clock": {**per_frame, "unit": "ns"},
    }
    return out


def test_what_drives_fps_is_found_with_its_elasticity() -> None:
    (found,) = models.assess(frame(gain=0.6))
    assert found.chosen == ("macs", "params")
    by_name = {c.name: c for c in found.coefficients}
    assert by_name["params"].low < -0.6 < by_name["params"].high
    assert found.error < 0.5 * found.base_error
    assert found.verdict == "better than MACs alone on networks it has not seen"


def test_where_only_macs_matter_no_model_is_called_better() -> None:
    called = [models.assess(frame(seed=s))[0].verdict for s in range(6)]
    assert sum(v.startswith("better") for v in called) <= 1
    assert sum(v.startswith("nothing predicts") for v in called) >= 3


def test_what_is_made_of_time_is_no_candidate() -> None:
    (found,) = models.assess(frame())
    assert set(found.candidates) == {"macs", "params", "cache-misses"}


def test_gates_by_number_of_networks() -> None:
    (three,) = models.assess(frame(3))
    assert three.refused == "3 networks with MACs and FPS: a model needs 4"
    (five,) = models.assess(frame(5, gain=0.6))
    assert five.chosen == ("macs",)
    assert "exploratory" in five.notes[0]


def test_an_emulators_time_is_not_modelled() -> None:
    one = frame()
    one["emulated"] = True
    assert "emulator" in models.assess(one)[0].refused


def test_collinear_predictors_go_to_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    one = frame(gain=0.6)
    one["params"] = one["macs"] ** 1.02
    monkeypatch.setattr(models, "choose", lambda d: ("macs", "params"))
    (found,) = models.assess(one)
    assert found.penalty > 0
    assert max(c.vif for c in found.coefficients) > 10
    assert "ridge" in found.notes[-1]


def test_the_mixed_model_is_statsmodels_and_agrees() -> None:
    one = data(12, 3, (-0.9, 0.3))
    found = models.mixed_model(one)
    assert found is not None
    value, low, high = found.coefficients["macs"]
    assert low < -0.9 < high
    assert value == pytest.approx(-0.9, abs=0.15)
    assert found.network_sd == pytest.approx(0.1, abs=0.06)
    assert models.mixed_model(data(12, 1)) is None


def test_a_network_without_macs_is_left_out_by_name_and_costs_no_other() -> None:
    whole = frame(gain=0.6)
    more = whole[whole["network"] == "n0"].assign(network="mystery", macs=math.nan, params=math.nan)
    both = pd.concat([whole, more], ignore_index=True)
    both.attrs = whole.attrs
    (alone,), (found,) = models.assess(whole), models.assess(both)
    assert found.notes == ("left out for unknown MACs: mystery",)
    assert (found.networks, found.coefficients) == (alone.networks, alone.coefficients)


def test_a_fact_that_one_network_lacks_is_no_predictor_and_is_named() -> None:
    data = frame(gain=0.6)
    data.loc[data["network"] == "n3", "params"] = math.nan
    extra = {(f"n{i}", 224, ""): {"layers": 5.0 + i} for i in range(9)}
    (found,) = models.assess(data, extra)
    assert found.networks == 10
    assert not {"params", "layers"} & {*found.candidates}
    assert [n for n in found.notes if n.startswith("no predictor")] == [
        "no predictor, as it is unknown of n3: params",
        "no predictor, as it is unknown of n9: layers",
    ]


def test_the_interval_of_a_picked_predictor_allows_for_the_picking() -> None:
    (found,) = models.assess(frame(gain=0.6))
    assert (found.chosen, len(found.candidates)) == (("macs", "params"), 3)
    one = data(10, 3)
    vif = {"macs": 1.0, "b": 1.0}
    plain, picked = (models.coefficients(one, vif, 0.0, tried) for tried in (1, 10))
    assert plain[0] == picked[0]
    ratio = (picked[1].high - picked[1].low) / (plain[1].high - plain[1].low)
    assert ratio == pytest.approx(stats.t.ppf(1 - 0.005 / 2, 9) / stats.t.ppf(1 - 0.05 / 2, 9))
    assert math.isnan(models.coefficients(one, vif, 0.1, 1)[0].low)
