"""Tables of DLI. Their columns and layout are DLI's own; the figures here are invented."""

from __future__ import annotations

import dataclasses
import datetime
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
OLDER = NAMES.replace(";BATCH FPS", "")  # until June 2023


def line(
    status: str = "Success",
    fps: str = "12.1",
    mode: str = "Sync",
    batch: str = "4",
    error: str = "NO_ERROR",
    times: str = "0.331;0.32",
    batch_fps: str = "12.5",
) -> str:
    """FPS 12.1 over the total time, batch / median latency 12.5."""
    return (
        f"{status};classification;resnet-50;ImageNET;PyTorch;TensorFlowLite Cpp;1x3x224x224;FP32;{batch};{mode};"
        f"Device: CPU, Iteration count: 100, Thread count: 8, Delegate: XNNPACK;{INFRA};{times};"
        f"{fps};{batch_fps};{error}"
    )


def older(fps: str = "12.5", times: str = "0.331;0.32") -> str:
    """A row without BATCH FPS; FPS is batch / median latency."""
    return line(fps=fps, times=times, batch_fps="@").replace("@;", "")


def table(folder: Path, *lines: str, head: str = NAMES) -> Path:
    path = folder / "dli.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("blobs", "size", "shape"),
    [
        ("1x3x224x224", 224, ""),
        ("[1, 3, 48, 320]", 0, "3x48x320"),
        ("4x3x48x640", 0, "3x48x640"),
        ("ids: 1x128, mask: 1x64", 0, "ids: 1x128, mask: 1x64"),
        ("", 0, ""),
        ("Undefined", 0, ""),
    ],
)
def test_the_shape_is_kept_where_it_is_no_square_image(tmp_path: Path, blobs: str, size: int, shape: str) -> None:
    (run,) = dli.read(table(tmp_path, line().replace("1x3x224x224", blobs))).runs
    assert (run.case.size, run.case.shape) == (size, shape)


def test_a_row_becomes_a_run_that_says_it_is_imported(tmp_path: Path) -> None:
    (run,) = dli.read(table(tmp_path, line())).runs
    case = run.case
    assert (case.framework, case.network, case.size, case.batch, case.threads) == ("litert", "resnet50", 224, 4, 8)
    assert dict(case.options) == {"api": "cpp", "delegate": "XNNPACK"}
    assert case.precision == "fp32"
    assert run.machine["model"] == "Invented(R) CPU @ 1.00GHz"
    assert run.machine["memory_gib"] == 4
    assert "gpu" not in run.machine  # Undefined is not a GPU
    assert run.facts["imported"]["fps"] == 12.5
    assert run.facts["imported"]["latency_ns"] == pytest.approx(0.32e9)
    assert [d.code for d in run.doubts] == ["imported"]


def test_fps_of_an_async_row_is_a_throughput(tmp_path: Path) -> None:
    told = dli.read(table(tmp_path, line(mode="Async", times="0.331;0", batch_fps="0.0"))).runs[0].facts["imported"]
    assert told["throughput"] == 12.1
    assert "fps" not in told


def test_failures_are_runs_and_what_is_no_number_is_named(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        line("Failed", "N/A", error="INFERENCE_FAILURE"),
        line(fps="???", times="N/A;N/A", batch_fps="N/A"),
        line(batch="x"),
    )
    found = dli.read(path)
    assert [r.failure.message for r in found.runs if r.failure] == ["failed in DLI: INFERENCE_FAILURE"]
    assert found.left_out == ("dli.csv line 4: batch size 'x'", "dli.csv line 3: no FPS ('???')")


def test_a_case_measured_twice_has_two_rounds(tmp_path: Path) -> None:
    found = dli.read(table(tmp_path, line(fps="11.9"), line(fps="12"), line(fps="12"))).runs
    assert [r.round for r in found] == [0, 1, 2]
    assert len({r.uid for r in found}) == 3


def test_older_tables_in_another_encoding_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes((OLDER + "\n" + older().replace("Invented", "Inventé") + "\n").encode("latin-1"))
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
    book.properties.created = datetime.datetime(2023, 6, 20)  # between the change and its publication
    book.save(path)
    open_note, failures = dli.read(path).notes
    assert failures == "1 run of 5 failed in DLI"
    assert "the table does not state it: --dli-fps latency or --dli-fps total does" in open_note
    unstated = dli.read(path).runs[0].facts["imported"]
    assert (unstated["fps"], "latency_ns" in unstated, "throughput" in unstated) == (10.5, False, False)
    runs = dli.read(path, "latency").runs
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
    assert [r.facts["imported"].get("throughput") for r in dli.read(path, "total").runs] == [10.5, 20.5, 11.5, None, 99]
    book.properties.created = datetime.datetime(2022, 5, 22)
    book.save(path)
    note, _ = dli.read(path).notes
    assert note.startswith("FPS was read as batch / median latency (the workbook was created on 2022-05-22")
    assert dli.read(path).runs[0].facts["imported"]["fps"] == 10.5


