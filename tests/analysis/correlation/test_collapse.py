"""Rows collapse to networks: rounds, batches and sessions are no units of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis.correlation import strata
from hwprof.analysis.correlation.collapse import Logs, network_effects


def test_a_missing_batch_is_no_network_effect() -> None:
    # b lacks batch 4, which is faster for everybody by 1: plain means would call a faster
    out = network_effects(
        ["a", "a", "b", "c", "c"],
        [(1, ""), (4, ""), (1, ""), (1, ""), (4, "")],
        np.array([[0.0], [1.0], [0.0], [2.0], [3.0]]),
    )
    assert out.values[0, 0] == pytest.approx(out.values[1, 0])
    assert out.values[2, 0] - out.values[0, 0] == pytest.approx(2.0)


def test_networks_without_a_batch_in_common_use_the_fullest_batch() -> None:
    out = network_effects(["a", "b", "c"], [(1, ""), (1, ""), (4, "")], np.array([[0.0], [1.0], [9.0]]))
    assert out.networks == ("a", "b")
    assert out.batches == (1,)


def test_sessions_are_blocks_and_not_rounds() -> None:
    # b was measured in the second session only, in which everything is faster by 1: rounds would call b faster
    out = network_effects(
        ["a", "a", "b", "c", "c"],
        [(1, "x"), (1, "y"), (1, "y"), (1, "x"), (1, "y")],
        np.array([[0.0], [1.0], [1.0], [2.0], [3.0]]),
    )
    assert out.values[1, 0] == pytest.approx(out.values[0, 0])
    assert out.blocks == ("x", "y")


def test_sessions_without_a_network_in_common_are_centred_on_their_own() -> None:
    out = network_effects(["a", "b", "c"], [(1, "x"), (1, "x"), (1, "y")], np.array([[0.0], [1.0], [5.0]]))
    assert out.networks == ("a", "b", "c")
    assert out.values[:, 0].tolist() == pytest.approx([0.0, 1.0, 5.0])


def logs(values: list[float], batches: list[int]) -> Logs:
    count = len(values)
    frame = pd.DataFrame({"framework": "f", "network": [f"n{i}" for i in range(count)], "batch": batches, "round": 0})
    return Logs(strata.label(frame.assign(status="ok", fps=1.0, metric=values)), "f")


def test_ranks_take_zeros_and_are_within_a_batch() -> None:
    own = logs([0.0, 5.0, 5.0, 9.0], [1, 1, 1, 4])
    assert own.mean(own.ranks("metric")).tolist() == pytest.approx([1 / 3, 2.5 / 3, 2.5 / 3, 1.0])


def test_a_missing_value_has_no_rank() -> None:
    own = logs([0.0, np.nan, 2.0], [1, 1, 1])
    assert own.mean(own.ranks("metric")).tolist() == pytest.approx([0.5, np.nan, 1.0], nan_ok=True)


def test_a_power_is_of_logs_around_their_mean() -> None:
    own = logs([1.0, np.e, np.e**2], [1, 1, 1])
    assert own.mean(own.power("metric", 2)).tolist() == pytest.approx([1.0, 0.0, 1.0])
