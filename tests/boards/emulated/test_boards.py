"""Boards as a user starts them, with two CPUs; and boards that go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hwprof.analysis.factors.identity import SECONDS
from hwprof.boards.guest import GuestFailed, run_guest
from hwprof.boards.machines import Image
from hwprof.records import Exactness, Origin, Reading, Role
from hwprof.store import Results
from tests.fleet import Outcome
from tests.waiting import command_lines

pytestmark = [pytest.mark.board, pytest.mark.timeout(3600)]


def seconds(reading: Reading) -> float:
    assert reading.value is not None
    return reading.value * SECONDS[reading.unit]


def test_threads_on_both_cpus_are_counted(two: Outcome) -> None:
    assert two.exit_code == 0, two.stderr
    assert two.stdout.splitlines()[0] == "2"
    with Results.open(two.folder / "two.db") as results:
        (run,) = results.runs()
    for window in (w for w in run.windows if w.role is Role.COUNTED):
        readings = {r.metric: r for r in window.readings}
        # Seconds of CPU time. The process's own accounting knows every thread; without inheritance perf would have the
        # first thread's alone, about a half. Its edges lie a little within those of the accounts.
        by_perf, user, system = (seconds(readings[n]) for n in ("task-clock", "cpu-user-time", "cpu-system-time"))
        assert 0.75 * (user + system) < by_perf < 1.5 * (user + system)
        cycles = readings["cycles"]
        assert cycles.origin is Origin.EMULATED
        assert cycles.value
        assert cycles.exactness is Exactness.SUSPECT
    assert run.host_state["emulator_counts"] == "ticks"


def test_a_bundle_from_here_is_swept_there_and_nothing_is_prepared(two: Outcome) -> None:
    assert "bundle ended with 0" in two.stdout, (two.folder / "bundle.txt").read_text()
    with Results.open(two.folder / "bundle.db") as results:
        runs = list(results.runs())
    assert {run.case.framework for run in runs} == {"onnxruntime", "opencv"}
    for run in runs:
        assert run.failure is None
        assert run.fidelity is not None  # the reference came with it
        assert run.fidelity.faithful


def test_perf_stat_of_an_ordinary_user_counts_user_mode_alone_and_says_so(two: Outcome) -> None:
    readings = json.loads((two.folder / "user.json").read_text())["readings"]
    found = {one["metric"].removesuffix(":u"): one for one in readings}
    assert found["cycles"]["value"] > 1e6  # arm64 counts no instructions without exact counts
    assert found["cycles"]["domain"] == "user"
    assert found["context-switches"]["exactness"] == "missing"
    assert "had to leave out (:u)" in found["context-switches"]["why"]


def test_what_the_guest_says_and_its_kernel_says_are_kept_apart(two: Outcome) -> None:
    assert "OpenSBI" not in two.stdout + two.stderr
    assert "Booting" in two.stderr
    assert "squeezenet1_1" in two.stdout


def test_a_job_that_hangs_is_killed_at_its_deadline(board_image: Callable[..., Image], tmp_path: Path) -> None:
    image = board_image("riscv64")
    with pytest.raises(GuestFailed, match="was not done after 8 s and was killed"):
        run_guest(image, tmp_path, "sleep 1000", timeout_s=8)
    lines = [b" ".join(words) for words in command_lines()]
    assert not [line for line in lines if b"qemu-system" in line and str(tmp_path).encode() in line]


def test_a_board_that_cannot_start_gives_qemus_own_words(board_image: Callable[..., Image], tmp_path: Path) -> None:
    with pytest.raises(GuestFailed, match="no_such_extension"):
        run_guest(board_image("riscv64"), tmp_path, "true", cpu_options={"no_such_extension": True}, timeout_s=300)


@pytest.mark.board_long
def test_pytorch_runs_on_riscv64(board_image: Callable[..., Image], tmp_path: Path) -> None:
    job = "hwprof run -f pytorch -n tiny_cnn -r 2 --iterations 2 -w 2 -e cycles,instructions --results torch.db"
    result = run_guest(board_image("riscv64", ("torch",)), tmp_path, job, timeout_s=1500)
    assert result.exit_code == 0, result.stderr
    with Results.open(tmp_path / "torch.db") as results:
        runs = list(results.runs())
    assert len(runs) == 2
    for run in runs:
        assert run.fidelity is not None
        assert run.fidelity.faithful
        counted = [r for w in run.windows for r in w.readings if r.metric == "instructions" and r.value]
        assert {r.origin for r in counted} == {Origin.EMULATED}
