"""`hwprof roofline` and `predict` on small results; figures are invented but for a calibration."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.records import Ceiling
from hwprof.store import Results
from tests.factories import MACHINE, make_run
from tests.planted_sets import with_slices

BOARD = {**MACHINE, "caches": [{"level": 1, "type": "Data", "kib": 32, "shared_by": 1, "count": 4}]}
CEILINGS = [
    Ceiling("fp32", "avx2", (2,), 1e11, "op/s", {"share": 1.0, "at_utc": "1"}),
    Ceiling("fp32", "sse2", (2,), 4e10, "op/s", {"share": 0.5, "at_utc": "1"}),
    Ceiling("bandwidth", "DRAM", (2,), 1e10, "B/s", {"at_utc": "1"}),
]


def results(path: Path, **fields: Any) -> Path:
    networks = ("tiny_cnn", "squeezenet1_1", "mobilenet_v2", "resnet18", "a_network_of_old")
    with Results.open(path, create=True) as stored:
        for i, network in enumerate(networks):
            for r in range(2):
                size = 32 if network == "tiny_cnn" else 64
                fields = {"machine": BOARD, "cpus": (2,), **fields}
                stored.add(make_run(network=network, fps=100 / (i + 1) + r, round=r, size=size, **fields))
        stored.add_ceilings(BOARD, {"kernel": "1"}, CEILINGS)
    return path


def test_cases_are_placed_under_the_best_instruction_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r.db")
    assert main(["roofline", str(path), "--json", "-o", str(tmp_path / "r.svg")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {c["peak"] for c in said["cases"]} == {1e11}
    assert {c["point"]["origin"] for c in said["cases"]} == {"compulsory traffic"}
    assert [u["title"].split()[1] for u in said["not_placed"]] == ["a_network_of_old"]
    assert ">resnet18</text>" in (tmp_path / "r.svg").read_text()
    assert main(["roofline", str(path)]) == 0
    assert "measured with 50 % of the CPU" in capsys.readouterr().out


def test_roofline_and_bottlenecks_take_the_ceilings_of_the_cores_that_a_case_ran_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [{"model": "Big", "cpus": [4, 5]}, {"model": "Little", "cpus": [0, 1]}]
    board = {**MACHINE, "kinds": kinds}
    with Results.open(tmp_path / "r.db", create=True) as stored:
        for r in range(2):
            # 26.6 frames/s x 300.8 MMAC x 2 = 16 GFLOP/s: 16 % of what a big core can do, 80 % of a little one
            stored.add(make_run(network="mobilenet_v2", fps=26.6, round=r, cpus=(0,), machine=board))
        for cpu, peak in ((4, 1e11), (0, 2e10)):
            memory = Ceiling("bandwidth", "DRAM", (cpu,), 1e12, "B/s")
            stored.add_ceilings(board, {"kernel": "1"}, [Ceiling("fp32", "vector", (cpu,), peak, "op/s"), memory])
    assert main(["roofline", str(tmp_path / "r.db"), "--json"]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert main(["explain", str(tmp_path / "r.db"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["cases"]
    (verdict,) = (v for v in found["verdicts"] if v["code"] == "compute-bound")
    peak = next(n["value"] for n in verdict["numbers"] if n["name"] == "peak")
    assert peak == case["peak"] == 2e10
    assert case["share"] == pytest.approx(0.8, abs=0.01)
    assert (verdict["state"], verdict["sure"]) == ("yes", "medium")


def placed_cases(path: Path, capsys: pytest.CaptureFixture[str], **fields: Any) -> dict[str, dict[str, Any]]:
    """Network -> its place, of a short and a long inference on one core."""
    with Results.open(path, create=True) as stored:
        for network, cost_ms in (("squeezenet1_1", 0.4), ("resnet18", 6.0)):
            for r in range(2):
                run = make_run(network=network, size=64, round=r, cpus=(2,), machine=BOARD, metrics={})
                stored.add(with_slices(run, cost_ms, **fields))
        stored.add_ceilings(BOARD, {"kernel": "1"}, CEILINGS)
    assert main(["roofline", str(path), "--json"]) == 0
    cases = json.loads(capsys.readouterr().out)["cases"]
    return {case["point"]["title"].split()[1]: case for case in cases}


def test_who_shares_the_core_moves_no_case_under_its_roof(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = placed_cases(tmp_path / "quiet.db", capsys)
    shared = placed_cases(tmp_path / "shared.db", capsys, preempted=True)
    for network in ("squeezenet1_1", "resnet18"):
        assert shared[network]["point"]["by"] == "CPU time per frame"
        assert shared[network]["performance"] == pytest.approx(quiet[network]["performance"], rel=0.01)
        assert quiet[network]["point"]["rate"] == pytest.approx(quiet[network]["point"]["fps"], rel=0.01)
    assert shared["resnet18"]["point"]["fps"] < 0.5 * quiet["resnet18"]["point"]["fps"]
    assert main(["roofline", str(tmp_path / "shared.db")]) == 0
    assert "CPU time" in capsys.readouterr().out


def test_cases_of_several_threads_on_shared_cores_are_placed_and_not_ranked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.db"
    both = [dataclasses.replace(c, cpus=(2, 3)) for c in CEILINGS]
    with Results.open(path, create=True) as stored:
        for network, cost_ms in (("squeezenet1_1", 0.4), ("resnet18", 6.0)):
            run = make_run(network=network, size=64, cpus=(2, 3), threads=2, machine=BOARD, metrics={})
            stored.add(with_slices(run, cost_ms, preempted=True))
        stored.add_ceilings(BOARD, {"kernel": "1"}, both)
    assert main(["roofline", str(path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "2 cases are not ranked" in text
    assert "nearest to its ceiling" not in text
    assert "! others used its cores and lowered it: not ranked." in text


def test_bottlenecks_of_a_shared_core_are_the_waiting_and_not_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shared.db"
    placed_cases(path, capsys, preempted=True)
    assert main(["explain", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["cases"]
    for case in found:
        first, *_ = case["verdicts"]
        assert (first["code"], first["state"]) == ("other-load", "yes")
        assert first["because"] == "the core is shared: 75 % of the time in the run queue"
        assert case["rates_by"] == "CPU time per frame"
        assert case["cpu_s"] == pytest.approx(0.0004 if case["case"]["network"] == "squeezenet1_1" else 0.006, rel=0.01)
    assert main(["explain", "network=resnet18", str(path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "FPS (disturbed)" in text
    assert "6 ms of CPU time per frame" in text


def test_what_a_socket_moved_is_not_taken_for_the_bytes_of_a_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = []
    for name, metrics in (("bare", {}), ("counted", {"uncore_imc/data_reads/": 5.0, "llc-misses": 1e6})):
        assert main(["roofline", str(results(tmp_path / f"{name}.db", metrics=metrics)), "--json"]) == 0
        cases.append(json.loads(capsys.readouterr().out)["cases"])
    assert cases[0]
    assert cases[1] == cases[0]


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")])
def test_it_is_drawn_in_the_format_of_the_name(tmp_path: Path, suffix: str, begins: bytes) -> None:
    assert main(["roofline", str(results(tmp_path / "r.db")), "-o", str(tmp_path / f"r.{suffix}")]) == 0
    assert (tmp_path / f"r.{suffix}").read_bytes().startswith(begins)


def test_a_format_that_is_none_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roofline", str(results(tmp_path / "r.db")), "-o", str(tmp_path / "r.xyz")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "ends in .svg, .png or .pdf" in line


def test_without_ceilings_there_is_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Results.open(tmp_path / "r.db", create=True) as stored:
        stored.add(make_run())
    assert main(["roofline", str(tmp_path / "r.db")]) == 2
    assert "hwprof roofline --measure" in capsys.readouterr().err


def test_the_emulated_are_not_placed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r.db", host_state={"emulated": True})
    assert main(["roofline", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cases"] == []
    assert "emulator" in said["not_placed"][0]["why"]


def test_the_last_calibration_of_a_machine_counts(tmp_path: Path) -> None:
    path = results(tmp_path / "r.db")
    with Results.open(path) as stored:
        later = dataclasses.replace(CEILINGS[0], value=9e10, evidence={"at_utc": "2"})
        stored.add_ceilings(BOARD, {"kernel": "2"}, [later])
        stored.add_ceilings(BOARD, {"kernel": "1"}, [dataclasses.replace(CEILINGS[0], value=1.0)])
        found = {c.name: c.value for c in stored.ceilings()}
    assert found["fp32 avx2 cpus=2"] == 9e10
    assert len(found) == 3


@pytest.mark.cc
def test_measure_keeps_what_it_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.db"
    cpu = str(sorted(os.sched_getaffinity(0))[0])
    words = [
        "roofline",
        "--measure",
        "--cpus",
        cpu,
        "--repetitions",
        "1",
        "--seconds",
        "0.002",
        "--results",
        str(path),
        "--json",
    ]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    values = {c["name"]: c["value"] for c in said["ceilings"] if c["value"] is not None}
    with Results.open(path) as stored:
        assert {c.name: c.value for c in stored.ceilings()} == pytest.approx(values)
    assert f"fp32 scalar cpus={cpu}" in values
    assert main(["roofline", "--measure", "--repetitions", "0"]) == 2


def test_models_and_predictions_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r.db")
    assert main(["predict", str(path), "--evaluate", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["networks"], model["chosen"]) == (5, ["macs"])
    words = ["predict", "-n", "googlenet", "-s", "128", "-f", "onnxruntime", "--results", str(path)]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (one,) = said["predictions"]
    assert one["low"] < one["fps"] < one["high"]
    assert said["facts"]["macs"] > 1e8
    assert main(words) == 0
    assert "95 % for a new network" in capsys.readouterr().out
    assert main(["predict", "-n", "googlenet", "-f", "onnxruntim", "--results", str(path)]) == 2
    assert "Did you mean onnxruntime" in capsys.readouterr().err
    assert main([*words, "-b", "64"]) == 3
