"""No Python that hwprof starts runs a module which happens to lie in the working directory."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from hwprof.environments import interpreters
from hwprof.frameworks import installer
from hwprof.plan import runners

ROOT = Path(__file__).parents[1]
NAMES = ("argparse", "csv", "ensurepip", "json", "numpy", "onnx", "onnxruntime", "pip", "sqlite3", "tomllib", "venv")
PLANT = """
import os
open({marker!r}, "a").write(os.path.basename(__file__) + chr(10))
raise SystemExit("a file of the working directory was run")
"""
# Words of other programs that look like Python's -m and -c: (file below the root, the word).
OTHERS = {
    ("hwprof/boards/machines.py", "-m"),
    ("hwprof/studies/validation/build.py", "-c"),
    ("hwprof/frameworks/tvm/adapter.py", "-c"),
}
SAFE = {"-P", "-I"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory full of modules with common names; returns the file that they write when they are run."""
    folder, marker = tmp_path / "work", tmp_path / "was-run"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(PLANT.format(marker=str(marker)))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    interpreters.inspect.cache_clear()
    runners.version.cache_clear()
    return marker


def was_run(marker: Path) -> str:
    return marker.read_text() if marker.exists() else ""


def test_the_plants_are_run_by_a_python_that_is_not_told_otherwise(planted: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--help"], capture_output=True, check=False)
    assert was_run(planted) == "venv.py\n"


def test_making_an_environment(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Sequence[str]] = []

    def call(words: Sequence[str], environ: Mapping[str, str]) -> None:
        calls.append(words)

    monkeypatch.setattr(installer, "call", call)
    monkeypatch.setattr("shutil.which", lambda name: None)  # no uv
    python = installer.install(tmp_path / "new", sys.executable, ["six"], say=lambda line: None)
    assert [words[0] for words in calls] == [sys.executable, python]
    for words in calls:
        done = subprocess.run([sys.executable, *words[1:], "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    installer.pip_settings(sys.executable)
    assert was_run(planted) == ""


def test_looking_for_a_framework_and_for_a_runners_version(planted: Path) -> None:
    assert interpreters.inspect("numpy").error is None
    command = ("{python}", "-c", "import json; print(json.__file__)")
    assert "work" not in Path(runners.version(command, sys.executable, "some") or "work").parts
    assert was_run(planted) == ""


def test_measuring_a_case(planted: Path, cache: Path) -> None:
    words = ["run", "-f", "onnxruntime", "-n", "tiny_cnn", "-r", "1", "--window", "0.02", "--no-save"]
    command = [sys.executable, "-m", "hwprof", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert was_run(planted) == ""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("hwprof", "benchmarks", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def unsafe(name: str, tree: ast.Module) -> Iterator[str]:
    """Command lines of a Python in a module's source that say neither -P nor -I."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            words = [e.value if isinstance(e, ast.Constant) else ast.unparse(e) for e in node.elts]
            switch = next((w for w in words[1:] if w in ("-c", "-m")), None)
            started = bool(words) and words[0] == "sys.executable" and len(words) > 1
            before = set(words[: words.index(switch)] if switch else words)
            if (started or (switch and (name, switch) not in OTHERS)) and not SAFE & before:
                yield f"{name}:{node.lineno}: {ast.unparse(node)[:90]}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            for line in node.value.splitlines():
                if re.search(r"\bpython3? +-(?![PI])[a-zA-Z]", line):
                    yield f"{name}:{node.lineno}: {line.strip()[:90]}"


def test_every_command_line_of_a_python_in_the_sources_leaves_the_working_directory_out() -> None:
    assert [found for name, tree in sources() for found in unsafe(name, tree)] == []


@pytest.mark.parametrize(
    "line", ["f([sys.executable, '-m', 'x'])", "f((python, '-S', '-c', text))", "f('exec python3 -m hwprof')"]
)
def test_one_that_does_not_is_found(line: str) -> None:
    assert list(unsafe("some.py", ast.parse(line)))


@pytest.mark.parametrize("script", ["run", "tools/environment.sh"])
def test_the_shell_scripts_too(script: str) -> None:
    lines = (ROOT / script).read_text().splitlines()
    assert [line for line in lines if re.search(r'"\$(PY|base|candidate|1)" -(?![PI])', line)] == []
