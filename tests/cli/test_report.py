"""`hwprof report` on results of every sort: it says what there is, and in words what there is not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.records import Doubt, Failure, Origin, Reading, Run
from hwprof.reports.terminal import run as picture
from hwprof.store import Results
from tests.factories import make_run, make_simulated_run

NETWORKS = ("mobilenet_v2", "resnet18", "resnet50", "googlenet", "densenet121", "alexnet", "squeezenet1_1")


def stored(path: Path, runs: Sequence[Run]) -> Path:
    with Results.open(path, create=True) as results:
        identity = results.begin_experiment("synthetic", "", "hash", 0)
        for run in runs:
            results.add(run, identity)
    return path


def report(path: Path, folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["report", str(path), "-o", str(folder), *words]) == 0
    return capsys.readouterr().out


def some_runs(networks: Sequence[str] = NETWORKS) -> list[Run]:
    return [
        make_run(framework, network, fps=(60 - 5 * n) * speed * (1 + 0.01 * number), round=number, metrics=metrics)
        for n, network in enumerate(networks)
        for framework, speed in (("onnxruntime", 2.0), ("opencv", 1.0))
        for number in range(3)
        for metrics in ({"instructions": 1e8 * (n + 2), "l1d-misses": 1e5 * (n + 1) ** 1.5, "task-clock": 2e7},)
    ]


def test_a_full_report_has_its_tables_figures_and_their_data_and_is_the_same_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = stored(tmp_path / "r.db", some_runs()), tmp_path / "a"
    said = report(path, folder, capsys, "--full")
    assert said.startswith("onnxruntime is 2.00 times as fast as opencv, 95 % interval")
    assert "\nSpeed\n" in said
    assert "Correlation with FPS in onnxruntime" in said
    assert "l1d-misses" in said
    names = {p.name for p in folder.iterdir()}
    assert {"report.html", "report.md", "fps.svg", "fps.png", "fps.csv", "fps-macs.png"} <= names
    assert {"correlations.svg", "correlations.csv", "scatter-1.svg", "scatter-1.png"} <= names
    assert "![FPS per network and framework](fps.svg)" in (folder / "report.md").read_text()

    assert (folder / "report.md").read_text().splitlines()[2].startswith("onnxruntime is 2.00 times as fast as opencv")

    again = report(path, tmp_path / "b", capsys, "--full")
    assert again.replace(str(tmp_path / "b"), "") == said.replace(str(folder), "")
    for name in sorted(names):
        assert (folder / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_too_few_networks_are_told_how_many_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = report(stored(tmp_path / "r.db", some_runs(NETWORKS[:2])), tmp_path / "out", capsys)
    assert "no coefficient: 4 networks are needed, and 7 for a test" in " ".join(said.split())


def test_empty_results_and_results_of_failures_are_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no run in these results" in report(stored(tmp_path / "e.db", []), tmp_path / "out", capsys)
    failed = dataclasses.replace(make_run(), windows=(), failure=Failure("killed", "the worker died of SIGSEGV"))
    said = report(stored(tmp_path / "f.db", [failed]), tmp_path / "out", capsys)
    assert "killed: The worker died of SIGSEGV." in said


def test_a_picture_of_a_run_shows_what_is_missing_and_what_is_simulated() -> None:
    native = make_run(metrics={"page-faults": 0.0, "cycles": None})
    native = dataclasses.replace(native, doubts=(Doubt("noisy", {"ratio": 1.5}),))
    shown = picture.text([native, make_simulated_run(metrics={"instructions": 123456.0})])
    assert "<not available>  cycles" in shown
    assert "page-faults" in shown
    assert "123,456  instructions@callgrind" in shown
    assert "simulated by callgrind" in shown
    assert "p90 is 1.50 times the median" in shown


def test_how_and_on_which_caches_callgrind_counted_is_shown() -> None:
    run = make_simulated_run(metrics={"instructions": 1e6})
    window = dataclasses.replace(run.windows[0], latencies_ns=(1,) * 5)
    caches = {"LL": {"size": 8 << 20, "ways": 16, "line": 64, "origin": "default"}}
    run = dataclasses.replace(run, windows=(window,), facts={"simulator_caches": caches, "simulator_warmup": 5})
    shown = picture.text([make_run(), run])
    assert "simulated by callgrind: mean of 5 inferences after 5 to warm up" in shown
    assert "simulated caches, as sysfs has them: LL 8 MiB 16-way (a default: sysfs has none)" in shown
    (line,) = picture.simulations([run, run])
    assert line.endswith("Simulated caches: LL 8 MiB 16-way (a default: sysfs has none).")


def test_counts_of_an_earlier_edition_say_what_is_in_them() -> None:
    run = make_simulated_run(metrics={"instructions": 9e6})
    reading = dataclasses.replace(run.windows[0].readings[0], source="callgrind:Ir")
    run = dataclasses.replace(run, windows=(dataclasses.replace(run.windows[0], readings=(reading,)),))
    shown = picture.text([make_run(), run])
    assert "9,000,000  instructions@callgrind-v1" in shown
    assert "8 to 10 million instructions of its own worker" in shown
    (line,) = picture.simulations([run])
    assert line.startswith("Counts marked @callgrind-v1 are simulated")


def test_a_run_simulated_on_riscv64_names_its_cpu_and_shows_the_share_as_one() -> None:
    share = Reading("vector-share", 0.0456, "ratio", origin=Origin.SIMULATED, domain="user", source="riscv64-no-v:x")
    run = make_simulated_run(metrics={"instructions": 123456.0})
    window = dataclasses.replace(run.windows[0], readings=(*run.windows[0].readings, share))
    facts = {"simulator": "riscv64-no-v", "simulator_cpu": "rv64,v=false", "simulator_version": "qemu 7.2"}
    run = dataclasses.replace(run, windows=(window,), facts=facts)
    shown = picture.text([make_run(), run])
    assert "simulated riscv64 (rv64,v=false; qemu 7.2)" in shown
    assert "123,456  instructions@riscv64-no-v" in shown
    assert "4.5600%  vector-share@riscv64-no-v" in shown
    assert "callgrind" not in shown
    (line,) = picture.simulations([make_run(), run])
    assert "@riscv64-no-v are simulated (1 case, batch 1): Debian's riscv64 build" in line


def test_a_picture_of_a_failed_run_shows_the_reason_and_the_log() -> None:
    failed = dataclasses.replace(
        make_run(), windows=(), failure=Failure("model", "operator Foo", "use another", log="line of the framework")
    )
    shown = picture.text([failed])
    assert "operator Foo" in shown
    assert "Use another." in shown
    assert "| line of the framework" in shown


def test_the_answer_is_in_the_json_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.db", some_runs())
    assert main(["report", str(path), "-o", str(tmp_path), "--format", "json"]) == 0
    assert {p.name for p in tmp_path.iterdir() if p.suffix in (".json", ".html", ".md")} == {"report.json"}
    data = json.loads((tmp_path / "report.json").read_text())
    assert (data["format"], data["answer"]["format"]) == (1, 1)
    assert data["answer"]["pairs"][0]["ratio"]["ratio"] == pytest.approx(2.0)
    assert "Speed" in {table["title"] for table in data["tables"]}
    assert data["answer"]["verdict"] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([make_run(round=n) for n in range(3)], "onnxruntime alone was measured"),
        (
            [make_simulated_run(metrics={"instructions": 1e8})],
            "No framework is ranked: 1 simulated run alone",
        ),
        ([make_run(), make_run("opencv", "resnet18")], "No two of 2 frameworks measured the same case"),
        ([], "Nothing was measured with a speed"),
    ],
)
def test_results_without_a_pair_begin_with_what_can_be_said(
    runs: list[Run], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = report(stored(tmp_path / "r.db", runs), tmp_path / "a", capsys)
    assert " ".join(said.split()).startswith(words)
    assert f"<title>{words}" in (tmp_path / "a" / "report.html").read_text()


def test_three_frameworks_are_ranked_on_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speeds = {"onnxruntime": 60.0, "openvino": 50.0, "opencv": 30.0}
    runs = [
        make_run(f, network, fps=fps * (1 + 0.01 * n), round=n)
        for network in NETWORKS
        for f, fps in speeds.items()
        for n in range(3)
    ]
    said = report(stored(tmp_path / "r.db", runs), tmp_path / "a", capsys)
    assert said.startswith("onnxruntime is the fastest of 3 frameworks, openvino 0.83x")
    page = (tmp_path / "a" / "report.html").read_text()
    assert "<title>onnxruntime is the fastest of 3 frameworks</title>" in page
    assert "Speed against the fastest framework" in page


def test_the_terminal_shows_the_answer_and_what_there_is_in_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    stored(tmp_path / "r.db", some_runs())
    assert main(["report", "r.db"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("onnxruntime is 2.00 times as fast as opencv")
    assert max(map(len, said.splitlines())) <= 80
    assert len(said.splitlines()) < 40
    words = " ".join(said.split())
    assert "Experiment synthetic of 2000-01-01, 42 runs. 14 cases: 7 networks, 2 frameworks" in words
    assert "Speed 14 cases" in words
    assert "Correlation with FPS 1 metric, none of them significant" in words
    assert "Throughput in its factors 14 rows" in words
    assert "All tables: hwprof report r.db --full" in said
    assert "\nreport: hwprof-report/report.html\n" in said
    assert "\nSpeed\n" not in said
