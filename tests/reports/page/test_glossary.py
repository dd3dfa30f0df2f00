"""The glossary: one sentence a term, words that the report or the documentation use, the same text on both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hwprof
from hwprof.reports.page.glossary import TERMS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/glossary.md"
REPORT = Path(hwprof.__file__).parent / "reports"
LONGEST = 30
FEWEST = 40


def texts() -> str:
    """What a reader of the report and of the documentation sees, without the glossary itself."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    sources = [path for path in REPORT.rglob("*") if path.suffix in (".py", ".html", ".js")]
    return "\n".join(p.read_text() for p in (*pages, *sources) if p.name not in ("glossary.md", "glossary.py"))


def test_the_page_of_the_documentation_has_the_same_text() -> None:
    entries = re.findall(r"^- \*\*(.+?)\*\*: (.+)$", PAGE.read_text(), re.MULTILINE)
    assert entries == list(TERMS.items())


def test_the_terms_are_in_alphabetical_order() -> None:
    assert len(TERMS) >= FEWEST
    assert list(TERMS) == sorted(TERMS, key=str.casefold)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_has_one_short_sentence(term: str) -> None:
    sentence = TERMS[term]
    assert len(sentence.split()) <= LONGEST
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert not re.search(r"[.!?] ", sentence), "one sentence"
    assert ";" not in sentence
    assert " - " not in sentence


def test_every_term_is_used_in_the_report_or_the_documentation() -> None:
    said = texts()
    unused = [term for term in TERMS if not re.search(rf"\b{re.escape(term)}(s|es)?\b", said, re.IGNORECASE)]
    assert unused == []
