"""Text and Markdown carry every cell, and nothing of a name is taken for markup."""

from __future__ import annotations

from hwprof.reports import tables
from hwprof.reports.formats import text
from hwprof.reports.tables import Report, Table

REPORT = Report(
    ("a is x2 as fast as b.",),
    (Table("Speed", ("network", "note"), (("my_net*|x", "word " * 40), ("b", "")), "the note"),),
)


def test_the_summary_comes_first() -> None:
    assert tables.terminal(REPORT, 80).startswith("* a is x2")
    lines = text.markdown(REPORT, [("Dots", "fps.svg", "A note.")], "Title").splitlines()
    assert lines.index("- a is x2 as fast as b.") < lines.index("![Dots](fps.svg)")


def test_long_notes_are_wrapped_and_nothing_is_lost() -> None:
    shown = tables.terminal(REPORT, 80)
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("word") == 40


def test_a_bar_in_a_name_does_not_make_a_column() -> None:
    row = next(line for line in text.markdown(REPORT, [], "T").splitlines() if "net" in line and "word" in line)
    assert r"my\_net\*\|x" in row


def test_no_table_no_trace() -> None:
    assert tables.terminal(Report(("nothing",), ()), 80) == "* nothing"
