"""Programs that say what is counted (hwprof.h): imports and loading stay out, and counts are per frame."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from hwprof.analysis.correlation import analyse, strata
from hwprof.cli import main
from hwprof.programs.command import CommandRunner, Order
from hwprof.programs.counting import Native
from hwprof.programs.region import INCLUDE, RegionControl, find_unlike_regions
from hwprof.records import Run, Snapshot
from hwprof.reports.terminal import command
from hwprof.store import Results

FACTS = {"hardware": {"model": "test"}, "host_state": {}}
# Touches 5,000 fresh pages, then in each of argv[1] stretches 1,000, and 300 behind it; reports argv[2] frames each.
SOURCE = """
#include <sys/mman.h>
#include "hwprof.h"
static void touch(long pages) {
    long size = sysconf(_SC_PAGESIZE);
    char *area = (char *)mmap(0, pages * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(area, pages * size, MADV_NOHUGEPAGE);
    for (long i = 0; i < pages; i++) area[i * size] = 1;
}
int main(int argc, char **argv) {
    if (argc < 3) return 2;
    touch(5000);
    for (long i = 0; i < atol(argv[1]); i++) {
        hwprof_start();
        touch(argc > 3 ? atol(argv[3]) : 1000);
        hwprof_stop();
        if (atol(argv[2])) hwprof_frames(atol(argv[2]));
        touch(300);
    }
    if (argc > 4) hwprof_start();
    return 0;
}
"""
FLAGS = ("-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{INCLUDE}")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("region") / "counted.c"
    file.write_text(SOURCE)
    subprocess.run(["cc", "-std=gnu11", *FLAGS, "-o", str(file.with_suffix("")), str(file)], check=True)
    return file.with_suffix("")


def run(*argv: object, **order: object) -> Run:
    runner = CommandRunner(Order(tuple(map(str, argv)), **order), Native(("page-faults",)), FACTS)  # type: ignore[arg-type]
    return next(runner.run())


def faults(run: Run) -> float:
    return next(r.value or -1.0 for r in run.windows[0].readings if r.metric == "page-faults")


@pytest.mark.cc
@pytest.mark.parametrize(
    ("compiler", "ending"), [("cc -std=c99 -D_GNU_SOURCE", "c"), ("c++ -std=c++11", "cc"), ("c++ -std=c++20", "cc")]
)
def test_the_header_is_good_c_and_c_plus_plus(tmp_path: Path, compiler: str, ending: str) -> None:
    file = tmp_path / f"counted.{ending}"
    file.write_text(SOURCE)
    command = [*shlex.split(compiler), *FLAGS, "-o", str(tmp_path / "counted"), str(file)]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        pytest.skip("no C++ compiler")


@pytest.mark.cc
@pytest.mark.counting
def test_only_what_lies_between_start_and_stop_is_counted(program: Path) -> None:
    done = run(program, 1, 0)
    assert faults(done) == pytest.approx(1000, abs=5)
    assert done.windows[0].t1_ns - done.windows[0].t0_ns < done.facts["executions"][0]["elapsed_ns"]
    assert done.facts["executions"][0]["region"]["before_ns"] > 0
    assert (done.failure, done.facts["fps"]) == (None, None)
    assert not {r.metric for r in done.windows[0].readings} & {"cpu-user-time", "rusage-minor-faults"}


@pytest.mark.cc
@pytest.mark.counting
def test_several_stretches_are_added_and_what_lies_between_them_is_not(program: Path) -> None:
    done = run(program, 4, 50)
    window = done.windows[0]
    assert faults(done) == pytest.approx(4000, abs=20)
    assert window.slices is not None
    assert window.elapsed_s == pytest.approx(sum(window.latencies_ns) / 1e9)
    assert window.elapsed_s < (window.t1_ns - window.t0_ns) / 1e9
    assert (done.case.batch, len(window.latencies_ns)) == (50, 4)
    assert done.facts["fps"] == pytest.approx(200 / window.elapsed_s)
    text = " ".join(command.text([done]).split())
    assert "frames / time in what hwprof.h counts" in text
    assert "in 4 stretches (hwprof.h)" in text
    assert "per frame" in text
    assert " 20.0" in text  # page faults


@pytest.mark.cc
@pytest.mark.counting
def test_frames_may_be_said_by_the_option_as_well(program: Path) -> None:
    done = run(program, 2, 0, frames=10)
    assert (done.case.batch, done.failure) == (5, None)
    assert done.facts["fps"] == pytest.approx(10 / done.windows[0].elapsed_s)


@pytest.mark.cc
@pytest.mark.counting
@pytest.mark.parametrize(
    ("frames", "asked", "says"), [(5, 7, "--frames says 7"), (0, 7, "7 frames of an execution can't be the same")]
)
def test_frames_that_contradict_each_other_are_a_failure(program: Path, frames: int, asked: int, says: str) -> None:
    done = run(program, 2, frames, frames=asked)
    assert done.failure is not None
    assert says in done.failure.message
    assert done.facts["fps"] is None
    assert faults(done) == pytest.approx(2000, abs=10), "counts are kept"


@pytest.mark.cc
@pytest.mark.counting
def test_a_stretch_that_the_program_leaves_open_ends_with_it(program: Path) -> None:
    done = run(program, 1, 0, 1000, "open")
    assert len(done.windows[0].latencies_ns) == 2
    assert faults(done) == pytest.approx(1000, abs=100)  # the exit itself


@pytest.mark.cc
def test_without_an_observer_the_header_does_nothing(program: Path) -> None:
    environ = {**os.environ, "HWPROF_CONTROL": "/no/such,/fifo"}
    assert subprocess.run([program, "3", "3"], env=environ, check=False).returncode == 0
    environ.pop("HWPROF_CONTROL")
    assert subprocess.run([program, "3", "3"], env=environ, check=False).returncode == 0


@pytest.mark.cc
@pytest.mark.perf
@pytest.mark.counting
def test_perf_itself_speaks_with_the_header(program: Path, tmp_path: Path) -> None:
    for name in ("ctl", "ack"):
        os.mkfifo(tmp_path / name)
    out = tmp_path / "out"
    words = ["perf", "stat", "-x,", "-e", "page-faults", "-D", "-1", "--control", "fifo:ctl,ack", "-o", str(out)]
    environ = {**os.environ, "HWPROF_CONTROL": "ctl,ack", "LC_ALL": "C"}
    subprocess.run([*words, "--", str(program), "2", "9"], cwd=tmp_path, env=environ, check=True)
    count = next(line.split(",")[0] for line in out.read_text().splitlines() if "page-faults" in line)
    assert int(count) == pytest.approx(2000, abs=10)


class Counts:
    """Counters that have counted so much whenever they are read."""

    def __init__(self, *values: int | None) -> None:
        self.values = list(values)

    def mark(self) -> list[Snapshot]:
        value = self.values.pop(0)
        return [Snapshot(0, (value,), 10 * (value or 0), 5 * (value or 0))]


def spoken(counts: Counts, *words: str) -> RegionControl:
    with RegionControl(os.getpid(), counts) as control:
        for word in words:
            os.write(control.control, word.encode())
            control.answer()
        control.end(0)
    return control


def test_words_may_come_in_pieces_and_repeated_ones_change_nothing() -> None:
    counts = Counts(10, 15, 100, 130)
    first = ("ena", "ble\nenable\n", "bogus\nframes x\n", "disable\ndisable\nframes 4\n")
    control = spoken(counts, *first, "ping\nenable\nframes 4\ndisable\n")
    assert [stretch.frames for stretch in control.stretches] == [4, 4]
    assert [(s.raw, s.enabled_ns, s.running_ns) for s in control.sums] == [((35,), 350, 175)]
    assert control.frames(None) == (4, None)
    assert control.cpu_ns is not None


def test_what_could_not_be_read_once_is_not_known_of_the_sum() -> None:
    control = spoken(Counts(10, None, 20, 30), "enable\ndisable\n", "enable\ndisable\n")
    assert [s.raw for s in control.sums] == [(None,)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("enable\ndisable\nframes 4\n", "enable\ndisable\nframes 5\n"), "different numbers of frames .*: 4, 5"),
        (("enable\ndisable\n", "enable\ndisable\nframes 5\n"), "none, 5"),
        (("enable\ndisable\nframes 0\n",), "0 frames"),
    ],
)
def test_unlike_frames_are_a_failure_with_what_to_do(words: tuple[str, ...], says: str) -> None:
    number, failure = spoken(Counts(1, 2, 3, 4), *words).frames(None)
    assert number is None
    assert failure is not None
    assert re.search(says, failure.message)
    assert failure.remedy


def test_executions_of_a_round_that_count_otherwise_are_a_failure() -> None:
    one, other = {"frames": 5, "stretches": 1}, {"frames": 6, "stretches": 1}
    assert find_unlike_regions([one, one], 2) is None
    for regions, executions in (([one, other], 2), ([one], 2)):
        assert find_unlike_regions(regions, executions) is not None


@pytest.mark.cc
@pytest.mark.counting
def test_programs_with_a_region_and_frames_join_speeds_and_correlations(
    program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "r.db")
    pages = (500, 300, 900, 1200, 700, 2500, 1500)
    for number, touched in enumerate(pages, 1):
        words = ["--macs", str(number * 10**6), "--name", f"net{number}", "--", str(program), "1", "10"]
        assert main(["run", "-q", "-e", "page-faults", "--results", file, *words, str(touched)]) == 0
    assert main(["run", "-q", "-e", "page-faults", "--results", file, "--frames", "3", "--", "true"]) == 0
    with Results.open(file) as results:
        frame = results.frame()
        assert len(results.frame("command")) == 8
    assert set(frame["framework"]) == {"counted"}
    assert list(frame["network"]) == [f"net{number}" for number in range(1, 8)], "a whole execution stays out"
    assert frame["page-faults"].to_list() == pytest.approx([touched / 10 for touched in pages], abs=1)
    assert frame["macs"].to_list() == [number * 1e6 for number in range(1, 8)]
    [(stratum, rows)] = strata.split(strata.label(frame))
    assert "threads not stated" in stratum.title
    usable = strata.usable_rows(rows)
    assert usable["fps"].notna().all()
    assert (len(usable), set(usable[strata.VARIANT]), usable[strata.NETWORK].nunique()) == (7, {"counted"}, 7)
    assert [found.stratum for found in analyse.analyse(frame)] == [stratum]


def test_hwprof_prints_where_the_header_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-include"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "hwprof.h").is_file()


@pytest.mark.counting
def test_where_no_fifo_can_be_made_the_whole_execution_is_counted_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: os.mkdir(tmp_path / "no/such"))  # noqa: PTH102
    assert main(["run", "-q", "--no-save", "-e", "page-faults", "--", "true"]) == 0
    assert "no FIFO can be made: No such file or directory" in capfd.readouterr().err
