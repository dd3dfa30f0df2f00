"""A figure of the page as files: the style sheet's colours in its SVG, and the same picture by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from hwprof.reports.figures import drawing
from hwprof.reports.html.svg import Svg


def picture(name: str = "a $x$ & <b>") -> str:
    draw = Svg(200, 100, "All shapes")
    draw.add("rect", title="a value", x=20.0, y=20.0, width=40.0, height=40.0, class_="cell plus", fill_opacity=1.0)
    draw.add("rect", x=60.0, y=20.0, width=40.0, height=40.0, class_="hatch")
    draw.line(0, 90, 200, 90, "grid")
    draw.marker(150, 40, 0)
    draw.marker(170, 40, 1, hollow=True)
    draw.add("path", d="M150.0 70.0L190.0 70.0", class_="path s2")
    draw.text(110, 80, name, "m on")
    return draw.render()


def shapes(path: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for element in ElementTree.parse(path).iter():
        found.setdefault(element.tag.rpartition("}")[2], []).append(element.attrib)
    return found


def test_an_svg_stands_alone_in_the_light_colours_of_the_page(tmp_path: Path) -> None:
    drawing.write(picture(), tmp_path / "a.svg")
    found = shapes(tmp_path / "a.svg")
    paper, cell, hatched = found["rect"]
    assert (paper["fill"], cell["fill"], cell["fill-opacity"], hatched["fill"]) == (
        "#fff",
        "#b2182b",
        "1",
        "url(#lines)",
    )
    assert [p["fill"] for p in found["path"]] == ["#0072b2", "#fff", "none"]
    assert [p["stroke"] for p in found["path"]] == ["#fff", "#c44e00", "#00815d"]
    assert found["text"][0]["font-size"] == "10.5px"  # of .m, which is more special than text
    assert found["pattern"][0]["id"] == "lines"
    text = (tmp_path / "a.svg").read_text()
    assert "var(" not in text
    assert "class=" not in text
    assert "<title>a value</title>" in text
    assert "a $x$ &amp; &lt;b&gt;" in text


def test_a_png_has_the_colours_of_the_svg_where_they_are(tmp_path: Path) -> None:
    drawing.write(picture(), tmp_path / "a.png")
    pixels: Any = np.round(imread(tmp_path / "a.png") * 255).astype(int)
    scale = drawing.DPI / 96
    assert pixels.shape[:2] == (124 * scale, 224 * scale)

    def at(x: float, y: float) -> str:
        return "#{:02x}{:02x}{:02x}".format(*pixels[int((y + 12) * scale), int((x + 12) * scale), :3])

    assert at(40, 40) == "#b2182b"
    assert at(150, 40) == "#0072b2"
    assert at(170, 40) == at(0, 0) == "#ffffff"
    assert at(170, 70) == "#00815d"


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_picture_gives_the_same_file(tmp_path: Path, suffix: str) -> None:
    for name in "ab":
        drawing.write(picture(), tmp_path / f"{name}{suffix}")
    one, other = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert one == other


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xyz"):
        drawing.write(picture(), tmp_path / "a.xyz")
