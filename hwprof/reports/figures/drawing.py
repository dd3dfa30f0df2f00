"""A figure of the page as a file of its own: SVG with the style sheet's light colours written in, else by matplotlib.

The same results give the same files: no dates, no global state.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from hwprof.printable import ESCAPE
from hwprof.reports.html.svg import LINES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMESPACE = "http://www.w3.org/2000/svg"
MARGIN = 12.0  # CSS pixels around what the page draws, for letters wider than was reckoned
DPI = 144  # of a PNG: 1.5 per CSS pixel
POINT = 0.75  # points per CSS pixel
Rule = tuple[str, frozenset[str], dict[str, str]]  # tag (any: empty), classes, what it declares


@functools.cache
def rules() -> list[Rule]:
    """The rules of figure.css in the order in which they override each other."""
    text = resources.files("hwprof.reports").joinpath("templates", "figure.css").read_text(encoding="utf-8")
    values = dict(re.findall(r"(--\w+):([^;}]+)", text))
    text = re.sub(r"var\((--\w+)\)", lambda name: values[name[1]], text.partition("}")[2])
    found: list[Rule] = []
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
        declared = dict(part.split(":", 1) for part in body.replace("\n", "").split(";") if part)
        for selector in selectors.strip().split(","):
            tag, *classes = selector.split()[-1].partition(":")[0].split(".")
            found.append((tag, frozenset(classes), declared))
    return sorted(found, key=lambda rule: (len(rule[1]), bool(rule[0])))


def apply_style(svg: str) -> ElementTree.Element:
    """The picture on white paper, with the style sheet's declarations as attributes of its shapes."""
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    box = {"x": -MARGIN, "y": -MARGIN, "width": width + 2 * MARGIN, "height": height + 2 * MARGIN}
    place = {name: f"{value:g}" for name, value in box.items()}
    root.attrib.update({"viewBox": " ".join(place.values()), "width": place["width"], "height": place["height"]})
    for element in root.iter():
        element.attrib.pop("tabindex", None)
        classes = frozenset(element.attrib.pop("class", "").split())
        style: dict[str, str] = {}
        for tag, needed, declared in rules():
            if needed <= classes and tag in ("", _tag(element)):
                style |= declared
        own = style.pop("color", "")
        element.attrib.update({k: own if v == "currentColor" else v for k, v in style.items()})
    root.insert(0, ElementTree.Element(f"{{{NAMESPACE}}}rect", {**place, "fill": "#fff"}))
    root.insert(0, ElementTree.fromstring(LINES.replace("<defs", f'<defs xmlns="{NAMESPACE}"', 1)))
    return root


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def write(svg: str, path: Path) -> None:
    """The picture as .svg, or as .png, .pdf and any other format of matplotlib. Raises OSError, ValueError."""
    root = apply_style(svg)
    if path.suffix.lower() == ".svg":
        path.write_text(ElementTree.tostring(root, encoding="unicode"), encoding="utf-8", errors=ESCAPE)
        return
    import matplotlib as mpl

    figure = _figure(root)
    dateless: dict[str, Any] = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}
    with mpl.rc_context({"hatch.linewidth": 1.0, "pdf.fonttype": 42}):
        figure.savefig(path, dpi=DPI, metadata=dateless.get(path.suffix.lower()))


def _figure(root: ElementTree.Element) -> Figure:
    """The elements that svg.py draws, as artists one above the other."""
    from matplotlib.figure import Figure

    x, y, width, height = map(float, root.attrib["viewBox"].split())
    figure = Figure(figsize=(width / 96, height / 96))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(x, x + width), ylim=(y + height, y))
    axes.set_axis_off()
    draw = {"text": _text, "line": _line, "rect": _rect, "path": _path}
    shapes = (e for part in root if _tag(part) != "defs" for e in part.iter() if _tag(e) in draw)
    for above, element in enumerate(shapes):
        artist = draw[_tag(element)](element.attrib, element.text or "")
        artist.set(zorder=above, clip_on=False)
        axes.add_artist(artist)
    return figure


def _number(at: dict[str, str], name: str, other: float = 0.0) -> float:
    return float(at.get(name, str(other)).removesuffix("px"))


def _text(at: dict[str, str], text: str) -> Any:
    from matplotlib.patheffects import withStroke
    from matplotlib.text import Text

    side: Any = {"start": "left", "middle": "center", "end": "right"}[at.get("text-anchor", "start")]
    artist = Text(
        _number(at, "x"),
        _number(at, "y"),
        text,
        color=at["fill"],
        fontsize=POINT * _number(at, "font-size"),
        fontweight=int(at.get("font-weight", "400")),
        horizontalalignment=side,
        verticalalignment="baseline",
        parse_math=False,
    )
    if "stroke" in at:
        artist.set_path_effects([withStroke(linewidth=POINT * _number(at, "stroke-width"), foreground=at["stroke"])])
    return artist


def _line(at: dict[str, str], _: str) -> Any:
    from matplotlib.lines import Line2D

    ends = [[_number(at, name) for name in names] for names in (("x1", "x2"), ("y1", "y2"))]
    dashes = ":" if "stroke-dasharray" in at else "-"
    return Line2D(*ends, color=at["stroke"], lw=POINT * _number(at, "stroke-width", 1.0), ls=dashes)


def _rect(at: dict[str, str], _: str) -> Any:
    from matplotlib.patches import Rectangle

    place = (_number(at, "x"), _number(at, "y")), _number(at, "width"), _number(at, "height")
    if at["fill"].startswith("url"):
        return Rectangle(*place, hatch="////", facecolor="none", edgecolor="#777", lw=0)
    return Rectangle(*place, **_surface(at))


def _path(at: dict[str, str], _: str) -> Any:
    """Straight lines (M, L, z), or the circle of two arcs that is the first series' marker."""
    from matplotlib.patches import Circle, PathPatch
    from matplotlib.path import Path as Outline

    d = at["d"]
    if "a" in d:
        x, y = map(float, d[1 : d.index("a")].split())
        return Circle((x + 4, y), 4, **_surface(at))
    codes = {"M": Outline.MOVETO, "L": Outline.LINETO}
    found = re.findall(r"([ML])(\S+) ([^MLz]+)", d)
    points, kinds = [(float(x), float(y)) for _, x, y in found], [codes[pen] for pen, _, _ in found]
    if d.endswith("z"):
        points, kinds = [*points, points[0]], [*kinds, Outline.CLOSEPOLY]
    return PathPatch(Outline(points, kinds), **_surface(at))


def _surface(at: dict[str, str]) -> dict[str, Any]:
    from matplotlib.colors import to_rgba

    fill, stroke = at.get("fill", "#000"), at.get("stroke", "none")
    return {
        "facecolor": to_rgba(fill, None if fill == "none" else _number(at, "fill-opacity", 1.0)),
        "edgecolor": stroke,
        "linewidth": POINT * _number(at, "stroke-width", 1.0) if stroke != "none" else 0.0,
    }
