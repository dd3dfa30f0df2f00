"""Commands that read results take the latest experiment or what their words select, and say what else is there."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.records import Ceiling, Run
from hwprof.store import Results
from tests.analysis.planted import several
from tests.factories import MACHINE, make_run

NETWORKS = ("resnet18", "resnet50", "alexnet", "squeezenet1_1", "mobilenet_v2", "googlenet", "densenet121")


def moved(runs: Sequence[Run], day: int, tag: str) -> list[Run]:
    """The runs as of a day of November 2026, with ids of their own."""
    dates = [r.started_utc.replace("2000-01-01", f"2026-11-{day:02d}") or f"2026-11-{day:02d}T00:00:00Z" for r in runs]
    return [
        dataclasses.replace(r, started_utc=d, uid=f"{tag}{n:06x}")
        for n, (r, d) in enumerate(zip(runs, dates, strict=True))
    ]


def pair(ratio: float, networks: Sequence[str] = ("resnet18", "resnet50")) -> list[Run]:
    """Two frameworks, of which onnxruntime is `ratio` times as fast by its work."""
    return [
        run
        for network in networks
        for framework, work in (("onnxruntime", 1e8), ("opencv", 1e8 * ratio))
        for run in several(framework=framework, network=network, work=work)
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """hwprof.db with experiments old (ratio 4) and quick (ratio 2), and what `hwprof run` measured (ratio 8)."""
    path = tmp_path_factory.mktemp("written") / "hwprof.db"
    with Results.create(path) as made:
        for name, toml, runs in (
            ("old", "", moved(pair(4.0), 1, "aaaa0")),
            ("quick", "", moved(pair(2.0), 2, "bbbb0")),
            ("run 1f", "# hwprof run", moved(pair(8.0, ("resnet18",)), 3, "cccc0")),
        ):
            made.add_all(runs, made.begin_experiment(name, toml, f"hash {name}", 0))
        machine, host = runs[0].machine, runs[0].host_state
        made.add_ceilings(
            machine, host, [Ceiling("fp32", "avx2", (), 1e12, "op/s"), Ceiling("bandwidth", "DRAM", (), 1e11, "B/s")]
        )
    return path.read_bytes()


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes) -> Path:
    """That file as hwprof.db in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HWPROF_RESULTS", raising=False)
    path = tmp_path / "hwprof.db"
    path.write_bytes(written)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return " ".join(capsys.readouterr().out.split())


ALSO = "Also in this file: 1 experiment (old of 2026-11-01, 16 runs), 1 single measurement (8 runs)"


@pytest.mark.usefixtures("results")
def test_a_report_is_of_the_latest_experiment_and_says_what_else_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "report", "-o", "out", "--format", "all")
    assert text.startswith("onnxruntime is 2.00 times as fast as opencv")
    assert "Experiment quick of 2026-11-02, 16 runs." in text
    assert f"{ALSO}: `hwprof report :all`." in text
    page, markdown = ((tmp_path / "out" / f"report.{form}").read_text() for form in ("html", "md"))
    assert ALSO in page
    assert ALSO in markdown
    assert "`hwprof report :all`" in markdown
    assert json.loads((tmp_path / "out" / "report.json").read_text())["scope"][1].startswith(ALSO)


@pytest.mark.parametrize(
    ("words", "ratio", "scope"),
    [
        (["hwprof.db:old"], "4.00", "Experiment old of 2026-11-01, 16 runs."),
        ([":old"], "4.00", "Experiment old of 2026-11-01, 16 runs."),
        (["old"], "4.00", "Experiment old of 2026-11-01, 16 runs."),
        (["hwprof.db:single"], "8.00", "Single measurement run 1f of 2026-11-03, 8 runs."),
        (["since=2026-11-03"], "8.00", "8 runs with since=2026-11-03T00:00:00."),
        ([":old", "network=resnet18"], "4.00", "Experiment old of 2026-11-01, network=resnet18, 8 runs."),
        ([":old,network=resnet18", "hwprof.db"], "4.00", "Experiment old of 2026-11-01, network=resnet18, 8 runs."),
    ],
)
@pytest.mark.usefixtures("results")
def test_a_report_is_of_what_its_words_select(
    words: list[str], ratio: str, scope: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "report", *words[:1], "--format", "json", *words[1:])
    assert text.startswith(f"onnxruntime is {ratio} times as fast as opencv")
    assert scope in text


