"""`hwprof tune --scaling`: ordinary runs, a table, JSON, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.machine.cpus import allowed_cpus
from hwprof.store import Results

pytestmark = pytest.mark.slow


def test_a_curve_is_stored_as_ordinary_runs(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "tune",
        "--scaling",
        "-n",
        "tiny_cnn",
        "-r",
        "1",
        "--window",
        "0.01",
        "--results",
        str(tmp_path / "r.db"),
        "--json",
    ]
    assert main([*words, "--timeout", "600", "-o", str(tmp_path / "curve")]) == 0
    told = json.loads(capsys.readouterr().out)
    counts = [p["threads"] for p in told["points"]]
    assert counts[0] == 1
    assert counts[-1] == len(allowed_cpus())
    assert all(fit["why"] or len(fit) > 2 for fit in told["fits"])
    assert (tmp_path / "curve.png").exists()
    with Results.open(tmp_path / "r.db") as results:
        assert sorted(results.frame()["threads"]) == counts


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-t", "2"], "Speed-up is against one thread"),
        (["-t", "1,many"], "--threads must be a whole number from 1"),
        (["-t", "0,1"], "--threads must be a whole number from 1"),
        (["-t", "1,8192"], "do not scale"),
    ],
)
def test_impossible_numbers_of_threads_are_refused(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "--scaling", *words, "--no-save"]) == 2
    assert says in capsys.readouterr().err
