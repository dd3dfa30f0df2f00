"""Just enough SVG for the page's charts: colours are CSS classes, so that dark mode and print are the style sheet's.

Every text passes through `escape`; what comes out may therefore stand in the page as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from hwprof.printable import printable

SERIES = 8  # colours s0 to s7 in the style sheet; markers differ too, for those who can't tell the colours apart
# what .hatch is filled with
LINES = (
    '<defs><pattern id="lines" width="7" height="7" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">'
    '<line x1="0" y1="0" x2="0" y2="7" stroke="#777" stroke-width="1.5" stroke-opacity=".8"/></pattern></defs>'
)
LETTER = 6.1  # width of a letter at 11 px, enough to leave room for text that only the browser measures


@dataclass(frozen=True, slots=True)
class Axis:
    """Data to pixels: `low` lies at `start`, `high` at `stop`; logarithmic if `log` (then values must be above 0)."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value."""
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        share = 0.5 if high == low else (value - low) / (high - low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within the axis, at most about `most`."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            for steps in ((1, 2, 5), (1, 3), (1,)):
                found = [s * 10.0**e for e in range(first, last + 1) for s in steps]
                found = [v for v in found if self.low * 0.999 <= v <= self.high * 1.001]
                if len(found) <= most + 1:
                    break
            if len(found) >= 2:
                return found[:: -(-len(found) // (most + 1))]
        span = (self.high - self.low) or 1.0
        step = 10.0 ** math.floor(math.log10(span / most))
        step *= next((m for m in (1, 2, 5, 10) if span / (m * step) <= most), 10)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]


def axis(values: Sequence[float], start: float, stop: float, log: bool = False, zero: bool = False) -> Axis:
    """An axis around `values` with a little room; `zero`: 0 is on it."""
    good = [v for v in values if v is not None and math.isfinite(v) and (v > 0 or not log)]
    if not good:
        return Axis(1.0 if log else 0.0, 10.0 if log else 1.0, start, stop, log)
    low, high = min(good), max(good)
    if log:
        room = max((high / low) ** 0.06, 1.05)
        return Axis(low / room, high * room, start, stop, True)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    room = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
    low, high = (low if zero and low == 0 else low - room), (high if zero and high == 0 else high + room)
    return Axis(low, high, start, stop)


def short(value: float) -> str:
    """A tick's text: 12,000 as 12k, 0.0001 as 1e-04."""
    if value == 0:
        return "0"
    size = abs(value)
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.0e}" if size < 1e-3 else f"{value:.4g}"


@dataclass(slots=True)
class Svg:
    """An SVG picture of `width` x `height` CSS pixels, put together piece by piece."""

    width: float
    height: float
    label: str
    parts: list[str] = field(default_factory=list)

    def add(self, tag: str, text: str | None = None, title: str = "", **attributes: object) -> None:
        """One element; `class_` is the class, underscores become dashes; `title` makes it a point with a value."""
        body = escape(printable(text)) if text is not None else ""
        shape = f"<{tag}{_attributes(attributes)}>{body}</{tag}>" if body else f"<{tag}{_attributes(attributes)}/>"
        self.parts.append(point(shape, title) if title else shape)

    def text(self, x: float, y: float, text: str, class_: str = "t", anchor: str = "start") -> None:
        """Text at its baseline."""
        self.add("text", text, x=x, y=y, class_=class_, text_anchor=anchor)

    def line(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        """A straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)

    def marker(self, x: float, y: float, series: int, title: str = "", hollow: bool = False) -> None:
        """The marker of a series; hollow: something is wrong with the value."""
        kind = "hollow" if hollow else "solid"
        self.add("path", title=title, d=_marker(x, y, series), class_=f"{kind} s{series % SERIES}")

    def x_axis(self, scale: Axis, y: float, top: float, label: str, most: int = 6) -> None:
        """Ticks and grid for a horizontal axis at the bottom `y`, grid lines up to `top`."""
        for value in scale.ticks(most):
            self.line(scale.at(value), top, scale.at(value), y, "grid")
            self.text(scale.at(value), y + 14, short(value), "m", "middle")
        self.text((scale.start + scale.stop) / 2, y + 30, label, "m", "middle")

    def y_axis(self, scale: Axis, x: float, right: float, label: str, most: int = 5) -> None:
        """Ticks and grid for a vertical axis at the left `x`; its label lies above it."""
        for value in scale.ticks(most):
            self.line(x, scale.at(value), right, scale.at(value), "grid")
            self.text(x - 6, scale.at(value) + 4, short(value), "m", "end")
        self.text(x, min(scale.start, scale.stop) - 8, label, "m")

    def legend(self, names: Sequence[str], x: float, y: float, width: float) -> float:
        """Series with their markers from left to right, in as many lines as it takes; returns the y below."""
        left = x
        for index, name in enumerate(names):
            needed = 22 + LETTER * len(name)
            if left > x and left + needed > x + width:
                left, y = x, y + 17
            self.marker(left + 6, y - 4, index)
            self.text(left + 15, y, name)
            left += needed
        return y + 17

    def render(self) -> str:
        """The whole as text."""
        w, h = round(self.width), round(self.height)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group"'
        return f"{head} aria-label={quoteattr(printable(self.label))}>{''.join(self.parts)}</svg>"


def point(shape: str, title: str, **attributes: object) -> str:
    """A shape with a value: shown on hover, and on focus by the page's script (arrow keys go from one to the next)."""
    more = _attributes(attributes)
    return f'<g class="pt" role="img" tabindex="-1"{more}><title>{escape(printable(title))}</title>{shape}</g>'


def _attributes(attributes: dict[str, object]) -> str:
    out = []
    for name, value in attributes.items():
        text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        out.append(f" {name.rstrip('_').replace('_', '-')}={quoteattr(printable(text))}")
    return "".join(out)


def _marker(x: float, y: float, series: int) -> str:
    kind = series % SERIES
    if kind == 0:
        return f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
    shapes = (
        ((-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)),
        ((0, -4.5), (4.3, 3.5), (-4.3, 3.5)),
        ((0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)),
        ((0, 4.5), (4.3, -3.5), (-4.3, -3.5)),
        ((-1.6, -4.5), (1.6, -4.5), (1.6, -1.6), (4.5, -1.6), (4.5, 1.6), (1.6, 1.6), (1.6, 4.5), (-1.6, 4.5),
         (-1.6, 1.6), (-4.5, 1.6), (-4.5, -1.6), (-1.6, -1.6)),
        ((-4.5, 0), (3.5, -4.3), (3.5, 4.3)),
        ((4.5, 0), (-3.5, -4.3), (-3.5, 4.3)),
    )  # fmt: skip
    corners = shapes[kind - 1]
    return "M" + "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners) + "z"
