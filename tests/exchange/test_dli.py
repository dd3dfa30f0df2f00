"""Tables of DLI. Their columns and layout are DLI's own; the figures here are invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.errors import ResultsError
from hwprof.exchange import dli
from hwprof.store import Results

INFRA = (
    "CPU: Invented(R) CPU @ 1.00GHz, CPU family: x86_64, GPU: Undefined, RAM size: 4194304 kB, OS family: Linux, "
    "OS version: Linux-6.0-x, Python version: 3.10.13"
)
NAMES = (
    "Status;Task type;Topology name;Dataset;Framework;Inference Framework;Input blob sizes;Precision;Batch size;Mode;"
    "Parameters;Infrastructure;Average time of single pass (s);Latency;FPS;BATCH FPS;Error type"
)


def line(
    status: str = "Success", fps: str = "12.5", mode: str = "Sync", batch: str = "4", error: str = "NO_ERROR"
) -> str:
    return (
        f"{status};classification;resnet-50;ImageNET;PyTorch;TensorFlowLite Cpp;1x3x224x224;FP32;{batch};{mode};"
        f"Device: CPU, Iteration count: 100, Thread count: 8, Delegate: XNNPACK;{INFRA};0.32;0.32;{fps};12.1;{error}"
    )


def table(folder: Path, *lines: str, head: str = NAMES) -> Path:
    path = folder / "dli.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_row_becomes_a_run_that_says_it_is_imported(tmp_path: Path) -> None:
    (run,) = dli.read(table(tmp_path, line())).runs
    case = run.case
    assert (case.framework, case.network, case.size, case.batch, case.threads) == ("litert", "resnet-50", 224, 4, 8)
    assert dict(case.options) == {"api": "cpp", "delegate": "XNNPACK"}
    assert case.precision == "fp32"
    assert run.machine["model"] == "Invented(R) CPU @ 1.00GHz"
    assert run.machine["memory_gib"] == 4
    assert "gpu" not in run.machine  # Undefined is not a GPU
    assert run.facts["imported"]["fps"] == 12.5
    assert run.facts["imported"]["latency_ns"] == pytest.approx(0.32e9)
    assert [d.code for d in run.doubts] == ["imported"]


def test_fps_of_an_async_row_is_a_throughput(tmp_path: Path) -> None:
    told = dli.read(table(tmp_path, line(mode="Async"))).runs[0].facts["imported"]
    assert told["throughput"] == 12.5
    assert "fps" not in told


def test_failures_are_runs_and_what_is_no_number_is_named(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        line("Failed", "N/A", error="INFERENCE_FAILURE"),
        line(fps="???").replace("12.1", "N/A"),
        line(batch="x"),
    )
    found = dli.read(path)
    assert [r.failure.message for r in found.runs if r.failure] == ["failed in DLI: INFERENCE_FAILURE"]
    assert found.left_out == ("dli.csv line 4: batch size 'x'", "dli.csv line 3: no FPS ('???')")


def test_a_case_measured_twice_has_two_rounds(tmp_path: Path) -> None:
    found = dli.read(table(tmp_path, line(fps="10"), line(fps="11"), line(fps="11"))).runs
    assert [r.round for r in found] == [0, 1, 2]
    assert len({r.uid for r in found}) == 3


def test_older_tables_in_another_encoding_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes((NAMES + "\n" + line().replace("Invented", "Inventé") + "\n").encode("latin-1"))
    assert dli.read(path).runs[0].machine["model"].startswith("Inventé")


def test_another_table_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no column Topology name"):
        dli.read(table(tmp_path, "1;2", head="a;b"))
    with pytest.raises(ResultsError, match="no measurement"):
        dli.read(table(tmp_path))


def test_shapes_and_fields_are_read_as_dli_writes_them() -> None:
    assert [dli.side(s) for s in ("1x3x227x227", "[1, 224, 224, 3]", "8x224x224x3", "1x128", "Undefined")] == [
        227,
        224,
        224,
        0,
        0,
    ]
    told = dli.fields("Device: CPU, Execution Providers: ['A', 'B'], Optimization level: 3")
    assert told == {"Device": "CPU", "Execution Providers": "['A', 'B']", "Optimization level": "3"}


@pytest.mark.openpyxl
def test_the_published_workbook_has_a_measurement_per_cell(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    blank = [None] * 5
    for row in (
        ["Task type", "Topology name", "Framework", "Input blob sizes", "Batch size", INFRA, None, None],
        [*blank, "TVM", None, "OpenVINO DLDT"],
        [*blank, "CPU", None, "CPU"],
        [*blank, "FP32", None, "INT8"],
        [*blank, "Sync", None, "Async"],
        [*blank, "Optimization level: 0", "Optimization level: 3", "Stream count: 2"],
        ["classification", "alexnet", "Caffe", "1x3x227x227", 1, 10.5, 20.5, "Undefined"],
        [None, None, None, "8x3x227x227", 8, 11.5, "NaN", 99],
    ):
        sheet.append(row)
    path = tmp_path / "published.xlsx"
    book.save(path)
    runs = dli.read(path).runs
    assert [(r.case.framework, r.case.batch, dict(r.case.options).get("optimization_level")) for r in runs] == [
        ("tvm", 1, "0"),
        ("tvm", 1, "3"),
        ("tvm", 8, "0"),
        ("tvm", 8, "3"),
        ("openvino", 8, None),
    ]
    assert [r.facts["imported"].get("fps") for r in runs] == [10.5, 20.5, 11.5, None, None]
    assert runs[3].failure is not None
    assert (runs[4].facts["imported"]["throughput"], runs[4].case.precision) == (99, "int8")
    assert all(r.machine["model"] == "Invented(R) CPU @ 1.00GHz" for r in runs)


def test_import_saves_once_and_the_frame_has_the_speeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, place = table(tmp_path, line(), line(mode="Async")), tmp_path / "r.db"
    assert main(["import", str(path), "--results", str(place)]) == 0
    assert main(["import", str(path), "--results", str(place)]) == 0
    assert "0 runs added, 2 known" in capsys.readouterr().out
    with Results.open(place) as results:
        frame = results.frame()
    assert frame["fps"].dropna().tolist() == [12.5]
    assert frame["throughput"].tolist() == [12.1, 12.5]
    assert main(["import", str(tmp_path / "none.csv"), "--results", str(place)]) == 2
    assert main(["import", __file__, "--results", str(place)]) == 2
