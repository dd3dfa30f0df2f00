"""Declared runners: real programs through the same preparation as any case, with the speed that they print."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.errors import BadExperiment, NotInstalled, UsageError
from hwprof.networks.inputs import InputSpec
from hwprof.plan import runners
from hwprof.plan.experiment import parse
from hwprof.records import Case, Kind, Role, Run
from hwprof.runner.rounds import Runner
from hwprof.store import Results
from hwprof.worker.protocol import LoopSettings
from tests.waiting import command_lines, until

# Loads the network that it is given, runs it, and says a figure known beforehand: 2.5 ms whatever it took.
PROGRAM = """
import ctypes, os, sys, time
import numpy as np
import onnxruntime
model, batch, threads, iterations, trouble = sys.argv[1:6]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
for _ in range(int(iterations)):
    session.run(None, {session.get_inputs()[0].name: np.zeros((int(batch), 3, 32, 32), np.float32)})
if trouble == "segfault":
    ctypes.string_at(0)
if trouble == "hang":
    time.sleep(600)
if trouble != "silent":
    print(f"warm 9.0 ms\\nmedian: 2.5 ms over {iterations}, {threads} threads")
sys.exit(3 if trouble == "exit" else 0)
"""
DECLARATION = """
name = "toy"
framework = "onnxruntime"
command = ["{python}", "PROGRAM", "{model}", "{batch}", "{threads}"]
version = ["{python}", "-c", "print('toy 1.2')"]
iterations = 3
[length]
iterations = ["{iterations}", "{trouble}"]
[options]
trouble = ["none", "segfault", "hang", "silent", "exit"]
[figures]
latency = 'median: ([0-9.]+) ms'
"""
SPEC = InputSpec("x", (2, 3, 32, 32))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The declaration, in a folder of the user's."""
    (tmp_path / "toy.py").write_text(PROGRAM)
    folder = tmp_path / "runners"
    folder.mkdir()
    monkeypatch.setenv("HWPROF_RUNNERS", str(folder))
    path = folder / "toy.toml"
    path.write_text(DECLARATION.replace("PROGRAM", str(tmp_path / "toy.py")))
    return path


def changed(path: Path, old: str, new: str) -> str:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return str(path)


@pytest.mark.parametrize("name", sorted(runners.names()))
def test_each_built_in_runner_is_a_whole_declaration_of_a_known_framework(name: str) -> None:
    from hwprof.plugins import adapter

    runner = runners.find(name)
    assert runner.name == name
    assert set(runner.precision) <= set(adapter(runner.framework).precisions)


# Lines as the programs print them.
SAID = {
    "benchmark_app": ("[ INFO ]    Median:        5.67 ms", {"latency": 5.67}, 1e3 / 5.67),
    "litert-benchmark": ("Inference (median):    5.50 ms", {"latency": 5.5}, 1e3 / 5.5),
    "benchmark_model": (
        "INFO: Inference timings in us: Init: 3501, First inference: 156677, Warmup (avg): 43268.1, "
        "Inference (avg): 33071.8",
        {"latency": 33071.8},
        1e6 / 33071.8,
    ),
    "benchncnn": ("        mobilenet_v2  min =    8.84  max =    8.89  avg =    8.87", {"latency": 8.87}, 1e3 / 8.87),
    "onnxruntime_perf_test": ("P50 Latency: 0.00185674 s", {"latency": 0.00185674}, 1 / 0.00185674),
    "executor_runner": ("Model executed successfully 200 time(s) in 500.000000 ms.", {"total": 500.0}, 400.0),
}


@pytest.mark.parametrize("name", sorted(runners.names()))
def test_its_figure_is_read_from_what_it_prints(name: str) -> None:
    from hwprof.programs.figures import compile_figure
    from hwprof.programs.output import Search

    runner = runners.find(name)
    line, wanted, fps = SAID[name]
    searches = {figure: Search(compile_figure(text)) for figure, text in runner.figures.items()}
    for search in searches.values():
        search.feed(1, f"before 1.0 ms\n{line}\nafter\n".encode())
        search.end()
    found = {figure: search.value for figure, search in searches.items()}
    assert {k: v for k, v in found.items() if v is not None} == wanted
    speed = runner.speed(found, Case(runners.FRAMEWORK, "n", "", 224), LoopSettings())
    assert speed["fps"] == pytest.approx(fps)


