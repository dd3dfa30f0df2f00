"""The example package of the documentation, truly installed: a framework like the built-in ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "docs/examples/adapter-package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it, entry points and all; no network is needed."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("needs setuptools 77, as a build of its own would install")
    folder = tmp_path_factory.mktemp("third-party")
    source = folder / "source"  # a build leaves files beside its source
    shutil.copytree(PACKAGE, source)
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", "pip", *words, str(source)], check=True, cwd=folder)
    return folder / "site"


def hwprof(site: Path, *words: str, where: Path) -> subprocess.CompletedProcess[str]:
    """A command of hwprof with the folder on its path, as a site-packages would be."""
    environ: Mapping[str, str] = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "hwprof", *words]
    return subprocess.run(command, env=environ, cwd=where, capture_output=True, text=True, check=False)


def test_it_is_listed_with_its_version_and_options(installed: Path, tmp_path: Path) -> None:
    done = hwprof(installed, "frameworks", "--json", where=tmp_path)
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(done.stdout)}
    import onnx

    assert rows["onnx-reference"]["version"] in (onnx.__version__, "?")
    assert rows["onnx-reference"]["options"] == {"blas": ["single", "threaded"]}
    assert "onnxruntime" in rows


def test_it_is_measured_faithful_and_recorded(installed: Path, tmp_path: Path, cache: Path) -> None:
    words = ("run", "-f", "onnx-reference", "-n", "tiny_cnn", "-s", "32", "-t", "2", "--option", "blas=threaded")
    counts = ("-r", "1", "-w", "1", "--iterations", "2", "-e", "task-clock", "--json")
    done = hwprof(installed, *words, *counts, where=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)
    assert run["failure"] is None
    assert run["case"]["framework"] == "onnx-reference"
    assert run["case"]["options"] == [["blas", "threaded"]]
    assert run["facts"]["blas_threads"] == 2
    assert run["fidelity"]["max_rel"] < 1e-3
    assert run["software"]["distributions"]["hwprof-onnx-reference"] == "1.0"
    assert (tmp_path / "hwprof.db").exists()


def test_an_option_it_does_not_declare_is_refused(installed: Path, tmp_path: Path) -> None:
    done = hwprof(installed, "run", "-f", "onnx-reference", "-n", "tiny_cnn", "--option", "mode=fast", where=tmp_path)
    assert done.returncode == 2
    assert "blas" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_package_it_is_unknown(tmp_path: Path) -> None:
    done = hwprof(tmp_path, "run", "-f", "onnx-reference", "-n", "tiny_cnn", where=tmp_path)
    assert done.returncode == 2
    assert "unknown framework 'onnx-reference'" in done.stderr
