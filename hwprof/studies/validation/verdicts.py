"""From counts of programs of known answer to a verdict: pure arithmetic, no machine involved.

Each program ran with two amounts of work, several times each. The difference cancels what is constant (starting,
stopping, the handshake): slope = (count at the larger amount - count at the smaller) / (difference of the amounts),
and ratio = slope / known slope. What disturbs a program only adds to its counts, so that the least count of each
amount is compared; the median where a value was extrapolated, which errs both ways.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

# Of what is counted by instruction: an interrupt in a run of a millisecond is one or two hundredths of it.
TOLERANCE = 0.03
FEW = 0.01  # below this share of the time an extrapolation is a guess
SCALED_TOLERANCE = 0.1  # of a value that was extrapolated
REPEATABLE = 0.2  # relative scatter beyond which a count follows nothing
FARTHEST = 100.0  # a larger or smaller factor than this is no factor but another thing


class EventVerdict(enum.StrEnum):
    """The verdict on an event."""

    RIGHT = "right"
    FACTOR = "off by a factor"
    DEAD = "dead"
    MISCOUNTS = "miscounts"
    UNPROVEN = "unproven"
    MISSING = "missing"

    @property
    def failed(self) -> bool:
        """Whether the counts of the event are wrong."""
        return self in (EventVerdict.FACTOR, EventVerdict.DEAD, EventVerdict.MISCOUNTS)


@dataclass(frozen=True, slots=True)
class KnownCount:
    """What a program does per unit of work: `slope` events, within `tolerance` of it (relative) or `slack` in all.

    `slope` 0: the program must not move the event, except by `slack`. None: nobody knows what it does to the event.
    `at_least`: `slope` is a lower bound, so that the event can be found dead but not right.
    """

    slope: float | None
    tolerance: float = TOLERANCE
    slack: float = 4.0
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class CountSample:
    """One run: amount of work, what was counted (None: nothing, `why`), and the share of the time that it ran.

    `units`: events that one unit of the known slope stands for in this run (lanes of a vector).
    """

    amount: int
    count: float | None
    running: float = 1.0
    why: str = ""
    units: int = 1


@dataclass(frozen=True, slots=True)
class ProgramFinding:
    """What one program says about an event. `expected`, `counted`: of the larger amount less the smaller.

    `spread`: range of the middle repetitions over the expected count. `running`: least share of time counted.
    `largest`: the largest single count.
    """

    program: str
    verdict: EventVerdict
    expected: float | None = None
    counted: float | None = None
    slope: float | None = None
    ratio: float | None = None
    spread: float | None = None
    running: float = 1.0
    repetitions: int = 0
    largest: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class EventAssessment:
    """An event with its verdict over all programs. `factor`: by which it is off."""

    metric: str
    verdict: EventVerdict
    factor: float | None = None
    why: str = ""
    remedy: str = ""
    findings: tuple[ProgramFinding, ...] = ()


def judge(program: str, known: KnownCount, samples: Sequence[CountSample]) -> ProgramFinding:
    """What one program's runs, with two different amounts of work, say about an event."""
    amounts = sorted({s.amount for s in samples})
    if len(amounts) != 2:
        raise ValueError(f"{program}: two amounts of work are compared, not {len(amounts)}")
    counted = [s for s in samples if s.count is not None]
    running = min((s.running for s in counted), default=0.0)
    by_amount = [[float(s.count) for s in counted if s.amount == a and s.count is not None] for a in amounts]
    if not all(by_amount):
        dead = all(s.count is None and s.running == 0.0 for s in samples)  # enabled, and never on a counter
        why = next((s.why for s in samples if s.count is None), "") or "not counted"
        return ProgramFinding(program, EventVerdict.DEAD if dead else EventVerdict.MISSING, running=running, why=why)
    if running < FEW:
        why = f"ran only {running:.2%} of the time: too few counters"
        return ProgramFinding(program, EventVerdict.MISSING, running=running, why=why)
    work = amounts[1] - amounts[0]
    scaled = running < 1.0
    typical = statistics.median if scaled else min
    expected = None if known.slope is None else known.slope * work * samples[0].units
    difference = typical(by_amount[1]) - typical(by_amount[0])
    scatter = max(_middle_range(counts) for counts in by_amount)
    finding = ProgramFinding(
        program,
        EventVerdict.RIGHT,
        expected=expected,
        counted=difference,
        slope=difference / work,
        ratio=difference / expected if expected else None,
        spread=scatter / (abs(expected or difference) or known.slack or 1.0),
        running=running,
        repetitions=min(len(counts) for counts in by_amount),
        largest=max(map(max, by_amount)),
        why=f"extrapolated from {running:.0%} of the time" if scaled else "",
    )
    if expected is None:
        return replace(finding, verdict=EventVerdict.UNPROVEN)
    if known.at_least:
        return _judge_bound(finding, expected)
    allowed = max(known.tolerance, SCALED_TOLERANCE if scaled else 0.0) * abs(expected) + known.slack
    return _judge_count(finding, expected, difference, allowed, scatter)


def _judge_bound(finding: ProgramFinding, least: float) -> ProgramFinding:
    if finding.largest == 0:
        return _revise(finding, EventVerdict.DEAD, "read 0 whatever was done")
    if (finding.counted or 0.0) < least:
        return _revise(finding, EventVerdict.MISCOUNTS, "hardly moved by what must move it")
    return _revise(finding, EventVerdict.UNPROVEN, "moves as it must, by how much nobody knows")


