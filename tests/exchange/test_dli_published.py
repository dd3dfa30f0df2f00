"""DLI's published tables as HTML, and tables of accuracy in every form."""

from __future__ import annotations

import builtins
import datetime
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.errors import NotInstalled, ResultsError
from hwprof.exchange import dli
from hwprof.exchange.dli_speeds import FpsMeaning, day_in_name, meaning_of_date
from hwprof.records import Run
from hwprof.store import Results
from tests.exchange import published

FIRST = ("10", "11", "20", "21", "30")  # CPU FP32 sync and async, INT8 sync and async, GPU FP16 sync


def figures(first: tuple[str, ...] = FIRST) -> list[str]:
    """In DLI's order: by network, then device and precision, then batch, then mode."""
    return [*first[:2], "12", "13", *first[2:4], "N/A", "-", first[4], "31", *("1", "2", "3", "4", "5")]


def by_case(runs: tuple[Run, ...]) -> dict[tuple[str, int, str, str, str], Any]:
    def key(run: Run) -> tuple[str, int, str, str, str]:
        options = dict(run.case.options)
        return (
            run.case.network,
            run.case.batch,
            run.case.precision,
            str(options.get("device", "CPU")),
            str(options.get("mode", "sync")),
        )

    return {key(run): run.facts["imported"].get("fps", run.facts["imported"].get("throughput")) for run in runs}


@pytest.mark.lxml
def test_a_figure_of_a_page_has_the_head_and_the_row_it_stands_in(tmp_path: Path) -> None:
    found = dli.read(published.speeds(tmp_path / "Results-20-04-2022.html", figures()))
    good = tuple(run for run in found.runs if run.failure is None)
    assert by_case(good) == {
        ("resnet50", 1, "fp32", "CPU", "sync"): 10,
        ("resnet50", 1, "fp32", "CPU", "async"): 11,
        ("resnet50", 8, "fp32", "CPU", "sync"): 12,
        ("resnet50", 8, "fp32", "CPU", "async"): 13,
        ("resnet50", 1, "int8", "CPU", "sync"): 20,
        ("resnet50", 1, "int8", "CPU", "async"): 21,
        ("resnet50", 1, "fp16", "GPU", "sync"): 30,
        ("resnet50", 8, "fp16", "GPU", "sync"): 31,
        ("mine", 1, "fp32", "CPU", "sync"): 1,
        ("mine", 1, "fp32", "CPU", "async"): 2,
        ("mine", 1, "int8", "CPU", "sync"): 3,
        ("mine", 1, "int8", "CPU", "async"): 4,
        ("mine", 1, "fp16", "GPU", "sync"): 5,
    }
    (failed,) = (run for run in found.runs if run.failure is not None)
    assert (failed.case.network, failed.case.batch, failed.case.option("mode")) == ("resnet50", 8, "async")
    assert {run.machine["model"] for run in found.runs} == {"Invented One"}
    assert found.notes[0].startswith(
        "FPS was read as batch / median latency (the name of the table has the day 2022-04-20"
    )


@pytest.mark.lxml
def test_a_page_whose_figures_do_not_fit_its_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="row 2 has 14 figures where its head needs 15"):
        dli.read(published.speeds(tmp_path / "x.html", figures()[:-1]))
    for text in ("", "<p>nothing", "<table><tr><td>Name</td></tr></table>"):
        (tmp_path / "y.html").write_text(text)
        with pytest.raises(ResultsError, match="is no table of DLI"):
            dli.read(tmp_path / "y.html")


@pytest.mark.lxml
def test_the_benchmark_of_2018_has_a_time_and_fps_for_each_setting(tmp_path: Path) -> None:
    settings = (f"FP32;ImageNET;2;<br>Sync;Plugin: CPU<br> Iteration count: 10<br> Thread count: {n}" for n in (1, 4))
    heads = published.table(published.row(*settings, tag="th"), published.row(*("Latency", "FPS") * 2, tag="th"))
    values = published.table(published.row("0.05", "40.2", "0.02", ">1000"))
    page = published.table(
        published.row("Topology", published.ONE, tag="th"),
        published.row("", heads),
        f"<td>alexnet</td><td>{values}</td>",  # DLI wrote no row around these
    )
    (tmp_path / "old-04-10-2019.html").write_text(page)
    found = dli.read(tmp_path / "old-04-10-2019.html")
    (run,) = found.runs
    assert (run.case.framework, run.case.network, run.case.batch, run.case.threads) == ("openvino", "alexnet", 2, 1)
    assert run.facts["imported"]["fps"] == 40.2
    assert found.left_out == ("old-04-10-2019.html row 3 cell 1 pair 2: no FPS ('>1000')",)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("OpenVINO-2022.2-host-18.06.2023.xlsx", datetime.date(2023, 6, 18)),
        ("OpenVINO-R3-2019-28-04-2020.html", datetime.date(2020, 4, 28)),
        ("TVM-0.14-models-2023-12-20.xlsx", datetime.date(2023, 12, 20)),
        ("OpenVINO-2023.3-host.html", None),
        ("results-99-99-2023.html", None),
    ],
)
def test_the_day_of_a_table_is_that_in_its_name(name: str, day: datetime.date | None) -> None:
    assert day_in_name(name) == day


