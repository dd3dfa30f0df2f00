"""What documentation, scripts and comments name is there: files, modules, and targets of make."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from hwprof.plugins import BUILT_IN

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hwprof"
TEXTS = ("README.md", "Makefile", "pyproject.toml", ".ci/run", "run", "test", "tools/*", "docs/**/*.md", "docs/**/*.py")
SOURCES = ("hwprof/**/*.py", "hwprof/**/*.[ch]", "hwprof/**/*.toml", "benchmarks/*.py", "tests/conftest.py")
FOLDERS = {path.name for path in PACKAGE.iterdir() if path.is_dir()} | {
    "hwprof",
    "tests",
    "tools",
    "benchmarks",
    "docs",
}
FILE = re.compile(
    rf"(?<![\w/.-])(?:(?:{'|'.join(sorted(FOLDERS))})/[\w/.-]*\w\.(?:py|c|h|sh|toml|html|css|js|md)\b"
    r"|(?:hwprof|tests)/[\w/.-]*\w(?![\w*<]))"
)
MODULE = re.compile(r"(?<![\w/@.-])hwprof((?:\.[A-Za-z_]\w*)+)")
TARGET = re.compile(r"\bmake ((?:test|release)-[a-z]+(?:-[a-z]+)*)")
# No modules: the results file, a logger, entry-point groups. And the reader's own CPU table; NAME stands for any.
OTHERS = {"hwprof.db", "hwprof.h", "hwprof.mxnet", "hwprof.__file__", *BUILT_IN}
OWN = {"hwprof/configs/cpus/vendor-core.toml"}


def texts() -> Iterator[tuple[Path, str]]:
    """Every text that names something of the project."""
    for pattern in (*TEXTS, *SOURCES):
        yield from ((path, path.read_text()) for path in sorted(ROOT.glob(pattern)) if path.is_file())


def is_module(name: str) -> bool:
    """Whether a dotted name leads to a package, a module, or a word of one."""
    place, *parts = PACKAGE, *name.split(".")[1:]
    for part in parts:
        if (place / part).is_dir():
            place /= part
        elif (place / f"{part}.py").is_file():
            place /= f"{part}.py"
        else:
            source = place if place.suffix else place / "__init__.py"
            return re.search(rf"\b{part}\b", source.read_text()) is not None
    return True


def test_every_file_that_a_text_names_is_there() -> None:
    places = (ROOT, PACKAGE)
    lost = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path, text in texts()
        for found in FILE.finditer(text)
        if found[0] not in OWN
        and "NAME" not in found[0]
        and not any((place / found[0]).exists() for place in (*places, path.parent))
    ]
    assert lost == []


def test_every_module_that_a_text_names_is_there() -> None:
    lost = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path, text in texts()
        for found in MODULE.finditer(text)
        if found[0] not in OTHERS and not is_module(found[0])
    ]
    assert lost == []


def test_every_target_of_make_that_a_text_names_is_there() -> None:
    targets = re.findall(r"^([a-z-]+)%?:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    pattern = next(target for target in targets if target.endswith("-"))
    parts = re.findall(r"^([a-z-]+) \|", (ROOT / "tools/release.sh").read_text(), re.MULTILINE)
    known = {*targets, *(pattern + part for part in parts)}
    assert {name for _, text in texts() for name in TARGET.findall(text)} - known == set()


NOUNLESS = {"told", "apart", "aside", "ahead", "behind", "begun", "given", "taken", "lies", "lying"}
# Of before the rule.
EARLIER = {
    "hwprof/analysis/answer/model.py: apart",
    "hwprof/analysis/bottlenecks/system.py: TAKEN",
    "hwprof/analysis/bottlenecks/verdicts.py: taken",
}


def names(tree: ast.AST) -> Iterator[str]:
    """Names that others use: of classes, functions, attributes, and of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef | ast.Module):
            yield from (
                s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
            )
            targets = (t for s in node.body if isinstance(s, ast.Assign) for t in s.targets)
            yield from (t.id for t in targets if isinstance(t, ast.Name))


def test_no_name_is_a_participle_or_an_adverb_alone() -> None:
    """A name says what it names: no one knows what `told` or `apart` is without its docstring."""
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in PACKAGE.rglob("*.py")
        for name in names(ast.parse(path.read_text()))
        if name.strip("_").lower() in NOUNLESS
    }
    assert sorted(found - EARLIER) == []
