"""The energy of a run: a part is never added to its whole, from the sensors' files to the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis import energy
from hwprof.collectors import power, sensor_roles
from hwprof.collectors.sampler import Sampler
from hwprof.records import Reading, Role, Run, Window
from hwprof.reports.html import gather, page
from hwprof.reports.page import content
from hwprof.store import Results
from tests.cli.test_report import stored
from tests.collectors.test_gauges import put
from tests.factories import make_run, make_window
from tests.planted_sets import with_slices

S = 1_000_000_000
POWERCAP = "sys/class/powercap"
# 10 W, of which the cores take 8 and the graphics 1; the memory beside it 2; the whole platform 25
PACKAGE = {"intel-rapl:0": ("package-0", 10.0), "intel-rapl:0:0": ("core", 8.0), "intel-rapl:0:1": ("uncore", 1.0)}
DRAM = {"intel-rapl:0:2": ("dram", 2.0)}
SECOND = {"intel-rapl:1": ("package-1", 5.0), "intel-rapl:1:0": ("core", 4.0)}
PSYS = {"intel-rapl:1": ("psys", 25.0)}
METER = Reading("energy[meter]", 40.0, "J", source="meter:log.csv")


def sampled(root: Path, zones: Mapping[str, tuple[str, float]], window: Window) -> tuple[Reading, ...]:
    """What the sensors of a modelled powercap tree say about a window; each zone draws its watts all the time."""
    fixed = {f"{POWERCAP}/{zone}/name": f"{name}\n" for zone, (name, _) in zones.items()}
    put(root, fixed | {f"{POWERCAP}/{zone}/energy_uj": "0\n" for zone in zones})
    now = 0
    sampler = Sampler(power.gauges(None, str(root)), clock=lambda: now)
    for now in range(0, 4 * S, S // 10):
        for zone, (_, watts) in zones.items():
            (root / f"{POWERCAP}/{zone}/energy_uj").write_text(f"{round(now / 1000 * watts)}\n")
        sampler.tick()
    return sampler.readings(window)


def summarise(root: Path, zones: Mapping[str, tuple[str, float]], extra: Sequence[Reading] = ()) -> Run:
    """A run of one frame in 1.005 seconds."""
    window = dataclasses.replace(make_window(1, Role.COUNTED, [S], (), 0), t0_ns=S, t1_ns=2_005_000_000)
    window = dataclasses.replace(window, readings=(*sampled(root, zones, window), *extra))
    bare = make_window(0, Role.BARE, [S] * 3)
    return dataclasses.replace(make_run(fps=1.0), windows=(bare, window))


def frame_of(path: Path, *runs: Run) -> pd.DataFrame:
    with Results.open(stored(path, runs)) as results:
        return results.frame()


@pytest.mark.parametrize(
    ("zones", "extra", "watts"),
    [
        (PACKAGE, (), 10.0),
        (PACKAGE | DRAM, (), 12.0),
        (PACKAGE | DRAM | SECOND, (), 17.0),
        (PACKAGE | DRAM | PSYS, (), 25.0),
        (PACKAGE | DRAM | PSYS, (METER,), 40.0 / 1.005),
    ],
    ids=["package", "memory-beside-it", "two-packages", "platform", "meter"],
)
def test_a_part_is_never_added_to_its_whole(
    tmp_path: Path, zones: Mapping[str, tuple[str, float]], extra: Sequence[Reading], watts: float
) -> None:
    frame = frame_of(tmp_path / "r.db", summarise(tmp_path, zones, extra))
    assert "energy[package-0/core]" in frame  # every channel stays for itself
    joules = energy.per_frame(frame)
    assert joules is not None
    assert joules.tolist() == pytest.approx([watts * 1.005])


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["package-0", "package-0/core", "package-0/dram"], ["package-0", "package-0/dram"]),
        (["package-0-die-0", "package-0-die-1", "package-0-die-0/core"], ["package-0-die-0", "package-0-die-1"]),
        (
            ["amd_energy/Esocket0", "amd_energy/Esocket1", "amd_energy/Ecore000"],
            ["amd_energy/Esocket0", "amd_energy/Esocket1"],
        ),
        (["package-0", "psys", "psys-1"], ["psys"]),
        (["package-0/core", "package-0/dram"], []),
        (["ina3221x/POM_5V_CPU", "ina3221x/POM_5V_GPU", "ina3221x/POM_5V_IN"], ["ina3221x/POM_5V_IN"]),
        (["ina3221/VDD_CPU_GPU_CV", "ina3221/VDD_IN", "meter"], ["meter"]),
        (["ina3221/VDD_GPU", "ina3221/VDD_CPU"], []),
        (["BAT0", "package-0", "package-0/core"], ["package-0"]),
        (["ina260/power1"], ["ina260/power1"]),
        ([""], [""]),
        ([], []),
    ],
)
def test_which_sensors_stand_for_the_machine(labels: Sequence[str], found: Sequence[str]) -> None:
    assert list(energy.whole_machine(reversed(labels)).labels) == list(found)


def table(columns: Mapping[str, Sequence[float]], units: Mapping[str, str] = {}) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    names = [n for n in columns if n.startswith("energy")]
    frame.attrs["metrics"] = {n: {"unit": units.get(n, "J"), "per": "frame"} for n in names}
    return frame


def test_packages_are_summed_and_a_missing_one_leaves_no_sum() -> None:
    columns = {"energy[dram]": [9.0, 9.0], "energy[package-0]": [1.0, 1.0], "energy[package-1]": [500.0, np.nan]}
    found = energy.per_frame(table(columns, {"energy[package-1]": "mJ"}))
    assert found is not None
    assert found[0] == pytest.approx(1.5)
    assert np.isnan(found[1])


def test_each_machine_has_its_own_sensors() -> None:
    columns = {
        "energy[package-0]": [1.0, 2.0, np.nan],
        "energy[package-1]": [np.nan, 3.0, np.nan],
        "energy[psys]": [0.0, np.nan, np.nan],  # it stands still, as on boards that have it and do not feed it
        "energy[ina260/power1]": [np.nan, np.nan, 7.0],
    }
    frame = table(columns).assign(machine=["one socket", "two sockets", "board"])
    found = energy.per_frame(frame)
    assert found is not None
    assert found.tolist() == [1.0, 5.0, 7.0]
    assert {c.machine: len(c.columns) for c in energy.choose_sensors(frame)} == {
        "board": 1,
        "one socket": 1,
        "two sockets": 2,
    }


def test_of_sensors_whose_whole_is_not_known_none_is_taken_and_the_reason_names_them() -> None:
    frame = table({"energy[ina3221/VDD_CPU]": [1.0], "energy[ina3221/VDD_GPU]": [2.0]})
    assert energy.per_frame(frame) is None
    assert "ina3221/VDD_CPU, ina3221/VDD_GPU" in energy.absence_reason(frame)
    assert "--meter" in energy.absence_reason(frame)


def test_the_report_says_which_sensor_the_energy_is_of(tmp_path: Path) -> None:
    run = summarise(tmp_path, PACKAGE | DRAM)
    with Results.open(stored(tmp_path / "r.db", [run])) as results:
        made = gather.gather(results)
        summary = content.build(results.frame(), [run]).summary
    (section,) = (s for s in page.build(made).sections if s.key == "energy")
    (said,) = section.words
    assert said in summary
    assert (
        "package-0 (powercap:intel-rapl:0) + package-0/dram (powercap:intel-rapl:0:2): the processor packages" in said
    )
    assert "nothing is added of package-0/core, package-0/uncore" in said


def test_energy_of_a_run_with_slices_is_that_of_its_bare_stretch(tmp_path: Path) -> None:
    run = with_slices(make_run(metrics={}), 10.0)  # 100 frames in a stretch of a second
    *slices, stretch = run.windows
    watched = dataclasses.replace(stretch, readings=(*stretch.readings, Reading("energy[package-0]", 12.0, "J")))
    closed = make_window(3, Role.CLOSED, [S], [Reading("energy[package-0]", 99.0, "J")])
    joules = energy.per_frame(frame_of(tmp_path / "r.db", dataclasses.replace(run, windows=(*slices, watched, closed))))
    assert joules is not None
    assert joules.tolist() == pytest.approx([12.0 / len(stretch.latencies_ns)])


def chosen(rows: Sequence[tuple[str | None, str | None]], columns: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """A table whose runs recorded what stood for the machine, and why; None: an earlier version did not."""
    found = table(columns).assign(machine="laptop")
    return found.assign(power_sensors=pd.Series([r[0] for r in rows]), power_why=pd.Series([r[1] for r in rows]))


RULED, ASKED = ("package-0", sensor_roles.BY_PACKAGES), ("package-0/core", sensor_roles.ASKED)
BATTERY = ("BAT0", sensor_roles.BY_BATTERY)
COLUMNS = {
    "energy[package-0]": [2.0, 2.0, 2.0],
    "energy[package-0/core]": [1.0] * 3,
    "energy[BAT0]": [np.nan, 9.0, 9.0],
}


@pytest.mark.parametrize(
    ("rows", "joules"),
    [
        ([RULED] * 3, [2.0, 2.0, 2.0]),
        ([RULED, RULED, ASKED], [1.0, 1.0, 1.0]),  # what the user says is not outvoted
        ([RULED, BATTERY, BATTERY], [np.nan, 9.0, 9.0]),  # energies of two kinds are not mixed
        ([(None, None), (None, None), RULED], [2.0, 2.0, 2.0]),
        ([(None, None)] * 3, [2.0, 2.0, 2.0]),  # by the labels, as ever
    ],
)
def test_the_energy_is_that_of_the_sensors_that_the_runs_recorded(
    rows: Sequence[tuple[str | None, str | None]], joules: Sequence[float]
) -> None:
    frame = chosen(rows, COLUMNS)
    found = energy.per_frame(frame)
    assert found is not None
    np.testing.assert_array_equal(found, joules)
    (said,) = energy.sources(frame)
    assert next(why for _, why in (ASKED, BATTERY, RULED) if why in said)


def test_why_no_sensor_stood_for_the_machine_is_the_reason_in_the_report() -> None:
    masked = "powercap is masked: its links lead nowhere"
    frame = chosen([("", masked)], {"latency_ms": [1.0]})
    assert energy.per_frame(frame) is None
    assert energy.absence_reason(frame) == masked


def test_the_choice_of_a_run_is_stored_and_comes_back_with_the_frame(tmp_path: Path) -> None:
    choice = {"machine_power": {"sensors": ["package-0", "package-0/dram"], "why": sensor_roles.BY_PACKAGES}}
    run = summarise(tmp_path, PACKAGE | DRAM)
    command = dataclasses.replace(run, uid="c", round=1, facts={**run.facts, "executions": [choice]})
    frame = frame_of(tmp_path / "r.db", dataclasses.replace(run, facts={**run.facts, **choice}), command)
    assert frame["power_sensors"].tolist() == ["package-0 + package-0/dram"] * 2
    assert frame["power_why"].tolist() == [sensor_roles.BY_PACKAGES] * 2
