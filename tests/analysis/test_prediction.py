"""Predictions for networks that were not measured: their intervals, and when there are none."""

from __future__ import annotations

import math

import numpy as np

from hwprof.analysis import models
from hwprof.analysis.correlation.strata import label
from hwprof.analysis.prediction import Prediction, Refusal, predict
from tests.analysis.statistics.test_regression import data
from tests.analysis.test_models import frame


def test_predictions_cover_networks_that_were_not_measured() -> None:
    hits = total = 0
    for seed in range(60):
        train, test = data(9, 1, (-0.9, 0.4), 0.15, seed).without("n8")
        found = predict(train, "f0", dict(zip(test.names, np.exp(test.x[0]), strict=True)))
        assert isinstance(found, Prediction)
        hits += found.low <= math.exp(float(test.y[0])) <= found.high
        total += 1
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
