"""What may not be pooled is kept apart."""

from __future__ import annotations

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


def test_a_block_is_an_experiment_and_a_session() -> None:
    labelled = strata.label(rows(experiment=["quick", None], session=["1f0c", ""]))
    assert labelled[strata.BLOCK].tolist() == ["quick, session 1f0c", ""]


def test_no_rows_are_no_stratum() -> None:
    columns: dict[str, list[str]] = {"machine": [], "version": [], "kernel": [], "experiment": [], "session": []}
    empty = pd.DataFrame({**{name: [] for name in strata.REQUIRED}, **columns})
    assert strata.split(strata.label(empty)) == []
