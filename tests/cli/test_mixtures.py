"""Every kind of run, alone and mixed, through every command that reads results: one item never ends the whole."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.records import Run, from_json
from hwprof.store import Results
from tests.cli import mixtures
from tests.factories import HOST_STATE, MACHINE

# Sets of kinds; the last has them all. In those with native runs, no command may refuse.
SETS = [*((kind,) for kind in mixtures.KINDS), ("imported", "command", "layers", "failed"), tuple(mixtures.KINDS)]
WITHOUT_NATIVE = {"export-pyperf", "explain", "explain-json", "bottlenecks", "bottlenecks-json", "predict", "compare"}


def commands(path: Path, folder: Path) -> dict[str, list[str]]:
    file = str(path)
    return {
        "report": ["report", file, "-o", str(folder / "report"), "--format", "all"],
        "export-csv": ["export", file, "--kind", "all", "-o", str(folder / "all.csv")],
        "export-json": ["export", file, "--unmasked", "-o", str(folder / "all.json")],
        "export-pyperf": ["export", file, "--format", "pyperf", "-o", str(folder / "pyperf.json")],
        "explain": ["explain", "onnxruntime", "opencv", file],
        "explain-json": ["explain", "onnxruntime", "opencv", file, "--json"],
        "bottlenecks": ["bottlenecks", file],
        "bottlenecks-json": ["bottlenecks", file, "--json"],
        "models": ["predict", file, "--evaluate"],
        "models-json": ["predict", file, "--evaluate", "--json"],
        "predict": ["predict", "-n", "mobilenet_v3_small", "-f", "onnxruntime", "--results", file],
        "compare": ["compare", file, file],
        "roofline": ["roofline", file, "-o", str(folder / "roof.svg")],
        "import": ["import", file, "--results", str(folder / "merged.db")],
    }


Call = Callable[[list[str]], tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(words: list[str]) -> tuple[int, str, str]:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def stored(path: Path, runs: list[Run]) -> Path:
    mixtures.stored(path, runs)
    with Results.open(path) as results:
        results.add_ceilings(MACHINE, HOST_STATE, mixtures.CEILINGS)
    return path


def readable(folder: Path) -> dict[str, str]:
    """Every file that was written, parsed as what it is: its text by name."""
    found = {}
    for file in sorted(p for p in folder.rglob("*") if p.suffix in {".html", ".md", ".tex", ".csv", ".json", ".svg"}):
        text = found[file.name] = file.read_text(encoding="utf-8")  # strict
        assert not {c for c in text if c < " " and c != "\n"}, file
        if file.suffix == ".svg":
            ET.fromstring(text)
        if file.suffix == ".json":
            json.loads(text)
        if file.suffix == ".csv":
            with file.open(newline="") as lines:
                assert len({len(row) for row in csv.reader(lines)}) <= 1, file
    return found


@pytest.mark.parametrize("kinds", SETS, ids="+".join)
def test_every_kind_of_run_goes_through_every_command(kinds: tuple[str, ...], tmp_path: Path, call: Call) -> None:
    path = stored(tmp_path / "r.db", mixtures.of(*kinds))
    measured = bool({"native", "emulated"} & {*kinds})
    for name, words in commands(path, tmp_path).items():
        if name == "report" and kinds in (("native",), ("emulated",)):  # other tests draw their figures
            words = ["html,latex" if word == "all" else word for word in words]
        code, out, err = call(words)
        assert all(line.startswith("hwprof: ") for line in err.splitlines() if "->" not in line), (name, err)
        if code:
            assert name in WITHOUT_NATIVE | {"roofline"}, (name, err)
            assert not measured or (name == "roofline" and "native" not in kinds), (name, err)
            assert code in (2, 3), name
        else:
            assert out or name.startswith("export"), name
    files = readable(tmp_path)
    with Results.open(path) as results, Results.open(tmp_path / "merged.db") as merged:
        assert list(merged.runs()) == list(results.runs())
        assert [from_json(Run, r) for r in json.loads(files["all.json"])["runs"]] == list(results.runs())
    if "imported" in kinds:
        assert "Omitted" in files["report.html"]
        assert "imported (DLI)" in files["report.md"]


def answers(path: Path, call: Call) -> dict[str, Any]:
    """What is said of the native runs, in words that no other run should change."""
    explained = json.loads(call(["explain", "onnxruntime", "opencv", str(path), "--json"])[1])
    judged = json.loads(call(["bottlenecks", str(path), "--json"])[1])
    models = json.loads(call(["predict", str(path), "--evaluate", "--json"])[1])["models"]
    return {
        "pairs": {(e["context"], e["headline"]) for e in explained["explanations"] if "synthetic" in e["context"]},
        "cases": {(c["case"]["network"], c["fps"]) for c in judged["cases"] if "synthetic" in c["machine"]},
        "networks": [m["networks"] for m in models if "synthetic" in m["stratum"]["machine"]],
    }


def test_what_is_said_of_native_runs_does_not_hang_on_the_others(tmp_path: Path, call: Call) -> None:
    alone = answers(mixtures.stored(tmp_path / "alone.db", mixtures.native()), call)
    assert len(alone["pairs"]) == len(alone["cases"]) / 2 == len(mixtures.NETWORKS) == alone["networks"][0]
    # all but simulated and emulated ones, which add to what is said of the same cases
    for others in (["imported"], ["command", "attached", "declared"], ["layers", "tuning"], ["failed"]):
        both = mixtures.stored(tmp_path / f"{others[0]}.db", mixtures.of(*others, "native"))
        assert answers(both, call) == alone, others


def test_odd_runs_are_left_out_by_name_and_the_rest_is_analysed(tmp_path: Path, call: Call) -> None:
    path = stored(tmp_path / "r.db", [*mixtures.native(), *mixtures.odd()])
    mixtures.empty_windows(path, "alexnet", drop=True)
    mixtures.empty_windows(path, "resnet18", drop=False)
    said = {}
    for name, words in commands(path, tmp_path).items():
        code, *said[name] = call(words)
        assert code == 0, (name, said[name])
    for name in ("explain", "bottlenecks"):
        for network in ("alexnet", "resnet18"):
            assert f"opencv {network} 224px" in said[name][1], name
            assert "no round of it has a bare window with latencies" in said[name][1]
    assert "the clock stood still in its windows" in said["bottlenecks"][1]
    explained = json.loads(said["explain-json"][0])
    assert len(explained["explanations"]) == 2
    assert {o["why"] for o in explained["left_out"]} == {"no round of it has a bare window with latencies"}
    assert "left out for unknown MACs: without_macs" in " ".join(said["models"][0].split())
    assert "without_macs" in said["predict"][1]
    files = readable(tmp_path)
    files["figures"] = "".join(text for name, text in files.items() if name.startswith("fps"))
    for name in ("report.html", "report.md", "all.csv", "all.json", "figures"):
        assert mixtures.SHOWN in files[name].replace("\\\\", "\\"), name
    assert r"mod\textbackslash{}xe8le" in files["report.tex"]
    for name in ("without_macs", "no_time", "endless"):
        assert name in files["report.html"].partition("Omitted")[2], name
    with Results.open(path) as results:
        networks = {run.case.network for run in results.runs()}
    assert {f"{mixtures.BYTE}.onnx", mixtures.HOSTILE} <= networks


def test_nothing_at_all_is_said_in_a_line(tmp_path: Path, call: Call) -> None:
    path = mixtures.stored(tmp_path / "r.db", [])
    for name, words in commands(path, tmp_path).items():
        code, _, err = call(words)
        refuses = name in {*WITHOUT_NATIVE, "roofline"} - {"bottlenecks-json"}
        assert code == (2 if refuses else 0), (name, err)
        assert len([line for line in err.splitlines() if " is now " not in line]) <= 1, (name, err)  # of a former name


def test_a_terminal_that_lacks_a_letter_gets_it_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mixtures.stored(tmp_path / "r.db", mixtures.command(("./infer", f"{mixtures.BYTE}.bin", "\N{SNOWMAN}")))
    terminal = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    assert main(["compare", str(path), str(path)]) == 0
    assert rb"mod\xe8le.bin" in terminal.getvalue()
    assert rb"\u2603" in terminal.getvalue()
