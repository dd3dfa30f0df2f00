"""Names beside points do not hide each other."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from hwprof.reports import labels

CROWD = [(f"network_{i}", 1 + 0.02 * (i % 3), 1 + 0.02 * (i // 3)) for i in range(9)]


def placed(limits: bool = True) -> tuple[Figure, list[tuple[float, float]]]:
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    axes.plot([x for _, x, _ in CROWD], [y for _, _, y in CROWD], "o")
    if limits:
        axes.set_xlim(0, 2)
        axes.set_ylim(0, 2)
    else:
        axes.margins(0.3)
    labels.place(axes, CROWD)
    return figure, [(float(t.xyann[0]), float(t.xyann[1])) for t in axes.texts]  # type: ignore[attr-defined]


def test_labels_of_a_crowd_do_not_overlap() -> None:
    figure, _ = placed()
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    boxes = [Text.get_window_extent(t) for t in figure.axes[0].texts]
    assert len(boxes) == 9
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


def test_limits_that_follow_the_points_are_known_before_names_are_placed() -> None:
    figure, _ = placed(limits=False)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    axes = figure.axes[0]
    room = axes.get_window_extent()
    for text in axes.texts:
        box = Text.get_window_extent(text)
        assert room.x0 <= box.x0 <= box.x1 <= room.x1, text.get_text()
        assert room.y0 <= box.y0 <= box.y1 <= room.y1, text.get_text()


def test_same_points_same_places() -> None:
    assert placed()[1] == placed()[1]