@pytest.mark.usefixtures("results")
def test_the_next_commands_of_a_report_name_its_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert "opencv :old" in said(capsys, "report", ":old", "--format", "json")
    assert "opencv :old" not in said(capsys, "report", "--format", "json")


def ratios(text: str) -> list[float]:
    return [round(found["ratio"]["ratio"], 2) for found in json.loads(text)["explanations"]]


def test_explain_takes_the_latest_experiment_or_what_is_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["explain", "onnxruntime", "opencv"]
    assert main([*both, "--json"]) == 0
    captured = capsys.readouterr()
    assert ratios(captured.out) == [2.0, 2.0]
    assert f"{ALSO}: `hwprof explain onnxruntime opencv :all`." in captured.err
    assert ratios(said(capsys, *both, ":old", "--json")) == [4.0, 4.0]
    assert ratios(said(capsys, *both, str(results), "since=2026-11-03", "--json")) == [8.0]
    assert ratios(said(capsys, "explain", "experiment=old,onnxruntime", "opencv,network=resnet50", "--json")) == [4.0]
    with Results.open(results) as opened:
        a, b = (
            next(r.uid for r in opened.runs(framework=f) if r.uid.startswith("aaaa")) for f in ("onnxruntime", "opencv")
        )
    assert ratios(said(capsys, "explain", a, b, "--json")) == [4.0]
    across = said(capsys, "explain", "experiment=old,opencv", "experiment=quick,opencv", "--json")
    assert ratios(across) == [0.5, 0.5]
    files = said(capsys, "explain", f"results={results}:old,opencv", f"results={results}:quick,opencv", "--json")
    assert ratios(files) == [0.5, 0.5]


@pytest.mark.usefixtures("results")
def test_bottlenecks_models_and_roofline_take_the_latest_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    def cases(*words: str) -> int:
        return len(json.loads(said(capsys, *words))["cases"])

    assert main(["explain", "--json"]) == 0
    assert f"{ALSO}: `hwprof explain :all`." in capsys.readouterr().err
    assert cases("bottlenecks", "--json") == 4
    assert cases("bottlenecks", ":single", "--json") == 2
    assert cases("bottlenecks", "--json", "--only", "onnxruntime") == 2
    for words, expected in (([], 4), ([":single"], 2), (["framework=opencv"], 2)):
        placed = json.loads(said(capsys, "roofline", *words, "--json"))
        assert len(placed["cases"]) + len(placed["not_placed"]) == expected
    assert main(["models"]) == 0
    assert ALSO in capsys.readouterr().err


def test_predict_learns_from_the_latest_experiment(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Results.open(results) as opened:
        fast = [make_run("tvm", n, fps=50.0 - k, round=r) for k, n in enumerate(NETWORKS) for r in range(2)]
        opened.add_all(moved(fast, 5, "dddd0"), opened.begin_experiment("tvm", "", "hash tvm", 0))
    words = ["predict", "-n", "vgg16", "-f"]
    (found,) = json.loads(said(capsys, *words, "tvm", "--json"))["predictions"]
    assert found["networks"] == len(NETWORKS)
    assert main([*words, "opencv"]) == 2
    assert "Unknown framework 'opencv'" in capsys.readouterr().err


@pytest.mark.usefixtures("results")
def test_compare_takes_the_latest_experiment_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "hwprof.db", ":old", "--json"]) in (0, 1, 3)
    found = json.loads(capsys.readouterr().out)
    assert (found["old"], found["new"]) == (
        "experiment quick of 2026-11-02, 16 runs of hwprof.db",
        "experiment old of 2026-11-01, 16 runs of hwprof.db",
    )
    assert main(["compare", ":quick,network=resnet18", ":old,opencv", "--json"]) in (0, 1, 3)
    cases = {(c["case"]["framework"], c["case"]["network"]) for c in json.loads(capsys.readouterr().out)["changes"]}
    assert cases == {("opencv", "resnet18")}