def test_a_table_of_the_weeks_between_the_change_and_its_publication_is_undecided() -> None:
    def meaning(*day: int) -> FpsMeaning | None:
        found = meaning_of_date(datetime.date(*day), "created on")
        return None if found is None else found[0]

    assert [meaning(2023, 6, 4), meaning(2023, 6, 5), meaning(2023, 7, 4), meaning(2023, 7, 5)] == [
        FpsMeaning.LATENCY,
        None,
        None,
        FpsMeaning.TOTAL,
    ]


def scores(runs: tuple[Run, ...]) -> dict[tuple[str, str], dict[str, float]]:
    return {(r.case.network, r.case.precision): r.facts["imported"]["accuracy"] for r in runs if r.failure is None}


@pytest.mark.lxml
def test_kinds_of_accuracy_of_one_network_are_one_run(tmp_path: Path) -> None:
    """In DLI's order: by network, then precision, then kind."""
    shown = ["76.1%", "92.9%", "75.5%", "92.5%", "1%", "5%", "Undefined", "Undefined"]
    found = dli.read(published.accuracies(tmp_path / "accuracy.html", shown))
    assert scores(found.runs) == {
        ("resnet50", "fp32"): {"accuracy@top1": 0.761, "accuracy@top5": 0.929},
        ("resnet50", "int8"): {"accuracy@top1": 0.755, "accuracy@top5": 0.925},
        ("mine", "fp32"): {"accuracy@top1": 0.01, "accuracy@top5": 0.05},
    }
    (failed,) = (run for run in found.runs if run.failure is not None)
    assert (failed.case.network, failed.case.precision) == ("mine", "int8")
    assert "fps" not in found.runs[0].facts["imported"]
    assert found.notes == ("1 run of 4 failed in DLI",), "no FPS, so nothing to say of its meaning"


@pytest.mark.openpyxl
def test_the_published_workbook_of_accuracies_is_read(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    blank = [None] * 5
    for line in (
        ["Task type", "Topology name", "Framework", "Dataset", "Accuracy type", published.ONE, None],
        [*blank, "TVM", None],
        [*blank, "CPU", None],
        [*blank, "FP32", "INT8"],
        ["classification", "resnet-50-pytorch", "PyTorch", "ImageNet", "accuracy@top1", "76.10%", "75.00%"],
        [None, None, None, None, "accuracy@top5", "92.90%", "92.38%\\"],
    ):
        sheet.append(line)
    book.save(tmp_path / "accuracy.xlsx")
    found = dli.read(tmp_path / "accuracy.xlsx")
    assert scores(found.runs) == {
        ("resnet50", "fp32"): {"accuracy@top1": 0.761, "accuracy@top5": 0.929},
        ("resnet50", "int8"): {"accuracy@top1": 0.75},
    }
    assert {run.case.framework for run in found.runs} == {"tvm"}
    assert found.left_out == ("accuracy.xlsx Sheet row 6 column 7: accuracy@top5 '92.38%\\' is no share in percent",)


def test_the_accuracy_checkers_own_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.csv"
    path.write_text(
        "Status;Task type;Topology name;Inference Framework;Device;Dataset;Type accuracy;Precision;Objects;Accuracy\n"
        "SUCCESS;classification;resnet-50;TVM;CPU;images;accuracy@top_k_1;FP32;100;55.00%\n"
        "SUCCESS;classification;resnet-50;TVM;CPU;images;accuracy@top_k_5;FP32;100;81.00%\n"
        "FAILED;classification;alexnet;TVM;CPU;images;N/A;FP32;100;N/A\n"
    )
    found = dli.read(path)
    assert scores(found.runs) == {("resnet50", "fp32"): {"accuracy@top_k_1": 0.55, "accuracy@top_k_5": 0.81}}
    assert [run.case.network for run in found.runs if run.failure] == ["alexnet"]


@pytest.mark.parametrize(("name", "library"), [("x.html", "lxml"), ("x.xlsx", "openpyxl")])
def test_a_missing_library_is_one_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, library: str
) -> None:
    real = builtins.__import__

    def without(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.partition(".")[0] == library:
            raise ImportError(module)
        return real(module, *args, **kwargs)

    (tmp_path / name).write_text("<table></table>")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotInstalled, match=library):
        dli.read(tmp_path / name)
    assert main(["import", str(tmp_path / name), "--results", str(tmp_path / "r.db")]) != 0
    (said,) = capsys.readouterr().err.splitlines()
    assert f"pip install 'hwprof[{name[2:]}]'" in said


@pytest.mark.lxml
def test_a_page_and_its_accuracies_can_be_reported_and_listed(tmp_path: Path) -> None:
    place = str(tmp_path / "r.db")
    speeds = published.speeds(tmp_path / "speed-20-04-2022.html", figures())
    accuracy = published.accuracies(tmp_path / "accuracy.html", ["76.1%"] * 8)
    assert main(["import", str(speeds), str(accuracy), "--results", place]) == 0
    with Results.open(place) as results:
        frame = results.frame()
    assert frame["fps"].notna().sum() == 13
    assert main(["list", "runs", "--results", place]) == 0
    assert main(["report", f"{place}:all"]) == 0
