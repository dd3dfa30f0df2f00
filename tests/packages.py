"""Packages with entry points, installed into a folder as pip does it, and hwprof run with that folder on its path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def require_setuptools() -> None:
    """Skip where no package can be built without the network."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("needs setuptools 77, as a build of its own would install")


def install(package: Path, folder: Path) -> Path:
    """A site-packages below `folder` with `package`, entry points and all; no network is needed."""
    require_setuptools()
    source = folder / "source"  # a build leaves files beside its source
    shutil.copytree(package, source)
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", "pip", *words, str(source)], check=True, cwd=folder)
    return folder / "site"


def register(site: Path, name: str, text: str, group: str, entries: Mapping[str, str]) -> None:
    """A module `name` with entry points, as an installed package leaves it behind; quicker than pip."""
    (site / f"{name}.py").write_text(text)
    about = site / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{entry} = {value}" for entry, value in entries.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")


def hwprof(site: Path, *words: str, where: Path) -> subprocess.CompletedProcess[str]:
    """A command of hwprof with the folder on its path, as a site-packages would be."""
    environ: Mapping[str, str] = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "hwprof", *words]
    return subprocess.run(command, env=environ, cwd=where, capture_output=True, text=True, check=False)
