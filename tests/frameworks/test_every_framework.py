"""The sweep of every framework in one command, environments and all: tiny networks, and those of the experiment at full
size with few iterations (`release`). Each computes what the reference does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.plan import experiment
from hwprof.records import Run
from hwprof.store import Results

# As it was before any test got one of its own.
HOME = interpreters.home()
EVERY = experiment.load("every-framework")
VARIANTS = sorted({(choice.framework, choice.options) for choice in EVERY.choices})
# Where a full sweep is kept, so that one that was stopped goes on; elsewhere it begins anew.
KEPT = os.environ.get("HWPROF_RELEASE", "")
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


@dataclass(frozen=True)
class Scale:
    """Which networks are swept, at which size."""

    networks: Mapping[str, int]  # name -> pixels
    left_out: tuple[str, str] = ("", "")  # framework, network

    @property
    def cases(self) -> set[tuple[str, str, int, int]]:
        """Framework, network, pixels, batch."""
        batches = {choice.batch for choice in EVERY.choices}
        return {
            (framework, network, size, batch)
            for framework, _ in VARIANTS
            for network, size in self.networks.items()
            for batch in batches
            if (framework, network) != self.left_out
        }

    def experiment(self) -> str:
        """The text of the sweep."""
        text, changes = re.subn(r"(?s)\[measure\].*", SHORT, EVERY.text.replace("rounds = 3", "rounds = 1"))
        assert changes == 1
        if self.left_out != ("", ""):
            excluded = 'exclude = [{{framework = "{}", network = "{}"}}]'.format(*self.left_out)
            text = text.replace("[measure]", f"{excluded}\n\n[measure]")
        names = ", ".join(f'"{name}"' for name in self.networks)
        sizes = sorted(set(self.networks.values()))
        text, changes = re.subn(r"(?m)^networks = .*", f"networks = [{names}]\nsize = {sizes}", text)
        assert changes == 1
        return text


SCALES = {
    "tiny": Scale({"tiny_cnn": 32}),
    # TVM without tuning takes half a minute for four images of ResNet-50: that is left to the experiment itself.
    "full": Scale({"squeezenet1_1": 224, "mobilenet_v2": 224, "resnet50": 224}, ("tvm", "resnet50")),
}


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("tiny", marks=[pytest.mark.environments, pytest.mark.timeout(3600)]),
        pytest.param("full", marks=[pytest.mark.release, pytest.mark.timeout(3600)]),
    ],
)
def scale(request: pytest.FixtureRequest) -> str:
    """A name of SCALES."""
    return str(request.param)


@pytest.fixture(scope="session")
def swept(scale: str, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Runs of all frameworks; environments that are not there yet are made."""
    folder = tmp_path_factory.mktemp("every")
    kept = Path(KEPT) if KEPT and scale == "full" else folder
    (folder / "every.toml").write_text(SCALES[scale].experiment())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
        patch.setenv("HWPROF_CACHE", os.fspath(kept / "cache"))
        main(["sweep", str(folder / "every.toml"), "--create-environments", "--results", str(kept / "every.db")])
        with Results.open(kept / "every.db") as results:
            return list(results.runs())


@pytest.mark.parametrize(("framework", "options"), VARIANTS, ids=lambda part: str(part) if part else "-")
def test_it_runs_and_computes_the_reference(
    framework: str, options: tuple[tuple[str, object], ...], scale: str, swept: list[Run]
) -> None:
    asked = [run for run in swept if (run.case.framework, run.case.options) == (framework, options)]
    runs = [run for run in asked if run.failure is None]
    failures = [run.failure for run in asked if run.failure is not None]
    measured = {(framework, run.case.network, run.case.size, run.case.batch) for run in runs}
    assert measured == {case for case in SCALES[scale].cases if case[0] == framework}, failures
    for run in runs:
        assert run.fidelity is not None
        assert run.fidelity.max_rel is not None
        assert run.fidelity.max_rel < 1e-3
        assert run.fidelity.top1 == 1.0
        assert run.facts["version"]
        assert run.facts["precision"] == "fp32"
        assert run.facts.get("threads", run.facts.get("threads_asked")) == 1
        assert any(version for name, version in run.software["distributions"].items() if name != "numpy")


def test_xnnpack_takes_litert_networks_when_it_is_on(scale: str, swept: list[Run]) -> None:
    delegates = [run.facts["delegates"] for run in swept if run.case.framework == "litert" and run.failure is None]
    assert len(delegates) == sum(case[0] == "litert" for case in SCALES[scale].cases)
    assert min(delegates) >= 1  # two parts of ResNet-50: an operator of its own between them
