"""A flame graph as one SVG file that needs nothing else: width is weight, what calls stands below what is called.

Hovering a frame shows its name, library and share; the browser's own search finds names. The same samples make the
same file, byte for byte: order is alphabetical, the colour of a library is a hash of its name.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass, field

from hwprof.printable import plural, printable
from hwprof.programs.samples import UNKNOWN, Frame, short_name

WIDTH, MARGIN, ROW, HEAD = 1200.0, 10.0, 17.0, 58.0
FOOT = 34.0
LETTER = 6.7  # mean width of a letter at 11 px
NARROWEST = 0.4  # px: narrower frames are left out, which the file says
_STYLE = (
    "text{font:11px Verdana,DejaVu Sans,sans-serif;fill:#111;pointer-events:none}"
    ".t{font-size:16px}.s{fill:#555}rect{stroke:#fff;stroke-width:.5}g:hover>rect{stroke:#000;stroke-width:1}"
)


@dataclass(slots=True)
class FlameNode:
    """A frame with what it called."""

    frame: Frame
    weight: int = 0
    children: dict[Frame, FlameNode] = field(default_factory=dict)

    def depth(self) -> int:
        """Rows above and with this one."""
        deepest, todo = 0, [(self, 1)]
        while todo:
            node, level = todo.pop()
            deepest = max(deepest, level)
            todo += [(child, level + 1) for child in node.children.values()]
        return deepest


def tree(folded: Mapping[tuple[Frame, ...], int]) -> FlameNode:
    """Stacks (outermost first) -> their common tree."""
    root = FlameNode(Frame("all", ""))
    for stack, weight in folded.items():
        root.weight += weight
        node = root
        for frame in stack:
            node = node.children.setdefault(frame, FlameNode(frame))
            node.weight += weight
    return root


def colour(library: str) -> str:
    """Of a library: its own hue; the kernel is orange, what is unknown grey, programs' names light."""
    if not library:
        return "hsl(48,70%,80%)"
    if library == UNKNOWN:
        return "hsl(0,0%,78%)"
    if short_name(library) == "kernel":
        return "hsl(28,90%,66%)"
    digest = hashlib.sha256(short_name(library).encode()).digest()
    # green to violet: the kernel's orange stays its own
    return f"hsl({80 + digest[0] * 220 // 255},{45 + digest[1] % 25}%,{68 + digest[2] % 12}%)"


def escape(text: str) -> str:
    """Text within XML, which has no place for control characters."""
    return html.escape(printable(text))


def svg(folded: Mapping[tuple[Frame, ...], int], title: str, subtitle: str = "") -> str:
    """The whole file as text."""
    root = tree(folded)
    height = HEAD + root.depth() * ROW + FOOT
    parts: list[str] = []
    hidden = _draw(root, height, parts)
    foot = "hover a frame for its share; the browser's search finds names"
    if hidden:
        foot += f"; left out: {plural(hidden, 'frame', form=',')} narrower than {NARROWEST} px"
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}" '
            f'viewBox="0 0 {WIDTH:g} {height:g}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect x="0" y="0" width="{WIDTH:g}" height="{height:g}" style="fill:#fff;stroke:none"/>',
            f'<text class="t" x="{MARGIN:g}" y="24">{escape(_cut(title, WIDTH * 0.68))}</text>',
            f'<text class="s" x="{MARGIN:g}" y="43">{escape(_cut(subtitle, WIDTH - 2 * MARGIN))}</text>',
            *parts,
            f'<text class="s" x="{MARGIN:g}" y="{height - 12:g}">{escape(foot)}</text>',
            "</svg>",
            "",
        ]
    )


def _draw(root: FlameNode, height: float, parts: list[str]) -> int:
    """Append a rectangle for each frame that is wide enough; how many were not."""
    scale = (WIDTH - 2 * MARGIN) / (root.weight or 1)
    hidden = 0
    todo = [(root, 0, MARGIN)]
    while todo:
        node, level, x = todo.pop()
        width = node.weight * scale
        y = height - FOOT - (level + 1) * ROW
        parts.append(_rectangle(node, x, y, width, root.weight or 1))
        at = x
        for frame in sorted(node.children):
            child = node.children[frame]
            if child.weight * scale >= NARROWEST:
                todo.append((child, level + 1, at))
            else:
                hidden += 1
            at += child.weight * scale
    return hidden


def _rectangle(node: FlameNode, x: float, y: float, width: float, all_: int) -> str:
    symbol, library = node.frame
    where = f" ({library})" if library else ""
    told = escape(f"{symbol}{where}: {100 * node.weight / all_:.2f} %")
    nameless = symbol == UNKNOWN and library not in ("", UNKNOWN)
    label = _cut(f"[{short_name(library).strip('[]')}]" if nameless else symbol, width - 6)
    text = f'<text x="{x + 3:.1f}" y="{y + 12:.1f}">{escape(label)}</text>' if label else ""
    return (
        f'<g><title>{told}</title><rect x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{ROW - 1:g}" rx="1" '
        f'style="fill:{colour(library)}"/>{text}</g>'
    )


def _cut(text: str, width: float) -> str:
    """As much of the text as fits; nothing where that would be a letter or two."""
    room = int(width / LETTER)
    if len(text) <= room:
        return text
    return text[: room - 1] + "…" if room >= 4 else ""
