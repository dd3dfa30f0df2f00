"""`hwprof explain A B` on stored results: selectors, output, errors with a remedy."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.cli.parsers import command_parser
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
    text = said(capsys, "explain", "onnxruntime", "opencv", str(results), "--full")
    assert "2 networks, 4 pairs" in text
    assert text.count("onnxruntime is 2.00x [") == 4
    words = " ".join(text.split())
    assert words.count("within this session. Mainly accounted for by instructions per frame 2.00x.") == 4


def test_json_holds_terms_whose_logs_add_up(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, "explain", "opencv,network=resnet18", "onnxruntime", str(results), "--json"))
    assert len(data["explanations"]) == 2
    assert data["summary"] is None
    for found in data["explanations"]:
        terms = [*found["factors"], found["observer"], found["tail"]]
        assert sum(t["log"] for t in terms) == pytest.approx(math.log(found["ratio"]["ratio"]), abs=1e-9)
        assert {f["name"]: f["ratio"] for f in found["factors"]}["work"] == pytest.approx(0.5, rel=1e-6)


def test_what_one_selector_names_narrows_both(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "explain", "onnxruntime,resnet18,threads=2", "threads=1", str(results), "--full")
    assert "threads=2 is 1.41x" in text
    assert "CPUs used 1.41x" in text
    assert "by Amdahl's law a serial part of 41 %" in text


def test_a_switch_that_alone_differs_is_the_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hwprof.frameworks.opencv import ADAPTER as OPENCV

    capped = dict(OPENCV.switches["simd"].options)
    runs = [*several(framework="opencv"), *several(framework="opencv", work=3e8, options=capped)]
    path = stored(tmp_path / "r.db", runs)
    ((name, value),) = capped.items()
    text = " ".join(said(capsys, "explain", "opencv", f"{name}={value},opencv", str(path)).split())
    assert "instructions per frame 3.00x" in text
    assert "Nothing but wide vector instructions differs, and rounds were measured in turn: it is the effect" in text
    assert "Rerun" not in text


def test_two_runs_by_their_ids(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Results.open(results) as opened:
        runs: Sequence[Run] = list(opened.runs(network="resnet18"))
    a = next(r.uid for r in runs if r.case.framework == "onnxruntime")
    b = next(r.uid for r in runs if r.case.framework == "opencv" and r.case.threads == 1)
    assert "instructions per frame 2.00x" in " ".join(said(capsys, "explain", a, b, str(results)).split())


def test_an_old_and_a_new_results_file(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = stored(tmp_path / "new.db", several(framework="onnxruntime", network="resnet18", work=1e8))
    text = said(capsys, "explain", f"results={new},onnxruntime,threads=1", f"results={results},onnxruntime")
    assert "instructions per frame 2.00x" in text
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
        ("onnxruntime", "colour=red", "Unknown key 'colour'"),
        ("network=resnet18,threads=1", "network=resnet50,threads=7", "has threads=7. Known: 1, 2"),
    ],
)
def test_a_selector_that_fits_nothing_says_what_there_is(
    results: Path, capsys: pytest.CaptureFixture[str], a: str, b: str, message: str
) -> None:
    assert message in refused(capsys, "explain", a, b, str(results))


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


NETWORKS = ("mobilenet_v2", "resnet18", "resnet50", "googlenet", "densenet121", "alexnet", "squeezenet1_1", "mnasnet")


def eight_networks(*frameworks: tuple[str, float]) -> list[Run]:
    """Rounds of each framework on eight networks; its number is its work beside the first one's."""
    return [
        run
        for number, network in enumerate(NETWORKS)
        for framework, more in frameworks
        for run in several(framework=framework, network=network, work=(1 + number) * 1e8 * more)
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_many_networks_are_the_answer_its_factors_and_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    path = stored(tmp_path / "r.db", eight_networks(("onnxruntime", 1.0), ("opencv", 2.0)))
    lines = said(capsys, "explain", "onnxruntime", "opencv", str(path)).splitlines()
    assert lines[0].startswith("onnxruntime is 2.00 times as fast as opencv")
    assert len(lines) <= len(NETWORKS) + 32
    assert max(map(len, (line for line in lines if "hwprof " not in line))) <= columns
    for network in NETWORKS:
        (row,) = (line for line in lines if line.startswith(f"  {network} "))
        assert row.split()[1] == "2.00x"
        assert row.endswith("mainly instructions per frame 2.00x")
    assert any(line.startswith("  instructions per frame 2.00x [") and line.endswith(": mainly") for line in lines)
    assert len(said(capsys, "explain", "onnxruntime", "opencv", str(path), "--full").splitlines()) > 100


def test_three_frameworks_are_ranked_before_every_two_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored(tmp_path / "r.db", eight_networks(("onnxruntime", 1.0), ("opencv", 2.0), ("ncnn", 4.0)))
    text = said(capsys, "explain", "onnxruntime", "opencv", "ncnn", str(path))
    assert text.startswith("onnxruntime is the fastest of 3 frameworks")
    assert "24 pairs" in text
    for both in ("onnxruntime / opencv", "onnxruntime / ncnn", "opencv / ncnn"):
        assert text.count(f"  {both} ") == len(NETWORKS)
    data = json.loads(said(capsys, "explain", "onnxruntime", "opencv", "ncnn", str(path), "--json"))
    assert len(data["explanations"]) == 24
    assert [place["name"] for place in data["answer"]["rankings"][0]["places"]] == ["onnxruntime", "opencv", "ncnn"]


def test_one_pair_is_the_answer_its_factors_and_the_strongest_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cycles = 1e8 / 1.5
    quiet, missing = {"llc-misses": 1e3, "branch-misses": 1e4}, {"llc-misses": 1e5, "branch-misses": 1.1e4}
    runs = [*several(metrics=quiet), *several(framework="opencv", ipc=0.75, metrics=missing)]
    path = stored(tmp_path / "r.db", runs)
    text = said(capsys, "explain", "onnxruntime", "opencv", str(path))
    assert text.startswith("onnxruntime is 2.00 times as fast as opencv")
    assert text.index("instructions per cycle: mainly") < text.index("Strongest evidence (association, not causation)")
    evidence = " ".join(text.partition("Strongest evidence")[2].split())
    assert "- on instructions per cycle: last-level misses per 1,000 instructions" in evidence
    assert f"onnxruntime {100 * 1e3 * 300 / cycles:.0f} %" in evidence
    assert "mispredicted" not in evidence
    assert "--full" in text
    full = said(capsys, "explain", "onnxruntime", "opencv", str(path), "--full")
    assert "mispredicted branches per 1,000 instructions" in " ".join(full.split())
    (found,) = json.loads(said(capsys, "explain", "onnxruntime", "opencv", str(path), "--json"))["explanations"]
    assert [one["code"] for one in found["strongest"]] == ["llc-misses"]


def test_the_document_has_a_format_and_what_was_left_out(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, "explain", "onnxruntime", "opencv", str(results), "--json"))
    assert (data["format"], data["left_out"]) == (1, [])
    assert data["answer"]["format"] == 1


def test_no_word_of_cause_without_a_rerun(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("onnxruntime", "opencv"), ("onnxruntime,resnet18,threads=2", "threads=1")):
        for more in ((), ("--full",)):
            text = said(capsys, "explain", *words, str(results), *more).lower()
            assert not [cause for cause in ("because of", "due to", "caused by") if cause in text]


def test_the_former_option_is_the_same_as_test_and_hidden() -> None:
    parser, _ = command_parser("explain")
    new, old = (parser.parse_args(["a", "b", option, "spin,simd"]) for option in ("--test", "--intervene"))
    assert new == old
    assert new.test == ("spin", "simd")
    assert "intervene" not in parser.format_help()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("onnxruntime", "opencv", "--test", "caches"), "--test knows no caches"),
        (("--test", "spin"), "--test measures one case or a pair of them, and none is named"),
        (("onnxruntime", "--test", "spin"), "and 'onnxruntime' names 4 cases"),
    ],
)
def test_a_test_that_cannot_be_run_is_refused(
    results: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, "explain", *words, "--results", str(results))