@pytest.mark.usefixtures("results")
def test_an_export_is_of_every_run_unless_something_is_selected(capsys: pytest.CaptureFixture[str]) -> None:
    def uids(*words: str) -> set[str]:
        assert main(["export", *words]) == 0
        return {row["run"][:4] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}

    assert uids() == {"aaaa", "bbbb", "cccc"}
    assert uids("hwprof.db") == {"aaaa", "bbbb", "cccc"}
    assert uids("hwprof.db:last") == {"bbbb"}
    assert uids("framework=opencv") == {"aaaa", "bbbb", "cccc"}
    assert uids("run=cccc0000001") == {"cccc"}
    assert uids(":old", "--over-time", "--format", "csv") == {"aaaa"}
    assert main(["export", ":quick", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [e["name"] for e in document["experiments"]] == ["quick"]
    assert {run["uid"][:4] for run in document["runs"]} == {"bbbb"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "hwprof.db:quik"], "'quik' is no experiment or run of hwprof.db. Did you mean quick?"),
        (["report", "network=resnet81"], "No run of hwprof.db has network=resnet81"),
        (["report", "netwrok=resnet18"], "Did you mean network?"),
        (["report", "hwprof.db", "other.db"], "Two results files, hwprof.db and other.db"),
        (["report", "nowhere.db"], "No results file nowhere.db"),
        (["report", "nowhere.db:quick"], "No results file nowhere.db"),
        (["report", "postgresql://me:secret@host:5432/db"], "A database URL (postgresql://...) is no results file"),
        (
            ["report", "postgresql://me:secret@host:5432/db:quick"],
            "A database URL (postgresql://...) is no results file",
        ),
        (["explain", "onnxruntime", "tensorflow"], "'tensorflow' is no framework"),
        (
            ["explain", "experiment=last,onnxruntime", "opencv"],
            "'last' in 'experiment=last,onnxruntime' belongs behind",
        ),
        (["export", "since=yesterday"], "since=yesterday is no time"),
        (["compare", ":quick", ":slow"], "'slow' is no experiment or run of hwprof.db"),
    ],
)
@pytest.mark.usefixtures("results")
def test_a_wrong_word_gets_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.db").write_bytes((tmp_path / "hwprof.db").read_bytes())
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "secret" not in captured.err
    assert not (tmp_path / "hwprof-report").exists()


def test_a_word_is_a_file_where_there_are_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HWPROF_RESULTS", raising=False)
    assert main(["report", "results"]) == 2
    assert "No results file results" in capsys.readouterr().err


@pytest.mark.usefixtures("results")
def test_results_given_as_an_option_take_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--results", "hwprof.db:old"],
        ["--results", "hwprof.db", ":old"],
        [":old", "--results", "hwprof.db"],
    ):
        assert said(capsys, "report", *words, "--format", "json").startswith("onnxruntime is 4.00 times")


@pytest.mark.parametrize(
    "command", ["report", "explain", "bottlenecks", "models", "roofline", "predict", "export", "compare"]
)
def test_the_help_of_a_command_that_reads_results_has_the_grammar(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert "results.db:quick" in text
    assert "since=3d until=2026-11-02" in text


def test_machines_of_an_experiment_are_selected_by_a_part_of_their_name(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Results.open(results) as opened:
        board = {**MACHINE, "label": "Pi 5 (A76)", "model": "Pi 5"}
        runs = [
            make_run(f, "resnet18", fps=v, round=r, machine=board)
            for f, v in (("onnxruntime", 9.0), ("opencv", 3.0))
            for r in range(3)
        ]
        opened.add_all(moved(runs, 9, "eeee0"), opened.begin_experiment("boards", "", "hash boards", 0))
    assert said(capsys, "report", ":all", "machine=a76", "--format", "json").startswith("onnxruntime is 3.00 times")
