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
        ["a", "a", "b", "c", "c"],
        [(1, ""), (4, ""), (1, ""), (1, ""), (4, "")],
        np.array([[0.0], [1.0], [0.0], [2.0], [3.0]]),
    )
    assert out.values[0, 0] == pytest.approx(out.values[1, 0])
    assert out.values[2, 0] - out.values[0, 0] == pytest.approx(2.0)


def test_networks_without_a_batch_in_common_use_the_fullest_batch() -> None:
    out = strata.network_effects(["a", "b", "c"], [(1, ""), (1, ""), (4, "")], np.array([[0.0], [1.0], [9.0]]))
    assert out.networks == ("a", "b")
    assert out.batches == (1,)


def test_a_frame_without_its_columns_is_refused() -> None:
    with pytest.raises(ResultsError, match="lacks"):
        strata.label(pd.DataFrame({"framework": ["f"]}))


def test_two_versions_of_a_framework_are_two_variants_on_one_machine_and_one_on_two() -> None:
    versions = ["f 1.0", "f 2.0"]
    same = strata.label(rows(machine="m", version=versions))
    assert same[strata.VARIANT].tolist() == ["f (f 1.0)", "f (f 2.0)"]
    apart = strata.label(rows(machine=["m", "n"], version=versions))
    assert apart[strata.VARIANT].tolist() == ["f", "f"]
    some = strata.label(rows(machine="m", version=["f 1.0", ""]))
    assert some[strata.VARIANT].tolist() == ["f (f 1.0)", "f (version unrecorded)"]


def test_kernels_and_governors_of_a_machine_are_strata_by_name() -> None:
    labelled = strata.label(rows(machine="m", kernel=["6.1", "6.12"], governor="performance"))
    assert [s.machine for s, _ in strata.split(labelled)] == ["m (kernel 6.1)", "m (kernel 6.12)"]
    both = strata.label(rows(machine="m", kernel=["6.1", "6.12"], governor=["performance", ""]))
    assert both["machine"].tolist()[1] == "m (kernel 6.12, governor unrecorded)"


def test_sessions_are_blocks_and_not_rounds() -> None:
    # b was measured in the second session only, in which everything is faster by 1: rounds would call b faster
    out = strata.network_effects(
        ["a", "a", "b", "c", "c"],
        [(1, "x"), (1, "y"), (1, "y"), (1, "x"), (1, "y")],
        np.array([[0.0], [1.0], [1.0], [2.0], [3.0]]),
    )
    assert out.values[1, 0] == pytest.approx(out.values[0, 0])
    assert out.blocks == ("x", "y")


def test_sessions_without_a_network_in_common_are_centred_on_their_own() -> None:
    out = strata.network_effects(["a", "b", "c"], [(1, "x"), (1, "x"), (1, "y")], np.array([[0.0], [1.0], [5.0]]))
    assert out.networks == ("a", "b", "c")
    assert out.values[:, 0].tolist() == pytest.approx([0.0, 1.0, 5.0])


def test_a_block_is_an_experiment_and_a_session() -> None:
    labelled = strata.label(rows(experiment=["quick", None], session=["1f0c", ""]))
    assert labelled[strata.BLOCK].tolist() == ["quick, session 1f0c", ""]
