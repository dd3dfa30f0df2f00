"""A framework is one folder: nothing outside frameworks/ names it, but for what is listed here with its reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwprof import plugins

PACKAGE = Path(plugins.__file__).parent
NAMES = re.compile(rf"(?<![\w-])({'|'.join(plugins.BUILT_IN['hwprof.frameworks'])})(?![\w-])")
# File or folder below hwprof/ -> why a framework's name may stand in it.
EXCEPTIONS = {
    "api.py": "the default framework",
    "cli": "the default framework, and examples in help and remedies",
    "plan/experiment.py": "an example in an error message",
    "analysis/explain/selectors.py": "examples in error messages",
    "networks/torch_programs.py": "who can install torch, whose file format .pt2 is",
    "networks/preprocess.py": "a decoder of images",
}


def named(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every framework in a literal or an import; docstrings may name what they like."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            texts = [node.value]
        elif isinstance(node, ast.Import):
            texts = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            texts = [node.module or "", *(alias.name for alias in node.names)]
        else:
            continue
        for text in texts:
            for match in NAMES.finditer(text):
                yield node.lineno, match[1]


def places() -> dict[str, list[tuple[int, str]]]:
    """File below hwprof/ -> names of frameworks in it, outside frameworks/."""
    files = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "frameworks"]
    found = {path.relative_to(PACKAGE).as_posix(): list(named(path.read_text())) for path in files}
    return {path: names for path, names in found.items() if names}


def excused(path: str) -> str:
    return next((e for e in EXCEPTIONS if path == e or path.startswith(f"{e}/")), "")


def test_nothing_outside_its_folder_names_a_framework() -> None:
    assert {path: names for path, names in places().items() if not excused(path)} == {}


def test_every_exception_is_still_one() -> None:
    assert {excused(path) for path in places()} - {""} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    "line",
    [
        'TABLE = {"opencv": 1}',
        "from hwprof.frameworks.opencv import ADAPTER",
        "import hwprof.frameworks.opencv.adapter",
        "from hwprof.frameworks import opencv",
        'x = f"{a} like opencv:fusion=false"',
    ],
)
def test_a_name_is_seen(line: str) -> None:
    assert list(named(f'"""About opencv."""\n{line}')) == [(2, "opencv")]


@pytest.mark.parametrize("line", ['x = "opencv5x"', 'x = "python3-opencv-dev"', 'def f():\n    """As opencv."""'])
def test_other_words_and_prose_are_none(line: str) -> None:
    assert list(named(line)) == []


@pytest.mark.parametrize("name", plugins.BUILT_IN["hwprof.frameworks"])
def test_a_framework_is_a_folder_of_files_under_350_lines_with_its_page(name: str) -> None:
    folder = PACKAGE / "frameworks" / name
    assert all(len(path.read_text().splitlines()) < 350 for path in folder.glob("*.py"))
    assert (PACKAGE.parent / "docs/frameworks" / f"{name}.md").is_file()
    assert plugins.adapter(name).name == name
