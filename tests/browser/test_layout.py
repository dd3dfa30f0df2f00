"""The layout of the page: nothing wider than the screen, nothing over something else, navigation, columns, paper."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import Opened, expect

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1400, 2560)
ORDER = [
    "speed",
    "configurations",
    "factors",
    "with-fps-0",
    "bottlenecks",
    "energy",
    "over-time",
    "machine",
    "doubts",
    "runs",
    "glossary",
]

# Boxes of one row or column of the page that share more than a hair's breadth of area.
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll("h1, .why, .tile, #answer, .trust, .next, .contents, " +
    ".sections figure:not([hidden]), div.table, h2, h3, dl, .absent"
  )].filter((e) => e.offsetParent !== null).map((e) => [e, e.getBoundingClientRect()])
    .filter(([, b]) => b.width && b.height);
  const found = [];
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, p] = boxes[i], [b, q] = boxes[j];
    if (a.contains(b) || b.contains(a)) continue;
    const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (wide > 1 && high > 1) found.push(`${a.id || a.className || a.tagName} and ${b.id || b.className || b.tagName}`);
  }
  return found;
}"""

# Tables that reach out of their box, and boxes that reach out of the page.
WIDE_TABLES = """() => [...document.querySelectorAll("div.table")].filter((block) => {
  const table = block.querySelector("table"), box = block.querySelector(".scroll");
  return table && !block.classList.contains("every") &&
    (table.offsetWidth > block.clientWidth + 1 || box.scrollWidth > box.clientWidth + 1);
}).map((block) => block.querySelector(".title").textContent)"""


def resize(page: Any, width: int, height: int = 900) -> None:
    page.set_viewport_size({"width": width, "height": height})
    before = None
    for _ in range(40):  # columns are fitted a moment after the last change of the width
        page.wait_for_timeout(300)
        now = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        if now == before:
            break
        before = now


