"""Every framework, each in an environment of its own as a user makes it, in one sweep: faithful, at two batch sizes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwprof import plugins
from hwprof.cli import main
from hwprof.frameworks import interpreters
from hwprof.records import Run
from hwprof.store import Results

pytestmark = [pytest.mark.environments, pytest.mark.timeout(3600)]
# As it was before any test got one of its own.
HOME = interpreters.home()
MADE = [name for name in plugins.framework_names() if plugins.adapter(name).environment.requirements]
NETWORKS = ("mobilenet_v2", "squeezenet1_1")
EXPERIMENT = f"""
format = 1
name = "every framework"
seed = 3
rounds = 1
[matrix]
frameworks = {[*MADE, "onnxruntime", "opencv", "caffe"]}
networks = {list(NETWORKS)}
batch = [1, 4]
size = [64]
[measure]
iterations = 3
min_iterations = 3
warmup_iterations = 2
timeout_s = 900
[counters]
events = ["task-clock", "page-faults"]
[gauges]
idle_baseline_s = 0.0
[simulate]
when = "never"
"""


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Runs of all frameworks; environments that are not there yet are made."""
    folder = tmp_path_factory.mktemp("every")
    (folder / "every.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
        patch.setenv("HWPROF_CACHE", os.fspath(folder / "cache"))
        wanted = [name for name in MADE if interpreters.registered(name) is None]
        if wanted:
            assert main(["env", "create", *wanted]) == 0
        main(["sweep", str(folder / "every.toml"), "--results", str(folder / "every.db")])
        with Results.open(folder / "every.db") as results:
            return list(results.runs())


@pytest.mark.parametrize("framework", [*MADE, "caffe"])
def test_it_runs_and_computes_the_reference(framework: str, swept: list[Run]) -> None:
    runs = [run for run in swept if run.case.framework == framework and run.failure is None]
    failures = [run.failure for run in swept if run.case.framework == framework and run.failure is not None]
    assert {(run.case.network, run.case.batch) for run in runs} == {(n, b) for n in NETWORKS for b in (1, 4)}, failures
    for run in runs:
        assert run.fidelity is not None
        assert run.fidelity.max_rel < 1e-3
        assert run.fidelity.top1 == 1.0
        assert run.facts["precision"] == "fp32"
        assert run.facts.get("threads", run.facts.get("threads_asked")) == 1
        assert any(version for name, version in run.software["distributions"].items() if name != "numpy")


def test_xnnpack_takes_litert_networks_when_it_is_on(swept: list[Run]) -> None:
    delegates = {run.facts["delegates"] for run in swept if run.case.framework == "litert" and run.failure is None}
    assert delegates == {1}
