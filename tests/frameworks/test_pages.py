"""Every framework has its page, which says what the adapter knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwprof import plugins

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = ("Install", "Formats", "Threads", "Precision", "Options", "Read back", "Traps")


@pytest.mark.parametrize("name", plugins.BUILT_IN["hwprof.frameworks"])
def test_a_page_names_every_option_and_value_of_its_adapter(name: str) -> None:
    page = (DOCS / "frameworks" / f"{name}.md").read_text()
    adapter = plugins.adapter(name)
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    expected = {option: [str(v).lower() for v in values] for option, values in adapter.options.items()}
    # the default first; pages write true and false as on the command line
    assert {option: values.strip().split(", ") for option, values in rows.items()} == expected
    assert adapter.environment.install in page
    headings = re.findall(r"^## (.*)", page, re.MULTILINE)
    for section in SECTIONS:
        assert any(heading.startswith(section) for heading in headings), section


def test_the_index_leads_to_every_page_and_to_no_other() -> None:
    links = re.findall(r"\]\(frameworks/(\w+)\.md\)", (DOCS / "frameworks.md").read_text())
    assert sorted(links) == sorted(plugins.BUILT_IN["hwprof.frameworks"])
    assert sorted(p.stem for p in (DOCS / "frameworks").glob("*.md")) == sorted(links)


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (DOCS / "frameworks").glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
