"""Correlations and models on cores that others use: the whole stratum takes the speed that survives, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis import models
from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.strata import is_native
from hwprof.analysis.correlation.target import surviving_speed
from hwprof.analysis.estimator import Estimator
from hwprof.records import Origin, Reading, Run
from hwprof.reports.html import gather, page
from hwprof.reports.page import detail
from hwprof.reports.terminal import models as models_report
from hwprof.store import Results
from tests.analysis.correlation.test_analyse import frame
from tests.cli.test_report import stored
from tests.factories import NETWORKS, make_run
from tests.planted_sets import with_slices


def with_speeds(data: pd.DataFrame, disturbed: float, threads: int = 1) -> pd.DataFrame:
    """FPS of rounds 1 and on times a factor of the network's; throughput and CPU time are as they were."""
    out = data.copy()
    out.attrs = data.attrs
    out["threads"] = threads
    out["throughput"], out["cpu_ms"] = data["fps"], 1e3 / data["fps"]
    factors = {name: disturbed ** (i % 2) for i, name in enumerate(sorted(set(data["network"])))}
    out["fps"] = data["fps"] * data["network"].map(factors)
    return out


def test_quiet_runs_are_the_same_with_and_without_the_other_speeds() -> None:
    plain = frame()
    quiet = with_speeds(plain, 1.05)
    quiet["fps"] = plain["fps"]
    assert surviving_speed(quiet)[0] is quiet
    (bare,), (full,) = analyse.analyse(plain.assign(threads=1)), analyse.analyse(quiet)
    assert full.target == "FPS"
    assert full.why == ""
    assert [(c.metric.name, c.partial, c.q) for c in full.correlations] == [
        (c.metric.name, c.partial, c.q) for c in bare.correlations
    ]


@pytest.mark.parametrize(("threads", "target"), [(1, "frames per CPU second"), (2, "throughput")])
def test_a_disturbed_stratum_gives_the_coefficients_of_the_speed_that_survives(threads: int, target: str) -> None:
    plain = frame()
    (truth,) = analyse.analyse(plain.assign(threads=threads))
    (found,) = analyse.analyse(with_speeds(plain, 4.0, threads))
    assert found.target == target
    assert {c.target for c in found.correlations} == {target}
    assert {s.target for s in found.pooled} <= {target}
    for a, b in zip(truth.correlations, found.correlations, strict=True):
        assert a.metric.name == b.metric.name
        assert b.partial.r == pytest.approx(a.partial.r)
    assert f"Metrics are set against {target}, not FPS: in the worst run FPS / throughput is 4.00." in detail.gates(
        found
    )


def test_without_the_other_speed_a_run_has_none_and_that_is_said() -> None:
    data = with_speeds(frame(), 4.0, threads=2)
    data.loc[data.index[:3], "throughput"] = np.nan
    rows, choice = surviving_speed(data)
    assert choice.estimator is Estimator.THROUGHPUT
    assert choice.why.endswith("; 3 runs without throughput")
    assert rows["fps"].isna().sum() == 3


def test_energy_is_not_replaced_by_a_speed() -> None:
    data = with_speeds(frame(), 4.0)
    data["energy"] = 1 / data["throughput"]
    data.attrs = {
        **data.attrs,
        "metrics": {**data.attrs["metrics"], "energy": {"unit": "J", "per": "frame", "origin": "hardware"}},
    }
    (found,) = analyse.against_energy(data)
    assert (found.target, found.why) == ("energy per frame", "")
    assert {c.target for c in found.correlations} == {"energy per frame"}


def shared_core(rounds: int = 2) -> list[Run]:
    """Networks whose CPU time is their MACs, on a core with others: by FPS small ones are much too fast."""
    found = []
    for network, (macs, _, _) in NETWORKS.items():
        for n in range(rounds):
            run = make_run("a", network, round=n, metrics={"instructions": macs * 1.5, "loads": macs * 0.4}, cpus=(0,))
            found.append(with_slices(run, macs / 1e8, preempted=True))
    return found


def test_a_model_of_a_shared_core_is_one_of_cpu_time(tmp_path: Path) -> None:
    with Results.open(stored(tmp_path / "r.db", shared_core())) as results:
        data = results.frame()
        made = page.build(gather.gather(results))
    assert is_native(data).all()
    (found,) = models.assess(data)
    assert found.target == "frames per CPU second"
    assert found.coefficients[0].value == pytest.approx(-1.0, abs=0.02)  # by FPS it is steeper: short ones gain
    document = models_report.document([found])
    assert document["models"][0]["target"] == "frames per CPU second"
    said = models_report.text([found])
    assert "Model of frames per CPU second" in said
    assert "frames per CPU second is modelled, not FPS: in the worst run FPS / throughput is" in said.replace(
        "\n  ", " "
    )
    assert any(s.title.startswith("Counters against frames per CPU second") for s in made.sections)


@pytest.mark.parametrize("disturbed", [False, True])
def test_energy_against_fps_ranks_nothing_on_a_shared_core(tmp_path: Path, disturbed: bool) -> None:
    runs = []
    for network, cost in (("resnet18", 0.4), ("resnet50", 9.0)):
        run = make_run("a", network, metrics={}, cpus=(0,))
        planted = with_slices(run, cost, preempted=disturbed)
        *others, bare = planted.windows
        joules = Reading("energy", 3.0, "J", origin=Origin.HARDWARE, source="synthetic:energy")
        runs.append(replace(planted, windows=(*others, replace(bare, readings=(*bare.readings, joules)))))
    with Results.open(stored(tmp_path / "r.db", runs)) as results:
        made = page.build(gather.gather(results))
    (figure,) = (f for s in made.sections if s.key == "energy" for f in s.figures)
    assert ("Nothing is ranked by these points" in figure.note) == disturbed
    assert ("Up and to the left is better" in figure.note) != disturbed


def test_a_model_of_quiet_runs_is_one_of_fps(tmp_path: Path) -> None:
    runs = [make_run("a", network, round=n, metrics={}) for network in NETWORKS for n in range(2)]
    with Results.open(stored(tmp_path / "r.db", runs)) as results:
        (found,) = models.assess(results.frame())
    assert (found.target, found.choice.why) == ("FPS", "")
    assert "Model of FPS" in models_report.text([found])
