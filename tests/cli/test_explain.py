"""`hwprof explain` and `hwprof bottlenecks` on stored results: selectors, output, errors with a remedy."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.records import Ceiling, Run
from hwprof.store import Results
from tests.analysis.planted import several
from tests.cli.test_report import stored
from tests.factories import HOST_STATE, MACHINE


@pytest.fixture
def results(tmp_path: Path) -> Path:
    runs = [
        run
        for network, work in (("resnet18", 2e8), ("resnet50", 4e8))
        for threads in (1, 2)
        for framework, more in (("onnxruntime", 1.0), ("opencv", 2.0))
        for run in several(
            framework=framework, network=network, work=work * more, threads=threads, parallelism=0.9 * threads**0.5
        )
    ]
    return stored(tmp_path / "r.db", runs)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    return capsys.readouterr().err


def test_every_pair_that_matches_is_explained_and_summed_up(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "explain", "onnxruntime", "opencv", str(results))
    assert "2 networks, 4 pairs" in text
    assert text.count("onnxruntime is x2.00 [") == 4
    words = " ".join(text.split())
    assert words.count("as fast as opencv, within this session: mainly instructions per frame x2.00") == 4


def test_json_holds_terms_whose_logs_add_up(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, "explain", "opencv,network=resnet18", "onnxruntime", str(results), "--json"))
    assert len(data["explanations"]) == 2
    assert data["summary"] is None
    for found in data["explanations"]:
        terms = [*found["factors"], found["observer"], found["tail"]]
        assert sum(t["log"] for t in terms) == pytest.approx(math.log(found["ratio"]["ratio"]), abs=1e-9)
        assert {f["name"]: f["ratio"] for f in found["factors"]}["work"] == pytest.approx(0.5, rel=1e-6)


def test_what_one_selector_names_narrows_both(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "explain", "onnxruntime,resnet18,threads=2", "threads=1", str(results))
    assert "threads=2 is x1.41" in text
    assert "CPUs used x1.41" in text
    assert "by Amdahl's law a serial part of 41%" in text


def test_a_switch_that_alone_differs_is_the_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hwprof.frameworks.opencv import ADAPTER as OPENCV

    capped = dict(OPENCV.switches["simd"].options)
    runs = [*several(framework="opencv"), *several(framework="opencv", work=3e8, options=capped)]
    path = stored(tmp_path / "r.db", runs)
    ((name, value),) = capped.items()
    text = " ".join(said(capsys, "explain", "opencv", f"{name}={value},opencv", str(path)).split())
    assert "instructions per frame x3.00" in text
    assert "nothing but wide vector instructions differs, and rounds were measured in turn: it is the effect" in text
    assert "Rerun" not in text


def test_two_runs_by_their_ids(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Results.open(results) as opened:
        runs: Sequence[Run] = list(opened.runs(network="resnet18"))
    a = next(r.uid for r in runs if r.case.framework == "onnxruntime")
    b = next(r.uid for r in runs if r.case.framework == "opencv" and r.case.threads == 1)
    assert "instructions per frame x2.00" in " ".join(said(capsys, "explain", a, b, str(results)).split())


def test_an_old_and_a_new_results_file(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = stored(tmp_path / "new.db", several(framework="onnxruntime", network="resnet18", work=1e8))
    text = said(capsys, "explain", f"results={new},onnxruntime,threads=1", f"results={results},onnxruntime")
    assert "instructions per frame x2.00" in text
    assert "not measured in turn" in text


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("onnxruntime", "onnxruntime", "nothing that differs"),
        (
            "onnxruntime",
            "tensorflow",
            "is no framework, network, shape, version, precision, experiment, machine or run",
        ),
        ("onnxruntime", "colour=red", "unknown key 'colour'"),
        ("network=resnet18,threads=1", "network=resnet50,threads=7", "has threads=7. Known: 1, 2"),
    ],
)
def test_a_selector_that_fits_nothing_says_what_there_is(
    results: Path, capsys: pytest.CaptureFixture[str], a: str, b: str, message: str
) -> None:
    assert message in refused(capsys, "explain", a, b, str(results))


def test_bottlenecks_says_what_was_found_and_what_cannot_be_told(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "bottlenecks", str(results), "--only", "onnxruntime,threads=2")
    assert "poorly-parallel: partly" in text
    assert "x1.41 over one thread" in text
    assert "can't tell (this is no 'no')" in text
    assert "opencv resnet18" not in text
    data = json.loads(said(capsys, "bottlenecks", str(results), "--json"))
    assert len(data) == 8
    assert {len(d["verdicts"]) for d in data} == {13}


def test_empty_results_have_nothing_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no case of" in refused(capsys, "bottlenecks", str(stored(tmp_path / "e.db", [])))


def test_a_measured_latency_in_ns_becomes_cycles_by_the_clock_that_was_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = several(clock=2e9, metrics={"llc-misses": 1e4})
    runs = [*a, *several(framework="opencv", clock=3e9, metrics={"llc-misses": 1e5})]
    path = stored(tmp_path / "r.db", runs)
    with Results.open(path) as results:
        results.add_ceilings(a[0].machine, a[0].host_state, [Ceiling("latency", "DRAM", (), 80e-9, "s")])
    (found,) = json.loads(said(capsys, "explain", "onnxruntime", "opencv", str(path), "--json"))["explanations"]
    (clue,) = (c for c in found["clues"] if c["code"] == "llc-misses")
    # of two clocks the higher one, so that the bound stays one
    assert "240 cycles each, measured here" in clue["text"]


def test_a_measured_latency_is_that_of_the_cores_of_both_sides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = {**MACHINE, "kinds": [{"model": "Big", "cpus": [4, 5]}, {"model": "Little", "cpus": [0, 1]}]}
    runs = [
        run
        for cpus in ((5,), (4,), (0,))
        for run in several(clock=1e9, metrics={"llc-misses": 1e4}, cpus=cpus, machine=board)
    ]
    path = stored(tmp_path / "r.db", runs)
    with Results.open(path) as results:
        found = [Ceiling("latency", "DRAM", (cpu,), seconds, "s") for cpu, seconds in ((4, 100e-9), (0, 300e-9))]
        results.add_ceilings(board, runs[0].host_state, found)
    for other, cycles in (("cpus=4", 100), ("cpus=0", 300)):
        (explained,) = json.loads(said(capsys, "explain", "cpus=5", other, str(path), "--json"))["explanations"]
        (clue,) = (c for c in explained["clues"] if c["code"] == "llc-misses")
        assert f"{cycles} cycles each, measured here" in clue["text"]


def in_experiments(path: Path, *parts: Sequence[Run]) -> Path:
    with Results.open(path, create=True) as results:
        for number, runs in enumerate(parts):
            identity = results.begin_experiment(f"part {number}", "", f"hash {number}", 0)
            for run in runs:
                results.add(run, identity)
    return path


def under(host: Mapping[str, object], first: int, **fields: Any) -> list[Run]:
    """Rounds measured under these settings of the machine."""
    runs = several(host=host, **fields)
    return [dataclasses.replace(run, uid=f"{first + number:012x}") for number, run in enumerate(runs)]


def test_runs_under_other_settings_of_the_machine_are_never_rounds_of_one_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {"kernel": "6.1", "governors": ["performance"]}
    new = {"kernel": "6.12", "governors": ["powersave"]}
    runs = [*under(old, 0, work=1e8), *under(old, 10, framework="opencv", work=2e8)]
    runs += [*under(new, 20, work=2e8), *under(new, 30, framework="opencv", work=4e8)]
    path = f"{in_experiments(tmp_path / 'r.db', runs[:8], runs[8:])}:all"
    data = json.loads(said(capsys, "explain", "onnxruntime", "opencv", path, "--json"))
    assert [found["rounds"] for found in data["explanations"]] == [[4, 4], [4, 4]]
    assert [found["ratio"]["ratio"] for found in data["explanations"]] == pytest.approx([2.0, 2.0])
    contexts = [found["context"] for found in data["explanations"]]
    assert [c.partition("kernel ")[2] for c in contexts] == ["6.1 · governor performance", "6.12 · governor powersave"]
    (found,) = json.loads(
        said(
            capsys,
            *(
                "explain",
                "onnxruntime,kernel=6.1,governor=performance",
                "kernel=6.12,governor=powersave",
                path,
                "--json",
            ),
        )
    )["explanations"]
    assert found["ratio"]["ratio"] == pytest.approx(2.0)
    assert found["differs"] == ["kernel", "governor"]


def test_another_version_that_is_passed_over_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = [dataclasses.replace(r, software={"distributions": {"onnxruntime": "0.9"}}) for r in under(HOST_STATE, 0)]
    second = [*under(HOST_STATE, 10, work=2e8), *several(framework="opencv")]
    path = f"{in_experiments(tmp_path / 'r.db', first, second)}:all"
    (found,) = json.loads(said(capsys, "explain", "onnxruntime", "opencv", path, "--json"))["explanations"]
    assert found["rounds"] == [4, 4]
    (note,) = (n for n in found["notes"] if n.startswith("also there, and left out"))
    assert note.endswith(", version 0.9")
