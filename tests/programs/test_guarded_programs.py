"""Programs that the kernel guards: it takes their counters away at exec, and what is left is not called exact."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwprof.programs.command import CommandRunner, Order
from hwprof.programs.counting import Native
from hwprof.records import Exactness, Run

NOBODY = 65534
# Becomes an ordinary user and then the program; an exec by a shell is another one behind it.
DEMOTED = (
    "import os, sys\n"
    f"if os.getuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    "os.execv(sys.argv[1], ['sh', *sys.argv[2:]])"
)
BUSY = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"


@pytest.fixture
def shell() -> Iterator[Path]:
    """A shell of our own, where an ordinary user finds it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copy(shutil.which("sh") or "/bin/sh", Path(folder) / "sh"))


def counted(shell: Path, mode: int, *words: str) -> Run:
    """A run of the shell with this mode, by an ordinary user. Skips where such a user can't be had or can't count."""
    shell.chmod(mode)
    order = Order((sys.executable, "-I", "-S", "-c", DEMOTED, *words))
    run = next(CommandRunner(order, Native(("page-faults",)), {"hardware": {}, "host_state": {}}).run())
    if run.failure is not None:
        pytest.skip(f"no program can be run so here: {run.failure.message}")
    clock = next(r for r in run.windows[0].readings if r.metric == "task-clock")
    if clock.value is None:
        pytest.skip(f"nothing can be counted here: {clock.why}")
    return run


@pytest.mark.parametrize("mode", [0o111, 0o4755], ids=["unreadable", "set-uid"])
@pytest.mark.parametrize("behind", [False, True], ids=["itself", "behind a shell"])
def test_a_program_that_the_kernel_guards_is_not_counted_exactly(shell: Path, mode: int, behind: bool) -> None:
    if mode & stat.S_ISUID and (os.getuid() != 0 or os.statvfs(shell).f_flag & os.ST_NOSUID):
        pytest.skip("a set-uid program of another user can't be had here")
    words = ("/bin/sh", "-c", f"{shell} -c '{BUSY}'; true") if behind else (str(shell), "-c", BUSY)
    plain, guarded = counted(shell, 0o755, *words), counted(shell, mode, *words)
    assert "counters-lost" not in {d.code for d in plain.doubts}
    assert "counters-lost" in {d.code for d in guarded.doubts}
    found = {r.metric: r for r in guarded.windows[0].readings}
    assert {found[n].exactness for n in ("task-clock", "page-faults")} == {Exactness.SUSPECT}
    assert found["cpu-user-time"].exactness is Exactness.EXACT
