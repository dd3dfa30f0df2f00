"""Names beside points, placed so that no two of them overlap and none hides a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

# Where a name may go, in points from its point: beside it, then above and below, then farther away with a line.
_NEAR = [(6, 4, "left"), (-6, 4, "right"), (6, -10, "left"), (-6, -10, "right"), (0, 8, "center"), (0, -14, "center")]
_RINGS = (18, 30, 42, 56, 72)
POINT_RADIUS = 4.0


def _places() -> list[tuple[float, float, str]]:
    far = [
        (dx * ring, dy * ring, "left" if dx > 0 else "right" if dx < 0 else "center")
        for ring in _RINGS
        for dx, dy in ((0.6, 0.8), (-0.6, 0.8), (0.6, -0.8), (-0.6, -0.8), (0, 1), (0, -1), (1, 0.2), (-1, 0.2))
    ]
    return [*((float(x), float(y), side) for x, y, side in _NEAR), *far]


def place(
    axes: Axes,
    points: Sequence[tuple[str, float, float]],
    others: Sequence[tuple[float, float]] = (),
    size: float = 7.5,
) -> None:
    """Label `points` (name, x, y in data units); `others` are further points to keep clear of.

    Greedy: each name takes the first place where it touches no name, no point and stays inside the axes; where there
    is none, the place that touches least. Same input, same places. Call it when limits, scales and the place of the
    axes are final.
    """
    figure: Any = axes.figure
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    axes.get_xlim(), axes.get_ylim()  # limits follow the data only when they are asked for
    inside = axes.get_window_extent(renderer)
    radius = POINT_RADIUS * figure.dpi / 72
    at = axes.transData.transform([*((x, y) for _, x, y in points), *others])
    taken = np.empty((len(at) + len(points), 4))  # x0, y0, x1, y1
    taken[: len(at)] = np.hstack([at - radius, at + radius])
    probe = _annotate(axes, "", 0.0, 0.0, 0, 0, "left", size)
    for count, (name, x, y) in enumerate(points, len(at)):
        best: tuple[float, tuple[float, float, str], Bbox] | None = None
        probe.set_text(name)
        probe.xy = (x, y)
        probe.update_positions(renderer)
        origin = Text.get_window_extent(probe, renderer)
        for dx, dy, side in _places():
            # a text has the same size wherever it stands
            left = dx * figure.dpi / 72 - {"left": 0.0, "center": 0.5, "right": 1.0}[side] * origin.width
            box = origin.translated(left, dy * figure.dpi / 72)
            cost = _overlap(box, taken[:count]) + _outside(box, inside)
            if best is None or cost < best[0]:
                best = (cost, (dx, dy, side), box)
            if cost == 0:
                break
        assert best is not None
        _annotate(axes, name, x, y, *best[1], size)
        # the text alone: the line to a far point may cross other things
        taken[count] = best[2].extents
    probe.remove()


def _annotate(axes: Axes, name: str, x: float, y: float, dx: float, dy: float, side: str, size: float) -> Any:
    far = dx * dx + dy * dy > 15**2
    line = {"arrowstyle": "-", "color": "#999999", "lw": 0.5, "shrinkA": 0, "shrinkB": 3} if far else None
    return axes.annotate(
        name,
        (x, y),
        (dx, dy),
        textcoords="offset points",
        ha=side,
        fontsize=size,
        arrowprops=line,
        annotation_clip=False,
        in_layout=False,  # it is inside the axes, as far as there is room
    )


def _overlap(box: Bbox, others: Any) -> float:
    """Area that a box shares with others, (n, 4)."""
    width = np.minimum(box.x1, others[:, 2]) - np.maximum(box.x0, others[:, 0])
    height = np.minimum(box.y1, others[:, 3]) - np.maximum(box.y0, others[:, 1])
    return float((np.maximum(width, 0) * np.maximum(height, 0)).sum())


def _outside(box: Bbox, frame: Bbox) -> float:
    """Area of the box that sticks out of the frame."""
    inner = Bbox.intersection(box, frame)
    return float(box.width * box.height - (inner.width * inner.height if inner is not None else 0.0))
