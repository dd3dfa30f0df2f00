"""Exit codes and tracebacks when nobody reads stdout or stderr, as in `hwprof ... 2>&1 | head`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

CODE = "import sys; from hwprof.cli import main; sys.exit(main())"
FINDS_NO_REGRESSION_UNTIL_ITS_END = """
import sys
from hwprof import cli
def late(words):
    for number in range(20000):
        print("a line that fills the pipe's buffer", number)
    return 1
cli._dispatch = late
sys.exit(cli.main(["compare"]))
"""


def run(
    words: Sequence[str], folder: Path, *, deaf: Sequence[str], code: str = CODE, unbuffered: bool = False
) -> tuple[int, str]:
    """Exit code, and what the streams that are read show; `deaf`: those whose reader has gone before."""
    read, write = os.pipe()
    os.close(read)
    try:
        streams = {name: write if name in deaf else subprocess.PIPE for name in ("stdout", "stderr")}
        command = [sys.executable, "-P", *(["-u"] if unbuffered else []), "-c", code, *words]
        done = subprocess.run(command, cwd=folder, text=True, check=False, **streams)  # type: ignore[call-overload]
    finally:
        os.close(write)
    return done.returncode, (done.stdout or "") + (done.stderr or "")


@pytest.mark.parametrize("deaf", [["stdout"], ["stderr"], ["stdout", "stderr"]], ids="+".join)
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["swep"], 2),
        (["run", "--nosuch"], 2),
        (["report", "nowhere.db"], 2),
        (["run", "--", "no-such-command"], 127),
        (["--help"], 0),
        (["events", "--help"], 0),
        (["list", "networks"], 0),
        (["--version"], 0),
    ],
)
def test_the_exit_code_does_not_depend_on_who_reads(
    words: list[str], code: int, deaf: list[str], tmp_path: Path
) -> None:
    found, said = run(words, tmp_path, deaf=deaf)
    assert found == code
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "python -u"])
def test_a_command_whose_reader_goes_away_still_gives_its_own_code(unbuffered: bool, tmp_path: Path) -> None:
    found = run([], tmp_path, deaf=["stdout"], code=FINDS_NO_REGRESSION_UNTIL_ITS_END, unbuffered=unbuffered)
    assert found == (1, "")


@pytest.mark.parametrize("words", [["--version"], ["list", "networks"]], ids=" ".join)
def test_a_full_disk_under_stdout_is_one_line(words: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-P", "-c", CODE, *words]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("hwprof: No space left on the device.")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0)])
def test_a_closed_stream_is_no_error(closed: str, code: int, tmp_path: Path) -> None:
    command = f'"$0" -P -c "$1" list networks {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, CODE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, "")
