"""The tree as drawn, and the package as built."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hwprof.plugins import BUILT_IN, load
from tests.packages import require_setuptools

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["collectors", "frameworks", "analysis", "configs", "reports"])
def test_each_room_at_top_level_is_a_link_into_the_package(name: str) -> None:
    link = ROOT / name
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == (ROOT / "hwprof" / name).resolve()


def test_entry_points_of_the_table_are_those_of_the_project() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert {group: dict(entries) for group, entries in BUILT_IN.items()} == declared
    for entries in declared.values():
        for path in entries.values():
            assert load(path) is not None


def test_the_wheel_holds_the_package_with_all_its_data_and_nothing_else(tmp_path: Path) -> None:
    require_setuptools()
    source = tmp_path / "source"
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(["cp", "-a", str(ROOT / "hwprof"), str(source / "hwprof")], check=True)
    subprocess.run([*words, str(source)], check=True, cwd=tmp_path)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    tree = {path.relative_to(ROOT).as_posix() for path in (ROOT / "hwprof").rglob("*") if path.is_file()}
    assert {n for n in names if ".dist-info/" not in n} == {n for n in tree if "__pycache__" not in n}


def dependencies() -> set[str]:
    """Distributions that hwprof can't be installed without, in lower case."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {Requirement(text).name.lower() for text in wanted}


def test_every_dependency_is_imported_by_the_package() -> None:
    nodes = [n for path in (ROOT / "hwprof").rglob("*.py") for n in ast.walk(ast.parse(path.read_text()))]
    imported = {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}
    imported |= {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    assert dependencies() - {name.partition(".")[0] for name in imported} == set()


def test_riscv_is_asked_for_debians_package_of_every_dependency() -> None:
    script = (ROOT / "tools/environment.sh").read_text()
    packages = set(script.partition('DEBIAN_PACKAGES="')[2].partition('"')[0].split())
    modules = set(script.partition("for module in ")[2].partition(";")[0].split())
    assert {f"python3-{name}" for name in dependencies()} - packages == set()
    assert dependencies() - modules == set()
