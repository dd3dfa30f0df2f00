"""pyperf's JSON, both ways; pyperf itself is the judge of what is written."""

from __future__ import annotations

import dataclasses
import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.comparison.compare import compare
from hwprof.analysis.comparison.sides import side
from hwprof.cli import main
from hwprof.errors import ResultsError
from hwprof.exchange import pyperf
from hwprof.records import Failure, Run
from hwprof.store import Results
from tests.factories import MACHINE, make_run, make_simulated_run, make_sliced_run


def rounds(fps: float, network: str = "alexnet", **fields: Any) -> list[Run]:
    return [make_run(network=network, fps=fps * (1 + 0.002 * i), round=i, **fields) for i in range(3)]


def write(folder: Path, runs: Sequence[Run], name: str) -> Path:
    with Results.open(folder / f"{name}.db", create=True) as results:
        for run in runs:
            results.add(run)
    path = folder / f"{name}.json"
    assert main(["export", str(folder / f"{name}.db"), "--format", "pyperf", "-o", str(path)]) == 0
    return path


def test_a_value_is_the_latency_of_a_window(tmp_path: Path) -> None:
    data = json.loads(write(tmp_path, rounds(40), "one").read_text())
    (benchmark,) = data["benchmarks"]
    assert benchmark["metadata"]["unit"] == "second"
    assert [len(r["values"]) for r in benchmark["runs"]] == [1, 1, 1]
    assert benchmark["runs"][0]["values"][0] == pytest.approx(1 / 40)


def test_what_goes_out_comes_back_with_its_case_and_speed(tmp_path: Path) -> None:
    runs = rounds(40, options={"mode": "eager"}) + rounds(30, "resnet18", batch=4)
    back = pyperf.read(write(tmp_path, runs, "out"))
    assert not back.left_out
    assert {r.case for r in back.runs} == {r.case for r in runs}
    assert main(["import", str(tmp_path / "out.json"), "--results", str(tmp_path / "in.db")]) == 0
    found = compare(side(str(tmp_path / "out.db")).runs, side(str(tmp_path / "in.db")).runs)
    assert [c.ratio for c in found.changes] == pytest.approx([1, 1], rel=1e-6)


def test_two_machines_are_two_benchmarks(tmp_path: Path) -> None:
    there = {**MACHINE, "model": "Another"}
    data = json.loads(write(tmp_path, rounds(40) + rounds(20, machine=there), "two").read_text())
    assert len({b["metadata"]["name"] for b in data["benchmarks"]}) == 2


def test_simulated_and_failed_runs_have_no_time() -> None:
    with pytest.raises(ResultsError, match="No good native run"):
        pyperf.document([make_simulated_run(metrics={}), make_run(failure=Failure("killed", "died"))])


def test_foreign_files_come_in_under_their_benchmarks_name(tmp_path: Path) -> None:
    data = {
        "version": "1.0",
        "metadata": {"python_version": "3.11.2 (64-bit)", "cpu_count": 2},
        "benchmarks": [
            {
                "metadata": {"name": "telco", "loops": 4},
                "runs": [{"warmups": [[1, 0.1]]}, {"values": [0.02, 0.021, 0.025]}, {"values": [0.02]}],
            },
            {"metadata": {"name": "memory", "unit": "byte"}, "runs": [{"values": [10]}]},
        ],
    }
    path = tmp_path / "theirs.json.gz"
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    found = pyperf.read(path)
    assert [(r.case.network, r.round, r.facts["imported"]["fps"]) for r in found.runs] == [
        ("telco", 0, pytest.approx(1 / 0.021)),
        ("telco", 1, pytest.approx(50)),
    ]
    assert found.left_out == ("memory: its unit is byte, not second",)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"benchmarks": [], "version": "9"}', '{"version":"1.0","benchmarks":[{}]}']
)
def test_what_is_no_file_of_pyperf_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ResultsError):
        pyperf.read(tmp_path / "x.json")


