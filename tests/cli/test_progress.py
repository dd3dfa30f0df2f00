"""Progress: in place on a terminal, a line a run elsewhere, nothing but failures with -q."""

from __future__ import annotations

import dataclasses
import io

import pytest

from hwprof.cli.progress import CLEAR, Display, fitted, progress
from hwprof.cli.verbosity import Verbosity
from hwprof.records import Doubt, Failure, Fidelity, Kind
from hwprof.runner.rounds import Progress
from tests.factories import make_run

GOOD = make_run(fps=121.75, doubts=[Doubt("noisy", {"ratio": 1.3})])
BAD = make_run(failure=Failure("killed", "out of memory"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")


def at(number: int, run: object = GOOD) -> Progress:
    return Progress(number, 96, run, 130.0)  # type: ignore[arg-type]


def test_a_line_says_how_far_what_and_how_fast_with_its_doubts() -> None:
    assert progress(at(12)) == ("[12/96 2:10 left] onnxruntime mobilenet_v2 224px b1 t1 fp32: 121.8 FPS, doubts: noisy")
    assert progress(at(12, BAD)).endswith("fp32: killed: Out of memory.")
    assert progress(at(12, dataclasses.replace(GOOD, kind=Kind.SIMULATED))).endswith(": simulated")
    wrong = make_run(fidelity=Fidelity(1.0, 0.5, None, 8, 1e-3))
    assert progress(at(12, wrong)).endswith("40.0 FPS, UNFAITHFUL")


def test_elsewhere_than_on_a_terminal_each_run_is_a_line() -> None:
    stream = io.StringIO()
    with Display(stream=stream) as display:
        for number in (1, 2):
            display.step(at(number))
        display.note("Waiting until it is cool")
    assert stream.getvalue().splitlines() == [
        progress(at(1)),
        progress(at(2)),
        "hwprof: Waiting until it is cool.",
    ], "no width is heeded there"


def test_on_a_terminal_it_is_in_place_and_goes_at_the_end() -> None:
    stream = Terminal()
    with Display(stream=stream) as display:
        display.step(at(1))
        display.step(at(2))
    first, second = fitted(progress(at(1)), 59), fitted(progress(at(2)), 59)
    assert stream.getvalue() == f"{CLEAR}{first}{CLEAR}{second}{CLEAR}"
    assert len(first) == 59
    assert first.startswith("[1/96 2:10 left]")
    assert first.endswith("121.8 FPS, doubts: noisy")


def test_a_failure_and_a_remark_stay_on_the_terminal() -> None:
    stream = Terminal()
    with Display(stream=stream) as display:
        display.step(at(1))
        display.step(at(2, BAD))
        display.note("Waiting")
    assert stream.getvalue().endswith(f"{CLEAR}{progress(at(2, BAD))}\nhwprof: Waiting.\n")


def test_with_v_every_run_stays() -> None:
    stream = Terminal()
    with Display(Verbosity.VERBOSE, stream) as display:
        display.step(at(1))
    assert stream.getvalue() == f"{progress(at(1))}\n"


def test_quiet_says_nothing_but_failures() -> None:
    stream = io.StringIO()
    with Display(Verbosity.QUIET, stream) as display:
        display.step(at(1))
        display.note("Waiting")
        display.step(at(2, BAD))
    assert stream.getvalue().splitlines() == [progress(at(2, BAD))]
