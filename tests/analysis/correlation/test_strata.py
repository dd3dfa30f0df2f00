"""What may not be pooled is kept apart, and rows collapse to networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis.correlation import strata
from hwprof.errors import ResultsError


def rows(**columns: object) -> pd.DataFrame:
    base = {"framework": ["f", "f"], "network": ["a", "b"], "batch": [1, 1], "round": [0, 0], "status": ["ok", "ok"]}
    return pd.DataFrame({**base, "fps": [10.0, 20.0], **columns})


def test_options_that_vary_within_a_framework_make_variants() -> None:
    frame = rows(**{"network": ["a", "a"], "option.mode": ["eager", "inductor"], "option.spin": ["no", "no"]})
    assert strata.label(frame)[strata.VARIANT].tolist() == ["f mode=eager", "f mode=inductor"]


def test_one_name_for_two_contents_is_two_networks() -> None:
    assert strata.label(rows(network=["a", "a"], recipe=["v1", "v2"]))[strata.NETWORK].tolist() == ["a [v1]", "a [v2]"]


def test_one_size_per_network_is_one_stratum_and_several_split() -> None:
    assert len(strata.split(strata.label(rows(size=[224, 299])))) == 1
    assert len(strata.split(strata.label(rows(network=["a", "a"], size=[160, 224])))) == 2


@pytest.mark.parametrize("column", ["machine", "threads", "cpus", "precision"])
def test_unlike_rows_are_not_pooled(column: str) -> None:
    assert len(strata.split(strata.label(rows(**{column: ["1", "2"]})))) == 2


def test_an_unfaithful_run_takes_its_cell_out_and_an_unchecked_one_stays() -> None:
    frame = strata.label(rows(faithful=[False, None]))
    assert strata.usable_rows(frame)[strata.NETWORK].tolist() == ["b"]


def test_a_missing_batch_is_no_network_effect() -> None:
    # b lacks batch 4, which is faster for everybody by 1: plain means would call a faster
    out = strata.network_effects(
        ["a", "a", "b", "c", "c"], [1, 4, 1, 1, 4], np.array([[0.0], [1.0], [0.0], [2.0], [3.0]])
    )
    assert out.values[0, 0] == pytest.approx(out.values[1, 0])
    assert out.values[2, 0] - out.values[0, 0] == pytest.approx(2.0)


def test_networks_without_a_batch_in_common_use_the_fullest_batch() -> None:
    out = strata.network_effects(["a", "b", "c"], [1, 1, 4], np.array([[0.0], [1.0], [9.0]]))
    assert out.networks == ("a", "b")
    assert out.batches == (1,)


def test_a_frame_without_its_columns_is_refused() -> None:
    with pytest.raises(ResultsError, match="lacks"):
        strata.label(pd.DataFrame({"framework": ["f"]}))
