"""What the test command says of tests that it skipped."""

from __future__ import annotations

from tests.conftest import ABSENT, skips


def test_what_was_skipped_is_one_line_with_a_count_per_part() -> None:
    reasons = ["Skipped: root may write everywhere", "board" + ABSENT, "torch" + ABSENT, "board" + ABSENT]
    assert skips(reasons) == (
        "skipped: 4 (board 2, torch 1: not installed or not asked for; 1 x root may write everywhere)"
    )
    assert skips(["Skipped: no compiler"]) == "skipped: 1 (1 x no compiler)"
