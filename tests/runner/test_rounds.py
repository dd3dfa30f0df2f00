"""A real sweep with ONNX Runtime and OpenCV: it can be stopped anywhere, and goes on without repeating anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import hwprof
from hwprof.frameworks.onnxruntime.adapter import OnnxRuntime
from hwprof.plan.experiment import Experiment, parse
from hwprof.records import Exactness, Kind, Origin, Role
from hwprof.runner.rounds import Runner
from hwprof.store import Results
from tests.waiting import LONG_S

pytestmark = pytest.mark.usefixtures("cache")

TEXT = """
name = "small"
rounds = 2
[matrix]
frameworks = ["onnxruntime", "opencv"]
networks = ["tiny_cnn"]
batch = [1, 2]
[measure]
window_s = 0.02
min_iterations = 3
warmup_max_s = 0.1
[counters]
events = ["task-clock", "page-faults", "cycles"]
[gauges]
idle_baseline_s = 0
"""


def small(text: str = TEXT) -> Experiment:
    return parse(text, "small.toml")


def sweep(path: Path, text: str = TEXT, **fields: object) -> list[hwprof.Run]:
    with Results.open(path, create=True) as results:
        return [step.run for step in Runner(small(text), results, **fields).run()]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Swept:
    """A finished sweep: its results file and what it yielded."""

    path: Path
    runs: list[hwprof.Run]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWPROF_CACHE", str(tmp_path_factory.getbasetemp() / "hwprof-cache"))
        path = tmp_path_factory.mktemp("swept") / "r.db"
        return Swept(path, sweep(path))


def test_a_sweep_is_complete_faithful_and_read_back(swept: Swept) -> None:
    path, runs = swept.path, swept.runs
    assert len(runs) == 8
    assert [r.failure for r in runs] == [None] * 8
    assert all(r.fidelity is not None and r.fidelity.faithful for r in runs)
    with Results.open(path) as results:
        frame = results.frame()
        kept = {r.uid: r for r in results.runs()}
    assert kept == {r.uid: r for r in runs}
    assert len(frame) == 8
    assert (frame["fps"] > 0).all()
    assert set(frame["macs"]) == {2_814_592}


@pytest.mark.counting
def test_every_reading_says_how_exact_it_is_and_who_counted(swept: Swept) -> None:
    run = swept.runs[0]
    counted = next(w for w in run.windows if w.role is Role.COUNTED)
    readings = {r.metric: r for r in counted.readings}
    assert readings["task-clock"].origin is Origin.KERNEL
    assert readings["task-clock"].exactness is Exactness.EXACT
    with Results.open(swept.path) as results:
        assert (results.frame()["task-clock"] > 0).all()
    cycles = readings["cycles"]
    assert (cycles.value is None) == (cycles.exactness is Exactness.MISSING)
    assert cycles.value is not None or cycles.why


def test_a_finished_sweep_measures_nothing_again(swept: Swept) -> None:
    assert sweep(swept.path) == []


def test_a_network_that_fails_costs_only_its_own_cases_and_is_not_tried_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    text = TEXT.replace('"opencv"]', '{name = "opencv", fusion = [true]}]').replace("batch = [1, 2]", "batch = [1]")
    bad = text.replace("[measure]", "[measure]\ntimeout_s = 0.01")
    first = sweep(path, bad)
    assert {r.failure.code for r in first if r.failure} == {"timeout"}
    assert len(first) == 8  # 2 cases x 2 rounds, each tried twice
    assert sweep(path, bad) == []
    assert len(sweep(path, bad, retry_failed=True)) >= 4


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_sweep_loses_at_most_the_set_in_progress_and_leaves_no_process(
    ended_by: signal.Signals, tmp_path: Path
) -> None:
    path, toml = tmp_path / "r.db", tmp_path / "small.toml"
    toml.write_text(TEXT)
    words = [sys.executable, "-m", "hwprof", "sweep", str(toml), "--results", str(path)]
    program = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=tmp_path)
    assert program.stderr is not None
    lines = [program.stderr.readline() for _ in range(3)]
    workers = psutil.Process(program.pid).children(recursive=True)
    program.send_signal(ended_by)
    program.wait()
    _, alive = psutil.wait_procs(workers, timeout=LONG_S)
    assert alive == []
    assert all("/8" in line for line in lines)
    with Results.open(path) as results:
        before = {r.uid for r in results.runs()}
    assert len(before) >= 3
    rest = sweep(path)
    assert len(rest) == 8 - len(before)
    with Results.open(path) as results:
        after = list(results.runs())
    keys = [(r.case.key, r.round) for r in after]
    assert len(keys) == len(set(keys)) == 8
    assert before <= {r.uid for r in after}


def test_ctrl_c_ends_with_130_and_keeps_what_was_measured(tmp_path: Path) -> None:
    path, toml = tmp_path / "r.db", tmp_path / "long.toml"
    toml.write_text(TEXT.replace("rounds = 2", "rounds = 1000"))  # surely not done before the signal comes
    words = [sys.executable, "-m", "hwprof", "sweep", str(toml), "--results", str(path)]
    program = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=tmp_path)
    assert program.stderr is not None
    program.stderr.readline()
    os.kill(program.pid, signal.SIGINT)
    said = program.stderr.read()
    assert program.wait() == 130
    assert "Traceback" not in said
    with Results.open(path) as results:
        assert len(list(results.runs())) >= 1


def test_one_case_from_python(tmp_path: Path) -> None:
    runs = hwprof.run("opencv", "tiny_cnn", batch=2, rounds=1, window_s=0.02, events=["page-faults"])
    assert [r.failure for r in runs] == [None]
    assert runs[0].case.batch == 2


@pytest.mark.valgrind
@pytest.mark.timeout(3600)
def test_a_simulated_run_has_an_origin_and_columns_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    text = TEXT.replace('"opencv"]', '{name = "opencv"}]').replace("batch = [1, 2]", "batch = [1]")
    text = text.replace('frameworks = ["onnxruntime", {name = "opencv"}]', 'frameworks = ["onnxruntime"]')
    text = text.replace("rounds = 2", "rounds = 1")
    runs = sweep(path, text + '[simulate]\nwhen = "always"\nbudget_s = 3000\n')
    simulated = [r for r in runs if r.kind is Kind.SIMULATED]
    assert [r.failure for r in simulated] == [None]
    readings = {r.metric: r for r in simulated[0].windows[0].readings}
    assert {r.origin for r in readings.values()} == {Origin.SIMULATED}
    counted = (readings["instructions"].value or 0) / len(simulated[0].windows[0].latencies_ns)
    # 2.8 million multiply-accumulates at 8 per instruction at most: fewer instructions could not have done it
    assert counted > 2_814_592 / 8
    assert simulated[0].facts["cpu_features"] != []
    with Results.open(path) as results:
        frame = results.frame()
    assert (frame["instructions@callgrind"] == counted).all()
    assert "instructions" not in frame.columns or frame["instructions"].isna().all()


def test_rounds_of_an_earlier_call_are_not_done_for_the_call_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, text = tmp_path / "r.db", TEXT.replace("rounds = 2", "rounds = 1").replace("batch = [1, 2]", "batch = [1]")
    with monkeypatch.context() as before:
        before.delattr(OnnxRuntime, "call")
        earlier = sweep(path, text)
        assert sweep(path, text) == []
    today = sweep(path, text)
    assert sweep(path, text) == []
    assert [len(earlier), len(today)] == [2, 2]
    assert {r.software.get("call") for r in earlier} == {None}
    assert {r.case.framework: r.software.get("call") for r in today} == {
        "onnxruntime": OnnxRuntime.call,
        "opencv": None,
    }
    with Results.open(path) as results:
        assert len(results.experiments()) == 2


def test_an_emulated_machine_is_measured_in_windows() -> None:
    facts = {"hardware": {}, "host_state": {"emulated": "qemu"}}
    assert Runner(small(), facts=facts).experiment.plan.slice_s == 0
    assert Runner(small(), facts={"hardware": {}, "host_state": {}}).experiment.plan.slice_s > 0
