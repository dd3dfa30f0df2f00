"""Pages about real boards: facts have sources, commands say that they were not run, tables are those we ship."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwprof.collectors.perf.tables import load_tables

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ["boards-riscv.md", "boards-arm.md"]


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the rows of every table that has this heading."""
    found = []
    for table in re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE):
        found += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_fact_has_a_source(page: str) -> None:
    facts = rows((DOCS / page).read_text(), "fact")
    assert len(facts) > 5
    assert [cells for cells in facts if len(cells) != 2 or not cells[1].strip(" |")] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_says_that_it_was_not_run(page: str) -> None:
    text = (DOCS / page).read_text()
    assert "Nobody ran hwprof on these boards for this page." in text
    blocks = list(re.finditer(r"```\n(.*?)```", text, re.DOTALL))
    assert blocks
    for block in blocks:
        heading = text[: block.start()].rpartition("\n## ")[2].partition("\n")[0]
        assert "not run on" in heading + block[1]
        assert not re.search(r"^\$ ", block[1], re.MULTILINE), "a transcript"


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_that_are_named_are_shipped(page: str) -> None:
    names = {table.name for table in load_tables()}
    boards = rows((DOCS / page).read_text(), "board")
    assert len(boards) > 4
    named = [name for cells in boards for name in cells[2].split("; ")]
    assert [
        n for n in named if n not in names and not n.startswith(("none: ", "one for each", "a table without"))
    ] == []
