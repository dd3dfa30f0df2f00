from __future__ import annotations

import pytest

from hwprof.studies.validation.verdicts import (
    CountSample,
    EventVerdict,
    KnownCount,
    ProgramFinding,
    combine,
    factor_text,
    judge,
)

SMALL, LARGE = 100, 500


def samples(small: float | None, large: float | None, times: int = 5, running: float = 1.0) -> list[CountSample]:
    return [CountSample(a, c, running) for _ in range(times) for a, c in ((SMALL, small), (LARGE, large))]


def found(
    small: float | None, large: float | None, known: KnownCount | None = None, running: float = 1.0
) -> ProgramFinding:
    return judge("loads", known or KnownCount(8.0), samples(small, large, running=running))


def test_what_is_constant_cancels() -> None:
    finding = found(800 + 12_345, 4000 + 12_345)
    assert (finding.verdict, finding.expected, finding.counted, finding.ratio) == (EventVerdict.RIGHT, 3200, 3200, 1.0)


def test_one_disturbed_run_does_not_spoil_the_verdict() -> None:
    disturbed = [*samples(800, 4000, times=4), CountSample(SMALL, 90_000), CountSample(LARGE, 4000)]
    assert judge("loads", KnownCount(8.0), disturbed).verdict is EventVerdict.RIGHT


def test_twice_the_count_is_a_factor() -> None:
    finding = found(1600, 8000)
    assert (finding.verdict, finding.ratio, finding.why) == (EventVerdict.FACTOR, 2.0, "counts 2 times what was done")


def test_zero_throughout_is_dead_and_missing_is_not_zero() -> None:
    assert found(0, 0).verdict is EventVerdict.DEAD
    assert found(None, None).verdict is EventVerdict.MISSING


def test_an_event_that_never_ran_is_dead() -> None:
    never = [CountSample(a, None, 0.0, "never ran") for a in (SMALL, LARGE)]
    finding = judge("loads", KnownCount(8.0), never)
    assert (finding.verdict, finding.why) == (EventVerdict.DEAD, "never ran")


def test_a_count_without_work_behind_it_lies() -> None:
    assert found(50_000, 50_010).verdict is EventVerdict.MISCOUNTS
    moved = found(0, 9000, KnownCount(0.0, slack=10))
    assert (moved.verdict, moved.why) == (EventVerdict.MISCOUNTS, "moved by what it does not count")
    assert found(3, 9, KnownCount(0.0, slack=10)).verdict is EventVerdict.RIGHT


def test_wild_numbers_are_not_right_by_chance() -> None:
    wild = [
        CountSample(a, c)
        for a, c in zip([SMALL, LARGE] * 5, (800, 4000, 99, 7e5, 5e4, 5e3, 3e4, 3e5, 2e4, 1e6), strict=True)
    ]
    assert judge("loads", KnownCount(8.0), wild).verdict is EventVerdict.MISCOUNTS


def test_extrapolated_values_get_more_room_and_a_glimpse_none() -> None:
    assert found(800, 4000 * 1.05, running=0.5).verdict is EventVerdict.RIGHT
    assert found(800, 4000 * 1.05).verdict is EventVerdict.FACTOR
    glimpse = found(800, 4000, running=0.001)
    assert glimpse.verdict is EventVerdict.MISSING
    assert "0.10% of the time" in glimpse.why


def test_a_lower_bound_proves_death_and_lies_but_not_rightness() -> None:
    known = KnownCount(1.0, at_least=True)
    assert found(0, 0, known).verdict is EventVerdict.DEAD
    assert found(100, 200, known).verdict is EventVerdict.MISCOUNTS
    assert found(100, 90_000, known).verdict is EventVerdict.UNPROVEN


def test_lanes_multiply_what_is_expected() -> None:
    counted = [CountSample(SMALL, 3200, units=4), CountSample(LARGE, 16_000, units=4)]
    assert judge("vectorfp", KnownCount(8.0), counted).verdict is EventVerdict.RIGHT


def test_two_amounts_of_work_are_needed() -> None:
    with pytest.raises(ValueError, match="two amounts"):
        judge("loads", KnownCount(8.0), [CountSample(SMALL, 800)])


@pytest.mark.parametrize(
    ("ratio", "text"), [(2.0, "2 times"), (4.05, "4 times"), (0.25, "1/4 of"), (1.37, "1.37 times"), (0.9, "0.9 times")]
)
def test_whole_factors_are_named(ratio: float, text: str) -> None:
    assert factor_text(ratio) == text


RIGHT, TWICE, DEAD = found(800, 4000), found(1600, 8000), found(0, 0)
STILL = found(0, 0, KnownCount(0.0))


def test_right_takes_a_program_that_moves_the_event() -> None:
    assert combine("loads", [RIGHT, STILL]).verdict is EventVerdict.RIGHT
    assert combine("loads", [STILL]).verdict is EventVerdict.UNPROVEN
    assert combine("loads", []).verdict is EventVerdict.UNPROVEN


def test_dead_though_it_left_alone_what_it_must() -> None:
    assert combine("loads", [DEAD, STILL]).verdict is EventVerdict.DEAD


def test_one_factor_for_all_programs_or_none() -> None:
    assessment = combine("loads", [TWICE, TWICE, STILL])
    assert (assessment.verdict, assessment.factor) == (EventVerdict.FACTOR, 2.0)
    mixed = combine("loads", [TWICE, found(4000, 20_000)])
    assert mixed.verdict is EventVerdict.MISCOUNTS
    assert "2 times" in mixed.why
    assert "5 times" in mixed.why


def test_right_for_one_program_and_wrong_for_another_lies() -> None:
    assessment = combine("loads", [RIGHT, DEAD])
    assert assessment.verdict is EventVerdict.MISCOUNTS
    assert "right for loads" in assessment.why


def test_what_nobody_knows_is_unproven_unless_an_emulator_reads_zero() -> None:
    zero, moved = found(0, 0, KnownCount(None)), found(100, 700, KnownCount(None))
    assert combine("r1b", [zero, moved], emulated=True).verdict is EventVerdict.UNPROVEN
    assert combine("r1b", [zero, zero]).verdict is EventVerdict.UNPROVEN
    assert combine("r1b", [zero, zero], emulated=True).verdict is EventVerdict.DEAD


def test_a_program_that_cannot_run_here_says_nothing() -> None:
    absent = ProgramFinding("vector, 512 bits", EventVerdict.UNPROVEN, why="no vectors of this width")
    assert combine("vector-instructions", [RIGHT, absent]).verdict is EventVerdict.RIGHT
    assert combine("vector-instructions", [absent, STILL]).verdict is EventVerdict.UNPROVEN
    assessment = combine("vector-instructions", [absent])
    assert (assessment.verdict, assessment.why) == (EventVerdict.UNPROVEN, "no vectors of this width")
    assert combine("loads", [found(None, None)]).verdict is EventVerdict.MISSING


def test_only_failed_verdicts_fail() -> None:
    failed = {v for v in EventVerdict if v.failed}
    assert failed == {EventVerdict.FACTOR, EventVerdict.DEAD, EventVerdict.MISCOUNTS}
