"""Figures drawn by several processes: the same files as by one, and an end that says what went wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwprof.errors import ResultsError
from hwprof.reports import content, drawing, figures
from hwprof.reports.drawing import Drawing
from hwprof.reports.jobs import Job
from tests.analysis.test_correlation import frame


def jobs() -> list[Job]:
    data = frame()
    data = data.assign(latency_ms=1e3 * data["batch"] / data["fps"], max_rel=1e-6)
    report = content.build(data, [])
    return figures.jobs(report.fps, report.analyses)


def test_two_processes_draw_the_same_as_this_one(tmp_path: Path) -> None:
    made = []
    for name, processes in (("a", 0), ("b", 2)):
        (tmp_path / name).mkdir()
        with Drawing(tmp_path / name, processes) as drawn:
            drawn.begin(jobs()[1:3])
            made.append(drawn.wait())
    assert made[0] == made[1]
    written = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert written == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_work_is_shared_out_evenly_and_nobody_is_idle() -> None:
    def job(work: int) -> Job:
        return Job("", "", "dots", None, "", work)

    found = drawing.shares([job(w) for w in (9, 1, 5, 4)], 2)
    assert sorted(sum(j.work for j in share) for share in found) == [9, 10]
    assert [len(share) for share in drawing.shares([job(1)], 4)] == [1]
    assert drawing.shares([job(1)], 0) == drawing.shares([], 4) == []


@pytest.mark.parametrize("processes", [0, 1])
def test_a_file_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path, processes: int) -> None:
    (tmp_path / "fps.svg").mkdir()
    with Drawing(tmp_path, processes) as drawn:
        drawn.begin(jobs()[:1])
        with pytest.raises(IsADirectoryError) as raised:
            drawn.wait()
    assert raised.value.filename == str(tmp_path / "fps.svg")


def test_a_process_that_is_killed_is_told_of(tmp_path: Path) -> None:
    with Drawing(tmp_path, 1) as drawn:
        drawn.begin(jobs()[:1])
        drawn._started[0].kill()
        with pytest.raises(ResultsError, match="signal 9"):
            drawn.wait()


def test_processes_that_wait_are_given_the_work_and_no_others_are_started(tmp_path: Path) -> None:
    with Drawing(tmp_path, 2) as drawn:
        drawn.prepare()
        waiting = [process.pid for process in drawn._started]
        drawn.begin(jobs()[:1])  # one of them has nothing to do, and nobody waits for it
        assert list(drawn.wait().values()) == ["fps.png"]
        assert [process.pid for process in drawn._started] == waiting
    assert (tmp_path / "fps.png").stat().st_size > 0
    for pid in waiting:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_leaving_early_ends_what_is_drawing(tmp_path: Path) -> None:
    def interrupted(drawn: Drawing) -> None:
        with drawn:
            drawn.begin(jobs()[:1])
            pids.append(drawn._started[0].pid)
            raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(Drawing(tmp_path, 1))
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
