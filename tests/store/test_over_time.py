"""The long frame: a row per slice, and per bin of what has no slices."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from hwprof.analysis.over_time import throughput
from hwprof.errors import UsageError
from hwprof.reports.formats.export import export
from hwprof.store import Results
from hwprof.store.over_time import COLUMNS
from tests.factories import make_run
from tests.reports.html.test_over_time import measured


def test_the_frame_over_time_has_the_points_of_every_run(tmp_path: Path) -> None:
    runs = [measured("onnxruntime", "resnet18", 1.0), make_run("opencv", iterations=201)]
    with Results.create(tmp_path / "r.db") as results:
        for run in runs:
            results.add(run)
        frame = results.over_time()
        assert list(frame.columns) == list(COLUMNS)
        for run in runs:
            own = frame[frame["run"] == run.uid]
            traces = throughput.traces(run)
            assert own["role"].unique().tolist() == [t.role.value for t in traces]
            for name in ("at_s", "seconds", "fps"):
                expected = np.concatenate([getattr(t, name) for t in traces])
                assert own[name].to_numpy(float) == pytest.approx(expected)
        without = (frame["role"] == "bare") | (frame["framework"] == "opencv")
        assert (frame["turn"].isna() == without).all()
        assert export(results, "csv", str(tmp_path / "t.csv"), over_time=True) == len(frame)
        with pytest.raises(UsageError):
            export(results, "json", str(tmp_path / "t.json"), over_time=True)
    with (tmp_path / "t.csv").open() as file:
        assert next(csv.reader(file)) == list(COLUMNS)


def test_no_runs_are_an_empty_frame(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        assert len(results.over_time()) == 0


def test_first_inference_and_undisturbed_share_are_columns_of_the_frame(tmp_path: Path) -> None:
    warmup = {"first_ns": 5_000_000, "seconds": 0.3, "iterations": 200}
    with Results.create(tmp_path / "r.db") as results:
        results.add(make_run(facts={"warmup": warmup}))
        results.add(make_run("opencv"))
        frame = results.frame()
    assert frame["first_ms"].iloc[0] == 5.0
    assert np.isnan(frame["first_ms"].iloc[1])
    assert frame["undisturbed"].isna().all()
