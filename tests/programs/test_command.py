"""Commands are counted from their exec to their end, with all they start, and nothing of hwprof is counted."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from hwprof.collectors.cooldown import CoolDown
from hwprof.collectors.thermal import Heat
from hwprof.errors import CommandNotExecutable, CommandNotFound, NotAvailable
from hwprof.machine.clock import cpu_time_ns
from hwprof.programs.child import Child
from hwprof.programs.command import CommandRunner, Order, name_of, pass_doubts
from hwprof.programs.counting import Native
from hwprof.programs.figures import compile_figure
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.output import Search
from hwprof.records import Exactness, Kind, Reading, Role, Run, Window
from tests.programs import programs

FACTS = {"hardware": {"model": "test"}, "host_state": {}}


def run(argv: tuple[str, ...], events: tuple[str, ...] = ("task-clock", "page-faults"), **order: object) -> Run:
    """The one round of a command."""
    return next(CommandRunner(Order(argv, **order), Native(events), FACTS).run())  # type: ignore[arg-type]


def reading(run: Run, metric: str) -> Reading:
    """One reading of its first window."""
    return next(r for r in run.windows[0].readings if r.metric == metric)


def value(run: Run, metric: str) -> float:
    """Its value, which must be there."""
    found = reading(run, metric)
    assert found.value is not None, found.why
    return found.value


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> str:
    return programs.compiled(programs.PAGES, tmp_path_factory.mktemp("pages"), "pages")


@pytest.mark.cc
def test_every_touched_page_is_a_fault_and_hardly_anything_else_is(pages: str) -> None:
    few, many = (value(run((pages, str(n))), "page-faults") for n in (100, 3100))
    assert 100 <= few < 400  # a Python that waits to become the command would have thousands
    assert many - few == pytest.approx(3000, abs=300)  # some 5 apart; files fallen out of memory add to it


@pytest.mark.cc
def test_what_children_do_is_counted_too(pages: str) -> None:
    alone, with_child = (value(run((pages, "100", n)), "page-faults") for n in ("0", "2000"))
    assert with_child - alone == pytest.approx(2000, abs=300)


@pytest.mark.cc
def test_rusage_and_the_events_tell_the_same_faults(pages: str) -> None:
    done = run((pages, "2000", "1000"), ("minor-faults",))
    assert value(done, "rusage-minor-faults") == pytest.approx(value(done, "minor-faults"), abs=300)


@pytest.mark.counting_kernel
def test_each_sleep_is_a_switch() -> None:
    done = run(programs.python("-c", programs.SLEEPS, "60"), ("context-switches",))
    assert value(done, "context-switches") >= 60
    assert value(done, "voluntary-switches") >= 60


@pytest.mark.counting
def test_the_run_is_a_case_of_its_own_kind_with_time_and_memory() -> None:
    done = run(("sh", "-c", "exit 0"))
    assert done.kind is Kind.COMMAND
    assert done.failure is None
    assert (done.case.framework, done.case.network) == ("command", "sh")
    assert done.case.option("command") == "sh -c 'exit 0'"
    [window] = done.windows
    assert window.role is Role.COUNTED
    assert 0 < value(done, "task-clock") <= window.elapsed_s * 1e9 * (os.cpu_count() or 1)
    assert reading(done, "task-clock").exactness is Exactness.EXACT
    assert done.facts["fps"] is None
    assert {s.metric for s in done.series} >= {"rss", "cpu-busy"}


@pytest.mark.counting
@pytest.mark.parametrize(
    ("script", "code", "says"),
    [("exit 7", "exit", "exit code 7"), ("kill -SEGV $$", "killed", "SIGSEGV"), ("kill -KILL $$", "killed", "SIGKILL")],
)
def test_a_command_that_fails_is_counted_all_the_same(script: str, code: str, says: str) -> None:
    done = run(("sh", "-c", script), rounds=3)
    assert done.failure is not None
    assert done.failure.code == code
    assert says in done.failure.message
    assert value(done, "task-clock") > 0


def test_rounds_end_with_the_one_that_failed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"test ! -e {mark} && touch {mark}"
    runner = CommandRunner(Order(("sh", "-c", script), rounds=5), Native(("task-clock",)), FACTS)
    assert [r.failure is None for r in runner.run()] == [True, False]


def test_each_execution_begins_on_a_cool_machine() -> None:
    now_s, celsius = 0.0, iter([50.0, 51.0, 80.0, 79.0, 54.0])

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    cooldown = CoolDown(60.0, read=lambda: Heat(next(celsius), "soc"), clock=lambda: now_s, sleep=sleep)
    runner = CommandRunner(Order(("true",), rounds=2), Native(("task-clock",)), FACTS, cooldown)
    executions = [execution for run in runner.run() for execution in run.facts["executions"]]
    assert [execution["cooldown"]["waited_s"] for execution in executions] == [0.0, 1.0]


def test_missing_and_unexecutable_programs_are_told_apart(tmp_path: Path) -> None:
    text = tmp_path / "notes"
    text.write_text("no program")
    with pytest.raises(CommandNotFound, match="No command 'hwprof-nowhere'"):
        run(("hwprof-nowhere",))
    with pytest.raises(CommandNotExecutable, match="not executable"):
        run((str(text),))
    text.chmod(0o755)
    text.write_bytes(b"\x7fELF of no kind")
    with pytest.raises(CommandNotExecutable, match="can't be executed"):
        run((str(text),))
    with pytest.raises(CommandNotExecutable, match="is a directory"):
        run((str(tmp_path),))


def test_an_interpreter_that_this_user_may_not_start_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NotAvailable, match=r"python can't be started: Permission denied"):
        Child(("true",))


def test_frames_make_fps_and_counts_per_frame() -> None:
    done = run(("sh", "-c", "exit 0"), frames=50)
    assert done.case.batch == 50
    assert done.facts["fps"] == pytest.approx(50 / done.windows[0].elapsed_s)


@pytest.mark.cc
def test_fps_is_taken_from_the_output_which_still_comes_through(pages: str, capfd: pytest.CaptureFixture[str]) -> None:
    done = run((pages, "1"), fps_from=r"FPS: ([0-9.]+)")
    assert done.facts["fps"] == 12.5
    assert "FPS: 12.5" in capfd.readouterr().out


@pytest.mark.counting
def test_fps_that_the_output_does_not_hold_is_a_failure_and_no_zero() -> None:
    done = run(("sh", "-c", "echo done"), fps_from="FPS: ([0-9.]+)")
    assert done.failure is not None
    assert done.failure.code == "no-fps"
    assert done.facts["fps"] is None
    assert value(done, "task-clock") > 0


def test_the_last_match_counts_across_pieces_and_streams() -> None:
    search = Search(compile_figure("([0-9.,]+) fps"))
    for stream, data in ((1, b"10 fps\r20 f"), (2, b"7"), (1, b"ps\n1,0"), (1, b"30.5 fps")):
        search.feed(stream, data)
    search.end()
    assert (search.value, search.matches) == (1030.5, 3)


@pytest.mark.counting
def test_events_that_do_not_fit_together_are_counted_in_executions_of_their_own(tmp_path: Path) -> None:
    native = Native(("task-clock", "page-faults"))
    native.passes = 2  # as where the counters are too few; there is no PMU to have too few of
    native._layout = type(native._layout)(((), ()), native._layout.software, (), {})
    log = tmp_path / "log"
    done = next(CommandRunner(Order(("sh", "-c", f"echo x >> {log}")), native, FACTS).run())
    assert log.read_text().count("x") == 2
    assert [w.pass_ for w in done.windows] == [0, 1]
    assert all(any(r.metric == "task-clock" and r.value for r in w.readings) for w in done.windows)


def test_executions_of_unlike_work_are_doubted() -> None:
    def window(index: int, clock: float) -> Window:
        return Window(index, Role.COUNTED, index, 0, 1, (1,), (Reading("task-clock", clock, "ns"),))

    assert pass_doubts([window(0, 100.0), window(1, 104.0)]) == []
    assert [d.code for d in pass_doubts([window(0, 100.0), window(1, 140.0)])] == ["passes-differ"]


def test_what_cannot_be_counted_is_missing_with_the_reason() -> None:
    native = Native(("task-clock", "context-switches:u"))
    done = next(CommandRunner(Order(("sh", "-c", "exit 0")), native, FACTS).run())
    found = reading(done, "context-switches:u")
    assert found.exactness is Exactness.MISSING
    assert "would read 0" in found.why


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("/opt/bin/bench", "--x"), "bench"),
        (("python3.11", "-u", __file__), f"python3.11 {Path(__file__).name}"),
        (("python3", "-c", "pass", __file__), "python3"),
        (("python3", "-m", "module"), "python3"),
    ],
)
def test_a_script_is_named_and_not_only_its_interpreter(argv: tuple[str, ...], name: str) -> None:
    assert name_of(argv) == name


@pytest.mark.counting
def test_a_signal_sent_to_hwprof_ends_the_command_and_keeps_what_was_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # the child itself says when it runs
    word = tmp_path / "word"
    os.mkfifo(word)

    def send() -> None:
        word.read_bytes()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("hwprof.programs.interrupts.is_foreground", lambda: False)
    thread = threading.Thread(target=send)
    thread.start()
    done = run(("sh", "-c", f"echo x > {word}; exec sleep 100"))
    thread.join()
    assert done.failure is not None
    assert "SIGINT" in done.failure.message
    assert done.facts["executions"][0]["interrupted"] == signal.SIGINT
    assert value(done, "task-clock") > 0


def test_a_terminals_first_ctrl_c_is_not_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("hwprof.programs.interrupts.is_foreground", lambda: True)
    signals = Forwarding(4711)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    signals._receive(signal.SIGINT, None)
    assert (sent, signals.received) == ([], signal.SIGINT)
    signals._receive(signal.SIGINT, None)
    assert sent == [signal.SIGINT]


def test_a_child_that_never_ran_is_gone_when_it_is_closed() -> None:
    with Child(("sh", "-c", "exit 0")) as child:
        assert not child.has_ended()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


@pytest.mark.parametrize("stop", [False, True], ids=["runs on", "held"])
def test_the_cpu_time_of_an_exec_is_known_before_the_command_ends(stop: bool) -> None:
    with Child(("sleep", "60"), stop=stop) as child:
        assert child.exec_ns == 0
        try:
            child.release()
        except NotAvailable as error:
            pytest.skip(f"no process can be held here: {error}")
        child.resume()
        used = cpu_time_ns(child.pid)
        assert used is not None
        assert 0 < child.exec_ns <= used


def test_the_whole_of_a_command_that_has_ended_is_not_called_its_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(pid: int) -> int | None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return cpu_time_ns(pid)

    monkeypatch.setattr("hwprof.programs.child.cpu_time_ns", late)
    with Child(("true",)) as child:
        child.release()
        assert child.exec_ns == 0


def test_ignored_signals_are_the_defaults_in_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    run(("sh", "-c", "grep SigIgn /proc/self/status"))
    ignored = int(capfd.readouterr().out.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


@pytest.mark.counting
def test_warm_up_executions_are_not_counted_and_a_failing_one_is_a_failure(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo x >> {log}; test ! -e {tmp_path}/bad"
    order = Order(("sh", "-c", script), rounds=2, warm_up=3)
    runs = list(CommandRunner(order, Native(("task-clock",)), FACTS).run())
    assert log.read_text().count("x") == 5
    assert [len(run.facts["executions"]) for run in runs] == [1, 1]
    (tmp_path / "bad").touch()
    [failed] = CommandRunner(order, Native(("task-clock",)), FACTS).run()
    assert failed.failure is not None
    assert log.read_text().count("x") == 6
