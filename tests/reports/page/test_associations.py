"""Slopes as the change of FPS in percent."""

from __future__ import annotations

import math

import pytest

from hwprof.analysis.correlation.findings import percent_per_tenth
from hwprof.reports.page.associations import percent_interval


@pytest.mark.parametrize(("slope", "percent"), [(0.0, 0.0), (1.0, 10.0), (-1e5, -100.0), (1e5, math.inf)])
def test_a_slope_is_a_change_in_percent_whatever_its_size(slope: float, percent: float) -> None:
    assert percent_per_tenth(slope) == pytest.approx(percent)


def test_bounds_of_a_metric_that_hardly_varies_have_no_upper_end() -> None:
    assert percent_interval((-1.0, 1.0)) == "[-9.1, +10.0]"
    assert percent_interval((-1e5, 1e5)) == "[-100.0, +inf]"