def test_what_it_tells_becomes_fps_by_our_definition(toy: Path) -> None:
    runner = runners.load(str(toy))
    case = Case(runners.FRAMEWORK, "n", "", 32, batch=4)
    speed = runner.speed({"latency": 2.5}, case, LoopSettings())
    assert (speed["fps"], speed["latency_ns"]) == (1600.0, 2.5e6)
    told = runner.speed({"throughput": 7.0}, case, LoopSettings())
    assert (told["fps"], told["latency_ns"]) == (7.0, None)
    assert "throughput" in told["fps_source"]


def test_the_command_is_filled_in(toy: Path) -> None:
    runner = runners.load(str(toy))
    case = Case(runners.FRAMEWORK, "n", "", 32, batch=2, threads=3)
    argv = runner.argv(case, SPEC, LoopSettings(iterations=7), Path("/m/n.onnx"), sys.executable)
    assert argv[0] == sys.executable
    assert argv[2:] == ("/m/n.onnx", "2", "3", "7", "none")


def test_seconds_bound_it_unless_iterations_are_asked_for() -> None:
    runner = runners.find("benchmark_app")
    assert runner.length_key(LoopSettings(window_s=2.0)) == "seconds"
    assert runner.length_key(LoopSettings(iterations=5)) == "iterations"
    assert runners.find("litert-benchmark").length_key(LoopSettings(window_s=2.0)) == "iterations"


