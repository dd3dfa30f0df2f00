"""What is kept of a machine's session noise comes back as it was, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.analysis.comparison import calibration
from hwprof.analysis.comparison.calibration import as_noises, calibrate, keep, recall
from hwprof.analysis.estimator import Estimator
from hwprof.errors import ResultsError
from tests.analysis.comparison.test_sessions import sessions


def test_what_is_kept_is_recalled_for_runs_of_that_machine(cache: Path) -> None:
    runs = sessions([[0.0, 0.01], [0.03, 0.02], [0.01, 0.01]], 1)
    (found,) = calibrate(runs, "2000-02-01T00:00:00+00:00")
    place = keep(found)
    assert place.is_relative_to(cache)
    assert recall(runs[:1]) == (found,)
    assert as_noises([found]) == {(found.machine, Estimator.FPS): found.noises["FPS"]}
    assert found.noises["FPS"].date == "2000-01-03T00:01:00+00:00"
    kept = set(place.parent.iterdir())
    keep(calibrate(runs[:4], "2000-02-02T00:00:00+00:00")[0])  # anew: the last one counts
    assert recall(runs)[0].calibrated_utc.startswith("2000-02-02")
    assert set(place.parent.iterdir()) == kept


def test_a_run_of_an_unknown_machine_recalls_nothing() -> None:
    assert recall(sessions([[0.0]], 1)) == ()


def test_an_entry_that_cannot_be_read_is_an_error_with_its_remedy(cache: Path) -> None:
    runs = sessions([[0.0], [0.1]], 1)
    place = keep(calibrate(runs, "2000-02-01")[0])
    for text in ("{", '{"format": 99}', '{"format": 1}'):
        place.write_text(text)
        with pytest.raises(ResultsError, match="hwprof compare --calibrate"):
            calibration.recall(runs)


def test_the_same_run_in_two_files_counts_once() -> None:
    runs = sessions([[0.0, 0.02], [0.03, 0.01]], 1)
    assert calibrate([*runs, *runs], "2000-02-01") == calibrate(runs, "2000-02-01")
