"""Terms on the page lead to the glossary, once a section, and nothing of a name becomes markup by it."""

from __future__ import annotations

import re

from hwprof.reports.html import glossary
from hwprof.reports.page.glossary import TERMS


def test_each_term_is_one_sentence_of_the_page() -> None:
    assert len(TERMS) >= 10
    assert all(meaning.endswith(".") and len(meaning.split()) > 3 for term, meaning in TERMS.items() if term != "IPC")
    made = glossary.section()
    assert not made.is_absent
    assert {term for term, _ in made.terms} == set(TERMS)
    anchors = [glossary.anchor(term) for term in TERMS]
    assert len(set(anchors)) == len(anchors)


def test_the_first_mention_of_a_term_links_and_the_second_does_not() -> None:
    first, second = glossary.link_terms(["IPC and ipc-like, IPC.", "More IPC."])
    assert first.count('href="#term-ipc"') == 1
    assert "term" not in second
    assert re.sub(r"<[^>]+>", "", first) == "IPC and ipc-like, IPC."


def test_a_longer_term_goes_before_a_part_of_it() -> None:
    (text,) = glossary.link_terms(["Partial correlation is meant."])
    assert ">Partial correlation</a>" in text


def test_markup_of_a_name_stays_a_name() -> None:
    (text,) = glossary.link_terms(["<b>FPS</b> of <img>"])
    assert "<b>" not in text
    assert "<img>" not in text
    assert ">FPS</a>" in text
