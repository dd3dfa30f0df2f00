"""`hwprof compare` on tables of another benchmark: one figure a case, several machines, machines described anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.exchange.imports import imported_run
from hwprof.records import Case, Run, Scalar
from hwprof.store import Results

DESKTOP = {"model": "Invented One", "memory_gib": 64, "imported": "DLI", "gpu": "Graphics 630 [0x3e92]"}
SERVER = {"model": "Invented Two", "memory_gib": 512, "imported": "DLI"}


def stated(
    network: str, rate: float, machine: Mapping[str, Any] = SERVER, file: str = "x.csv", **options: Scalar
) -> Run:
    case = Case("openvino", network, "dli from PyTorch", 224, threads=0, options=tuple(options.items()))
    return imported_run(case, {"format": "DLI", "file": file, "fps": rate}, machine=machine, host_state={}, software={})


def store(place: Path, runs: Sequence[Run]) -> str:
    with Results.open(place, create=True) as results:
        experiment = results.begin_experiment("import", "", place.name, 0)
        for run in runs:
            results.add(run, experiment)
    return str(place)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_published_figures_have_a_ratio_and_no_verdict_for_the_true_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = store(tmp_path / "old.db", [stated("resnet50", 40)])
    new = store(tmp_path / "new.db", [stated("resnet50", 41, file="y.csv")])
    assert main(["compare", old, new]) == 3
    words = said(capsys)
    assert "no verdict in 1 case: tables of other benchmarks state one figure for a case" in words
    assert "1.025x" in words
    assert "--run" not in words, "nobody here can measure the two sides of a table again"


def test_a_machine_whose_gpu_is_named_anew_is_the_same_machine_and_each_row_names_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = {**DESKTOP, "gpu": "Gen9 Graphics", "architecture": "x86_64"}
    old = store(tmp_path / "old.db", [stated("resnet50", 40, DESKTOP), stated("resnet50", 80)])
    new = store(tmp_path / "new.db", [stated("resnet50", 40, again), stated("resnet50", 80, file="y.csv")])
    assert main(["compare", old, new]) == 3
    words = said(capsys)
    assert "2 cases: 2 no verdict" in words
    assert all(f"resnet50 224px b1 t0 fp32 on {m['model']}" in words for m in (DESKTOP, SERVER))
    assert "Gen9 Graphics" in words, "what differs is named"


def test_two_machines_that_only_their_gpu_tells_apart_stay_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**DESKTOP, "gpu": "another one"}
    old = store(tmp_path / "old.db", [stated("resnet50", 40, DESKTOP), stated("resnet50", 80, other)])
    new = store(tmp_path / "new.db", [stated("resnet50", 20, DESKTOP), stated("resnet50", 20, other)])
    assert main(["compare", old, new]) == 3
    words = said(capsys)
    assert "0.50x" in words
    assert "0.25x" in words


def test_a_file_beside_itself_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = store(tmp_path / "one.db", [stated("resnet50", 40), stated("resnet18", 90)])
    assert main(["compare", one, one]) == 3
    assert "2 runs are on both sides: the ratio with itself is 1" in said(capsys)


def test_no_case_in_common_names_what_alone_keeps_them_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = store(tmp_path / "old.db", [stated("resnet50", 40, code="handwritten"), stated("resnet18", 90, code="app")])
    new = store(tmp_path / "new.db", [stated("resnet50", 41), stated("resnet18", 91)])
    assert main(["compare", old, new]) == 2
    assert "They would have 2 cases but for the options" in said(capsys)
    far = store(tmp_path / "far.db", [stated("vgg16", 5), stated("alexnet", 5)])
    assert main(["compare", old, far]) == 2
    assert "differ in more than one of network, framework, options" in said(capsys)


def test_a_table_of_accuracies_is_no_side_of_a_comparison_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"format": "DLI", "file": "a.csv", "accuracy": {"top1": 0.76}}
    case = Case("openvino", "resnet50", "dli from PyTorch", 0)
    run = imported_run(case, facts, machine=SERVER, host_state={}, software={})
    file = store(tmp_path / "a.db", [run])
    assert main(["compare", file, file]) == 2
    assert "states accuracies and no speeds. `hwprof report` shows them." in said(capsys)
    assert main(["explain", file]) == 2
    assert "`hwprof run`" not in said(capsys)