def _judge_count(
    finding: ProgramFinding, expected: float, counted: float, allowed: float, scatter: float
) -> ProgramFinding:
    if finding.largest == 0 and expected:
        return _revise(finding, EventVerdict.DEAD, "read 0 whatever was done")
    if abs(counted - expected) <= allowed:
        # The least of wild numbers may fit by chance: what is right repeats.
        if expected and scatter > max(4 * allowed, 0.5 * abs(expected)):
            return _revise(finding, EventVerdict.MISCOUNTS, "the same work gives other counts each time")
        return finding
    if not expected:
        return _revise(finding, EventVerdict.MISCOUNTS, "moved by what it does not count")
    ratio = counted / expected
    if not 1 / FARTHEST <= ratio <= FARTHEST:
        return _revise(finding, EventVerdict.MISCOUNTS, "does not follow the work done")
    if scatter > REPEATABLE * abs(counted):
        return _revise(finding, EventVerdict.MISCOUNTS, "the same work gives other counts each time")
    return _revise(finding, EventVerdict.FACTOR, f"counts {factor_text(ratio)} what was done")


def _revise(finding: ProgramFinding, verdict: EventVerdict, why: str) -> ProgramFinding:
    return replace(finding, verdict=verdict, why="; ".join(filter(None, (why, finding.why))))


def _middle_range(counts: Sequence[float]) -> float:
    """Range without the largest and the smallest where there are five or more: one disturbed run says nothing."""
    ordered = sorted(counts)
    if len(ordered) >= 5:
        ordered = ordered[1:-1]
    return ordered[-1] - ordered[0]


def factor_text(ratio: float) -> str:
    """`2 times`, `1/4 of`, `1.37 times`: a whole factor where it is one within 3 %."""
    for whole in (round(ratio), round(1 / ratio)):
        if whole >= 2 and abs(ratio / whole - 1) <= 0.03:
            return f"{whole} times"
        if whole >= 2 and abs(ratio * whole - 1) <= 0.03:
            return f"1/{whole} of"
    return f"{ratio:.3g} times"


def combine(metric: str, findings: Sequence[ProgramFinding], emulated: bool = False) -> EventAssessment:
    """One verdict from all programs.

    Right takes a program that moves the event: one that only must leave it alone proves nothing. Off by a factor only
    where every program finds the same one: an event that counts something else agrees with one program by chance, and
    not with the next. `emulated`: by an emulator's PMU, which reads 0 for what it does not model.
    """
    kept = tuple(findings)
    proving = [f for f in kept if f.verdict is EventVerdict.RIGHT or f.verdict.failed]
    if all(f.verdict is EventVerdict.RIGHT and not f.expected for f in proving):
        return _unproven(metric, kept, emulated)
    verdicts = {f.verdict for f in proving if f.expected != 0 or f.verdict is not EventVerdict.RIGHT}
    if verdicts == {EventVerdict.RIGHT}:
        return EventAssessment(
            metric, EventVerdict.RIGHT, why=next((f.why for f in proving if f.why), ""), findings=kept
        )
    wrong = next(f for f in proving if f.verdict is not EventVerdict.RIGHT)
    if verdicts == {EventVerdict.DEAD}:
        return EventAssessment(metric, EventVerdict.DEAD, why=wrong.why, findings=kept)
    if verdicts == {EventVerdict.FACTOR}:
        ratios = [f.ratio for f in proving if f.ratio]
        middle = statistics.median(ratios)
        if max(ratios) - min(ratios) <= REPEATABLE * middle:
            why = f"counts {factor_text(middle)} what was done"
            return EventAssessment(metric, EventVerdict.FACTOR, middle, why, findings=kept)
        each = ", ".join(f"{f.program} {factor_text(f.ratio)}" for f in proving if f.ratio)
        return EventAssessment(
            metric, EventVerdict.MISCOUNTS, why=f"another factor for each program: {each}", findings=kept
        )
    right = [f.program for f in proving if f.verdict is EventVerdict.RIGHT]
    beside = f" (right for {', '.join(right)})" if right else ""
    return EventAssessment(metric, EventVerdict.MISCOUNTS, why=f"{wrong.program}: {wrong.why}{beside}", findings=kept)


def _unproven(metric: str, findings: tuple[ProgramFinding, ...], emulated: bool) -> EventAssessment:
    """No program proves the event right or wrong."""
    counted = [f for f in findings if f.largest is not None]
    if not counted:
        why = next((f.why for f in findings if f.why), "no program here has a known answer for it")
        missing = any(f.verdict is EventVerdict.MISSING for f in findings)
        return EventAssessment(
            metric, EventVerdict.MISSING if missing else EventVerdict.UNPROVEN, why=why, findings=findings
        )
    if not any(f.largest for f in counted):
        if emulated:
            why = "read 0 whatever was done, as an emulator's PMU does for what it does not model"
            return EventAssessment(metric, EventVerdict.DEAD, why=why, findings=findings)
        why = "read 0 for every program: none of them does what it counts, or it counts nothing"
        return EventAssessment(metric, EventVerdict.UNPROVEN, why=why, findings=findings)
    reasons = (f.why for f in counted if f.verdict is EventVerdict.UNPROVEN and f.why)
    why = next(reasons, "no program here has a known answer for it")
    return EventAssessment(metric, EventVerdict.UNPROVEN, why=why, findings=findings)
