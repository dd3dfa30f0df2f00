"""The example package of the documentation, truly installed: a framework like the built-in ones."""

from __future__ import annotations

import json
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
