"""Takes the steps of a survey in order: what has ended is not repeated, and what can't be done ends nothing else."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hwprof.errors import HwprofError
from hwprof.printable import sentence
from hwprof.studies.survey.record import DONE, FAILED, MISSING, PART, StepRecord, SurveyRecord


class NotPossible(HwprofError):
    """A step that can't be done on this machine."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far a step is: `done` of `total` parts, of which `text` was the last. `left_s`: where the step knows it."""

    done: int
    total: int
    text: str
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class SurveyStep:
    """`work` does what is left of it, and keeps each part as soon as it has it."""

    name: str
    work: Callable[[], Iterator[StepProgress]]
    is_done: bool = False


Show = Callable[[str], None]


def take(
    steps: Sequence[SurveyStep],
    record: SurveyRecord,
    show: Show,
    keep: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Take what is left of the steps. `show` is told of progress, `keep` called after each step, broken ones too.

    An interrupt, and a full disk, end it; the step is then marked as begun.
    """
    for number, step in enumerate(steps):
        if step.is_done:
            continue
        later = [s.name for s in steps[number + 1 :] if not s.is_done]
        start = clock()
        first: int | None = None
        ended = StepRecord(PART)
        try:
            for progress in step.work():
                first = progress.done - 1 if first is None else first
                left = progress.left_s
                if left is None and progress.done > first:
                    left = (clock() - start) / (progress.done - first) * (progress.total - progress.done)
                show(line(number + 1, len(steps), step.name, progress, left, later))
            ended = StepRecord(DONE)
        except NotPossible as error:
            ended = StepRecord(MISSING, sentence(error.message), error.remedy)
        except HwprofError as error:
            ended = StepRecord(FAILED, sentence(error.message), error.remedy)
        except Exception as error:  # an unknown board: the other steps are worth having
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            said = sentence(f'"{type(error).__name__}": {error}')
            ended = StepRecord(FAILED, said, "repeat the survey; report it where it fails again")
        finally:
            ended.seconds = round(clock() - start, 1)
            record.steps[step.name] = ended
            keep()
        if ended.why:
            show(f"[{number + 1}/{len(steps)} {step.name}] {ended.status}: {ended.why}")


def line(number: int, total: int, name: str, progress: StepProgress, left_s: float | None, later: Sequence[str]) -> str:
    """`[2/4 events 7/21, 0:40 left, then ceilings, speed] cache-misses: right`."""
    left = "" if left_s is None else f", {int(left_s) // 60}:{int(left_s) % 60:02d} left"
    then = f", then {', '.join(later)}" if later else ""
    return f"[{number}/{total} {name} {progress.done}/{progress.total}{left}{then}] {progress.text}"
