"""Steps of a survey: ended ones are not repeated, and one that can't be done ends nothing else."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest

from hwprof.errors import HwprofError
from hwprof.studies.survey.record import DONE, FAILED, MISSING, PART, SurveyRecord
from hwprof.studies.survey.steps import NotPossible, StepProgress, SurveyStep, take


def counting_step(name: str, parts: int, is_done: bool = False) -> SurveyStep:
    def work() -> Iterator[StepProgress]:
        for number in range(1, parts + 1):
            yield StepProgress(number, parts, f"part {number}")

    return SurveyStep(name, work, is_done)


def breaking_step(name: str, error: BaseException) -> SurveyStep:
    def work() -> Iterator[StepProgress]:
        yield StepProgress(1, 2, "part 1")
        raise error

    return SurveyStep(name, work)


def ticking(step: float) -> Callable[[], float]:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += step
        return now

    return clock


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (NotPossible("no C compiler is here", "install one"), MISSING, "No C compiler is here."),
        (HwprofError("no answer came", "repeat it"), FAILED, "No answer came."),
        (ValueError("a table with a hole"), FAILED, '"ValueError": a table with a hole.'),
    ],
)
def test_a_step_that_breaks_is_named_and_the_next_is_taken(error: Exception, status: str, why: str) -> None:
    record, kept = SurveyRecord("m"), []
    shown: list[str] = []
    steps = [breaking_step("events", error), counting_step("speed", 1)]
    take(steps, record, shown.append, lambda: kept.append(dict(record.steps)))
    assert (record.steps["events"].status, record.steps["events"].why) == (status, why)
    assert record.steps["speed"].status == DONE
    assert any(why in line for line in shown)
    assert [list(each) for each in kept] == [["events"], ["events", "speed"]]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")])
def test_an_interrupt_keeps_what_is_finished_and_marks_the_step_as_begun(error: BaseException) -> None:
    record, kept = SurveyRecord("m"), []
    steps = [counting_step("doctor", 1), breaking_step("events", error), counting_step("speed", 1)]
    with pytest.raises(type(error)):
        take(steps, record, lambda line: None, lambda: kept.append(dict(record.steps)))
    assert {name: step.status for name, step in kept[-1].items()} == {"doctor": DONE, "events": PART}


def test_an_ended_step_is_not_taken_again() -> None:
    record = SurveyRecord("m")
    shown: list[str] = []
    take([counting_step("events", 1, is_done=True), counting_step("speed", 1)], record, shown.append, lambda: None)
    assert len(shown) == 1
    assert "speed" in shown[0]


def test_the_time_left_and_the_steps_to_come_are_shown() -> None:
    shown: list[str] = []
    steps = [counting_step("events", 3), counting_step("speed", 1)]
    take(steps, SurveyRecord("m"), shown.append, lambda: None, ticking(10.0))
    assert shown[0] == "[1/2 events 1/3, 0:20 left, then speed] part 1"
    assert shown[2].startswith("[1/2 events 3/3, 0:00 left, then speed]")
