"""`hwprof explain` without a case is a table, with one it has all numbers; its former name does the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.records import Run
from tests.analysis.planted import several
from tests.cli.test_explain import NETWORKS, refused, said
from tests.cli.test_report import stored

# two fifths of the time others have the only core
WAITING: dict[str, Any] = {"system": {"run-queue-wait": 0.4}, "parallelism": 0.6}
OTHER_FRAMEWORKS = ("onnxruntime", "opencv")
LINES_BELOW = 20  # that 16 cases may have beside their own


def planted_cases(**of_one: Any) -> list[Run]:
    """Two frameworks on eight networks; `of_one`: fields of opencv's resnet50 alone."""
    return [
        run
        for framework in OTHER_FRAMEWORKS
        for network in NETWORKS
        for fields in (of_one if (framework, network) == ("opencv", "resnet50") else {},)
        for run in several(framework=framework, network=network, **{"system": {"run-queue-wait": 0.0}, **fields})
    ]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.usefixtures("narrow")
def test_sixteen_cases_are_a_line_each_and_a_few_lines_on_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored(tmp_path / "r.db", planted_cases(**WAITING))
    lines = said(capsys, "explain", str(path)).splitlines()
    assert len(lines) <= 16 + LINES_BELOW
    assert max(map(len, (line for line in lines if "hwprof " not in line))) <= 80
    rows = [line.split() for line in lines if line.startswith(OTHER_FRAMEWORKS)]
    assert [tuple(row[:2]) for row in rows] == sorted((f, n) for f in OTHER_FRAMEWORKS for n in NETWORKS)
    # what is not known of any case is said once
    below = [line for line in lines if line and not line.startswith(OTHER_FRAMEWORKS)]
    assert [line for line, count in Counter(below).items() if count > 1] == []
    text = " ".join(below)
    assert text.count("Not known for any case:") == 1
    for code in ("compute-bound", "memory-bandwidth-bound", "dispatch-overhead", "front-end-bound"):
        assert text.count(code) == 1
    assert text.count("peak FLOP/s") == 1
    assert "To know it: hwprof roofline --measure" in text


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    ("planted", "bound", "figure"),
    [
        (WAITING, "other-load", "40 % of time taken"),
        ({"work": 9e8}, "under-vectorised", "3.00 instructions/MAC"),
        ({"system": {"run-queue-wait": 0.0, "cgroup-throttled-time": 0.2}}, "throttled", "held back 20.0 %"),
    ],
)
def test_a_planted_bottleneck_is_named_in_its_line_and_in_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], planted: dict[str, Any], bound: str, figure: str
) -> None:
    path = stored(tmp_path / "r.db", planted_cases(**planted))
    lines = said(capsys, "explain", str(path)).splitlines()
    rows = [line for line in lines if line.startswith(OTHER_FRAMEWORKS)]
    (row,) = (line for line in rows if bound in line)
    assert row.split()[:3] == ["opencv", "resnet50", bound]
    assert row.endswith(figure)
    assert sum("none found" in line for line in rows) == 15
    cases = json.loads(said(capsys, "explain", str(path), "--json"))["cases"]
    bounds = {(c["case"]["framework"], c["case"]["network"]): c["bounded_by"] for c in cases if c["bounded_by"]}
    assert bounds == {("opencv", "resnet50"): bound}


def test_one_case_has_its_numbers_and_what_would_measure_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored(tmp_path / "r.db", planted_cases(**WAITING))
    text = " ".join(said(capsys, "explain", "opencv,network=resnet50", str(path)).split())
    assert "opencv resnet50 224px b1 t1 fp32" in text
    assert "It is bounded by other-load (certainty medium): the core is shared: 40 % of the time" in text
    assert "! other-load: yes, certainty medium" in text
    assert "its threads waited for a CPU 40.0 % of the time" in text
    assert "to try: stop what else runs there" in text
    assert "Not known (which rules nothing out):" in text
    assert "To know it: hwprof run -f opencv" in text
    assert f"hwprof explain opencv,network=resnet50 onnxruntime {path} why one is faster" in text
    assert "alexnet" not in text
    full = said(capsys, "explain", "opencv,network=resnet50", str(path), "--full")
    assert "too few faults" in full or "? paging: not known" in full


def test_a_selector_of_several_cases_narrows_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(stored(tmp_path / "r.db", planted_cases()))
    lines = said(capsys, "explain", "opencv", path).splitlines()
    assert sum(line.startswith("opencv ") for line in lines) == len(NETWORKS)
    assert not any(line.startswith("onnxruntime") for line in lines)


def test_the_next_commands_of_the_table_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(stored(tmp_path / "r.db", planted_cases()))
    commands = [one["command"] for one in json.loads(said(capsys, "explain", path, "--json"))["next"]]
    assert [c.split()[2:-1] for c in commands] == [["onnxruntime,network=alexnet"], ["onnxruntime", "opencv"]]
    for command in commands:
        assert said(capsys, *command.split()[1:])


@pytest.mark.usefixtures("narrow")
def test_what_differs_between_cases_stands_in_their_lines_and_what_they_share_above(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [r for threads in (1, 2) for r in several(threads=threads, cpus=tuple(range(threads)), parallelism=0.9)]
    lines = said(capsys, "explain", str(stored(tmp_path / "r.db", runs))).splitlines()
    assert lines[0].startswith("2 cases: 224px, batch 1, fp32")
    assert "thread" not in lines[0]
    rows = [line.split() for line in lines if line.startswith("onnxruntime")]
    assert [row[1:3] for row in rows] == [["mobilenet_v2", "t1"], ["mobilenet_v2", "t2"]]


@pytest.mark.usefixtures("narrow")
def test_a_long_name_is_cut_and_the_line_stays_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "my_network_that_was_exported_with_a_very_long_name"
    runs = [*several(network=name, **WAITING), *several(network="resnet18")]
    lines = said(capsys, "explain", str(stored(tmp_path / "r.db", runs))).splitlines()
    rows = [line for line in lines if line.startswith("onnxruntime")]
    assert len(rows) == 2
    assert max(map(len, rows)) <= 80
    assert any(row.split()[1].startswith("my_") and row.endswith("40 % of time taken") for row in rows)


def test_the_former_name_takes_what_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(stored(tmp_path / "r.db", planted_cases()))
    assert said(capsys, "bottlenecks", path) == said(capsys, "explain", path)
    only = ("--only", "onnxruntime,network=resnet18")
    assert said(capsys, "bottlenecks", path, *only) == said(capsys, "explain", only[1], path)
    assert said(capsys, "bottlenecks", path, *only, "--all") == said(capsys, "explain", only[1], path, "--full")
    data = json.loads(said(capsys, "bottlenecks", path, "--json"))
    assert data["format"] == 1
    assert len(data["cases"]) == 16
    assert {len(case["verdicts"]) for case in data["cases"]} == {13}


def test_empty_results_have_nothing_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(stored(tmp_path / "e.db", []))
    assert "No case of" in refused(capsys, "explain", path)
    assert json.loads(said(capsys, "explain", path, "--json"))["cases"] == []


def test_two_results_files_in_one_breath_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path / "a.db"), str(tmp_path / "b.db")]) == 2
    assert "Two results files" in capsys.readouterr().err
