"""The engine on frames with planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.findings import Analysis, Correlation
from hwprof.reports.page import associations, detail


def frame(
    networks: int = 10, rounds: int = 3, batches: tuple[int, ...] = (1, 4), seed: int = 1, origin: str = "hardware"
) -> pd.DataFrame:
    """FPS goes as 1 / (macs x driver^0.6): `driver` varies beyond size, `null` is size and noise only."""
    rng = np.random.default_rng(seed)
    size = rng.normal(18, 1.2, networks)
    driver, null = rng.normal(0, 0.4, networks), rng.normal(0, 0.4, networks)
    other = rng.normal(0, 0.05, networks)
    rows = []
    for n in range(networks):
        for batch in batches:
            for number in range(rounds):
                noise = rng.normal(0, 0.02, 4)
                rows.append(
                    {
                        "run": f"{n}-{batch}-{number}",
                        "framework": "f",
                        "network": f"net{n}",
                        "recipe": "r",
                        "size": 224,
                        "batch": batch,
                        "threads": 1,
                        "cpus": "1",
                        "precision": "fp32",
                        "machine": "m",
                        "round": number,
                        "status": "ok",
                        "kind": "native",
                        "faithful": True,
                        "fps": np.exp(20 - size[n] - 0.6 * driver[n] + other[n] + noise[0]),
                        "macs": np.exp(size[n]),
                        "instructions": np.exp(size[n] - 2 + 0.05 * null[n] + noise[1]),
                        "driver": np.exp(size[n] - 5 + driver[n] + noise[2]),
                        "null": np.exp(size[n] - 5 + null[n] + noise[3]),
                        "cycles": np.exp(size[n] + 0.6 * driver[n] - other[n] - noise[0]),
                    }
                )
    made = pd.DataFrame(rows)
    plain = {"unit": "", "origin": origin, "exactness": "exact", "source": "", "meaning": "", "per": "frame"}
    made.attrs["metrics"] = {name: dict(plain) for name in ("instructions", "driver", "null", "cycles")}
    return made


def analysed(data: pd.DataFrame) -> Analysis:
    found = analyse.analyse(data)
    assert len(found) == 1
    return found[0]


def of(analysis: Analysis, metric: str) -> Correlation:
    return next(c for c in analysis.correlations if c.metric.name == metric)


def test_what_drives_fps_is_found_given_the_size_and_what_does_not_is_not() -> None:
    analysis = analysed(frame())
    driver, null = of(analysis, "driver"), of(analysis, "null")
    assert driver.partial.r is not None
    assert driver.partial.r < -0.8
    assert driver.partial.excludes_zero
    assert driver.q is not None
    assert driver.q < 0.01
    assert driver.covariates == ("macs", "instructions")
    assert null.raw.r is not None
    assert null.raw.r < -0.6  # the size of the network, nothing else
    assert not null.partial.excludes_zero


def test_ten_percent_more_of_the_driver_goes_with_its_elasticity() -> None:
    assert of(analysed(frame()), "driver").elasticity == pytest.approx(100 * (1.1**-0.6 - 1), abs=1.5)


def test_definitional_metrics_are_never_ranked() -> None:
    analysis = analysed(frame())
    assert {c.metric.name for c in analysis.correlations} == {"driver", "null"}
    assert {m.name for m, _ in analysis.untested} >= {"cycles", "instructions"}


def test_rounds_and_batches_are_not_networks() -> None:
    assert of(analysed(frame(rounds=5, batches=(1, 2, 4, 8))), "driver").partial.n == 10


@pytest.mark.parametrize(("networks", "status"), [(3, "missing"), (6, "exploratory"), (7, "tested")])
def test_the_number_of_networks_decides_what_may_be_said(networks: int, status: str) -> None:
    found = of(analysed(frame(networks)), "driver")
    assert found.status == status
    assert (found.q is None) == (status != "tested")


@pytest.mark.parametrize(
    ("networks", "rounds", "why"), [(8, 1, "one round"), (3, 3, "too few networks for the covariates")]
)
def test_why_reliability_is_unknown_is_said(networks: int, rounds: int, why: str) -> None:
    found = of(analysed(frame(networks, rounds)), "driver")
    assert [note for note in found.notes if "reliability" in note] == [f"reliability unknown: {why}"]


def test_an_unfaithful_case_stays_out() -> None:
    data = frame()
    data.loc[data["network"] == "net0", "faithful"] = False
    assert of(analysed(data), "driver").partial.n == 9


def test_other_machines_threads_and_precisions_are_strata_of_their_own() -> None:
    one = frame()
    both = pd.concat([one, one.assign(threads=2, fps=one["fps"] * 2)], ignore_index=True)
    both.attrs = one.attrs
    assert len(analyse.analyse(both)) == 2


def test_fps_is_not_correlated_where_an_emulator_counts() -> None:
    analysis = analysed(frame(origin="emulated"))
    assert analysis.correlations == ()
    assert "IPC" in analysis.refusal


def test_zeros_have_no_logarithm_and_are_ranked() -> None:
    data = frame()
    data.loc[data["network"] == "net1", "null"] = 0.0
    found = of(analysed(data), "null")
    assert "ranks" in found.method
    assert found.elasticity is None
    assert found.zeros == 6


@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf])
def test_a_network_without_instructions_is_left_out_by_name_and_the_covariate_stays(value: float) -> None:
    data = frame()
    data.loc[data["network"] == "net3", "instructions"] = value
    found = of(analysed(data), "driver")
    assert found.covariates == ("macs", "instructions")
    assert found.partial.n == 9
    assert found.q is not None
    assert found.omissions == (("net3", "instructions"),)
    assert "left out for missing or zero instructions: net3" in found.notes


def test_one_framework_that_lacks_a_value_changes_nothing_in_the_others() -> None:
    one = frame()
    gap = one.assign(framework="g", instructions=one["instructions"].where(one["network"] != "net3"))
    both = pd.concat([one, gap], ignore_index=True)
    both.attrs = one.attrs
    analysis = analysed(both)
    assert {c.covariates for c in analysis.correlations} == {("macs", "instructions")}
    assert {s.covariates for s in analysis.pooled} == {("instructions",)}
    assert {(c.framework, c.partial.n) for c in analysis.correlations} == {("f", 10), ("g", 9)}
    (said,) = (line for line in detail.gates(analysis) if "omitted" in line)
    assert said == "g: omitted, as instructions is missing or zero: net3."


def test_the_number_of_networks_is_judged_after_those_without_instructions_are_left_out() -> None:
    data = frame()
    data.loc[data["network"].isin([f"net{n}" for n in range(4)]), "instructions"] = np.nan
    found = of(analysed(data), "driver")
    assert (found.partial.n, found.status, found.q) == (6, "exploratory", None)


def test_without_instructions_the_correlation_is_described_and_not_tested() -> None:
    data = frame().drop(columns="instructions")
    other = data.assign(framework="g", driver=data["driver"] ** 1.3)
    both = pd.concat([data, other], ignore_index=True)
    both.attrs = data.attrs
    analysis = analysed(both)
    found = of(analysis, "driver")
    assert found.covariates == ("macs",)
    assert (found.status, found.q, found.partial.p, found.partial.low) == ("descriptive", None, None, None)
    assert found.partial.r is not None
    assert "instructions were not counted" in found.partial.why
    assert all((s.p, s.q, s.p_family, s.low) == (None,) * 4 for s in analysis.pooled)
    slope = next(s for s in analysis.pooled if s.metric.name == "driver")
    assert slope.slope is not None
    assert slope.why.startswith("not tested")
    (said, _) = associations.sentences(analysis)
    assert said.startswith("f: not tested: instructions were not counted")
    assert any("instructions were not counted" in line for line in detail.gates(analysis))


def test_a_framework_without_any_instructions_is_described_beside_one_that_is_tested() -> None:
    one = frame()
    both = pd.concat([one, one.assign(framework="g", instructions=np.nan)], ignore_index=True)
    both.attrs = one.attrs
    analysis = analysed(both)
    assert {(c.framework, c.status) for c in analysis.correlations} == {("f", "tested"), ("g", "descriptive")}
    assert all(s.p_family is None for s in analysis.pooled)


def test_callgrinds_instructions_stand_in_where_the_machine_counts_none() -> None:
    data = frame().rename(columns={"instructions": "instructions@callgrind"})
    data.loc[data["network"] == "net3", "instructions@callgrind"] = 0.0
    described = data.attrs["metrics"]
    described["instructions@callgrind"] = described.pop("instructions") | {"origin": "simulated"}
    found = of(analysed(data), "driver")
    assert found.covariates == ("macs", "instructions@callgrind")
    assert found.omissions == (("net3", "instructions@callgrind"),)


def test_ranks_have_the_same_covariates() -> None:
    data = frame()
    data.loc[data["network"] == "net1", "null"] = 0.0
    assert of(analysed(data), "null").covariates == ("macs", "instructions")
    found = of(analysed(data.drop(columns="instructions")), "null")
    assert (found.status, found.q) == ("descriptive", None)
