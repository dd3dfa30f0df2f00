"""Why a sensor has no value: what the kernel said, and what changes it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hwprof.collectors import power
from hwprof.collectors.power import answers, hwmon, pmic
from hwprof.collectors.power.answers import SensorReader, fault_of
from hwprof.collectors.protocol import Unavailable
from tests.collectors.power.machines import MACHINES, PACKAGE, build, chip, supply, zone


@pytest.mark.parametrize(
    ("code", "is_root", "reason", "remedy"),
    [
        (errno.EACCES, False, "powercap:x can be read by root only (Permission denied)", "sudo chmod a+r"),
        (errno.EPERM, False, "powercap:x can be read by root only (Operation not permitted)", "sudo chmod a+r"),
        (errno.EACCES, True, "powercap:x may not be read, even by root (Permission denied)", "--privileged"),
        (errno.ENOENT, True, "powercap:x is not there (No such file or directory)", ""),
        (errno.EIO, True, "powercap:x can't be read: Input/output error", "dmesg"),
        (errno.ENODATA, False, "powercap:x can't be read: No data available", "dmesg"),
        (errno.ETIMEDOUT, False, "powercap:x can't be read: Connection timed out", "dmesg"),
    ],
)
def test_a_reason_is_what_the_kernel_said(code: int, is_root: bool, reason: str, remedy: str) -> None:
    found = fault_of("powercap:x", OSError(code, os.strerror(code)), "/sys/x", is_root)
    assert found.reason == reason
    assert remedy in found.remedy


def failing(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Reading files of this name fails with an error of the kernel."""
    whole = answers.read_text

    def read(path: Path) -> str:
        if path.name == name:
            raise OSError(code, os.strerror(code))
        return whole(path)

    monkeypatch.setattr(answers, "read_text", read)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENODEV])
def test_a_sensor_that_answers_an_error_has_no_value_and_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    failing(monkeypatch, "energy_uj", code)
    (sensors,) = power.gauges(None, str(build(tmp_path, PACKAGE)))
    assert list(sensors.channels) == []
    assert sensors.sample() == []
    state = power.probe(tmp_path)["energy[package-0]"]
    assert isinstance(state, Unavailable)
    assert os.strerror(code) in state.reason
    assert state.remedy


def test_a_file_behind_a_link_that_leads_nowhere_is_masked(tmp_path: Path) -> None:
    root = build(tmp_path, MACHINES["container-with-masks"])
    reader = SensorReader("powercap:intel-rapl:0", [root / "sys/class/powercap/intel-rapl:0/energy_uj"])
    assert reader() is None
    assert reader.fault is not None
    assert reader.fault.reason.startswith("powercap:intel-rapl:0 is masked")
    assert "systempaths=unconfined" in reader.fault.remedy


@pytest.mark.parametrize(("text", "says"), [("", "answered nothing"), ("N/A", "answered 'N/A', which is no number")])
def test_an_answer_that_is_no_number_is_quoted(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "power1_input").write_text(text)
    reader = SensorReader("hwmon:x", [tmp_path / "power1_input"])
    assert reader() is None
    assert reader.fault == Unavailable(f"hwmon:x {says}")


def test_a_reason_ends_with_the_next_good_answer(tmp_path: Path) -> None:
    reader = SensorReader("hwmon:x", [tmp_path / "power1_input"])
    assert reader() is None
    (tmp_path / "power1_input").write_text("5")
    assert reader() == 5
    assert reader.fault is None


def test_zones_of_one_name_are_channels_of_their_own(tmp_path: Path) -> None:
    tree = {**zone("intel-rapl:0", "package-0"), **zone("intel-rapl:1", "package-0", 3_000_000)}
    (sensors,) = power.gauges(None, str(build(tmp_path, {**tree, **zone("intel-rapl-mmio:0", "package-0")})))
    assert [c.label for c in sensors.channels] == ["package-0.intel-rapl:0", "package-0.intel-rapl:1"]
    assert sensors.sample() == pytest.approx([1.0, 3.0])
    assert {c.role for c in sensors.channels} == {"package"}


def test_a_chip_without_a_device_is_named_by_its_folder(tmp_path: Path) -> None:
    tree = {**chip(4, "ina226", power1_input=1), **chip(7, "ina226", power1_input=2)}
    labels = [channel.label for channel, _ in hwmon.chips(build(tmp_path, tree))]
    assert labels == ["ina226.hwmon4/power1", "ina226.hwmon7/power1"]


def test_a_device_that_hwmon_has_is_not_read_by_iio_too(tmp_path: Path) -> None:
    device = "sys/devices/i2c-1/1-0040"
    tree = {f"{device}/iio:device0/in_power3_raw": "1150", f"{device}/iio:device0/name": "ina226"}
    build(tmp_path, {**tree, "sys/bus/iio/devices/iio:device0": "->../../../devices/i2c-1/1-0040/iio:device0"})
    (sensors,) = power.gauges(None, str(tmp_path))
    assert sensors.channels[0].label == "ina226/channel 3"
    (watts,) = sensors.sample()
    assert watts == pytest.approx(1.15)
    build(tmp_path, {f"{device}/hwmon/hwmon0/name": "ina226"})
    assert power.gauges(None, str(tmp_path)) == []


def test_iio_multiplies_raw_values_by_their_scales(tmp_path: Path) -> None:
    device = "sys/bus/iio/devices/iio:device0"
    tree = {f"{device}/name": "ina226", f"{device}/in_voltage1_raw": "4000", f"{device}/in_voltage1_scale": "1.25"}
    tree |= {f"{device}/in_current1_raw": "900", f"{device}/in_current1_scale": "0.5"}
    (sensors,) = power.gauges(None, str(build(tmp_path, tree)))
    assert sensors.sample() == pytest.approx([5.0 * 0.45])
    assert sensors.channels[0].source == "iio:ina226 in_voltage1_raw x in_current1_raw"


def test_a_raspberry_pi_without_a_pmic_has_no_such_sensor(tmp_path: Path) -> None:
    said = "#!/bin/sh\necho 'error=1 error_msg=\"Command not registered\"'\n"
    assert power.gauges(None, str(build(tmp_path, {"usr/bin/vcgencmd": said}))) == []


def test_a_vcgencmd_that_may_not_ask_says_so(tmp_path: Path) -> None:
    said = '#!/bin/sh\necho "Can\'t open device file: /dev/vcio" >&2\nexit 255\n'
    state = power.probe(build(tmp_path, {"usr/bin/vcgencmd": said}))["power[pmic]"]
    assert state == Unavailable("vcgencmd:pmic_read_adc: Can't open device file: /dev/vcio", pmic.REMEDY)


@pytest.mark.parametrize(("status", "found"), [("Charging", []), ("Discharging", []), ("Full", [("usb", "machine")])])
def test_an_input_is_the_whole_machine_only_while_no_battery_takes_of_it(
    tmp_path: Path, status: str, found: list[tuple[str, str]]
) -> None:
    tree = {
        **supply("usb", type="USB", online=1, voltage_now=5_000_000, current_now=1_000_000),
        **supply("BAT0", type="Battery", status=status, power_now=3_000_000),
    }
    (sensors,) = power.gauges(None, str(build(tmp_path, tree)))
    assert [(c.label, c.role) for c in sensors.channels] == found
    state = power.probe(tmp_path)["power[usb]"]
    if found:
        assert not isinstance(state, Unavailable)
    else:
        assert isinstance(state, Unavailable)
        assert f"the status of BAT0 is {status}" in state.reason
