"""Count, level or total: the shape travels with a reading to the store, the frame, the evidence and the terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.analysis.factors import evidence
from hwprof.collectors import gauge, thermal
from hwprof.collectors.protocol import Channel
from hwprof.collectors.readings import between
from hwprof.records import (
    Counter,
    Failure,
    Kind,
    Layer,
    Reading,
    Role,
    Run,
    Series,
    Shape,
    Snapshot,
    Window,
    missing,
)
from hwprof.reports.terminal.run import text
from hwprof.store import Results
from tests.factories import make_case, make_window, with_schema_1

FRAMES = 31


def run_with(*readings: Reading, uid: str = "aa") -> Run:
    bare = make_window(0, Role.BARE, [1_000_000] * FRAMES)
    return Run(uid, make_case(), windows=(bare, make_window(1, Role.COUNTED, [1_000_000] * FRAMES, readings, 0)))


def printed(run: Run, metric: str) -> str:
    """The number that the terminal shows of a metric."""
    (line,) = (line for line in text([run], everything=True).splitlines() if f"  {metric}" in line)
    return line.split()[0]


@pytest.mark.parametrize(
    ("shape", "value", "per"),
    [(Shape.COUNT, 2.0, "frame"), (Shape.LEVEL, 62.0, "level"), (Shape.TOTAL, 62.0, "window")],
)
@pytest.mark.parametrize("unit", ["", "W", "°C", "B"])
def test_the_recorded_shape_counts_everywhere_whatever_the_unit(
    tmp_path: Path, shape: Shape, value: float, per: str, unit: str
) -> None:
    run = run_with(Reading("thing", 62.0, unit, source="perf:thing", shape=shape))
    with Results.create(tmp_path / "x.db") as results:
        results.add(run)
        (read,) = results.runs()
        frame = results.frame()
    assert read == run
    assert frame["thing"].to_list() == [value]
    assert frame.attrs["metrics"]["thing"]["per"] == per
    gathered = evidence.collect([read])
    assert gathered is not None
    quantity = gathered.quantities["thing"]
    assert quantity.value == pytest.approx(value)
    assert quantity.per == per
    if unit != "B":
        assert float(printed(read, "thing")) == value


@pytest.mark.parametrize(
    "unit", ["W", "mW", "V", "mV", "A", "mA", "Hz", "MHz", "K", "°C", "degC", "rpm", "B", "MiB", "%", "share", "ratio"]
)
def test_a_level_of_an_old_file_is_one_in_the_terminal_and_in_the_frame(tmp_path: Path, unit: str) -> None:
    run = run_with(Reading("thing", 62e9, unit, source="sensor"))
    with Results.create(tmp_path / "x.db") as results:
        results.add(run)
    with_schema_1(tmp_path / "x.db")
    with Results.open(tmp_path / "x.db") as results:
        (read,) = results.runs()
        assert results.frame()["thing"].to_list() == [62e9]
    scale = {"B": 2**20, "Hz": 1e9}.get(unit, 1)
    assert float(printed(read, "thing").replace(",", "")) == pytest.approx(62e9 / scale, abs=0.1)


def test_old_counts_and_totals_stay_what_they_were(tmp_path: Path) -> None:
    old = run_with(
        Reading("dram-read", 62.0, "MiB", source="perf:uncore_imc/data_reads/"),
        Reading("cgroup-throttled", 62.0, source="cgroup:cpu.stat"),
        Reading("energy", 62.0, "J", source="powercap"),
    )
    with Results.create(tmp_path / "x.db") as results:
        results.add(old)
    with_schema_1(tmp_path / "x.db")
    with Results.open(tmp_path / "x.db") as results:
        frame = results.frame()
    assert frame[["dram-read", "cgroup-throttled", "energy"]].to_numpy().tolist() == [[2.0, 62.0, 2.0]]


def test_a_metric_of_an_old_file_takes_the_shape_that_is_recorded_later(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        results.add(run_with(Reading("flow", 62.0, "l/min"), uid="aa"))
    with_schema_1(tmp_path / "x.db")
    with Results.open(tmp_path / "x.db") as results:
        assert results.frame()["flow"].to_list() == [2.0], "nothing says that it is a level"
        results.add(run_with(Reading("flow", 31.0, "l/min", shape=Shape.LEVEL), uid="bb"))
        results.add(run_with(Reading("flow", 31.0, "l/min"), uid="cc"))
        assert results.frame()["flow"].to_list() == [62.0, 31.0, 31.0]


def test_a_missing_reading_says_less_than_a_value(tmp_path: Path) -> None:
    lost = missing("flow", "no answer", unit="l/min", shape=Shape.COUNT)
    with Results.create(tmp_path / "x.db") as results:
        results.add(run_with(Reading("flow", 62.0, "l/min", shape=Shape.LEVEL), lost))
        assert results.frame()["flow"].to_list() == [62.0]


def test_two_shapes_of_one_name_get_a_column_each(tmp_path: Path) -> None:
    both = Reading("queue", 62.0, source="a", shape=Shape.COUNT), Reading("queue", 62.0, source="b", shape=Shape.LEVEL)
    with Results.create(tmp_path / "x.db") as results:
        results.add(run_with(*both))
        frame = results.frame()
    assert frame[["queue", "queue [level]"]].to_numpy().tolist() == [[2.0, 62.0]]


def test_shapes_go_along_when_results_are_merged(tmp_path: Path) -> None:
    with Results.create(tmp_path / "other.db") as other:
        other.add(run_with(Reading("flow", 62.0, "l/min", shape=Shape.LEVEL), uid="bb"))
    with Results.create(tmp_path / "mine.db") as mine:
        mine.add(run_with(Reading("flow", 62.0, "l/min"), uid="aa"))
        mine.merge(tmp_path / "other.db")
        assert mine.frame()["flow"].to_list() == [62.0, 62.0]


def test_shapes_of_series_and_layers_come_back(tmp_path: Path) -> None:
    series = (Series("hits", "", cumulative=True, shape=Shape.TOTAL), Series("fan", "rpm"))
    layer = Layer("conv", "Conv", 1.0, readings=(Reading("depth", 3.0, shape=Shape.LEVEL),))
    profiled = Run("bb", make_case(), Kind.LAYERS, layers=(layer,))
    failed = Run("aa", make_case(), series=series, failure=Failure("timeout", "no result"))
    with Results.create(tmp_path / "x.db") as results:
        results.add(failed)
        results.add(profiled)
        assert list(results.runs()) == [failed, profiled]


def test_a_counter_and_a_channel_give_their_shape_to_the_reading() -> None:
    before, after = (Snapshot(at, (at,), at, at) for at in (1, 5))
    assert between(Counter("misses"), before, after, 0).shape is Shape.COUNT
    assert between(Counter("pauses", shape=Shape.TOTAL), before, after, 0).shape is Shape.TOTAL
    window = Window(0, Role.COUNTED, 0, 0, 10, (10,))
    fan = Series("fan", "rpm", at_ns=(0, 5, 10), values=(1.0, 2.0, 3.0))
    assert gauge.reading(fan, window).shape is Shape.LEVEL
    assert gauge.reading(dataclasses.replace(fan, cumulative=True), window).shape is Shape.COUNT
    assert gauge.reading(Series("hits", "", cumulative=True, shape=Shape.TOTAL), window).shape is Shape.TOTAL


def test_throttle_events_are_totals(tmp_path: Path) -> None:
    file = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    file.parent.mkdir(parents=True)
    file.write_text("7")
    (sensors,) = thermal.gauges(None, str(tmp_path))
    assert [channel.shape for channel in sensors.channels] == [Shape.TOTAL]


@pytest.mark.parametrize(("cumulative", "shape"), [(True, Shape.LEVEL), (False, Shape.COUNT), (False, Shape.TOTAL)])
def test_a_channel_that_contradicts_itself_is_refused(cumulative: bool, shape: Shape) -> None:
    with pytest.raises(ValueError, match="if and only if it is not cumulative"):
        Channel("fan", "rpm", cumulative=cumulative, shape=shape)
