"""The glossary as a section, and terms in sentences as links to it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from hwprof.printable import printable
from hwprof.reports.html.model import Section
from hwprof.reports.page.glossary import TERMS

KEY = "glossary"
LINK = Markup('<a class="term" href="#{}" title="{}">{}</a>')


def section() -> Section:
    """All terms, in the order of the alphabet."""
    return Section(KEY, "Glossary", terms=tuple(sorted(TERMS.items(), key=lambda item: item[0].lower())))


def anchor(term: str) -> str:
    """The id of a term on the page."""
    return "term-" + re.sub(r"\W+", "-", term.lower()).strip("-")


def meaning(name: str) -> str:
    """What a column's head means; "": it is no term."""
    return TERMS.get(name, "")


@functools.cache
def _pattern() -> re.Pattern[str]:
    """Any term as a word of its own, longer ones first; with a capital too where it begins with a small letter."""
    ordered = sorted(TERMS, key=lambda term: (-len(term), term))
    words = [re.escape(term) if term.isupper() else f"[{term[0].upper()}{term[0]}]{re.escape(term[1:])}"
             if term[0].isalpha() else re.escape(term) for term in ordered]  # fmt: skip
    return re.compile(rf"(?<![\w@-])({'|'.join(words)})(?![\w-])")


@functools.cache
def _terms() -> dict[str, str]:
    """A term as it may be written -> as it is in the glossary."""
    return {variant: term for term in TERMS for variant in (term, term[:1].upper() + term[1:])}


def link_terms(sentences: Iterable[str]) -> list[Markup]:
    """Sentences of one section, all of it escaped. The first mention of each term links to the glossary."""
    seen: set[str] = set()
    found = []
    for sentence in sentences:
        pieces: list[Markup] = []
        for place, part in enumerate(_pattern().split(printable(sentence))):
            term = _terms().get(part, "") if place % 2 else ""
            if term and term not in seen:
                seen.add(term)
                pieces.append(LINK.format(anchor(term), TERMS[term], part))
            else:
                pieces.append(escape(part))
        found.append(Markup("").join(pieces))
    return found
