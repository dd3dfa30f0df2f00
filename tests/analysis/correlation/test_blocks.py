"""Correlations over blocks: strata of their own, error between parents, planted causes found and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from hwprof.analysis.correlation import analyse, strata
from hwprof.analysis.correlation.blocks import by_kind
from hwprof.analysis.correlation.coefficients import correlate
from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import NOT_ASKED, RANKED, Analysis, Correlation
from hwprof.analysis.statistics import power
from hwprof.networks.blocks import parents_of
from hwprof.reports.page import associations, detail

KINDS = ("1x1", "3x3", "depthwise")
METRICS = ("instructions", "driver", "null", "parental")


def frame(seed: int = 1, parents: int = 10, each: int = 9, driver: float = -0.7, alike: float = 0.0) -> pd.DataFrame:
    """Blocks in two frameworks: `driver` acts on speed; `null` has the same spread and does nothing; `parental` belongs
    to the parent alone, as does the share `alike` of the speed.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(parents):
        parental, own = rng.normal(0, 0.4, 2)
        for b in range(each):
            size, cause, other = rng.normal(18, 0.6), rng.normal(0, 0.4), rng.normal(0, 0.4)
            speed = np.sqrt(alike) * own + np.sqrt(1 - alike) * rng.normal(0, 0.3)
            for framework in ("f", "g"):
                of = rng.normal(0, 0.15, 2)
                for number in range(2):
                    noise = rng.normal(0, 0.02, 5)
                    rows.append(
                        {
                            "framework": framework,
                            "network": f"block:net{p}/{b}-{KINDS[b % len(KINDS)]}",
                            "recipe": "builtin-2 blocks-1 seed 7",
                            "size": 224,
                            "batch": 1,
                            "threads": 1,
                            "cpus": "1",
                            "precision": "fp32",
                            "machine": "m",
                            "round": number,
                            "status": "ok",
                            "faithful": True,
                            "fps": np.exp(25 - size + driver * (cause + of[0]) + speed + noise[0]),
                            "macs": np.exp(size),
                            "instructions": np.exp(size - 2 + noise[1]),
                            "driver": np.exp(size - 5 + cause + of[0] + noise[2]),
                            "null": np.exp(size - 5 + other + of[1] + noise[3]),
                            "parental": np.exp(size - 5 + parental + 0.05 * noise[4]),
                        }
                    )
    made = pd.DataFrame(rows)
    plain = {"unit": "", "origin": "hardware", "exactness": "exact", "source": "", "meaning": "", "per": "frame"}
    made.attrs["metrics"] = {name: dict(plain) for name in METRICS}
    return made


def of(analysis: Analysis, metric: str, framework: str = "f") -> Correlation:
    return next(c for c in analysis.correlations if (c.metric.name, c.framework) == (metric, framework))


def test_a_planted_cause_is_found_over_blocks_and_a_counter_of_equal_spread_is_not() -> None:
    analysis = analyse.analyse(frame())[0]
    driver, null = of(analysis, "driver"), of(analysis, "null")
    assert (driver.partial.n, driver.partial.clusters) == (90, 10)
    assert driver.partial.sample == "90 blocks of 10 networks"
    assert driver.partial.excludes_zero
    assert driver.q is not None
    assert driver.q < 0.01
    assert not null.partial.excludes_zero
    assert null.q is not None
    assert null.q > 0.05
    slope = next(s for s in analysis.pooled if s.metric.name == "driver")
    assert slope.n == 10
    assert slope.p_family is not None
    assert slope.p_family < 0.05


def test_what_belongs_to_a_whole_parent_is_not_found_in_its_ninety_blocks() -> None:
    between, naive, draws = 0, 0, 12
    for seed in range(draws):
        data = frame(seed, alike=0.9, driver=0.0)
        c = of(analyse.analyse(data)[0], "parental")
        between += c.q is not None and c.q < 0.05
        plain = correlate(Logs(strata.label(data), "f"), "f", c.metric, ("macs", "instructions"))
        naive += plain is not None and plain.partial.excludes_zero
    assert between <= 2
    assert naive >= 6


