"""Names beside points do not hide each other."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from hwprof.reports import labels

CROWD = [(f"network_{i}", 1 + 0.02 * (i % 3), 1 + 0.02 * (i // 3)) for i in range(9)]


def placed() -> tuple[Figure, list[tuple[float, float]]]:
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    axes.scatter([x for _, x, _ in CROWD], [y for _, _, y in CROWD])
    axes.set_xlim(0, 2)
    axes.set_ylim(0, 2)
    labels.place(axes, CROWD)
    return figure, [(float(t.xyann[0]), float(t.xyann[1])) for t in axes.texts]  # type: ignore[attr-defined]


def test_labels_of_a_crowd_do_not_overlap() -> None:
    figure, _ = placed()
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    boxes = [Text.get_window_extent(t) for t in figure.axes[0].texts]
    assert len(boxes) == 9
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


def test_same_points_same_places() -> None:
    assert placed()[1] == placed()[1]