def top(page: Any, selector: str) -> float:
    return float(page.evaluate("s => document.querySelector(s).getBoundingClientRect().top", selector))


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_reaches_out_of_the_screen_and_nothing_lies_over_something_else(opened: Opened, width: int) -> None:
    resize(opened.page, width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.evaluate(OVERLAPS) == []
    assert opened.page.evaluate(WIDE_TABLES) == []


def test_tables_have_their_columns_in_the_first_frame_of_a_new_width(opened: Opened) -> None:
    page = opened.page
    resize(page, 1400)
    # asked in the frame of the resize itself, behind the page's own callback
    page.evaluate("""() => { window.excess = new Promise((done) => addEventListener("resize", () =>
      requestAnimationFrame(() => { const block = document.querySelector("#runs div.table");
        done(block.querySelector("table").offsetWidth - block.clientWidth); }), {once: true})); }""")
    page.set_viewport_size({"width": 600, "height": 900})
    assert page.evaluate("() => window.excess") <= 0


def test_a_wide_screen_is_used(opened: Opened) -> None:
    resize(opened.page, 2560, 1440)
    right = (
        "Math.max(...[...document.querySelectorAll('.sections figure')].map((e) => e.getBoundingClientRect().right))"
    )
    assert opened.page.evaluate(right) > 1700
    assert opened.page.evaluate("document.querySelector('.tiles').getBoundingClientRect().width") > 2000


def test_on_a_phone_all_of_the_first_screen_lies_within_two(opened: Opened) -> None:
    resize(opened.page, 390, 844)
    box = opened.page.locator("#summary .missing").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 2 * 844


def test_sections_stand_in_the_order_of_the_answer_and_absent_ones_are_lines(opened: Opened) -> None:
    page = opened.page
    assert page.evaluate("[...document.querySelectorAll('section:has(> h2)')].map((e) => e.id)") == ORDER
    line = page.locator(".none-of#layers")
    assert "hwprof layers" in line.locator("code").inner_text()
    assert line.locator("h2").count() == 0
    box = line.bounding_box()
    assert box is not None
    assert box["height"] < 60
    assert page.locator("nav.sticky a[href='#layers']").count() == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_the_navigation_stays_marks_where_the_reader_is_and_covers_no_heading(opened: Opened, width: int) -> None:
    page = opened.page
    resize(page, width)
    links = page.locator("nav.sticky a")
    for name in ("factors", "bottlenecks", "machine", "speed"):
        page.locator(f"nav.sticky a[href='#{name}']").click()
        expect(page.locator("nav.sticky a[aria-current]")).to_have_attribute("href", f"#{name}")
        bar, heading = page.locator("nav.sticky").bounding_box(), page.locator(f"#{name} > h2").bounding_box()
        assert bar is not None
        assert heading is not None
        assert abs(bar["y"]) < 1  # at the top of the screen
        aside = bar["x"] + bar["width"] <= heading["x"]
        assert aside or bar["y"] + bar["height"] <= heading["y"]
        assert 0 <= heading["y"] < 200
    assert links.count() > 8
    if width < 1200:
        assert page.locator("nav.sticky").bounding_box()["height"] < 50


def test_the_current_link_is_within_the_bar_of_a_phone(opened: Opened) -> None:
    page = opened.page
    resize(page, 390, 844)
    page.evaluate("document.querySelector('#doubts').scrollIntoView()")
    expect(page.locator("nav.sticky a[aria-current]")).to_have_attribute("href", "#doubts")
    box = page.locator("nav.sticky a[aria-current]").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_columns_of_second_rank_are_behind_a_button_that_the_keyboard_reaches(opened: Opened) -> None:
    page = opened.page
    resize(page, 768)
    block = page.locator("div.table", has=page.get_by_role("heading", name="Metrics of onnxruntime", exact=True))
    head = block.get_by_role("columnheader", name="kind", exact=True)
    assert not head.is_visible()
    assert block.get_by_role("columnheader", name="metric", exact=True).is_visible()
    button = block.locator("button.more")
    assert re.fullmatch(r"More columns \(\d+\)", button.inner_text())
    assert button.get_attribute("aria-expanded") == "false"
    block.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "more"
    page.keyboard.press("Enter")
    assert head.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    assert page.evaluate("document.documentElement.scrollWidth") <= 768
    page.keyboard.press("Enter")
    assert not head.is_visible()


def test_long_tables_are_folded_and_opened_by_keyboard(opened: Opened) -> None:
    page = opened.page
    block = page.locator("div.table", has=page.get_by_role("heading", name="Every run", exact=True))
    shown = block.locator("tbody tr:visible")
    assert shown.count() == 15
    block.locator("button.fold").focus()
    page.keyboard.press("Enter")
    assert shown.count() == 97
    assert block.locator("button.fold").get_attribute("aria-expanded") == "true"


def test_a_metric_under_several_names_stands_once(opened: Opened) -> None:
    page = opened.page
    table = page.locator("div.table", has=page.get_by_role("heading", name="Metrics of onnxruntime", exact=True))
    names = [str(t) for t in table.locator("tbody tr td:first-child").all_text_contents()]
    (row,) = (name for name in names if "page-faults" in name)
    assert "minor-faults" in row
    assert table.locator("td small").first.inner_text().startswith("(also ")


def test_terms_lead_to_the_glossary(opened: Opened) -> None:
    page = opened.page
    link = page.locator("#machine a.term").first
    target = str(link.get_attribute("href"))
    link.click()
    expect(page.locator(target)).to_be_in_viewport()


def test_a_capture_of_the_whole_page_has_all_of_it(opened: Opened) -> None:
    page = opened.page
    hidden = "(e) => getComputedStyle(e).contentVisibility !== 'visible'"
    assert page.evaluate(f"[...document.querySelectorAll('.sections *')].filter({hidden}).length") == 0
    inner = "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollHeight > e.clientHeight + 20).length"
    assert page.evaluate(inner) == 0


def test_on_paper_everything_is_opened_and_nothing_is_wider_than_the_sheet(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print")
    resize(page, 1040, 720)  # A4 landscape within its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 1040
    block = page.locator("div.table", has=page.get_by_role("heading", name="Every run", exact=True))
    assert block.locator("tbody tr:visible").count() == 97
    assert page.locator("th:visible").count() == page.locator("th").count()
    assert page.locator("nav.sticky").is_visible() is False
    tall = "(e) => e.getBoundingClientRect().height > 710"
    assert page.evaluate(f"[...document.querySelectorAll('figure:not([hidden])')].filter({tall}).length") == 0


def test_no_sheet_is_half_blank(opened: Opened) -> None:
    pages = len(re.findall(rb"/Type\s*/Page\b", opened.page.pdf(prefer_css_page_size=True)))
    opened.page.emulate_media(media="print")
    resize(opened.page, 1040, 720)
    height = float(opened.page.evaluate("document.documentElement.scrollHeight"))
    assert pages <= 1.5 * height / 710 + 1
