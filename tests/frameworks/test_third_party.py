"""The example package of the documentation, truly installed: a framework like the built-in ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.packages import ROOT, hwprof, install

pytestmark = pytest.mark.slow

PACKAGE = ROOT / "docs/examples/adapter-package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it."""
    return install(PACKAGE, tmp_path_factory.mktemp("third-party"))


def test_it_is_listed_with_its_version_and_options(installed: Path, tmp_path: Path) -> None:
    done = hwprof(installed, "list", "frameworks", "--json", where=tmp_path)
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(done.stdout)["frameworks"]}
    import onnx

    assert rows["onnx-reference"]["version"] in (onnx.__version__, "?")
    assert rows["onnx-reference"]["options"] == {"blas": ["single", "threaded"]}
    assert "onnxruntime" in rows


def test_it_is_measured_faithful_and_recorded(installed: Path, tmp_path: Path, cache: Path) -> None:
    words = ("run", "-f", "onnx-reference", "-n", "tiny_cnn", "-s", "32", "-t", "2", "--option", "blas=threaded")
    counts = ("-r", "1", "-w", "1", "--iterations", "2", "-e", "task-clock", "--json")
    done = hwprof(installed, *words, *counts, where=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["failure"] is None
    assert run["case"]["framework"] == "onnx-reference"
    assert run["case"]["options"] == [["blas", "threaded"]]
    assert run["facts"]["blas_threads"] == 2
    assert run["fidelity"]["max_rel"] < 1e-3
    assert run["software"]["distributions"]["hwprof-onnx-reference"] == "1.0"
    assert (tmp_path / "hwprof.db").exists()


TINY = ("-n", "tiny_cnn", "-s", "32", "-t", "2")
SHORT = ("-r", "2", "-w", "1", "--iterations", "2", "-e", "task-clock")


def test_its_switch_is_an_intervention_and_its_results_outlive_it(installed: Path, tmp_path: Path, cache: Path) -> None:
    for name in ("onnx-reference", "onnxruntime"):
        done = hwprof(installed, "run", "-f", name, *TINY, *SHORT, where=tmp_path)
        assert done.returncode == 0, done.stderr
    pair = ("explain", "onnx-reference", "onnxruntime", "--json")
    done = hwprof(installed, *pair, "--test", "simd", "--rounds", "3", "--window", "0.05", where=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" in done.stderr
    assert "has no switch for vector instructions" in done.stderr
    (rerun,) = json.loads(done.stdout)["explanations"][0]["interventions"]
    (effect,) = rerun["effects"]
    assert (rerun["kind"], effect["side"]) == ("simd", "A")
    assert effect["changed"] == "OPENBLAS_CORETYPE=Prescott"
    assert effect["limit"] == "NumPy's own loops keep their vectors"
    without = hwprof(tmp_path, *pair, where=tmp_path)
    assert without.returncode == 0, without.stderr
    (left,) = json.loads(without.stdout)["explanations"]
    assert (left["a"]["label"], left["interventions"]) == ("onnx-reference", [])


def test_its_layers_are_timed_and_lead_to_nodes_of_the_network(installed: Path, tmp_path: Path, cache: Path) -> None:
    words = ("layers", "-f", "onnx-reference", *TINY, "-r", "1", "--iterations", "2", "--json", "--no-save")
    done = hwprof(installed, *words, where=tmp_path)
    assert done.returncode == 0, done.stderr
    layers = json.loads(done.stdout)["layers"]["onnx-reference"]
    assert {"Conv", "Gemm"} <= {layer["op"] for layer in layers}
    assert all(layer["ns"] > 0 and layer["origins"] for layer in layers)


def test_it_is_a_column_of_the_matrix_with_its_conversion(installed: Path, tmp_path: Path, cache: Path) -> None:
    chosen = ("list", "frameworks", "-f", "onnx-reference", "--json")
    done = hwprof(installed, *chosen, "--matrix", "-n", "tiny_cnn", "--size", "32", where=tmp_path)
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["column"], cell["faithful"]) == ("onnx-reference", True)
    (way,) = json.loads(hwprof(installed, *chosen, "--conversions", where=tmp_path).stdout)["frameworks"]
    assert (way["form"], way["means"]) == ("inlined-onnx", "ONNX without functions of its own")
    assert [(step["source"], step["target"], step["by"]) for step in way["steps"]] == [
        ("onnx", "inlined-onnx", "onnx.inliner")
    ]
    assert way["steps"][0]["seconds"], "the matrix has converted a network"


def test_doctor_and_env_know_it(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", str(tmp_path / "environments"))
    made = hwprof(installed, "env", "create", "onnx-reference", "--python", sys.executable, where=tmp_path)
    assert made.returncode == 0, made.stderr
    listed = hwprof(installed, "env", "list", where=tmp_path)
    assert "onnx-reference" in listed.stdout
    told = json.loads(hwprof(installed, "doctor", "--json", where=tmp_path).stdout)["findings"]
    (row,) = (finding for finding in told if finding["what"] == "onnx-reference")
    assert (row["area"], row["status"]) == ("frameworks", "ok")
    gone = hwprof(tmp_path, "env", "list", where=tmp_path)
    assert "Unknown framework" in gone.stdout
    assert hwprof(installed, "env", "remove", "onnx-reference", where=tmp_path).returncode == 0


def test_boards_and_the_riscv64_simulator_know_its_packages(installed: Path, tmp_path: Path) -> None:
    program = (
        "from hwprof.boards.image import contents_of; from hwprof.collectors.riscv import root;"
        "from hwprof.frameworks.debian import sets_of;"
        "print(*root.packages('onnx-reference')); print(*contents_of(sets_of(['onnx-reference'])).packages)"
    )
    environ = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all("python3-onnx" in line.split() for line in done.stdout.splitlines())


def test_an_option_it_does_not_declare_is_refused(installed: Path, tmp_path: Path) -> None:
    done = hwprof(installed, "run", "-f", "onnx-reference", "-n", "tiny_cnn", "--option", "mode=fast", where=tmp_path)
    assert done.returncode == 2
    assert "blas" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_package_it_is_unknown(tmp_path: Path) -> None:
    done = hwprof(tmp_path, "run", "-f", "onnx-reference", "-n", "tiny_cnn", where=tmp_path)
    assert done.returncode == 2
    assert "Unknown framework 'onnx-reference'" in done.stderr
