"""The bottlenecks of each case on the page: a row for each that was found, and what could not be decided."""

from __future__ import annotations

from pathlib import Path

from hwprof.analysis.bottlenecks import diagnosis
from hwprof.reports.html import gather, page
from hwprof.reports.page import bottlenecks
from hwprof.store import Results
from tests.analysis.planted import several


def test_a_row_says_what_was_found_and_what_was_not_decided(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add_all([*several(), *several(framework="opencv")])
        found, _ = diagnosis.diagnose(results)
        made = page.build(gather.gather(results))
    table = bottlenecks.table(found)
    assert len({row[0] for row in table.rows}) == 2
    undecided = table.header.index("not decided")
    assert all("compute-bound" in row[undecided] for row in table.rows)  # no ceiling was measured
    assert bottlenecks.sentences(found)[0].startswith("2 cases")
    shown = next(s for s in made.sections if s.key == "bottlenecks")
    assert shown.tables == (table,)


def test_many_runs_are_left_to_the_command(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add_all(several())
        runs = list(results.runs())
        found, why = gather.diagnose(results, runs * gather.DIAGNOSED)
    assert found == ()
    assert "`hwprof explain FRAMEWORK`" in why
