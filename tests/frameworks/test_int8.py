"""INT8 in the frameworks that quantise in environments of their own: a small network each, quantised and run there."""

from __future__ import annotations

import os

import pytest

from hwprof import plugins
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.frameworks import environments
from hwprof.records import Run
from hwprof.store import Results

pytestmark = [pytest.mark.environments, pytest.mark.timeout(3600)]
# As it was before any test got one of its own.
HOME = interpreters.home()
MADE = ("executorch", "litert", "mxnet", "openvino")
PRODUCTS = 7  # convolutions and matrix products of tiny_cnn
EXPERIMENT = """format = 1
name = "int8"
rounds = 1
[matrix]
frameworks = ["executorch", "litert", "mxnet", "openvino", "pytorch"]
networks = ["tiny_cnn"]
precision = ["int8"]
[measure]
iterations = 3
min_iterations = 3
warmup_iterations = 1
timeout_s = 600
[counters]
events = ["task-clock"]
[gauges]
idle_baseline_s = 0.0
[simulate]
when = "never"
"""


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each framework; absent environments are made. ExecuTorch's has all that PyTorch needs."""
    folder = tmp_path_factory.mktemp("int8")
    (folder / "int8.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
        for adapter in environments.find_missing(MADE):
            environments.create(adapter)
        python = interpreters.registered_python("executorch")
        assert python
        home = folder / "environments"
        home.mkdir()
        for name in (*MADE, "tensorflow"):
            (home / name).symlink_to(HOME / name)
        patch.setenv("HWPROF_ENVIRONMENTS", os.fspath(home))
        patch.setenv("HWPROF_CACHE", os.fspath(folder / "cache"))
        environments.create(plugins.adapter("pytorch"), python)
        assert main(["sweep", str(folder / "int8.toml"), "--results", str(folder / "int8.db")]) == 0
        with Results.open(folder / "int8.db") as results:
            return {run.case.framework: run for run in results.runs()}


@pytest.mark.parametrize("framework", [*MADE, "pytorch"])
def test_integer_kernels_err_as_their_simulation_does(framework: str, quantised: dict[str, Run]) -> None:
    run = quantised[framework]
    assert run.failure is None
    assert sum(run.facts["computed"].values()) == PRODUCTS
    assert run.facts["computed"]["int8"] >= PRODUCTS - 2  # OpenVINO leaves depthwise convolutions in FP32 without VNNI
    assert run.fidelity is not None
    assert run.fidelity.faithful
    assert run.fidelity.max_rel is not None
    assert run.fidelity.max_rel > 1e-3  # FP32 is at 1e-6
    assert run.fidelity.inputs == 64


def test_ranges_in_openvino_are_those_of_all_images(quantised: dict[str, Run]) -> None:
    found = quantised["openvino"].fidelity
    assert found is not None
    assert found.simulated_rel is not None
    assert found.max_rel is not None
    assert found.max_rel < 1.5 * found.simulated_rel  # averaged over images: 1.7 times and more


def test_what_was_quantised_with_is_in_the_record(quantised: dict[str, Run]) -> None:
    for run in quantised.values():
        assert run.facts["calibration"] == {"images": "seeded", "count": 64}
