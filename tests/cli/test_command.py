"""`hwprof run -- COMMAND`, `--pid`, and `hwprof record`: exit codes, streams, and what later commands see."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.records import Run, from_json
from hwprof.store import Results
from tests.programs import programs

QUICK = ["run", "--no-save", "-e", "task-clock"]


@pytest.mark.counting
def test_the_output_of_the_command_is_stdout_and_ours_is_stderr(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "r.db"
    words = ["run", "-e", "task-clock", "-r", "2", "--frames", "10", "--name", "bench", "--results", str(file)]
    assert main([*words, "--", "sh", "-c", "echo -n out; echo err >&2", "-e"]) == 0
    said = capfd.readouterr()
    assert said.out == "outout"
    assert "err\n" in said.err
    assert "2 rounds" in said.err
    assert "per frame" in said.err
    with Results.open(file) as results:
        runs = list(results.runs(kind="command"))
        frame = results.frame("command")
    assert [r.round for r in runs] == [0, 1]
    assert list(frame["network"]) == ["bench", "bench"]
    assert frame["fps"].notna().all()
    clock = next(r.value for r in runs[0].windows[0].readings if r.metric == "task-clock")
    assert clock is not None
    assert frame["task-clock"][0] == pytest.approx(clock / 10)


def test_everything_behind_the_first_dashes_is_the_commands_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--", "sh", "-c", 'printf "%s " "$@"', "-r", "-n", "--", "x", "--json"]) == 0
    assert capfd.readouterr().out == "-n -- x --json "


def test_a_command_that_nobody_can_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--", "ls"])
    assert end.value.code == 2
    assert "No command can follow" in capsys.readouterr().err


def test_report_and_export_see_commands(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = str(tmp_path / "r.db")
    assert main(["run", "-e", "page-faults", "--results", file, "--name", "bench", "--", "true"]) == 0
    assert main(["report", file, "-o", str(tmp_path / "report")]) == 0
    assert "bench" in capfd.readouterr().out
    page = (tmp_path / "report" / "report.md").read_text()
    assert "## Commands" in page
    assert "| bench | page-faults |" in page
    assert main(["export", file]) == 0
    assert "--kind command" in capfd.readouterr().err
    assert main(["export", file, "--kind", "command"]) == 0
    assert capfd.readouterr().out.count(",bench,") == 1


def test_json_is_the_only_thing_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--json", "--fps-from", "is ([0-9]+)", "--", "sh", "-c", "echo speed is 40"]) == 0
    said = capfd.readouterr()
    [run] = [from_json(Run, r) for r in json.loads(said.out)["runs"]]
    assert run.facts["fps"] == 40
    assert "speed is 40" in said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--", "sh", "-c", "exit 7"], 4, "'sh' ended with exit code 7"),
        (["--", "sh", "-c", "kill -9 $$"], 4, "'sh' was killed by SIGKILL"),
        (["--fps-from", "FPS: (.*)", "--", "true"], 4, "matches --fps-from"),
        (["--", "hwprof-nowhere"], 127, "No command 'hwprof-nowhere'"),
        (["--", "/etc/passwd"], 126, "not executable"),
        (["--fps-from", "(", "--", "true"], 2, "no regular expression"),
        (["--frames", "0", "--", "true"], 2, "--frames must be a whole number from 1 to 1000000000, not 0"),
        (["-r", "0", "--", "true"], 2, "--rounds must be a whole number from 1 to 100000, not 0"),
        (["-n", "resnet18", "--", "true"], 2, "--network is for networks"),
        (["-t", "4", "--", "true"], 2, "--threads is for networks"),
        (["--calibration", "images", "--", "true"], 2, "--calibration is for networks"),
        (["--calibration-count", "3", "--", "true"], 2, "--calibration-count is for networks"),
        (["--duration", "1", "--", "true"], 2, "--duration is for --pid"),
        (["--pid", "1", "--", "true"], 2, "at once"),
        (["--pid", "1", "--frames", "4"], 2, "--frames is not for --pid"),
        (["--pid", "1", "--cooldown", "9"], 2, "--cooldown is not for --pid"),
        (["--cooldown", "-1", "--", "true"], 2, "--cooldown must be a number from 0 to 3600, not -1"),
        (["--frames", "4"], 2, "--frames is for commands"),
        (["--cpus", "999", "--", "true"], 2, "Core 999"),
        (["--strict", "-e", "context-switches:u", "--", "true"], 3, "Required event"),
    ],
)
def test_failures_are_one_line_and_their_exit_code(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*QUICK, *words]) == code
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("hwprof: ")]
    assert len(lines) == 1
    assert says in lines[0]
    assert not list(tmp_path.iterdir())


def test_a_failed_command_is_kept_with_its_counts(tmp_path: Path) -> None:
    file = tmp_path / "r.db"
    assert main(["run", "-e", "task-clock", "--results", str(file), "--", "false"]) == 4
    with Results.open(file) as results:
        [run] = results.runs(kind="command")
    assert run.failure is not None
    assert run.facts["exit_code"] == 1
    assert run.windows[0].readings


@pytest.mark.perf
def test_the_suggestion_to_let_perf_count_is_made_only_where_it_helps(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hwprof.collectors.protocol import Unavailable
    from hwprof.programs import counting, perf

    denied = Unavailable("kernel.perf_event_paranoid is 3 and this process has no right to count")

    class Refused(counting.Native):
        def __init__(self, *words: object) -> None:
            super().__init__(("task-clock",))
            self.unavailable = {"cycles": denied}

    monkeypatch.setattr(counting, "Native", Refused)
    for may in (True, False):
        monkeypatch.setattr(perf, "may_count", lambda may=may: may)
        assert main([*QUICK, "--", "true"]) == 0
        assert ("--backend perf" in capfd.readouterr().err) is may


@pytest.mark.perf
@pytest.mark.cc
def test_record_prints_a_table_and_writes_a_flame_graph(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    program = programs.compiled(programs.BURN, tmp_path, "burn")
    graph = tmp_path / "flame.svg"
    assert main(["record", "-o", str(graph), "--", program, "60000000"]) == 0
    said = capfd.readouterr().out
    assert "burn_here" in said
    assert "burn_here" in graph.read_text()
    assert main(["record", "--json", "-o", str(graph), "--", program, "60000000"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["symbols"][0]["symbol"] == "burn_here"
    assert document["exit_code"] == 0


@pytest.mark.perf
def test_record_of_a_case_samples_its_windows(capfd: pytest.CaptureFixture[str], tmp_path: Path, cache: Path) -> None:
    words = ["record", "-n", "tiny_cnn", "--window", "0.5", "--json", "-o", str(tmp_path / "flame.svg")]
    assert main(words) == 0
    document = json.loads(capfd.readouterr().out)
    assert any("onnxruntime" in one["library"] for one in document["libraries"])
    # neither imports nor the comparison of outputs
    assert not any("numpy/linalg" in one["library"] for one in document["libraries"])


@pytest.mark.perf
def test_an_empty_profile_says_what_to_do(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["record", "-o", str(tmp_path / "x.svg"), "-F", "1", "--", "true"]) == 4
    assert "Not a single sample" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "One of a case"),
        (["-n", "tiny_cnn", "--", "true"], "One of a case"),
        (["--duration", "1", "-n", "tiny_cnn"], "--duration goes with --pid"),
        (["-F", "0", "--", "true"], "--frequency must be"),
        (["-b", "4", "--", "true"], "--batch is for networks"),
        (["--window", "3", "--pid", "1"], "--window is for networks"),
        (["-o", "no/such/folder/x.svg", "--", "true"], "there is no folder"),
    ],
)
def test_record_refuses_in_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.setattr("hwprof.programs.perf.program", lambda: shutil.which("true") or "")
    assert main(["record", *words]) == 2
    assert says in capfd.readouterr().err


def test_record_without_perf_names_the_package(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["record", "--", "/bin/true"]) == 3
    assert "apt-get install linux-perf" in capfd.readouterr().err
