"""The table of a worker's tasks, and what the launcher's side knows of the worker."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hwprof
from hwprof import plugins
from hwprof.worker.main import TASKS
from hwprof.worker.protocol import Task

PACKAGE = Path(hwprof.__file__).parent
DOOR = "hwprof.worker.protocol"


def modules_imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("task", Task)
def test_every_task_has_a_function(task: Task) -> None:
    assert callable(plugins.load(TASKS[task]))


def test_the_launchers_side_knows_only_the_protocol_of_the_worker() -> None:
    strangers = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "worker"
        for name in modules_imported(ast.parse(path.read_text()))
        if name.startswith("hwprof.worker") and not name.startswith(f"{DOOR}.")
    }
    assert strangers == set()
