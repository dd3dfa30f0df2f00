"""Waiting for a machine to cool down: what decides on samples, and what is read of modelled trees. No waiting here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from hwprof import doubts
from hwprof.collectors.cooldown import CoolDown, Cooling, Decision, decide, with_cooling
from hwprof.collectors.thermal import Heat, heat
from tests.factories import make_run

COLD = Heat(52.0, "soc", {0: 2e9, 1: 2e9})


def samples(*celsius: float, every_s: float = 1.0) -> list[tuple[float, Heat]]:
    return [(i * every_s, Heat(c, "soc", COLD.limits_hz)) for i, c in enumerate(celsius)]


def test_within_the_band_a_run_begins_at_once() -> None:
    assert decide(COLD, samples(57.0), 60) is Decision.COOL
    assert decide(COLD, samples(41.0), 60) is Decision.COOL
    assert decide(COLD, samples(57.1), 60) is Decision.WAIT


def test_what_falls_is_waited_for_and_not_beyond_the_limit() -> None:
    falling = [78 - 0.2 * i for i in range(60)]
    assert decide(COLD, samples(*falling), 60) is Decision.WAIT
    assert decide(COLD, samples(*falling, 66.0), 60) is Decision.LIMIT
    assert decide(COLD, samples(*falling, 55.0), 60) is Decision.COOL


def test_what_no_longer_falls_is_not_waited_for() -> None:
    falling = [78 - i for i in range(10)]
    assert decide(COLD, samples(*falling, *[69.0] * 10), 60) is Decision.WAIT  # 15 s ago it was 73
    assert decide(COLD, samples(*falling, *[69.0] * 16), 60) is Decision.SETTLED


@pytest.mark.parametrize(("ghz", "cpus", "decision"), [(1.5, (1,), "wait"), (1.5, (0,), "cool"), (1.95, (1,), "cool")])
def test_a_clock_that_heat_took_is_waited_for_on_the_cores_of_the_case(
    ghz: float, cpus: tuple[int, ...], decision: str
) -> None:
    now = Heat(52.0, "soc", {0: 2e9, 1: ghz * 1e9})
    assert decide(COLD, [(0.0, now)], 60, cpus).value == decision
    # it does not come back by parts as a temperature does: there is nothing to settle
    assert decide(COLD, [(float(i), now) for i in range(30)], 60, cpus).value == decision


def test_firmware_that_holds_the_clock_back_is_waited_for_unless_it_did_from_the_start() -> None:
    held = Heat(52.0, "soc", is_held_back=True)
    assert decide(COLD, [(0.0, held)], 60) is Decision.WAIT
    assert decide(held, [(0.0, held)], 60) is Decision.COOL


class Machine:
    """Its heat at each look, and a clock that sleeping moves."""

    def __init__(self, *celsius: float | None) -> None:
        self.now_s, self.left = 0.0, list(celsius)
        self.rested = 0
        self.told: list[str] = []

    def read(self) -> Heat:
        celsius = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return Heat() if celsius is None else Heat(celsius, "soc")

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def rest(self) -> None:
        self.rested += 1

    def cooldown(self, limit_s: float = 60.0) -> CoolDown:
        return CoolDown(limit_s, self.told.append, self.read, lambda: self.now_s, self.sleep)


def wait(machine: Machine, limit_s: float = 60.0) -> Cooling | None:
    return machine.cooldown(limit_s).wait((0,), machine.rest)


def test_a_wait_lasts_until_it_is_cool_and_is_recorded() -> None:
    machine = Machine(52, 78, 70, 60, 56, 40)
    cooling = wait(machine)
    assert cooling is not None
    assert cooling.facts() == {
        "waited_s": 1.5,
        "ended": "cool",
        "zone": "soc",
        "celsius": 56,
        "began_celsius": 52,
    }
    assert (machine.rested, machine.told) == (1, ["Cooling down: 78 degC, began at 52 (soc); 60 s at most"])
    run = with_cooling(make_run(), {"before_turns": cooling, "before_stretch": None})
    assert run.facts["cooldown"] == {"before_turns": cooling.facts()}
    assert run.doubts == ()


def test_a_run_that_begins_hot_after_the_limit_is_doubted() -> None:
    machine = Machine(52, *(78 - 0.1 * i for i in range(200)))
    cooling = wait(machine, limit_s=20)
    assert cooling is not None
    assert (cooling.decision, cooling.waited_s) == (Decision.LIMIT, 20.0)
    (doubt,) = with_cooling(make_run(), {"before_turns": cooling, "before_stretch": cooling}).doubts
    assert "measured before the machine had cooled down (20 s): 74 degC, began at 52 (soc)" in doubts.text(doubt)


def test_a_cool_machine_is_neither_waited_for_nor_spoken_of() -> None:
    machine = Machine(52, 53)
    cooling = wait(machine)
    assert cooling is not None
    assert (cooling.waited_s, machine.rested, machine.told) == (0.0, 0, [])


@pytest.mark.parametrize(("machine", "limit_s"), [(Machine(None), 60.0), (Machine(52, 90), 0.0)])
def test_without_sensors_or_a_limit_nothing_is_waited_for_and_nothing_said(machine: Machine, limit_s: float) -> None:
    assert wait(machine, limit_s) is None
    assert (machine.now_s, machine.rested, machine.told) == (0.0, 0, [])
    run = make_run()
    assert with_cooling(run, {"before_turns": None}) == run


def test_a_sensor_that_falls_silent_holds_up_nothing() -> None:
    cooling = wait(Machine(52, None))
    assert cooling is not None
    assert cooling.decision is Decision.COOL
    assert cooling.facts()["celsius"] is None


def zones(root: Path, named: Iterable[tuple[str, str]]) -> Path:
    for number, (name, temperature) in enumerate(named):
        folder = root / f"sys/class/thermal/thermal_zone{number}"
        folder.mkdir(parents=True)
        (folder / "type").write_text(f"{name}\n")
        (folder / "temp").write_text(f"{temperature}\n")
    return root


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([("acpitz", "27800"), ("x86_pkg_temp", "61000"), ("pch_skylake", "70000")], (61.0, "x86_pkg_temp")),
        (
            [("cluster0_thermal", "55000"), ("cluster1_thermal", "58500"), ("gpu_thermal", "80000")],
            (58.5, "cluster1_thermal"),
        ),
        ([("acpitz", "27800"), ("pch_skylake", "48000")], (48.0, "pch_skylake")),  # none is the CPU's: the hottest
        ([("cpu-thermal", "-274000"), ("soc-thermal", "650788984")], (None, "")),  # no temperatures
        ([], (None, "")),
    ],
)
def test_the_hottest_sensor_of_the_cpu_is_taken(
    tmp_path: Path, named: list[tuple[str, str]], expected: tuple[float | None, str]
) -> None:
    found = heat(zones(tmp_path, named))
    assert (found.celsius, found.zone) == expected


def test_a_processor_of_amd_is_read_by_hwmon_and_its_offset_is_left_out(tmp_path: Path) -> None:
    chip = tmp_path / "sys/class/hwmon/hwmon1"
    chip.mkdir(parents=True)
    files = {"name": "k10temp", "temp1_label": "Tctl", "temp1_input": "82000", "temp2_label": "Tdie"}
    for name, text in {**files, "temp2_input": "62000"}.items():
        (chip / name).write_text(f"{text}\n")
    assert heat(tmp_path) == Heat(62.0, "k10temp/Tdie")


def test_what_heat_takes_of_the_clock_is_read_as_what_the_kernel_allows(tmp_path: Path) -> None:
    for cpu, khz in ((0, "1800000"), (10, "2400000")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_max_freq").write_text(f"{khz}\n")
        (folder / "scaling_cur_freq").write_text("600000\n")  # idle: it says nothing
    firmware = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    firmware.parent.mkdir(parents=True)
    firmware.write_text("50004\n")
    found = heat(tmp_path)
    assert found == Heat(None, "", {0: 1.8e9, 10: 2.4e9}, is_held_back=True)
    assert found.is_known