def test_the_range_of_coefficients_is_that_without_each_parent() -> None:
    c = of(analyse.analyse(frame())[0], "driver")
    assert c.leave_out is not None
    assert c.partial.r is not None
    assert c.leave_out.low <= c.partial.r <= c.leave_out.high
    assert c.leave_out.network in {f"net{p}" for p in range(10)}


def test_a_sign_that_one_parent_makes_is_noted() -> None:
    data = frame(3, parents=5, driver=-0.2)
    in_one = data["network"].str.startswith("block:net0/")
    data.loc[in_one, "fps"] *= (data["driver"] / data["macs"] * np.e**5)[in_one] ** 3
    c = of(analyse.analyse(data)[0], "driver")
    assert any(note == "the sign changes when the blocks of net0 are left out" for note in c.notes)


def test_blocks_and_whole_networks_are_strata_of_their_own_and_kinds_follow() -> None:
    blocks, networks = frame(parents=6), frame(2, parents=6)
    networks["network"] = networks["network"].str.slice(6, 12).str.replace("/", "-")
    both = pd.concat([blocks, networks], ignore_index=True)
    both.attrs = blocks.attrs
    found = by_kind(strata.split(strata.label(both)))
    assert [s.size for s, _ in found] == [
        "224 px",
        "blocks of layers, 224 px",
        "blocks of 1x1 layers, 224 px",
        "blocks of 3x3 layers, 224 px",
        "blocks of depthwise layers, 224 px",
    ]
    assert len(found[1][1]) == sum(len(part) for _, part in found[2:])


def test_kinds_of_too_few_blocks_or_parents_have_no_stratum() -> None:
    few = frame(parents=3)  # nine of each kind, of three parents
    assert [s.size for s, _ in by_kind(strata.split(strata.label(few)))] == ["blocks of layers, 224 px"]


def test_the_page_says_what_blocks_are_not() -> None:
    text = " ".join(detail.gates(analyse.analyse(frame())[0]))
    assert "90 blocks (layers as networks of their own) of 10 networks" in text
    assert "hot in caches" in text
    plain = frame()
    plain["network"] = plain["network"].str.replace("block:", "").str.replace("/", "-")
    assert "blocks" not in " ".join(detail.gates(analyse.analyse(plain)[0]))


def test_a_metric_with_zeros_is_ranked_and_tested_between_parents() -> None:
    data = frame()
    data.loc[data["network"] == "block:net0/0-1x1", "null"] = 0.0
    c = of(analyse.analyse(data)[0], "null")
    assert c.method == RANKED
    assert (c.partial.clusters, c.raw.clusters, c.sized.clusters) == (10, 10, 10)
    assert (c.status, c.elasticity) == ("tested", None)
    data.loc[data["network"] == "block:net0/0-1x1", "parental"] = 0.0
    assert not of(analyse.analyse(data)[0], "parental").is_found


def test_blocks_of_too_few_parents_are_in_no_family() -> None:
    analysis = analyse.analyse(frame(parents=3))[0]
    assert {(c.q, c.family, c.partial.clusters) for c in analysis.correlations} == {(None, 0, 3)}
    assert not analysis.found


def test_kinds_of_layers_are_tested_of_what_is_found_over_all_blocks() -> None:
    whole, *kinds = analyse.analyse(frame())
    assert len(kinds) == 3
    assert {one.metric.name for one in whole.found} == {"driver"}
    tested = [c for c in whole.correlations if c.q is not None]
    slopes = [s for s in whole.pooled if s.q is not None]
    assert {*(c.family for c in tested), *(s.family for s in slopes)} == {len(tested) + len(slopes)}
    asked = [c for a in kinds for c in a.correlations if c.q is not None]
    assert {c.metric.name for c in asked} == {"driver"}
    assert {c.family for c in asked} == {len(asked) + sum(s.q is not None for a in kinds for s in a.pooled)}
    others = [c for a in kinds for c in a.correlations if c.metric.name != "driver" and c.partial.p is not None]
    assert others
    assert {(c.status, c.why) for c in others} == {("descriptive", f"not tested: {NOT_ASKED}")}
    assert any(one.metric.name == "driver" for a in kinds for one in a.found)


