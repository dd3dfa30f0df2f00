"""Which cases are a set, in which order, and which rounds of a set are left: pure rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.runner.grouping import chunks, in_order, rounds_left, sets_of

CHOICES = (
    Choice("onnxruntime", "tiny_cnn", 32),
    Choice("opencv", "tiny_cnn", 32),
    Choice("onnxruntime", "tiny_cnn", 32, options=(("spin", False),)),
    Choice("onnxruntime", "tiny_cnn", 32, precision="int8"),
    Choice("opencv", "tiny_cnn", 32, batch=2),
    Choice("opencv", "tiny_cnn", 48),
    Choice("opencv", "tiny_cnn", 32, threads=2),
    Choice("opencv", "squeezenet1_1", 32),
)


@pytest.fixture(scope="module")
def cases() -> tuple[PlannedCase, ...]:
    return plan(Experiment("e", CHOICES, cpus="0"))


def test_a_set_has_one_network_size_batch_and_number_of_threads(cases: tuple[PlannedCase, ...]) -> None:
    assert sets_of(cases, one_set=False, sliced=True) == [(0, 1, 2, 3), (4,), (5,), (6,), (7,)]


def test_cases_of_two_shapes_are_two_sets(cases: tuple[PlannedCase, ...]) -> None:
    shapes = ["3x48x320", "3x48x640", "3x48x320"]
    planned = [
        dataclasses.replace(one, case=dataclasses.replace(one.case, size=0, shape=shape))
        for one, shape in zip(cases, shapes, strict=False)
    ]
    assert sets_of(planned, one_set=False, sliced=True) == [(0, 2), (1,)]


def test_what_is_one_set_by_its_experiment_may_differ_in_anything(cases: tuple[PlannedCase, ...]) -> None:
    assert sets_of(cases, one_set=True, sliced=True) == [tuple(range(8))]


def test_without_slices_every_case_is_by_itself(cases: tuple[PlannedCase, ...]) -> None:
    assert sets_of(cases, one_set=True, sliced=False) == [(place,) for place in range(8)]


def test_a_case_with_a_runner_of_its_own_is_in_no_set(cases: tuple[PlannedCase, ...]) -> None:
    runner: Any = object()
    declared = dataclasses.replace(cases[1], runner=runner)
    assert sets_of((cases[0], declared, cases[2]), one_set=False, sliced=True) == [(0, 2), (1,)]


def test_sets_and_their_members_follow_the_order_of_the_round() -> None:
    assert in_order([(0, 1, 2), (3,), (4, 5)], [3, 5, 1, 4, 0, 2]) == [(3,), (5, 4), (1, 0, 2)]


PLACES = {("a", "native"), ("b", "native")}


def key(case: str, number: int, kind: str = "native") -> tuple[str, str, int]:
    return case, kind, number


def left(
    done: set[tuple[str, str, int]],
    failed: dict[tuple[str, str, int], int] | None = None,
    attempts: int | None = 1,
    rounds: int = 3,
) -> list[int]:
    return rounds_left(PLACES, rounds, done, failed or {}, attempts)


def test_nothing_is_left_of_finished_rounds() -> None:
    assert left(set()) == [0, 1, 2]
    assert left({key("a", 0), key("b", 0)}) == [1, 2]
    assert left({key(case, number) for case in "ab" for number in range(3)}) == []
    assert left({key("c", 0), key("a", 0, "simulated")}) == [0, 1, 2]  # of another set, of another kind


def test_a_round_with_a_missing_member_is_repeated_under_a_new_number() -> None:
    assert left({key("a", 0), key("b", 0), key("a", 1)}) == [2, 3]


def test_a_round_with_a_failed_member_is_over_until_it_is_to_be_tried_again() -> None:
    done = {key("a", 0), key("a", 1), key("b", 1), key("a", 2), key("b", 2)}
    assert left(done, {key("b", 0): 1}) == []
    assert left(done, {key("b", 0): 1}, attempts=None) == [3]
    assert left(done | {key("a", 3), key("b", 3)}, {key("b", 0): 1}, attempts=None) == []


def test_a_round_in_which_all_failed_keeps_its_number() -> None:
    failed = {key(case, number): 2 for case in "ab" for number in range(3)}
    assert left(set(), failed) == []
    assert left(set(), failed, attempts=None) == [0, 1, 2]


def test_a_case_that_has_only_ever_failed_repeats_no_round_that_went_on_without_it() -> None:
    done = {key("a", number) for number in range(3)}
    assert left(done, {key("b", 0): 1}) == []
    assert left(done, {key("b", 0): 1}, attempts=None) == [3, 4, 5]


def test_a_runner_is_tried_as_often_as_it_may() -> None:
    assert rounds_left({("r", "command")}, 1, set(), {("r", "command", 0): 1}, 2) == [0]
    assert rounds_left({("r", "command")}, 1, set(), {("r", "command", 0): 2}, 2) == []


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (5, [5]), (6, [3, 3]), (11, [3, 4, 4])])
def test_chunks_are_of_about_equal_length(count: int, sizes: list[int]) -> None:
    found = chunks(range(count), 5)
    assert [len(chunk) for chunk in found] == sizes
    assert [thing for chunk in found for thing in chunk] == list(range(count))
