"""Predictions for networks that were not measured: their intervals, and when there are none."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from hwprof.analysis import models
from hwprof.analysis.correlation.strata import label
from hwprof.analysis.prediction import Prediction, Refusal, predict
from hwprof.analysis.statistics.regression import Data, left_out, rms
from tests.analysis.statistics.test_regression import data
from tests.analysis.test_models import frame


def test_predictions_cover_networks_that_were_not_measured() -> None:
    hits = total = 0
    for seed in range(60):
        train, test = data(9, 1, (-0.9, 0.4), 0.15, seed).without("n8")
        found = predict(train, "f0", dict(zip(test.names, np.exp(test.x[0]), strict=True)))
        assert isinstance(found, Prediction)
        if found.low is None or found.high is None:
            continue  # it lies outside of the others
        hits += found.low <= math.exp(float(test.y[0])) <= found.high
        total += 1
    assert total >= 30
    assert 0.90 * total <= hits < total  # an interval that holds everything says nothing


def test_extrapolation_is_said_and_too_few_networks_refuse() -> None:
    one = models.table(label(frame(8)), [])
    far = predict(one, "f0", {"macs": math.exp(40), "params": math.exp(15)})
    assert isinstance(far, Prediction)
    assert any("extrapolated" in note for note in far.notes)
    few = predict(models.table(label(frame(3)), []), "f0", {"macs": 1e9})
    assert few == Refusal("3 networks measured with f0: a prediction needs 4")
    assert isinstance(predict(one, "absent", {"macs": 1e9}), Refusal)
    assert predict(one, "f0", {"params": 1e6}) == Refusal("the network's MACs are unknown")


def test_outside_of_what_was_measured_a_prediction_has_no_interval() -> None:
    one = models.table(label(frame(8)), [])
    assert one.names == ("macs", "params")
    far, near = (predict(one, "f0", {"macs": macs, "params": math.exp(15)}) for macs in (math.exp(40), math.exp(20)))
    assert isinstance(far, Prediction)
    assert isinstance(near, Prediction)
    assert (far.low, far.high) == (None, None)
    assert near.low is not None
    assert near.low < near.speed < (near.high or 0.0)


def test_a_combination_that_was_not_measured_has_no_interval() -> None:
    one = data(12, 1, (-0.9, 0.9), 0.01)
    x = one.x[:, :1] + np.linspace(-0.1, 0.1, 12)[:, None]  # as many parameters as MACs, nearly
    both = dataclasses.replace(one, x=np.hstack([one.x[:, :1], x]), y=20 - one.x[:, 0] + 3 * (x[:, 0] - one.x[:, 0]))
    low, high = both.x.min(axis=0), both.x.max(axis=0)
    found = predict(both, "f0", {"macs": math.exp(low[0]), "b": math.exp(high[1])})
    assert isinstance(found, Prediction)
    assert found.predictors == ("macs", "b")
    assert found.low is None
    assert any("not measured in such a combination" in note for note in found.notes)


def test_four_networks_give_a_speed_and_no_interval() -> None:
    found = predict(models.table(label(frame(4)), []), "f0", {"macs": math.exp(20)})
    assert isinstance(found, Prediction)
    assert found.low is None
    assert any(note.startswith("no interval: of 4 networks") for note in found.notes)


def test_the_error_of_a_prediction_counts_that_its_predictors_were_picked() -> None:
    """Of many facts that mean nothing some fit; with the error of those alone the interval would be too narrow."""
    rng = np.random.default_rng(3)
    names = ("macs", *(f"fact{i}" for i in range(12)))
    wider = 0
    for _ in range(20):
        x = rng.normal(20, 1.0, (9, 13))
        one = Data(tuple(f"n{i}" for i in range(9)), ("f",) * 9, rng.normal(0, 0.3, 9) - x[:, 0], x, names)
        found = predict(one, "f", dict.fromkeys(names, math.exp(20)))
        assert isinstance(found, Prediction)
        if len(found.predictors) > 1:
            wider += found.error > 1.1 * rms(left_out(one.only(found.predictors)))
    assert wider >= 10
