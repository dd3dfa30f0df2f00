"""The twenty-five tasks of docs/tasks.md run as they stand there, and each ends with its line."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hwprof.records import Run
from hwprof.store import Results
from tests.analysis.planted import in_slices, several
from tests.factories import make_run, network_facts
from tests.scripts import write_script
from tests.studies.accuracy import colours

PAGE = Path(__file__).parents[1] / "docs" / "tasks.md"
TASK = re.compile(
    r"^### (\d+)\. ([^\n]+)\n([^\n]+)\n```console\n\$ ([^\n]+)\n(?:\.\.\.\n)?([^\n]+)\n```$", re.MULTILINE
)
NETWORKS = ("squeezenet1_1", "mobilenet_v2", "resnet18", "resnet50", "googlenet", "alexnet")
EXPERIMENT = """format = 1
name = "two"
rounds = 2

[matrix]
frameworks = ["onnxruntime", "opencv"]
networks = ["tiny_cnn", "squeezenet1_1"]
size = 64

[measure]
window_s = 0.1
warmup_max_s = 0.5
"""


class Task(NamedTuple):
    """One task of the page. `line`: the last one of its output, with `...` for any text."""

    number: int
    title: str
    sentence: str
    command: str
    line: str


class Ended(NamedTuple):
    """What came of a task: its output without empty lines, stderr in it, and the exit code of the shell."""

    lines: tuple[str, ...]
    code: int


TASKS = tuple(Task(int(number), *rest) for number, *rest in TASK.findall(PAGE.read_text()))


def counted_runs(machine: Mapping[str, str] | None = None, networks: tuple[str, ...] = NETWORKS) -> list[Run]:
    """Results with every counter: OpenCV executes twice the instructions of ONNX Runtime."""
    runs = []
    for network in networks:
        macs, params, _ = network_facts(network)
        for framework, times in (("onnxruntime", 1.0), ("opencv", 2.0)):
            fields: dict[str, Any] = {"machine": machine} if machine else {}
            for run in several(3, framework=framework, network=network, work=0.3 * macs * times, **fields):
                own = in_slices(run, f"{network} {run.round}")
                runs.append(dataclasses.replace(own, macs=macs, params=params))
    return runs


def store(path: Path, runs: list[Run], experiment: str) -> None:
    """A results file of one experiment."""
    with Results.create(path) as results:
        identity = results.begin_experiment(experiment, "", f"hash of {path.name}", 0)
        for run in runs:
            results.add(run, identity)


def prepare(folder: Path) -> None:
    """The files that the page takes as given."""
    store(folder / "quick.db", counted_runs(), "quick")
    store(folder / "board.db", counted_runs({"label": "another board"}, NETWORKS[:1]), "quick")
    for name, fps in (("old", 40.0), ("new", 30.0)):
        rounds = [make_run(network="alexnet", fps=fps * (1 + 0.001 * i), round=i) for i in range(3)]
        store(folder / f"{name}.db", rounds, "nightly")
    colours.write_network(folder / "mine.onnx")
    colours.draw(folder / "images")
    (folder / "two.toml").write_text(EXPERIMENT)
    write_script(folder / "prog", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ended]:
    """Every task in order, in one folder, as a reader would run them."""
    folder = tmp_path_factory.mktemp("tasks")
    prepare(folder)
    environ = {n: v for n, v in os.environ.items() if not n.startswith(("HWPROF_", "PYTHON"))}
    environ |= {
        "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
        "HWPROF_CACHE": str(tmp_path_factory.getbasetemp() / "hwprof-cache"),
        "COLUMNS": "120",
    }
    found = {}
    for task in TASKS:
        command = ["bash", "-c", task.command]
        done = subprocess.run(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=120,
        )  # fmt: skip
        lines = tuple(line for line in done.stdout.splitlines() if line.strip())
        found[task.number] = Ended(lines or ("",), done.returncode)
    return found


def test_the_page_has_twenty_five_tasks_each_of_one_sentence() -> None:
    assert [task.number for task in TASKS] == list(range(1, 26))
    assert PAGE.read_text().count("```console") == 25
    for task in TASKS:
        assert re.fullmatch(r"[A-Z].*[^.]\.", task.sentence), task.sentence
        assert ". " not in task.sentence, task.sentence


def test_a_line_is_compared_with_any_text_where_the_page_has_dots() -> None:
    assert matches("run ... -> ...hwprof.db", "run 7f3a -> /tmp/hwprof.db")
    assert not matches("run ... -> ...hwprof.db", "run 7f3a -> /tmp/other.db")
    assert not matches("exit code 1", "exit code 10")


def matches(line: str, printed: str) -> bool:
    """Whether a printed line is that of the page."""
    parts = [re.escape(part) for part in line.split("...")]
    return re.fullmatch(".*".join(parts), printed) is not None


def task_marks(task: Task) -> list[pytest.MarkDecorator]:
    """What a task needs of the machine."""
    needs_perf = task.command.startswith("hwprof record")
    return [pytest.mark.slow, *([pytest.mark.perf, pytest.mark.counting] if needs_perf else [])]


@pytest.mark.parametrize("task", [pytest.param(t, id=str(t.number), marks=task_marks(t)) for t in TASKS])
def test_a_task_ends_with_its_line(ended: dict[int, Ended], task: Task) -> None:
    found = ended[task.number]
    assert matches(task.line, found.lines[-1]), "\n".join([f"$ {task.command}", *found.lines[-15:]])
    assert found.code == 0, "\n".join(found.lines[-15:])
