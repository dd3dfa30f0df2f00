"""No bookkeeping costs a finished execution: its counts are printed and saved whatever happened around it."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hwprof.records import Run
from hwprof.store import Results

CODE = "import sys; from hwprof.cli import main; sys.exit(main())"
HWPROF = (sys.executable, "-P", "-c", CODE)
QUICK = ("run", "-q", "-e", "task-clock")


def hwprof(*words: str | bytes, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    command: Sequence[str | bytes] = [*HWPROF, *words]
    keywords: dict[str, object] = {"capture_output": True, **more}
    return subprocess.run(command, cwd=cwd, text=True, errors="surrogateescape", check=False, **keywords)  # type: ignore[call-overload, no-any-return]


def shell(line: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`hwprof` with redirections of the shell: $@ is hwprof with its words."""
    command = ["sh", "-c", line, "sh", *HWPROF, *words]
    return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)


def saved(file: Path) -> list[Run]:
    with Results.open(file) as results:
        return list(results.runs(kind="command"))


@pytest.mark.counting
def test_a_command_that_removes_its_working_directory_is_saved_where_the_results_are(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    words = (*QUICK, "-r", "2", "--results", "../r.db", "--", "sh", "-c", f"rm -rf {tmp_path}/gone")
    done = hwprof(*words, cwd=tmp_path / "gone")
    assert done.returncode == 0, done.stderr
    runs = saved(tmp_path / "r.db")
    assert [run.round for run in runs] == [0, 1]
    assert runs[0].facts["cwd"] == str(tmp_path / "gone")


@pytest.mark.counting
def test_runs_whose_results_file_the_command_removed_are_in_another_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    words = (*QUICK, "-r", "2", "--", "sh", "-c", f"rm -rf {tmp_path}/gone")
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    environ.pop("HWPROF_RESULTS", None)
    done = hwprof(*words, cwd=tmp_path / "gone", env=environ)
    assert done.returncode == 2
    assert "elapsed" in done.stderr  # printed all the same
    spare = re.search(r"2 runs saved in (\S+\.db)\. `hwprof import", done.stderr)
    assert spare is not None, done.stderr
    assert len(saved(Path(spare[1]))) == 2


@pytest.mark.counting
def test_a_command_that_is_gone_in_the_second_round_leaves_the_first(tmp_path: Path) -> None:
    (tmp_path / "once").write_text("#!/bin/sh\nrm once\n")
    (tmp_path / "once").chmod(0o755)
    done = hwprof(*QUICK, "-r", "3", "--results", "r.db", "--", "./once", cwd=tmp_path)
    assert done.returncode == 4
    first, second = saved(tmp_path / "r.db")
    assert first.failure is None
    assert second.failure is not None
    assert second.failure.code == "not-started"


@pytest.mark.counting
def test_a_full_device_under_stdout_costs_neither_the_figure_nor_the_run(tmp_path: Path) -> None:
    words = (*QUICK, "--results", "r.db", "--fps-from", "FPS ([0-9.,]+)", "--", "echo", "FPS 42,5")
    done = shell('"$@" >/dev/full', *words, cwd=tmp_path)
    assert done.returncode == 0
    assert "could not all be passed on to stdout: No space left on device" in done.stderr
    [run] = saved(tmp_path / "r.db")
    assert run.facts["fps"] == 42.5


@pytest.mark.counting
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_places_for_other_files(tmp_path: Path, closed: str) -> None:
    words = (*QUICK, "--results", "r.db", "--fps-from", "FPS ([0-9.,]+)", "--", "echo", "FPS 42,5")
    assert shell(f'"$@" {closed}', *words, cwd=tmp_path).returncode == 0
    [run] = saved(tmp_path / "r.db")
    assert run.facts["fps"] == 42.5


def test_a_command_finds_the_streams_closed_that_hwprof_found_closed(tmp_path: Path) -> None:
    words = ("run", "-q", "--no-save", "-e", "task-clock", "--", "sh", "-c", "test -e /proc/self/fd/1 || echo no >&2")
    assert "no\n" in shell('"$@" >&-', *words, cwd=tmp_path).stderr


@pytest.mark.counting
def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_the_whole_document(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    script = "import sys; sys.stdout.write('x' * 300_000)"
    words = ["run", "--json", "--results", "r.db", "-r", "12", "--", sys.executable, "-I", "-S", "-c", script]
    with subprocess.Popen([*HWPROF, *words], cwd=tmp_path, stdout=write, stderr=subprocess.DEVNULL) as process:
        os.close(write)
        found = b""
        while piece := os.read(read, 700):
            found += piece
        assert process.wait() == 0
    os.close(read)
    assert len(json.loads(found)["runs"]) == len(saved(tmp_path / "r.db")) == 12


@pytest.mark.counting
def test_a_terminal_that_hangs_up_costs_nothing_of_what_was_counted(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    words = [*QUICK, "-r", "5", "--results", str(tmp_path / "r.db"), "--", "sh", "-c", f"echo > {ready}; exec sleep 60"]
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, which may have started these tests, hands it on
        os.execv(sys.executable, [*HWPROF, *words])
    ready.read_bytes()
    os.close(terminal)
    os.waitpid(pid, 0)
    [run] = saved(tmp_path / "r.db")
    assert run.failure is not None
    assert "SIGHUP" in run.failure.message
    assert any(reading.metric == "task-clock" and reading.value for reading in run.windows[0].readings)


@pytest.mark.counting
def test_bytes_that_are_no_utf_8_are_kept_and_shown(tmp_path: Path) -> None:
    program = os.fsencode(tmp_path) + b"/mod\xe8le"
    Path(os.fsdecode(program)).write_text("#!/bin/sh\nprintf 'd\\351bit %s\\n' \"$1\"\n")
    Path(os.fsdecode(program)).chmod(0o755)
    words = ("--results", "r.db", "--fps-from", b"d\xe9bit ([0-9]+)", "--", program, b"42\xe8")
    done = hwprof("run", "-e", "task-clock", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(done.stdout) == b"d\xe9bit 42\xe8\n"
    [run] = saved(tmp_path / "r.db")
    assert [os.fsencode(word) for word in run.facts["argv"]] == [program, b"42\xe8"]
    assert (run.facts["fps"], os.fsencode(run.case.network)) == (42, b"mod\xe8le")
    for command in (["export", "r.db", "--kind", "command"], ["report", "r.db", "-o", "report"]):
        shown = hwprof(*command, cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
    assert r"mod\\xe8le" in (tmp_path / "report/report.md").read_text()  # Markdown escapes the backslash


def test_a_command_gets_the_limit_of_files_that_hwprof_got(tmp_path: Path) -> None:
    """Whatever hwprof raised for its own counters meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(soft, 300)
    raising = "from hwprof.collectors.perf import abi; abi.raise_file_limit(); " + CODE
    command = [sys.executable, "-P", "-c", raising, "run", "-q", "--no-save", "-e", "task-clock", "--", "sh", "-c"]
    done = subprocess.run(
        ["sh", "-c", f'ulimit -S -n {low}; exec "$@"', "sh", *command, "ulimit -n"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout.strip() == str(low), (done.stderr, hard)


FPS_OF_INPUT = (*QUICK, "--results", "r.db", "--fps-from", r"FPS (\d+)")
COUNT = ("--", "sh", "-c", "echo FPS $(($(wc -c) + 1))")


@pytest.mark.counting
def test_every_execution_finds_a_file_on_standard_input_from_where_it_stood(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("head\nhello\n")
    with (tmp_path / "input").open("rb", buffering=0) as file:
        file.seek(5)
        done = hwprof(*FPS_OF_INPUT, "-r", "3", "-w", "1", *COUNT, cwd=tmp_path, stdin=file)
    assert done.returncode == 0, done.stderr
    assert [run.facts["fps"] for run in saved(tmp_path / "r.db")] == [7, 7, 7]


@pytest.mark.counting
def test_every_execution_finds_a_pipe_empty_where_there_are_several_and_this_is_said(tmp_path: Path) -> None:
    done = hwprof(*FPS_OF_INPUT, "-r", "3", *COUNT, cwd=tmp_path, input="hello\n")
    assert done.returncode == 0, done.stderr
    assert "only the first execution would find something" in done.stderr
    assert [run.facts["fps"] for run in saved(tmp_path / "r.db")] == [1, 1, 1]


@pytest.mark.counting
def test_a_single_execution_has_the_pipe_on_standard_input(tmp_path: Path) -> None:
    done = hwprof(*FPS_OF_INPUT, *COUNT, cwd=tmp_path, input="hello\n")
    assert done.returncode == 0, done.stderr
    assert "standard input" not in done.stderr
    assert [run.facts["fps"] for run in saved(tmp_path / "r.db")] == [7]


@pytest.mark.counting
def test_a_command_that_leaves_a_process_behind_ends_with_its_own_end(tmp_path: Path) -> None:
    """What stays holds the pipe of the output: its end is not waited for, and its time is not the command's."""
    (tmp_path / "left").write_text("#!/bin/sh\nsleep 600 &\necho $! > pid\necho FPS 3\n")
    (tmp_path / "left").chmod(0o755)
    done = hwprof(*FPS_OF_INPUT, "--", "./left", cwd=tmp_path, stdin=subprocess.DEVNULL)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # it was there still
    assert done.returncode == 0, done.stderr
    assert [run.facts["fps"] for run in saved(tmp_path / "r.db")] == [3]


@pytest.mark.counting
def test_a_command_finds_the_default_action_of_sigpipe(tmp_path: Path) -> None:
    """Python ignores it, which a command would inherit: `yes | head -1` would never end for some programs."""
    code = "grep SigIgn /proc/self/status | while read -r _ mask; do echo FPS $((1 + (0x$mask >> 12 & 1))); done"
    done = hwprof(*FPS_OF_INPUT, "--", "sh", "-c", code, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert [run.facts["fps"] for run in saved(tmp_path / "r.db")] == [1]
