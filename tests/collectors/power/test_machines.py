"""The power figure of modelled machines, the sensor it is of and the reason: by doctor, and in a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from hwprof.collectors import machine_power, power, sensor_roles
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.doctor import host as doctor_host
from hwprof.doctor.counters import MISSING, OK, Probe
from hwprof.errors import NotAvailable, UsageError
from hwprof.records import Exactness, Reading, Role, Run, Window
from hwprof.reports.terminal import machine_power as shown
from tests.collectors.power.machines import MACHINES, build, chip
from tests.doctor.test_host import found_on
from tests.factories import make_run

S = 1_000_000_000


class Expected(NamedTuple):
    sensors: Sequence[str]
    watts: float | None  # of those sensors that give power; None: no figure
    why: str


RULES = sensor_roles
TABLE = {
    "jetson-nano": Expected(["ina3221x/POM_5V_IN"], 1.8, RULES.BY_MACHINE),
    "jetson-orin-nx": Expected(["ina3221/VDD_IN"], 9.14, RULES.BY_MACHINE),
    "jetson-agx-orin": Expected([], None, "it is not known which one contains the others; --power-sensor NAME"),
    "raspberry-pi-4": Expected([], None, "no power sensor"),
    "raspberry-pi-5": Expected(["pmic"], 0.1 * 3.7 + 2.0 * 0.9, RULES.BY_ITSELF),
    "bpi-f3": Expected([], None, "no power sensor"),
    "laptop-on-mains": Expected(["package-0"], 0.0, RULES.BY_PACKAGES),
    "laptop-full": Expected(["package-0"], 0.0, RULES.BY_PACKAGES),
    "laptop-on-battery": Expected(["BAT0"], 12.3, RULES.BY_BATTERY),
    "server-with-bmc": Expected(["power_meter/power1"], 310.0, RULES.BY_MACHINE),
    "server": Expected(
        ["package-0", "package-0/dram", "package-1", "package-1/dram"],
        0.0,
        RULES.BY_PACKAGES,
    ),
    "container-with-masks": Expected([], None, "powercap is masked: its links lead nowhere"),
    "vm": Expected([], None, "no power sensor"),
    "two-batteries": Expected(["BAT0", "BAT1"], 8.0, RULES.BY_BATTERY),
    "epyc": Expected(["amd_energy/Esocket0", "amd_energy/Esocket1"], 0.0, RULES.BY_PACKAGES),
    "grace": Expected(["power_meter.ACPI000D:00/Module Power Socket 0"], 400.0, RULES.BY_PACKAGES),
    "two-ina226": Expected([], None, "Of 2 sensors (ina226.1-0040/power1, ina226.1-0041/power1) it is not known"),
    "graphics-card-alone": Expected([], None, "only amdgpu/power1 (an accelerator)"),
    "one-rail-of-an-ina3221": Expected(["ina3221/VIN"], 5.0, RULES.BY_ITSELF),
    "battery-without-power": Expected(["BAT0"], 9.12, RULES.BY_BATTERY),
    "board-by-usb": Expected(["axp20x-usb"], 4.5, RULES.BY_MACHINE),
    "apple-silicon": Expected(["macsmc_hwmon/Total System Power"], 7.5, RULES.BY_MACHINE),
}


@functools.cache
def board() -> Probe:
    return found_on("rpi4")


def watched(root: Path, asked: str = "") -> Run:
    """A run of a machine in which everything stands still: three samples, and what the watcher records of them."""
    factories = {"power": partial(power.gauges, root=str(root))}
    with GaugeWatcher(1e-3, (), factories=lambda: factories, power_sensor=asked) as watcher:
        watcher.started(1)
        watcher.ready(1, 0)
        first = watcher.series()
        watcher.done(1, 0)
        times = first[0].at_ns if first else (0, S)
        window = Window(0, Role.BARE, -1, times[0], times[-1], (S,))
        window = dataclasses.replace(window, readings=watcher.readings(window))
        run = make_run(fps=1.0)
        return dataclasses.replace(run, windows=(window,), facts={**run.facts, **watcher.facts()})


def test_every_machine_has_an_expectation() -> None:
    assert TABLE.keys() == MACHINES.keys()


@pytest.mark.parametrize("name", sorted(TABLE))
def test_doctor_names_the_sensor_of_the_machine_and_why(tmp_path: Path, name: str) -> None:
    state = power.probe(build(tmp_path, MACHINES[name]))
    findings = {f.what: f for f in doctor_host.examine(dataclasses.replace(board(), power=state))}
    said = findings[power.MACHINE if power.MACHINE in state else "power"]
    expected = TABLE[name]
    if expected.sensors:
        assert said.status == OK
        assert said.detail == f"{' + '.join(expected.sensors)}: {expected.why}"
    else:
        assert said.status == MISSING
        texts = [f.detail for f in findings.values() if f.area == "sensors"]
        assert any(expected.why in text for text in texts)
        assert any("--meter" in f.detail + f.remedy for f in findings.values() if f.area == "sensors")


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_run_names_the_sensor_of_the_machine_and_why(tmp_path: Path, name: str) -> None:
    recorded = watched(build(tmp_path, MACHINES[name])).facts["machine_power"]
    assert recorded["sensors"] == list(TABLE[name].sensors)
    assert TABLE[name].why in recorded["why"]


@pytest.mark.parametrize("name", [n for n, e in sorted(TABLE.items()) if e.watts])
def test_the_power_of_a_machine_is_that_of_its_sensor(tmp_path: Path, name: str) -> None:
    gauges = power.gauges(None, str(build(tmp_path, MACHINES[name])))
    values = {c.label: v for g in gauges for c, v in zip(g.channels, g.sample(), strict=True)}
    assert sum(values[label] or 0.0 for label in TABLE[name].sensors) == pytest.approx(TABLE[name].watts)


def test_two_chips_of_one_name_are_two_channels(tmp_path: Path) -> None:
    (sensors,) = power.gauges(None, str(build(tmp_path, MACHINES["two-ina226"])))
    assert [c.device for c in sensors.channels] == ["1-0040", "1-0041"]
    assert sensors.sample() == pytest.approx([3.0, 9.0])


def test_a_chip_keeps_its_name_when_the_kernel_numbers_it_anew(tmp_path: Path) -> None:
    """Numbers of hwmon follow the order in which drivers come, which is another one after each start."""
    forward = {**chip(1, "ina226", "i2c-1/1-0040", power1_input=3), **chip(2, "ina226", "i2c-1/1-0041", power1_input=9)}
    back = {**chip(7, "ina226", "i2c-1/1-0040", power1_input=3), **chip(2, "ina226", "i2c-1/1-0041", power1_input=9)}
    found = [
        {
            c.label: gauge.sample()
            for gauge in power.gauges(None, root=str(build(tmp_path / name, tree)))
            for c in gauge.channels
        }
        for name, tree in (("forward", forward), ("back", back))
    ]
    assert found[0].keys() == found[1].keys() == {"ina226.1-0040/power1", "ina226.1-0041/power1"}


def test_a_contract_is_declared_and_never_read_as_measured(tmp_path: Path) -> None:
    root = build(tmp_path, MACHINES["laptop-on-mains"])
    (sensors,) = power.gauges(None, str(root))
    labels = [c.label for c in sensors.channels]
    assert labels == ["package-0", "package-0/core", "package-0/uncore", "hidpp_battery_0"]
    state = power.probe(root)["power[ucsi-source-psy-USBC000:001]"]
    assert isinstance(state, Unavailable)
    assert "declares 65 W" in state.reason
    charging = power.probe(root)["power[BAT0]"]
    assert isinstance(charging, Unavailable)
    assert "the battery's status is Charging while AC supplies the machine" in charging.reason


def test_a_battery_that_is_plugged_in_during_a_window_has_no_figure(tmp_path: Path) -> None:
    root = build(tmp_path, MACHINES["laptop-on-battery"])
    factories = {"power": partial(power.gauges, root=str(root))}
    with GaugeWatcher(1e-3, (), factories=lambda: factories) as watcher:
        watcher.started(1)
        (root / "sys/class/power_supply/BAT0/status").write_text("Charging\n")
        watcher.ready(1, 0)
        (root / "sys/class/power_supply/BAT0/status").write_text("Discharging\n")
        watcher.done(1, 0)
        times = next(s for s in watcher.series() if s.label == "BAT0").at_ns
        window = Window(0, Role.BARE, -1, times[0] - 20 * S, times[-1] + 20 * S, ())
        found = {r.metric: r for r in watcher.readings(window)}
    assert found["power[BAT0]"].value is None
    assert found["energy[BAT0]"].why == "the battery did not supply the machine all the time"


def test_what_a_sensor_is_of_is_in_the_meaning_of_its_readings(tmp_path: Path) -> None:
    run = watched(build(tmp_path, MACHINES["server-with-bmc"]))
    meanings = {r.metric: r.meaning for r in run.windows[0].readings}
    assert meanings["power[power_meter/power1]"] == "the whole machine"
    assert meanings["energy[package-0/dram]"] == "memory beside a processor package"


def test_the_sensor_of_the_user_stands_above_the_rule(tmp_path: Path) -> None:
    root = build(tmp_path, MACHINES["jetson-agx-orin"])
    label = "ina3221.1-0040/VDD_GPU_SOC"
    assert watched(root, asked=label).facts["machine_power"] == {"sensors": [label], "why": RULES.ASKED}
    factories = {"power": partial(power.gauges, root=str(root))}
    machine_power.check([label, "ina3221.1-0041/VDDQ_VDD2_1V8AO"], False, lambda: factories)
    with pytest.raises(UsageError, match="--power-sensor VDD_IN: there is no such sensor") as refused:
        machine_power.check(["VDD_IN"], False, lambda: factories)
    assert label in refused.value.remedy
    machine_power.check(["meter"], True, lambda: factories)
    with pytest.raises(UsageError):
        machine_power.check(["meter"], False, lambda: factories)


def test_a_sensor_that_is_named_and_does_not_measure_is_refused_with_its_reason(tmp_path: Path) -> None:
    factories = {"power": partial(power.gauges, root=str(build(tmp_path, MACHINES["laptop-on-mains"])))}
    with pytest.raises(NotAvailable, match="the battery's status is Charging"):
        machine_power.check(["BAT0"], False, lambda: factories)


def test_the_line_of_a_run_has_the_figure_the_sensor_and_the_reason(tmp_path: Path) -> None:
    run = watched(build(tmp_path, MACHINES["vm"]))
    assert shown.lines([run], "per frame") == []
    (said, *_) = shown.lines([run], "per frame", everything=True, width=200)
    assert said.strip().startswith("power       none: this machine has no power sensor")


def test_the_line_of_a_run_has_power_energy_per_frame_the_sensors_and_the_reason() -> None:
    readings = [Reading(f"{m}[{one}]", value) for m, value in (("power", 10.0), ("energy", 4.0)) for one in ("a", "b")]
    window = Window(0, Role.BARE, -1, S, 2 * S, (S // 4,) * 4, tuple(readings))
    recorded = {"machine_power": {"sensors": ["a", "b"], "why": RULES.ASKED}}
    run = dataclasses.replace(make_run(), windows=(window,), facts=recorded)
    assert shown.lines([run], "per frame") == ["  power       20 W, 2 J per frame: a + b (as --power-sensor says)"]
    found = {"sensors": ["a", "b"], "why": RULES.ASKED, "power_w": 20.0, "energy_j": 2.0}
    assert shown.document([run]) == found
    lost = dataclasses.replace(readings[0], value=None, exactness=Exactness.MISSING, why="it fell off")
    broken = dataclasses.replace(window, readings=(lost, *readings[1:]))
    (said,) = shown.lines([dataclasses.replace(run, windows=(broken,))], "per frame")
    assert said == "  power       not measured, of a + b (as --power-sensor says): it fell off"
    assert shown.lines([make_run()], "per frame", everything=True) == []  # of an earlier version


def test_the_interval_and_the_mean_of_a_meter_are_known(tmp_path: Path) -> None:
    state = power.probe(build(tmp_path, MACHINES["server-with-bmc"]))["power[power_meter/power1]"]
    assert isinstance(state, Available)
    assert state.meaning == "the whole machine; a rate in W, every 1000 ms, each the mean of 1 s"