def test_where_nothing_is_found_over_all_blocks_no_kind_is_tested() -> None:
    whole, *kinds = analyse.analyse(frame(2, driver=0.0))
    assert not whole.found
    assert {c.q for a in kinds for c in a.correlations} == {None}
    assert {s.q for a in kinds for s in a.pooled} <= {None}
    assert associations.sentences(kinds[0]) == []


def test_judging_again_with_another_target_asks_the_kinds_anew() -> None:
    analyses = analyse.analyse(frame())
    again = joint(analyses)
    assert [c.q for a in again for c in a.correlations] == [c.q for a in analyses for c in a.correlations]
    other = [dataclasses.replace(a, target="frames per CPU second") if a.stratum.kind else a for a in analyses]
    assert [c.q for a in joint(other) for c in a.correlations] == [c.q for a in analyses for c in a.correlations]
    nothing = joint(analyse.analyse(frame(2, driver=0.0)))
    assert [a.stratum.kind for a in nothing] == ["", "1x1", "3x3", "depthwise"]


def test_a_cause_is_found_without_any_one_parent_and_its_intervals_are_between_parents() -> None:
    analysis = analyse.analyse(frame())[0]
    driver = of(analysis, "driver")
    assert {c.metric.name for c in analysis.correlations if c.is_found} == {"driver"}
    bounds, wide = driver.partial.slope_interval(), driver.partial.slope_interval(driver.level or 0.95)
    assert bounds is not None
    assert wide is not None
    assert bounds[0] < -0.7 < bounds[1]
    assert wide[0] < bounds[0] < bounds[1] < wide[1]
    assert any("90 blocks of 10 networks" in line for line in associations.sentences(analysis))


def test_where_nothing_is_found_the_page_says_what_would_have_been_missed() -> None:
    analysis = analyse.analyse(frame(2, driver=0.0))[0]
    tested = [c for c in analysis.correlations if c.framework == "f" and c.status == "tested"]
    reach = power.of_family([c.partial for c in tested], tested[0].among)
    assert reach is not None
    assert tested[0].among > tested[0].family > len(tested)
    lines = [line for line in associations.sentences(analysis) if line.startswith("f:")]
    assert lines[0].endswith(f"A correlation below {reach:.2f} would have been missed in 20 % or more.")


def test_a_fixed_cost_bends_blocks_and_is_controlled_for() -> None:
    data = frame(4, driver=0.0)
    data["fps"] = 1 / (1 / data["fps"] + np.exp(-7.3))
    c = of(analyse.analyse(data)[0], "null")
    assert "instructions^2" in c.covariates
    assert (c.partial.k, c.partial.clusters, c.status) == (len(c.covariates), 10, "tested")


def test_parents_are_known_of_blocks_only() -> None:
    assert parents_of(["block:a/1-1x1", "block:b/2-add"]) == ("a", "b")
    assert parents_of(["block:a/1-1x1", "resnet18"]) == ()
    assert parents_of([]) == ()


def test_blocks_whose_weights_exceed_the_last_level_cache_are_a_stratum_of_their_own() -> None:
    data = frame()
    data["params"], data["last_level_mib"] = 1e6, 32.0
    large = data["network"].str.startswith("block:net0/0-")
    data.loc[large, "params"] = 37e6
    found = strata.split(strata.label(data))
    assert [s.size for s, _ in found] == [
        "blocks of layers beyond the last-level cache, 224 px",
        "blocks of layers, 224 px",
    ]
    assert set(found[0][1]["network"]) == {"block:net0/0-1x1"}
    data["precision"] = "int8"
    assert len(strata.split(strata.label(data.assign(params=data["params"].clip(upper=30e6))))) == 1
    data["last_level_mib"] = np.nan
    assert len(strata.split(strata.label(data))) == 1


def test_a_stratum_of_one_block_has_no_coefficient_and_no_warning() -> None:
    data = frame()
    data["params"], data["last_level_mib"] = 1e6, 32.0
    data.loc[data["network"] == "block:net0/0-1x1", "params"] = 37e6
    beyond = analyse.analyse(data)[-1]  # after those that can be tested
    assert beyond.stratum.size.startswith("blocks of layers beyond")
    assert not beyond.found
    assert "read from memory every time" in " ".join(beyond.remarks)