@pytest.mark.parametrize("seconds", [1e300, 5e-324])
def test_a_duration_without_a_speed_is_refused(tmp_path: Path, seconds: float) -> None:
    benchmark = {"metadata": {"name": "odd"}, "runs": [{"values": [0.02]}, {"values": [seconds]}]}
    (tmp_path / "x.json").write_text(json.dumps({"version": "1.0", "benchmarks": [benchmark]}))
    with pytest.raises(ResultsError, match=r"odd: a duration of .* gives no speed"):
        pyperf.read(tmp_path / "x.json")


def ask_pyperf(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pyperf", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.pyperf
def test_pyperf_compares_and_describes_what_is_written(tmp_path: Path) -> None:
    old, new = write(tmp_path, rounds(40), "old"), write(tmp_path, rounds(20), "new")
    said = ask_pyperf("compare_to", str(old), str(new))
    assert "2.00x slower" in said
    described = ask_pyperf("stats", str(old))
    assert "Total number of values: 3" in described
    assert "median latency of one bare window" in ask_pyperf("metadata", str(old))


def test_a_process_of_slices_is_one_value_that_of_its_bare_stretch() -> None:
    run = make_sliced_run([1.5] * 9, fps=50.0)
    assert pyperf.values(run) == [pytest.approx(0.02)], "the slices took 10 ms each"


def stored(path: Path) -> list[Run]:
    with Results.open(path) as results:
        return list(results.runs())


def twice(folder: Path, *more: Run) -> Path:
    """Results with two experiments of one case, as two calls of `hwprof run` leave them, exported."""
    folder.mkdir()
    path = folder / "both.db"
    with Results.open(path, create=True) as results:
        for plan, hour in (("first", 1), ("second", 2)):
            identity = results.begin_experiment("run", "", plan, 0)
            for number in range(3):
                started = f"2026-01-01T0{hour}:00:0{number}Z"
                run = make_run(uid=f"{hour}{number}" * 4, fps=100 + hour, round=number)
                results.add(dataclasses.replace(run, started_utc=started), identity)
        for run in more:
            results.add(run)
    out = folder / "both.json"
    assert main(["export", str(path), "--format", "pyperf", "-o", str(out)]) == 0
    return out


def test_two_experiments_of_one_case_come_in_with_all_their_runs(tmp_path: Path) -> None:
    out, into = twice(tmp_path / "1"), tmp_path / "in.db"
    assert main(["import", str(out), "--results", str(into)]) == 0
    runs = stored(into)
    assert sorted(run.round for run in runs) == list(range(6))
    assert len({run.uid for run in runs}) == 6
    assert len({run.case for run in runs}) == 1
    assert sorted({round(run.facts["imported"]["fps"]) for run in runs}) == [101, 102]


def test_they_are_known_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = tmp_path / "in.db"
    first = twice(tmp_path / "1")
    for out in (first, twice(tmp_path / "2", make_run(uid="3" * 8, fps=103, round=0)), first):
        assert main(["import", str(out), "--results", str(into)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2].partition(" ->")[0] for line in said] == [
        "6 runs added, 0 known",
        "1 run added, 6 known",
        "0 runs added, 6 known",
    ]
    assert len(stored(into)) == 7


def test_rounds_of_one_experiment_keep_their_numbers(tmp_path: Path) -> None:
    out = write(tmp_path, rounds(100), "one")
    assert [run.round for run in pyperf.read(out).runs] == [run.round for run in rounds(100)]


def foreign(folder: Path, **unit: str) -> Path:
    """A file in the form of pyperf 2.11: calibration, warm-ups, and metadata of the suite, a benchmark and each run."""
    data = {
        "version": "1.0",
        "metadata": {"cpu_count": 2, "cpu_model_name": "Invented", "hostname": "host", "unit": "second"},
        "benchmarks": [
            {
                "metadata": {"name": "telco", "loops": 8, "python_version": "3.11.2 (64-bit)", **unit},
                "runs": [
                    {"metadata": {"calibrate_loops": 8}, "warmups": [[1, 0.1], [8, 0.02]]},
                    {
                        "metadata": {"date": "2026-01-01 01:02:03.456789", "load_avg_1min": 0.5, "mem_max_rss": 4096},
                        "values": [0.02, 0.0212345678901, 0.025],
                        "warmups": [[8, 0.03]],
                    },
                    {"metadata": {"date": "2026-01-01 01:02:04.5"}, "values": [0.02, 0.021]},
                ],
            }
        ],
    }
    path = folder / "theirs.json"
    path.write_text(json.dumps(data))
    return path


def there_and_back(folder: Path, path: Path) -> dict[str, Any]:
    assert main(["import", str(path), "--results", str(folder / "in.db")]) == 0
    out = str(folder / "back.json")
    assert main(["export", f"{folder / 'in.db'}:all", "--format", "pyperf", "-o", out]) == 0
    found: dict[str, Any] = json.loads(Path(out).read_text())
    return found


def merged(data: dict[str, Any]) -> list[tuple[dict[str, Any], list[float], list[Any]]]:
    """Metadata, values and warm-ups of each measured run, as pyperf reads them."""
    return [
        (
            {**data["metadata"], **benchmark["metadata"], **run.get("metadata", {})},
            run["values"],
            run.get("warmups", []),
        )
        for benchmark in data["benchmarks"]
        for run in benchmark["runs"]
        if run.get("values")
    ]


def test_a_benchmark_of_pyperf_goes_out_as_it_came_in(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    before, after = merged(json.loads(path.read_text())), merged(there_and_back(tmp_path, path))
    assert len(before) == len(after) == 2
    for (metadata, values, warmups), (found, same_values, same_warmups) in zip(before, after, strict=True):
        assert (same_values, same_warmups) == (values, warmups)
        assert {name: found.get(name) for name in metadata} == metadata
        assert {name for name in found.keys() - metadata.keys() if not name.startswith("hwprof_")} == set()
        assert pyperf.CASE not in found


def test_its_second_way_in_is_the_first_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = foreign(tmp_path)
    there_and_back(tmp_path, path)
    first, second = pyperf.read(path).runs, pyperf.read(tmp_path / "back.json").runs
    assert [(r.case, r.round, r.started_utc, r.machine) for r in first] == [
        (r.case, r.round, r.started_utc, r.machine) for r in second
    ]
    values = [[r.facts["imported"][name] for name in ("values_s", "latency_ns", "loops")] for r in (*first, *second)]
    assert values[:2] == values[2:]
    capsys.readouterr()
    assert main(["import", str(path), "--results", str(tmp_path / "in.db")]) == 0
    assert "0 runs added, 2 known" in capsys.readouterr().out


def test_what_hwprof_measured_comes_back_with_the_facts_pyperf_has_names_for(tmp_path: Path) -> None:
    back = pyperf.read(write(tmp_path, rounds(40), "out")).runs
    assert {r.machine["model"] for r in back} == {MACHINE["model"]}
    assert {r.machine["cpus"] for r in back} == {MACHINE["cpus"]}
    assert {r.software["python"] for r in back} == {"3.11.0"}
    assert [r.started_utc for r in back] == [r.started_utc.removesuffix("Z") for r in rounds(40)]


@pytest.mark.pyperf
def test_a_file_that_pyperf_wrote_is_the_same_benchmark_to_pyperf_after_the_way_back(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    ask_pyperf("command", "-p", "2", "-n", "2", "-w", "1", "-l", "1", "-o", str(path), "--", sys.executable, "-c", "0")
    there_and_back(tmp_path, path)
    assert "Benchmark hidden because not significant" in ask_pyperf(
        "compare_to", str(path), str(tmp_path / "back.json")
    )
    dumped = [ask_pyperf("dump", str(p)).splitlines() for p in (path, tmp_path / "back.json")]
    values = [[line for line in lines if line.strip().startswith("Run") or "value" in line] for lines in dumped]
    assert values[0] == values[1] != []
