"""The plan of the packages: what docs/architecture.md says of it is what the contract, the sources and a run say.

python -m tests.test_architecture    prints the page's table anew
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hwprof.worker.protocol import Task

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hwprof"
PAGE = ROOT / "docs/architecture.md"
LONGEST = 350
LOOSE = 12
# Who calls upwards in a run, by intention: a door opens what others installed, the JSON form makes the records.
CALLBACKS = {("plugins", "collectors"), ("json_form", "records")}


def contract() -> list[list[str]]:
    """The floors of the contract, the highest first."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (floors,) = (c["layers"] for c in linter["contracts"] if c["id"] == "floors")
    return [[name.strip() for name in floor.split("|")] for floor in floors]


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def purpose(name: str) -> str:
    """The first sentence of what a package or module says of itself."""
    path = PACKAGE / name / "__init__.py" if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return re.split(r"\.(?=\s|$)", " ".join(text.split()), maxsplit=1)[0]


def table() -> str:
    """The floors as the page shows them."""
    lines = ["| package | what it is for |", "| --- | --- |"]
    for floor in contract():
        lines += [f"| `{name}{'/' if (PACKAGE / name).is_dir() else '.py'}` | {purpose(name)} |" for name in floor]
    return "\n".join(lines)


def test_the_page_shows_the_floors_of_the_contract() -> None:
    assert table() in PAGE.read_text()


def test_every_package_says_what_it_is_for() -> None:
    fronts = [p for p in PACKAGE.rglob("__init__.py") if "configs" not in p.parts]
    assert [str(p.relative_to(ROOT)) for p in fronts if not ast.get_docstring(ast.parse(p.read_text()))] == []


def test_the_top_has_few_loose_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= LOOSE


def test_no_file_is_long() -> None:
    assert [str(path) for path, _ in sources() if len(path.read_text().splitlines()) > LONGEST] == []


def test_a_class_name_has_one_meaning() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(homes) > 200
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_the_page_names_every_task_of_a_worker() -> None:
    (line,) = (line for line in PAGE.read_text().splitlines() if line.startswith("- **Tasks**"))
    assert re.findall(r"`(\w+)`", line) == [task.value for task in Task]


TRACE = """
import json, sys
from hwprof.cli import main

calls = {}

def package(frame):
    name = frame.f_globals.get("__name__", "")
    return name.split(".")[1] if name.startswith("hwprof.") else None

def hook(frame, event, argument):
    if event != "call" or frame.f_code.co_name == "<module>" or (called := package(frame)) is None:
        return
    caller = frame.f_back
    while caller is not None and package(caller) is None:
        caller = caller.f_back
    if caller is not None and caller.f_code.co_name != "<module>":
        calls[package(caller), called] = f"{caller.f_code.co_qualname} -> {frame.f_code.co_qualname}"

sys.setprofile(hook)
try:
    code = main(sys.argv[2:])
finally:
    sys.setprofile(None)
with open(sys.argv[1], "w") as file:
    json.dump([[*pair, example] for pair, example in calls.items()], file)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """(caller's package, called package) -> an example, of a real `hwprof run` in the launcher's process."""
    folder = tmp_path_factory.mktemp("run")
    case = ("-f", "onnxruntime", "-n", "tiny_cnn", "--size", "32", "--window", "0.05", "--rounds", "1")
    words = ["run", *case, "--results", str(folder / "r.db")]
    command = [sys.executable, "-P", "-c", TRACE, str(folder / "calls.json"), *words]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    found: list[Any] = json.loads((folder / "calls.json").read_text())
    return {(caller, called): example for caller, called, example in found}


def test_a_run_passes_each_package_once_on_the_way_out(calls: dict[tuple[str, str], str]) -> None:
    """Every call goes down the floors, so that no stack of calls comes to a package twice."""
    height = {name: -number for number, floor in enumerate(contract()) for name in floor}
    upwards = {(a, b): example for (a, b), example in calls.items() if a != b and height[a] <= height[b]}
    assert {pair: example for pair, example in upwards.items() if pair not in CALLBACKS} == {}


def test_the_page_shows_the_way_of_a_run(calls: dict[tuple[str, str], str]) -> None:
    (block,) = re.findall(r"## The way of a run\n.*?```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    arrows = set(re.findall(r"^(\w+) -> (\w+)", block, re.MULTILINE))
    assert len(arrows) > 5
    assert arrows <= set(calls)


if __name__ == "__main__":
    print(table())
