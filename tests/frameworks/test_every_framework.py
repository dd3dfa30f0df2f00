"""The sweep of every framework in one command, environments and all, at full size and with few iterations: faithful.

TVM without tuning takes half a minute for four images of ResNet-50: that is left to the experiment itself.
"""

from __future__ import annotations

import os
import re

import pytest

from hwprof import experiment
from hwprof.cli import main
from hwprof.frameworks import interpreters
from hwprof.records import Run
from hwprof.store import Results

pytestmark = [pytest.mark.environments, pytest.mark.timeout(5400)]
# As it was before any test got one of its own.
HOME = interpreters.home()
EVERY = experiment.load("every-framework")
LEFT_OUT = ("tvm", "resnet50")
VARIANTS = sorted({(choice.framework, choice.options) for choice in EVERY.choices})
CASES = {(choice.framework, choice.network, choice.batch) for choice in EVERY.choices} - {
    (*LEFT_OUT, 1),
    (*LEFT_OUT, 4),
}
SHORT = """[measure]
iterations = 2
min_iterations = 2
warmup_iterations = 1
timeout_s = 1800

[counters]
events = ["task-clock", "page-faults"]

[gauges]
idle_baseline_s = 0.0
"""


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Runs of all frameworks; environments that are not there yet are made."""
    folder = tmp_path_factory.mktemp("every")
    text, changes = re.subn(r"(?s)\[measure\].*", SHORT, EVERY.text.replace("rounds = 3", "rounds = 1"))
    assert changes == 1
    left_out = 'exclude = [{{framework = "{}", network = "{}"}}]\n'.format(*LEFT_OUT)
    text = text.replace("[measure]", f"{left_out}\n[measure]")
    (folder / "every.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
        patch.setenv("HWPROF_CACHE", os.fspath(folder / "cache"))
        main(["sweep", str(folder / "every.toml"), "--create-environments", "--results", str(folder / "every.db")])
        with Results.open(folder / "every.db") as results:
            return list(results.runs())


@pytest.mark.parametrize(("framework", "options"), VARIANTS, ids=lambda part: str(part) if part else "-")
def test_it_runs_and_computes_the_reference(
    framework: str, options: tuple[tuple[str, object], ...], swept: list[Run]
) -> None:
    asked = [run for run in swept if (run.case.framework, run.case.options) == (framework, options)]
    runs = [run for run in asked if run.failure is None]
    failures = [run.failure for run in asked if run.failure is not None]
    measured = {(framework, run.case.network, run.case.batch) for run in runs}
    assert measured == {case for case in CASES if case[0] == framework}, failures
    for run in runs:
        assert run.case.size == 224
        assert run.fidelity is not None
        assert run.fidelity.max_rel < 1e-3
        assert run.fidelity.top1 == 1.0
        assert run.facts["version"]
        assert run.facts["precision"] == "fp32"
        assert run.facts.get("threads", run.facts.get("threads_asked")) == 1
        assert any(version for name, version in run.software["distributions"].items() if name != "numpy")


def test_xnnpack_takes_litert_networks_when_it_is_on(swept: list[Run]) -> None:
    told = [run.facts["delegates"] for run in swept if run.case.framework == "litert" and run.failure is None]
    assert len(told) == 6
    assert min(told) >= 1  # two parts of ResNet-50: an operator of its own between them
