"""Columns of second rank give way before those of first rank, and a table never loses all of them."""

from __future__ import annotations

from hwprof.reports.html.columns import ranks
from hwprof.reports.page.detail import COLUMNS


def test_the_first_columns_and_what_is_not_named_are_always_shown() -> None:
    found = dict(zip(COLUMNS, ranks(COLUMNS), strict=True))
    assert found["metric"] == found["r controlling for all"] == found["q"] == 0
    assert found["kind"] > found["group"] > found["controlling for"] > found["elasticity"] > 0


def test_of_second_rank_alone_some_are_shown() -> None:
    assert ranks(("kind", "group", "origin", "note")) == [0, 0, 0, ranks(COLUMNS)[COLUMNS.index("note")]]
    assert ranks(("kind",)) == [0]
    assert ranks(()) == []
