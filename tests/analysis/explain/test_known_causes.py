"""Pairs whose difference is known by construction, recorded from a real machine: `explain` says the right thing first.

The recordings are of benchmarks/known_causes.py, which measures such pairs anew. Their machine has no PMU: CPU time and
the kernel's own accounts are what there is, and what they can't split is one factor.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.frameworks.opencv import ADAPTER as OPENCV
from hwprof.machine.cpus import allowed_cpus
from hwprof.store import Results

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str, folder: Path) -> Path:
    """A results file of one's own from the recording."""
    path = folder / f"{name}.db"
    path.write_bytes(gzip.decompress((RECORDED / f"{name}.db.gz").read_bytes()))
    return path


def explained(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["explain", *words, "--results", str(path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["explanations"]
    return dict(found)


def first_term(found: dict[str, Any]) -> dict[str, Any]:
    """The factor that carries most of the ratio."""
    return dict(max(found["factors"], key=lambda f: abs(f["log"])))


def test_vectors_off_is_work_or_the_factor_that_holds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ((name, value),) = OPENCV.switches["simd"].options.items()
    found = explained(recorded("vectors-off", tmp_path), capsys, "opencv", f"opencv,{name}={value}")
    first = first_term(found)
    assert first["name"] == "clock x ipc x work"
    assert first["low"] > 1.5
    assert found["headline"].startswith("unchanged is ")


def test_a_shared_core_is_named_and_no_difference_of_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = explained(recorded("shared-core", tmp_path), capsys, "opencv", "opencv,env.SHARED=yes")
    assert found["estimator"] == "CPU time per frame"
    assert "preempted: " in found["headline"]
    # others took most of the time, and some of the caches
    assert found["ratio"]["ratio"] < 1.5
    assert found["speeds"]["a"]["throughput"] > 4 * found["speeds"]["b"]["throughput"]
    assert any("caches" in note for note in found["notes"])
    waits = [c for c in found["clues"] if c["code"] == "run-queue-wait"]
    assert waits
    assert all(c["factor"] == "parallelism" for c in waits)


def test_spinning_is_named_by_the_rerun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = explained(recorded("spinning", tmp_path), capsys, "onnxruntime", "opencv")
    (done,) = found["interventions"]
    assert done["kind"] == "spin"
    (own,) = (e for e in done["effects"] if e["side"] == "A")
    assert own["changed"] == "spin=false"
    assert own["cpu"]["low"] > 1
    assert "Spin-waiting makes onnxruntime take" in found["headline"]


@pytest.mark.slow
@pytest.mark.skipif(len(allowed_cpus()) < 2, reason="threads that wait for each other need two cores")
def test_a_rerun_measures_both_sides_both_ways_and_claims_only_what_its_interval_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ("-r", "2", "--window", "0.1")
    path = tmp_path / "r.db"
    run = ("run", "-n", "tiny_cnn", "-t", "2", "-w", "3", *quick, "--results", str(path))
    assert main([*run, "-f", "onnxruntime"]) == 0
    assert main([*run, "-f", "opencv"]) == 0
    found = explained(path, capsys, "onnxruntime", "opencv", "--test", "spin", *quick)
    with Results.open(path) as results:
        runs = list(results.runs())
    assert len(runs) == 2 * 2 + 4 * 2
    (done,) = found["interventions"]
    assert done["kind"] == "spin"
    assert {e["side"] for e in done["effects"]} == {"A", "B"}
    for effect in done["effects"]:
        claim = f"Spin-waiting makes {'onnxruntime' if effect['side'] == 'A' else 'opencv'} take"
        shown = effect["cpu"]["low"] > 1 or effect["cpu"]["high"] < 1
        assert (claim in found["headline"]) == shown, os.linesep.join((found["headline"], str(effect)))
