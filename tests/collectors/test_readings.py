"""Differences of counters: a wrap is undone, a fall is no count."""

from __future__ import annotations

import pytest

from hwprof.collectors.readings import between, difference
from hwprof.records import Counter, Exactness, Snapshot

WIDE = 1 << 64


@pytest.mark.parametrize(
    ("modulus", "before", "after", "counted"),
    [
        (WIDE, 4, 4, 0),
        (WIDE, 5, 4, None),  # 1.8e19 where it is taken for a wrap
        (WIDE, WIDE - 1, 4, 5),
        (1 << 32, (1 << 32) - 1, 4, 5),
        (WIDE, None, 4, None),
        (WIDE, 4, None, None),
    ],
)
def test_what_ran_backwards_is_missing_and_no_giant(
    modulus: int, before: int | None, after: int | None, counted: int | None
) -> None:
    assert difference(Counter("x", modulus=modulus), before, after) == counted


def test_a_counter_that_started_anew_says_so() -> None:
    counter = Counter("migrations", "", "process", "proc:sched")
    reading = between(counter, Snapshot(0, (500,), 0, 0), Snapshot(9, (3,), 9, 9), 0)
    assert reading.exactness is Exactness.MISSING
    assert reading.why == "went backwards from 500 to 3: set back, or started anew"
