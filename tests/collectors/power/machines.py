"""Modelled machines: trees of /sys with the files that the drivers' documentation names, and values of public reports.

None is a recording. A value that begins with -> is a symbolic link, one with #! a program.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Tree = Mapping[str, str]
HWMON, SUPPLY, POWERCAP = "sys/class/hwmon", "sys/class/power_supply", "sys/class/powercap"
PMIC_LINES = """   3V7_WL_SW_A current(0)=0.10000000A
   VDD_CORE_A current(7)=2.00000000A
   3V7_WL_SW_V volt(8)=3.70000000V
   VDD_CORE_V volt(15)=0.90000000V
   EXT5V_V volt(24)=5.10000000V
   BATT_V volt(25)=0.00000000V
"""


def build(root: Path, tree: Tree) -> Path:
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text)
        if text.startswith("#!"):
            path.chmod(0o755)
    return root


def zone(name: str, label: str, microjoules: int = 1_000_000) -> dict[str, str]:
    base = f"{POWERCAP}/{name}"
    limits = {f"{base}/max_energy_range_uj": "262143328850\n"}
    return {f"{base}/name": f"{label}\n", f"{base}/energy_uj": f"{microjoules}\n", **limits}


def chip(number: int, name: str, device: str = "", **files: object) -> dict[str, str]:
    base = f"{HWMON}/hwmon{number}"
    link = {f"{base}/device": f"->../../../devices/{device}", f"sys/devices/{device}/uevent": ""} if device else {}
    return {f"{base}/name": f"{name}\n", **{f"{base}/{key}": f"{text}\n" for key, text in files.items()}, **link}


def ina3221(number: int, device: str, **milliwatts: int) -> dict[str, str]:
    """Rails at 5 V."""
    files: dict[str, object] = {}
    for index, (rail, power) in enumerate(milliwatts.items(), 1):
        files |= {f"in{index}_label": rail, f"in{index}_input": 5000, f"curr{index}_input": power / 5}
    return chip(number, "ina3221", device, **files)


def iio_rails(device: str, number: int, **milliwatts: int) -> dict[str, str]:
    base = f"sys/bus/i2c/drivers/ina3221x/{device}/iio:device{number}"
    tree = {f"{base}/name": "ina3221x\n"}
    for index, (rail, power) in enumerate(milliwatts.items()):
        tree |= {f"{base}/rail_name_{index}": f"{rail}\n", f"{base}/in_power{index}_input": f"{power}\n"}
    return tree


def supply(name: str, **files: object) -> dict[str, str]:
    return {f"{SUPPLY}/{name}/{key}": f"{text}\n" for key, text in files.items()}


def battery(name: str, status: str, microwatts: int) -> dict[str, str]:
    return supply(name, type="Battery", scope="System", status=status, power_now=microwatts)


PACKAGE = {**zone("intel-rapl:0", "package-0"), **zone("intel-rapl:0:0", "core"), **zone("intel-rapl:0:1", "uncore")}
SOCKETS = {
    **zone("intel-rapl:0", "package-0"),
    **zone("intel-rapl:0:0", "dram"),
    **zone("intel-rapl:1", "package-1"),
    **zone("intel-rapl:1:0", "dram"),
}
MOUSE = supply("hidpp_battery_0", type="Battery", scope="Device", status="Discharging", power_now=50_000)
CONTRACT = supply("ucsi-source-psy-USBC000:001", type="USB", online=1, voltage_now=20_000_000, current_now=3_250_000)
MAINS = supply("AC", type="Mains", online=1)
UNPLUGGED = supply("AC", type="Mains", online=0)
MASKS = {f"{POWERCAP}/{name}": f"->../../devices/virtual/powercap/{name}" for name in ("intel-rapl", "intel-rapl:0")}
METER_CHIP = {"power1_average": 310_000_000, "power1_average_interval": 1000}

MACHINES: Mapping[str, Tree] = {
    "jetson-nano": iio_rails("6-0040", 0, POM_5V_IN=1800, POM_5V_GPU=40, POM_5V_CPU=240),
    "jetson-orin-nx": ina3221(3, "i2c-1/1-0040", VDD_IN=9140, VDD_CPU_GPU_CV=3000, VDD_SOC=1500),
    "jetson-agx-orin": {
        **ina3221(3, "i2c-1/1-0040", VDD_GPU_SOC=4000, VDD_CPU_CV=2000),
        **ina3221(4, "i2c-1/1-0041", VDDQ_VDD2_1V8AO=1000),
    },
    "raspberry-pi-4": {**chip(0, "cpu_thermal", temp1_input=54321), **chip(1, "rpi_volt", in0_lcrit_alarm=0)},
    "raspberry-pi-5": {
        **chip(0, "rpi_volt", in0_lcrit_alarm=0),
        "usr/bin/vcgencmd": f"#!/bin/sh\ncat <<'END'\n{PMIC_LINES}END\n",
    },
    "bpi-f3": chip(0, "cluster0_thermal", temp1_input=47000),
    "laptop-on-mains": {**PACKAGE, **battery("BAT0", "Charging", 40_000_000), **MAINS, **MOUSE, **CONTRACT},
    "laptop-full": {**PACKAGE, **battery("BAT0", "Full", 0), **MAINS},
    "laptop-on-battery": {**PACKAGE, **battery("BAT0", "Discharging", 12_300_000), **UNPLUGGED, **MOUSE},
    "server-with-bmc": {**SOCKETS, **chip(0, "power_meter", "ACPI000D:00", **METER_CHIP)},
    "server": SOCKETS,
    "container-with-masks": MASKS,
    "vm": {},
    "two-batteries": {
        **battery("BAT0", "Not charging", 0),
        **battery("BAT1", "Discharging", -8_000_000),
        **UNPLUGGED,
    },
    "epyc": chip(
        0,
        "amd_energy",
        energy1_label="Esocket0",
        energy1_input=9_000_000,
        energy2_label="Ecore000",
        energy2_input=1_000_000,
        energy3_label="Esocket1",
        energy3_input=7_000_000,
    ),
    "grace": {
        **chip(0, "power_meter", "ACPI000D:00", power1_oem_info="Module Power Socket 0", power1_average=400_000_000),
        **chip(1, "power_meter", "ACPI000D:01", power1_oem_info="Grace Power Socket 0", power1_average=250_000_000),
        **chip(2, "power_meter", "ACPI000D:02", power1_oem_info="CPU Power Socket 0", power1_average=200_000_000),
    },
    "two-ina226": {
        **chip(1, "ina226", "i2c-1/1-0040", power1_input=3_000_000),
        **chip(2, "ina226", "i2c-1/1-0041", power1_input=9_000_000),
    },
    "graphics-card-alone": chip(2, "amdgpu", "0000:03:00.0", power1_average=31_000_000),
    "one-rail-of-an-ina3221": {
        **ina3221(0, "i2c-1/1-0040", VIN=5000, NC=0),
        # as the driver has it: the shunts' own volts, their sum, and the sum of the currents
        **chip(0, "ina3221", in4_input=10, in5_input=0, in6_input=0, in7_label="sum of shunt voltages", in7_input=10),
        f"{HWMON}/hwmon0/curr4_input": "1000\n",
    },
    "battery-without-power": {
        **supply("BAT0", type="Battery", status="Discharging", voltage_now=11_400_000, current_now=-800_000),
        **UNPLUGGED,
    },
    "board-by-usb": supply("axp20x-usb", type="USB", online=1, voltage_now=5_000_000, current_now=900_000),
    "apple-silicon": chip(1, "macsmc_hwmon", power1_label="Total System Power", power1_input=7_500_000),
}
