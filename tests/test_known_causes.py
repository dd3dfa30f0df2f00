"""Real runs of pairs whose difference is known by construction: `explain` says the right thing first.

Without a PMU, CPU time and the kernel's own accounts are what there is; what they can't split is one factor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.evidence import collect
from hwprof.cli import main
from hwprof.interventions import SIMD_CAPPED
from hwprof.machine import allowed_cpus
from hwprof.store import Results

pytestmark = pytest.mark.slow

QUICK = ("-s", "64", "-n", "squeezenet1_1", "-r", "3", "--window", "0.3", "-w", "3")


def measured(path: Path, *words: str) -> None:
    assert main(["run", *QUICK, "--results", str(path), *words]) == 0


def explained(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["explain", *words, "--results", str(path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["explanations"]
    return dict(found)


def first_term(found: dict[str, Any]) -> str:
    """The factor that carries most of the ratio."""
    return str(max(found["factors"], key=lambda f: abs(f["log"]))["name"])


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "AMD64"), reason="vectors are capped on x86 alone")
def test_vectors_off_is_work_or_the_factor_that_holds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ((name, value),) = SIMD_CAPPED["opencv"].items()
    path = tmp_path / "r.db"
    measured(path, "-f", "opencv")
    measured(path, "-f", "opencv", "--option", f"{name}={value}")
    found = explained(path, capsys, "opencv", f"opencv,{name}={value}")
    assert first_term(found) in ("work", "clock x ipc x work")
    assert {f["name"]: f["ratio"] for f in found["factors"]}[first_term(found)] > 1


def test_a_shared_core_is_parallelism_and_the_wait_for_it_stands_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core = allowed_cpus()[-1]
    path = tmp_path / "r.db"
    measured(path, "-f", "opencv", "--cpus", str(core))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(3)]
    try:
        measured(path, "-f", "opencv", "--cpus", str(core))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    with Results.open(path) as results:
        runs = sorted(results.runs(), key=lambda r: r.started_utc)
    found = explained(path, capsys, runs[0].uid, runs[-1].uid)
    alone = collect([r for r in runs if r.started_utc <= runs[2].started_utc])
    waited = None if alone is None else alone.get("run-queue-wait")
    if waited is not None and waited.per_second > 0.2:
        pytest.skip(f"other load held the core {waited.per_second:.0%} of the time before this test shared it")
    assert first_term(found) == "parallelism"
    assert found["factors"][0]["ratio"] > 1
    waits = [c for c in found["clues"] if c["code"] == "run-queue-wait"]
    assert waits
    assert all(c["factor"] == "parallelism" for c in waits)


@pytest.mark.skipif(len(allowed_cpus()) < 2, reason="threads that wait for each other need two cores")
def test_spinning_is_named_by_the_rerun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.db"
    measured(path, "-f", "onnxruntime", "-t", "2")
    measured(path, "-f", "opencv", "-t", "2")
    pair = ("onnxruntime", "opencv", "--intervene", "spin", "-r", "3", "--window", "0.3")
    found = explained(path, capsys, *pair)
    (done,) = found["interventions"]
    assert done["kind"] == "spin"
    (own,) = (e for e in done["effects"] if e["side"] == "A")
    assert own["changed"] == "spin=false"
    assert own["cpu"]["ratio"] > 1
    if own["cpu"]["low"] > 1:
        assert "spin-waiting makes onnxruntime take" in found["headline"]
