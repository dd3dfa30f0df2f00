"""The report as its reader has it: sorted, filtered, clicked through, by keyboard, in the dark, on paper."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.browser.conftest import Opened

pytestmark = pytest.mark.browser


def table(page: Any, title: str) -> Any:
    return page.locator("div.table", has=page.get_by_role("heading", name=title, exact=True))


def column(block: Any, number: int) -> list[str]:
    # not the inner text: what lies off the screen is not laid out, and has none yet
    return [str(t) for t in block.locator(f"tbody tr td:nth-child({number})").all_text_contents()]


def first_number(text: str) -> float:
    found = re.search(r"[\d,.]+", text)
    assert found, text
    return float(found[0].replace(",", ""))


def test_the_page_opens_without_a_word_to_the_console_or_the_network(opened: Opened) -> None:
    assert re.fullmatch(r"onnxruntime is \d\.\d\d times as fast as opencv", opened.page.title())
    assert len(opened.requests) >= 1  # itself: the fixture checks that there was nothing else


def test_the_first_screen_has_the_answer_without_scrolling(opened: Opened) -> None:
    page = opened.page
    page.set_viewport_size({"width": 1400, "height": 900})
    screen = page.locator("#summary")
    assert page.locator("h1").inner_text().startswith(page.title())
    assert screen.locator(".why").inner_text().startswith("Why: Mainly accounted for by clock and IPC (not separable)")
    assert screen.locator(".tile").count() == 4
    assert screen.locator("#answer .pt").count() == 16  # both ratios of eight networks
    assert screen.locator(".trust").inner_text().startswith("Trust: medium.")
    assert "hwprof explain onnxruntime,network=" in screen.locator(".next").inner_text()
    for one in ("h1", ".why", ".tiles", "#answer svg", ".trust", ".next", "nav"):
        box = page.locator(f"#summary {one}").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, one


def test_on_a_phone_the_first_screen_takes_two(opened: Opened) -> None:
    page = opened.page
    page.set_viewport_size({"width": 390, "height": 844})
    box = page.locator("#summary .next").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 2 * 844
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_contents_lead_to_sections_that_are_there(opened: Opened) -> None:
    links = opened.page.locator("nav a")
    targets = [str(links.nth(i).get_attribute("href")) for i in range(links.count())]
    assert len(targets) > 8
    assert all(opened.page.locator(f"section{target}").count() == 1 for target in targets)


def test_a_column_sorts_by_number_both_ways(opened: Opened) -> None:
    block = table(opened.page, "Every run")
    button = block.get_by_role("button", name="FPS", exact=True)
    button.click()
    up = [first_number(t) for t in column(block, 10)]
    assert up == sorted(up)
    assert block.locator("th[aria-sort=ascending]").inner_text() == "FPS"
    button.click()
    down = [first_number(t) for t in column(block, 10)]
    assert down == sorted(down, reverse=True)
    assert len(up) == len(down) > 50


def test_a_filter_keeps_the_rows_that_have_all_words(opened: Opened) -> None:
    block = table(opened.page, "Every run")
    block.get_by_role("searchbox").fill("opencv resnet18")
    names = list(zip(column(block, 2), column(block, 3), strict=True))
    assert set(names) == {("opencv", "resnet18")}
    assert block.locator(".count").inner_text() == "6 of 97 rows"
    block.get_by_role("searchbox").fill("")
    assert block.locator(".count").inner_text() == "97 rows"


def test_a_cell_of_the_map_leads_to_the_scatter_behind_it(opened: Opened) -> None:
    page = opened.page
    cell = page.locator('[data-scatter] >> css=title:text-matches("opencv, l1d-misses")').locator("..")
    assert cell.count() == 1
    cell.click()
    panel = page.locator("figure.scatter")
    assert panel.locator("figcaption").inner_text() == "l1d-misses in opencv"
    assert panel.locator(".pt").count() == 8
    assert panel.evaluate("e => document.activeElement === e")


def test_the_scatter_is_reached_by_keyboard_and_left_again(opened: Opened) -> None:
    page = opened.page
    first = page.locator("svg:has([data-scatter]) .pt[tabindex='0']").first
    first.focus()
    assert "onnxruntime" in page.locator("#tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert "opencv" in page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    panel = page.locator("figure.scatter")
    panel.wait_for(state="visible")
    assert "in opencv" in panel.locator("figcaption").inner_text()
    before = panel.locator("svg").inner_html()
    panel.get_by_role("checkbox").check()
    assert panel.locator("svg").inner_html() != before
    panel.get_by_role("button", name="Back to the map").click()
    assert page.evaluate("document.activeElement.dataset.scatter") is not None


def test_hovering_over_a_point_shows_its_value(opened: Opened) -> None:
    opened.page.locator("#fps-0 .pt").first.hover()
    tip = opened.page.locator("#tip")
    tip.wait_for(state="visible")
    assert re.search(r"FPS \[.*, .*\], .* frames/s, .*3 rounds", tip.inner_text())


def test_dark_mode_is_dark_and_legible(opened: Opened) -> None:
    page = opened.page

    def shades() -> tuple[int, int, int]:
        script = "s => getComputedStyle(document.querySelector(s))"
        colours = [page.evaluate(f"({script})('{where}')['{what}']") for where, what in
                   (("body", "backgroundColor"), ("body", "color"), ("#fps-0 svg text", "fill"))]  # fmt: skip
        paper, ink, label = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in colours)
        return paper, ink, label

    paper, ink, label = shades()
    assert paper > 700 > 200 > max(ink, label)
    page.emulate_media(color_scheme="dark")
    paper, ink, label = shades()
    assert paper < 120 < 550 < min(ink, label)


def test_it_prints_without_its_buttons(opened: Opened) -> None:
    page = opened.page
    page.locator("#fps-0 .get").wait_for(state="visible")
    page.emulate_media(media="print", color_scheme="dark")  # paper is white whatever the screen is
    page.locator("#fps-0 .get").wait_for(state="hidden")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 2


def test_a_narrow_screen_scrolls_figures_not_the_page(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 390, "height": 800})
    for _ in range(100):  # columns go when the new width is known
        if opened.page.evaluate("document.documentElement.scrollWidth") <= 390:
            break
        opened.page.wait_for_timeout(100)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_figures_and_tables_are_saved_from_the_page(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    for kind in ("svg", "png", "csv"):
        with page.expect_download() as waiting:
            page.locator(f'#fps-0 [data-get="{kind}"]').click()
        waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
    root = ElementTree.parse(tmp_path / "fps-0.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    solid = next(e for e in root.iter() if e.get("class") == "solid s0")
    assert "fill: rgb(0, 114, 178)" in str(solid.get("style"))
    assert (tmp_path / "fps-0.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "fps-0.csv").open(newline="")))
    assert len(rows) == 33
    assert {r["framework"] for r in rows} == {"onnxruntime", "opencv"}
    block = table(page, "Every run")
    block.get_by_role("searchbox").fill("resnet18 opencv")
    with page.expect_download() as waiting:
        block.locator('[data-get="csv"]').click()
    waiting.value.save_as(tmp_path / "runs.csv")
    assert len(list(csv.DictReader((tmp_path / "runs.csv").open(newline="")))) == 6


def test_a_name_that_is_markup_stays_a_name(opened: Opened) -> None:
    page = opened.page
    assert page.locator("main img").count() == 0
    assert page.get_by_text("<img src=x onerror=alert(1)>").count() > 1