def test_import_saves_once_and_the_frame_has_the_speeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, place = table(tmp_path, line(), line(fps="12.2", mode="Async")), tmp_path / "r.db"
    assert main(["import", str(path), "--results", str(place)]) == 0
    assert main(["import", str(path), "--results", str(place)]) == 0
    said = capsys.readouterr().out
    assert "0 runs added, 2 known" in said
    assert "FPS was read as images / total time, and BATCH FPS as batch / median latency" in said
    with Results.open(place) as results:
        frame = results.frame()
    assert frame["fps"].tolist() == [12.5, 12.2], "of the asynchronous row it is the throughput"
    assert frame["throughput"].tolist() == [12.1, 12.2]
    assert main(["import", str(tmp_path / "none.csv"), "--results", str(place)]) == 2
    assert main(["import", __file__, "--results", str(place)]) == 2
    assert main(["import", str(path), "--dli-fps", "latency", "--results", str(place)]) == 2
    assert "is not what --dli-fps latency says" in capsys.readouterr().err


def test_seventy_passes_of_100_ms_and_thirty_of_200_ms_have_a_latency_of_100_ms(tmp_path: Path) -> None:
    """What DLI's own function gives for them: FPS 7.692, BATCH FPS 10."""
    new = line(fps="7.692", batch="1", times="0.13;0.1", batch_fps="10.0")
    (run,) = dli.read(table(tmp_path, new)).runs
    told = run.facts["imported"]
    assert (told["fps"], told["throughput"]) == (10.0, 7.692)
    assert told["latency_ns"] == pytest.approx(100e6)
    assert "BATCH FPS, which DLI has written since June 2023" in told["reading"]


def test_until_june_2023_fps_is_batch_over_latency(tmp_path: Path) -> None:
    (run,) = dli.read(table(tmp_path, older(), head=OLDER)).runs
    told = run.facts["imported"]
    assert (told["fps"], told["latency_ns"], "throughput" in told) == (12.5, pytest.approx(0.32e9), False)


def test_an_older_row_whose_fps_is_over_the_total_time_is_a_throughput(tmp_path: Path) -> None:
    found = dli.read(table(tmp_path, older("12.1"), head=OLDER))
    told = found.runs[0].facts["imported"]
    assert told["throughput"] == 12.1
    assert told["fps"] == pytest.approx(4 / 0.32)
    assert told["latency_ns"] == pytest.approx(0.32e9)


def test_a_row_that_contradicts_itself_is_named_and_left_out(tmp_path: Path) -> None:
    swapped = line(fps="12.5", batch_fps="12.1")
    found = dli.read(table(tmp_path, line(), swapped))
    assert len(found.runs) == 1
    assert found.left_out == ("dli.csv line 3: BATCH FPS 12.1 is not batch / latency (0.32 s)",)
    neither = dli.read(table(tmp_path, older(), older("20"), head=OLDER))
    (said,) = neither.left_out
    assert said == "dli.csv line 3: FPS 20 is neither batch / latency (0.32 s) nor batch / average time"


@pytest.mark.parametrize(("latency", "known"), [("0.32", True), ("0.012", False), ("0.01234", True), ("0", False)])
def test_without_batch_fps_the_latency_is_taken_where_it_is_exact_enough(
    tmp_path: Path, latency: str, known: bool
) -> None:
    """DLI's C++ launchers write no BATCH FPS, and 0.012 s may be anything from 11.5 to 12.5 ms."""
    found = dli.read(table(tmp_path, line(times=f"{latency};{latency}", batch_fps="0.0")))
    told = found.runs[0].facts["imported"]
    assert told["throughput"] == 12.1
    assert ("fps" in told) == known
    assert any("1 synchronous row without a latency" in note for note in found.notes) != known


def test_a_table_without_either_column_is_not_guessed_at(tmp_path: Path) -> None:
    bare = "Topology name;Inference Framework;Batch size;FPS;Mode"
    path = table(tmp_path, "resnet-50;PyTorch;1;10;Sync", head=bare)
    (note,) = dli.read(path).notes
    assert "FPS is batch / median latency (DLI until June 2023) or images / total time (since)" in note
    assert dli.read(path, "total").runs[0].facts["imported"]["throughput"] == 10
    with pytest.raises(ResultsError, match="is not what --dli-fps latency says"):
        dli.read(table(tmp_path, line()), "latency")
    (run,) = dli.read(table(tmp_path, "resnet-50;PyTorch;1;10;Async", head=bare)).runs  # a throughput in any version
    assert run.facts["imported"]["throughput"] == 10


def test_rows_that_an_earlier_hwprof_read_otherwise_are_not_joined_by_the_same_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, place = table(tmp_path, line()), tmp_path / "r.db"
    (run,) = dli.read(path).runs
    earlier = {**run.facts["imported"], "fps": 12.1, "throughput": 12.5}
    with Results.open(place, create=True) as results:
        old = dataclasses.replace(run, uid="0123456789ab", facts={"imported": earlier})
        results.add(old, results.begin_experiment("import dli.csv", "", "", 0))
    assert main(["import", str(path), "--results", str(place)]) == 2
    assert "holds 1 row of dli.csv that were read in another way" in capsys.readouterr().err
    with Results.open(place) as results:
        assert len(list(results.runs())) == 1


def test_what_dlis_fps_is_can_only_be_said_of_dlis_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"version": "1.0", "benchmarks": [], "metadata": {}}')
    assert main(["import", str(path), "--dli-fps", "total", "--results", str(tmp_path / "r.db")]) == 2
    assert "--dli-fps is for tables of DLI" in capsys.readouterr().err
