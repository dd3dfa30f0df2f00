"""Misses stand beside instructions per cycle where they can account for most of the difference, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hwprof.analysis.answer import misses
from tests.analysis.answer.cases import NETWORKS, found, over

CYCLES = 1e8 / 0.75  # per frame of the slow one


def sentence(fast: Mapping[str, float], slow: Mapping[str, float]) -> str:
    answer = found(over(NETWORKS, {"metrics": fast}, {"metrics": slow, "ipc": 0.75}))
    return answer.paragraph.partition(". ")[0]


def test_misses_that_can_account_for_most_of_it_are_named_as_an_association() -> None:
    said = sentence({"llc-misses": 2e4}, {"llc-misses": 0.36 * CYCLES / 300})
    assert (
        "mainly accounted for by instructions per cycle 2.00x [2.00, 2.00] with last-level misses per instruction"
        in said
    )
    # in cycles per instruction: (0.36 x 1.33 - 0.09 x 0.67) of the difference of 0.67
    assert "consistent with up to 63 % of it" in said
    assert "because" not in said


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        ({}, {}),  # not counted
        ({"llc-misses": 1e4}, {}),  # of one alone
        ({"llc-misses": 1e4}, {"llc-misses": 2e4}),  # too few to matter
        ({"llc-misses": 2e5}, {"llc-misses": 1e5}),  # the slower one has fewer
    ],
)
def test_misses_that_cannot_are_not_named(fast: Mapping[str, float], slow: Mapping[str, float]) -> None:
    said = sentence(fast, slow)
    assert "mainly accounted for by instructions per cycle 2.00x" in said
    assert "misses" not in said


def test_they_are_named_beside_no_other_factor() -> None:
    slow = {"work": 2e8, "metrics": {"llc-misses": 4e5}}
    answer = found(over(NETWORKS, {"metrics": {"llc-misses": 1e4}}, slow))
    assert "misses" not in answer.paragraph


def test_the_event_that_can_account_for_more_is_named() -> None:
    said = sentence(
        {"llc-misses": 1e4, "branch-misses": 1e4}, {"llc-misses": 1.2e5, "branch-misses": 0.45 * CYCLES / 20}
    )
    assert "mispredicted branches per instruction" in said


def test_a_side_without_any_miss_has_no_ratio_of_them() -> None:
    assert misses.text(misses.MissShare(misses.METRICS[0], None, 0.8)) == (
        "last-level misses per instruction, consistent with up to 80 % of it"
    )