def test_a_program_that_is_not_there_is_not_installed(toy: Path) -> None:
    runner = runners.load(changed(toy, '"{python}", "', '"no-such-program", "'))
    with pytest.raises(NotInstalled, match="no-such-program"):
        runner.argv(Case(runners.FRAMEWORK, "n", "", 32), SPEC, LoopSettings(), Path("/m"), sys.executable)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("iterations = 3", "iteration = 3", "Did you mean 'iterations'"),
        ("{model}", "{modle}", "unknown place"),
        ("([0-9.]+) ms", "[0-9.]+ ms", "0 groups, not one"),
        ("latency =", "unit = 'ms'\nlatancy =", "latancy"),
        ("latency =", "unit = 'minutes'\nlatency =", "figures.unit"),
        ('name = "toy"', "", "'name' is missing"),
        ("iterations = 3", 'iterations = "3"', "not of the type int"),
        ("[length]", "[length", "TOML"),
        ('"{threads}"]', "3]", "no text"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(toy: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(BadExperiment) as caught:
        runners.load(changed(toy, old, new))
    assert says in str(caught.value)
    assert str(toy) in str(caught.value)


def test_unknown_runners_and_options_are_named(toy: Path) -> None:
    with pytest.raises(runners.UnknownRunner, match=r"benchmark_ap'.*benchmark_app"):
        runners.find("benchmark_ap")
    with pytest.raises(UsageError, match="needs a runner"):
        runners.find(None)
    with pytest.raises(UsageError, match="no option 'mood'"):
        runners.find("toy").check_options([("mood", "good")])
    with pytest.raises(UsageError, match="trouble = 'deep'"):
        runners.find("toy").check_options([("trouble", "deep")])


def test_another_template_is_another_case(toy: Path) -> None:
    before = runners.find("toy").check_options([])
    changed(toy, "iterations = 3", "iterations = 4")
    assert runners.find("toy").check_options([]) != before


def sweep(path: Path, frameworks: str, **fields: object) -> list[Run]:
    text = textwrap.dedent(f"""
        rounds = 1
        [matrix]
        frameworks = [{frameworks}]
        networks = ["tiny_cnn"]
        size = 32
        batch = 2
        [measure]
        window_s = 0.02
        iterations = 3
        warmup_iterations = 1
        timeout_s = 200
        [counters]
        events = ["task-clock", "page-faults"]
        [gauges]
        idle_baseline_s = 0
        """)
    for old, new in fields.items():
        text = text.replace(old, str(new))
    with Results.open(path, create=True) as results:
        return [step.run for step in Runner(parse(text, "toy.toml"), results).run()]


@pytest.mark.counting
def test_in_a_sweep_it_is_a_case_beside_the_others_with_counts_and_its_own_fps(
    toy: Path, tmp_path: Path, cache: Path
) -> None:
    frameworks = '"onnxruntime", {name = "command", runner = "toy"}'
    runs = {run.kind: run for run in sweep(tmp_path / "r.db", frameworks)}
    run = runs[Kind.COMMAND]
    assert [r.failure for r in runs.values()] == [None, None]
    assert run.case.framework == "command"
    assert run.case.option("runner") == "toy"
    assert run.facts["fps"] == 800.0
    assert run.facts["fps_source"] == "batch / median latency as toy reported it"
    assert run.facts["version"] == "toy 1.2"
    assert run.macs == runs[Kind.NATIVE].macs
    counted = {r.metric: r for w in run.windows if w.role is Role.COUNTED for r in w.readings}
    # it imports NumPy and ONNX Runtime: a process that was not counted from its exec on would have none of it
    assert counted["page-faults"].value > 1000  # type: ignore[operator]
    assert sweep(tmp_path / "r.db", frameworks) == []
    with Results.open(tmp_path / "r.db") as results:
        frame = results.frame(kind="command")
    assert list(frame["fps"]) == [800.0]
    assert list(frame["latency_ms"]) == [2.5]


@pytest.mark.parametrize(
    ("trouble", "code", "says"),
    [
        ("segfault", "killed", "SIGSEGV"),
        ("exit", "exit", "exit code 3"),
        ("silent", "no-fps", "median: ([0-9.]+) ms"),
    ],
)
def test_its_failure_is_its_own(toy: Path, tmp_path: Path, cache: Path, trouble: str, code: str, says: str) -> None:
    frameworks = f'{{name = "command", runner = "toy", trouble = ["{trouble}", "none"]}}'
    runs = sweep(tmp_path / "r.db", frameworks)
    failures = [r.failure for r in runs if r.case.option("trouble") == trouble]
    assert {f.code for f in failures if f} == {code}
    assert all(f is not None and says in f.message for f in failures)
    assert [r.failure for r in runs if r.case.option("trouble") == "none"] == [None]


def test_one_that_hangs_is_stopped_with_all_it_started(toy: Path, tmp_path: Path, cache: Path) -> None:
    frameworks = '{name = "command", runner = "toy", trouble = "hang"}'
    runs = sweep(tmp_path / "r.db", frameworks, **{"timeout_s = 200": "timeout_s = 3"})
    assert [r.failure.code for r in runs if r.failure] == ["timeout", "timeout"]  # it is tried twice
    # killed, a process is gone when the scheduler comes to it
    assert until(lambda: not any(str(tmp_path / "toy.py").encode() in words for words in command_lines()))


def test_from_the_command_line(toy: Path, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["run", "-f", "command", "--option", f"runner={toy}", "-n", "tiny_cnn", "-s", "32", "-r", "1", "--no-save"]
    assert main([*words, "-e", "task-clock"]) == 0
    said = capfd.readouterr().out
    assert "400.000" in said
    assert "batch / median latency as toy reported it" in said
    assert "toy 1.2" in said
    assert main([*words, "-e", "task-clock", "--json"]) == 0
    (run,) = json.loads(capfd.readouterr().out)["runs"]
    assert run["kind"] == "command"
    assert run["facts"]["patterns"] == {"latency": "median: ([0-9.]+) ms"}


def test_a_missing_program_is_exit_code_3(toy: Path, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    changed(toy, '"{python}", "', '"no-such-program", "')
    words = ["run", "-f", "command", "--option", "runner=toy", "-n", "tiny_cnn", "-s", "32", "-r", "1", "--no-save"]
    assert main(words) == 3
    assert "no-such-program" in capfd.readouterr().out


def test_frameworks_lists_it(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "frameworks", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["frameworks"]}
    assert rows["onnxruntime"]["runners"] == ["onnxruntime_perf_test", "toy"]
    assert rows["openvino"]["runners"] == ["benchmark_app"]
