"""The matrix of networks and frameworks: done for real, kept, and honest about what fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.errors import UnknownFramework, UsageError
from hwprof.networks import table
from hwprof.records import Failure, Fidelity
from hwprof.reports.terminal import matrix as report
from hwprof.runner.launcher import Launcher
from hwprof.runner.worker_process import Outcome
from hwprof.studies.matrix.matrix import Matrix, MatrixCell, MatrixColumn, columns
from hwprof.studies.matrix.rows import choices

HERE = "caffe,onnxruntime,opencv"


def fill(*words: str) -> int:
    return main(["list", "frameworks", "--matrix", "-f", HERE, "--size", "32", *words])


def test_what_converts_is_compared_and_what_does_not_names_the_operator(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "matrix.md"
    assert fill("-n", "tiny_cnn,mobilenet_v3_small", "-o", str(page), "--json") == 4
    shown = capsys.readouterr()
    cells = {(c["network"], c["column"]): c for c in json.loads(shown.out)["cells"]}
    assert len(cells) == 6
    refused = cells["mobilenet_v3_small", "caffe"]
    assert (refused["converts"], refused["loads"], refused["faithful"]) == (False, None, False)
    assert "HardSwish" in refused["failure"]["message"]
    right = [cell for key, cell in cells.items() if key != ("mobilenet_v3_small", "caffe")]
    assert all(c["converts"] and c["loads"] and c["faithful"] and c["fidelity"]["max_rel"] < 1e-4 for c in right)
    text = page.read_text()
    assert "| mobilenet_v3_small | 32 | convert ✗ |" in text
    assert "HardSwish" in text
    assert "| caffe |" in text.split("## Versions")[1]
    assert "[6/6]" in shown.err


def test_a_second_call_starts_no_worker_and_says_the_same(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("-n", "tiny_cnn", "--json")
    assert fill(*words) == 0
    first = capsys.readouterr().out

    def never(*_: Any, **__: Any) -> Outcome:
        raise AssertionError("nothing is to be done")

    monkeypatch.setattr(Launcher, "run", never)
    assert fill(*words) == 0
    shown = capsys.readouterr()
    assert shown.out == first
    assert shown.err.count("(kept)") == 3
    for place in (cache / "matrix").iterdir():  # of another version of hwprof, or cut off
        place.write_text('{"network": "tiny_cnn"')
    with pytest.raises(AssertionError, match="nothing is to be done"):
        fill(*words)


def test_what_is_kept_can_be_shown_without_trying_the_rest(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ["list", "frameworks", "--matrix", "-n", "tiny_cnn", "--size", "40"]
    assert main([*one, "-f", "onnxruntime"]) == 0
    capsys.readouterr()
    monkeypatch.setattr(Launcher, "run", None)
    assert main([*one, "-f", "onnxruntime,opencv", "--kept"]) == 0
    assert "An empty cell has not been tried yet (1 of them)." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("code", "kept"), [("model", True), ("timeout", False), ("killed", False)])
def test_what_the_machine_did_is_tried_again_and_what_the_network_is_is_not(
    code: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def failing(self: Matrix, planned: Any, workshop: Any, column: MatrixColumn, size: int) -> MatrixCell:
        asked.append(column.name)
        return MatrixCell("tiny_cnn", size, column.name, False, None, failure=Failure(code, "no", "", "prepare"))

    monkeypatch.setattr(Matrix, "fill", failing)
    for again in (False, False, True):
        list(Matrix(columns(["onnxruntime"]), [("tiny_cnn", 32)], retry_failed=again).run())
    assert len(asked) == (2 if kept else 3)


def test_a_network_of_one_size_keeps_it_and_others_take_the_one_asked_for() -> None:
    assert choices(["alexnet", "resnet18"], 64) == (("alexnet", 224), ("resnet18", 64))
    assert choices(["resnet18"], 0) == (("resnet18", 224),)
    assert choices(["bert_mini", "ssdlite", "unet"], 64) == (("bert_mini", 0), ("ssdlite", 320), ("unet", 64))
    assert len(choices([], 64)) == len(table.names())


def test_columns_may_have_options() -> None:
    (found,) = columns(["onnxruntime:graph=basic:spin=false"])
    assert found.options == (("graph", "basic"), ("spin", False))
    assert found.version
    with pytest.raises(UsageError, match="no option 'speed'"):
        columns(["onnxruntime:speed=warp"])
    with pytest.raises(UnknownFramework):
        columns(["onyx"])


def test_a_framework_that_is_not_here_is_said_and_not_tried() -> None:
    column = MatrixColumn("mxnet", "mxnet", missing="No module named 'mxnet'. hwprof env create mxnet")
    work = Matrix([column], [("tiny_cnn", 32)])
    assert list(work.run()) == []
    assert "- mxnet: No module named 'mxnet'. hwprof env create mxnet" in report.markdown(work, [])


def test_every_end_of_a_cell_has_a_mark_and_infinity_is_no_number_in_json() -> None:
    blank = MatrixCell("n", 32, "f", True, True)
    off = Fidelity(float("inf"), float("inf"), 0.0, 8, 1e-3)
    failed = Failure("killed", "died", "", "load")
    cells = {
        "2e-06": MatrixCell("n", 32, "f", True, True, Fidelity(1.0, 2e-6, 1.0, 8, 1e-3)),
        "2e-02 !": MatrixCell("n", 32, "f", True, True, Fidelity(1.0, 2e-2, 1.0, 8, 1e-3)),
        "inf !": MatrixCell("n", 32, "f", True, True, off),
        "load ✗": MatrixCell("n", 32, "f", True, False, failure=failed),
        "run ✗": MatrixCell("n", 32, "f", True, True, failure=failed),
        "convert ✗": MatrixCell("n", 32, "f", False, None, failure=failed),
        "✗": MatrixCell("n", 32, "f", None, None, failure=failed),
        "?": blank,
    }
    assert {report.mark(cell) for cell in cells.values()} == set(cells)
    assert [report.mark(cell) for cell in cells.values()] == list(cells)
    told = report.document(Matrix([], []), [cells["inf !"]])
    assert json.loads(json.dumps(told, allow_nan=False))["cells"][0]["fidelity"]["max_rel"] is None
