"""What this machine can measure, and for each thing it can't: why, and the command that changes it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof import machine
from hwprof.collectors import files, power
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.collectors.wrappers import callgrind_available

ROOT = Path("/")
OK, LIMITED, MISSING = "ok", "limited", "missing"
States = Mapping[str, Available | Unavailable]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of advice. `status`: ok | limited | missing; `remedy` empty: nothing to do, or nothing can be done."""

    area: str
    what: str
    status: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What was read from the machine, so that its meaning can be worked out (and tested) apart from it."""

    root: Path
    hardware: Mapping[str, Any]
    host: Mapping[str, Any]
    events: States
    power: States
    simulator: Available | Unavailable
    compiler: str | None
    frameworks: Mapping[str, tuple[str | None, str]]  # name -> (version, how to install)


def probe(root: Path = ROOT) -> Probe:
    """Read the machine; events are probed by opening them."""
    from hwprof.collectors.perf import PerfCollector
    from hwprof.frameworks.interpreters import probe as imports
    from hwprof.plugins import adapter, framework_names

    environments = {name: adapter(name).environment for name in framework_names()}
    return Probe(
        root,
        machine.hardware(root),
        machine.host_state(root),
        PerfCollector().probe(["auto"]),
        power.probe(root),
        callgrind_available(),
        shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"),
        {name: (imports(e.module), e.install) for name, e in environments.items()},
    )


def examine(found: Probe) -> list[Finding]:
    """Every finding, in the order in which they matter."""
    return [*_cpu(found), *_events(found), *_clock(found), *_sensors(found), *_system(found), *_tools(found)]


def _cpu(found: Probe) -> Iterator[Finding]:
    catalog = Catalog(found.root)
    yield Finding("CPU", "machine", OK, machine.label(found.hardware))
    if catalog.table is not None:
        said = f"{catalog.table.name} ({catalog.table.verified})"
        yield Finding("CPU", "event table", OK, f"{said}: canonical names such as l1d-misses can be used")
    else:
        ids = ", ".join(catalog.ids) or "no ids in /proc/cpuinfo"
        yield Finding(
            "CPU",
            "event table",
            LIMITED,
            f"none for {ids}: generic names only",
            "add hwprof/configs/cpus/NAME.toml with these ids (docs/adding-a-collector.md)",
        )


def _events(found: Probe) -> Iterator[Finding]:
    there = [name for name, state in found.events.items() if isinstance(state, Available)]
    absent = {name: state for name, state in found.events.items() if isinstance(state, Unavailable)}
    kernel = [n for n in there if found.events[n].source and _is_software(n)]  # type: ignore[union-attr]
    hardware = [n for n in there if n not in kernel]
    if hardware:
        yield Finding("counters", "hardware events", OK if not absent else LIMITED, f"{len(hardware)} can be counted")
    for reason, remedy in dict.fromkeys((s.reason, s.remedy) for s in absent.values()):
        names = [name for name, s in absent.items() if s.reason == reason]
        yield Finding("counters", "not available", MISSING, f"{', '.join(names)}: {reason}", remedy)
    if kernel:
        yield Finding("counters", "kernel events", OK, f"{len(kernel)} can be counted: {', '.join(kernel)}")
    paranoid = str(found.host.get("perf_event_paranoid", ""))
    if paranoid.lstrip("-").isdigit() and int(paranoid) > 1:
        counted = "nothing" if int(paranoid) > 2 else "only user space"
        yield Finding(
            "counters",
            "kernel.perf_event_paranoid",
            LIMITED,
            f"is {paranoid}: without CAP_PERFMON {counted} is counted",
            "sysctl kernel.perf_event_paranoid=1",
        )
    if str(found.host.get("nmi_watchdog", "0")) == "1":
        yield Finding(
            "counters", "NMI watchdog", LIMITED, "occupies one hardware counter", "sysctl kernel.nmi_watchdog=0"
        )


def _is_software(name: str) -> bool:
    from hwprof.collectors.perf.names import SOFTWARE

    return name in SOFTWARE


def _clock(found: Probe) -> Iterator[Finding]:
    governors = found.host.get("governors")
    if not governors:
        yield Finding("clock", "cpufreq", LIMITED, "the kernel shows no clock here: drift can't be seen")
    elif governors != ["performance"]:
        yield Finding(
            "clock",
            "governor",
            LIMITED,
            f"{', '.join(governors)} lets the clock move",
            "cpupower frequency-set -g performance",
        )
    else:
        yield Finding("clock", "governor", OK, "performance")
    if found.host.get("boost") == "1" or found.host.get("no_turbo") == "0":
        yield Finding("clock", "boost", LIMITED, "the clock depends on heat and on the other cores", _boost_off(found))


def _boost_off(found: Probe) -> str:
    if "no_turbo" in found.host:
        return "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
    return "echo 0 > /sys/devices/system/cpu/cpufreq/boost"


def _sensors(found: Probe) -> Iterator[Finding]:
    for name, state in found.power.items():
        if isinstance(state, Available):
            yield Finding("sensors", name, OK, f"{state.source}: {state.meaning}")
        else:
            yield Finding("sensors", name, MISSING, state.reason, state.remedy)
    zones = found.host.get("thermal_zones")
    if zones:
        yield Finding("sensors", "temperature", OK, ", ".join(zones))
    else:
        yield Finding("sensors", "temperature", LIMITED, "no thermal zone: throttling can't be seen")


def _system(found: Probe) -> Iterator[Finding]:
    virtual = found.host.get("virtualisation")
    if virtual:
        yield Finding("system", "virtual machine", LIMITED, f"{virtual}: other guests share the caches and the clock")
    limit = str(found.host.get("cgroup_cpu_max", "max"))
    if not limit.startswith("max"):
        yield Finding("system", "container", LIMITED, f"cpu.max = {limit}: the process will be held back", "raise it")
    swaps = [line for line in (files.text(found.root / "proc/swaps") or "").splitlines()[1:] if line.strip()]
    if swaps:
        yield Finding("system", "swap", LIMITED, "is on: a run that swaps measures the disk", "swapoff -a")
    if str(found.host.get("randomize_va_space", "0")) != "0":
        yield Finding(
            "system", "ASLR", OK, "is on: counts differ a little between rounds", "setarch -R, to repeat them exactly"
        )
    isolated = found.host.get("isolated")
    if isolated:
        yield Finding("system", "isolated cores", OK, f"{isolated}: use them with --cpus {isolated}")


def _tools(found: Probe) -> Iterator[Finding]:
    if isinstance(found.simulator, Available):
        yield Finding("tools", "simulation", OK, "valgrind: --simulate counts instructions and misses of a model CPU")
    else:
        yield Finding("tools", "simulation", MISSING, found.simulator.reason, found.simulator.remedy)
    if found.compiler:
        yield Finding("tools", "C compiler", OK, found.compiler)
    else:
        yield Finding("tools", "C compiler", MISSING, "none found", "apt-get install gcc")
    for name, (version, install) in found.frameworks.items():
        if version:
            yield Finding("frameworks", name, OK, version)
        else:
            yield Finding("frameworks", name, MISSING, "not installed", install)


def summary(findings: list[Finding]) -> list[str]:
    """The few lines for ./run: what is measured here and what is not."""
    lines = [f"machine   {findings[0].detail}"]
    counters = [f for f in findings if f.area == "counters" and f.what in ("hardware events", "kernel events")]
    lines += [f"counters  {f.what}: {f.detail.split(':')[0]}" for f in counters]
    absent = next((f for f in findings if f.what == "not available"), None)
    if absent and not any(f.what == "hardware events" for f in counters):
        reason = absent.detail.split(": ", 1)[1]
        lines.append(f"          no hardware events: {reason}")
    sensors = [f for f in findings if f.area == "sensors" and f.status == OK]
    lines.append(f"sensors   {', '.join(f.what for f in sensors) or 'none for power or temperature'}")
    simulation = next(f for f in findings if f.what == "simulation")
    remedy = f" ({simulation.remedy})" if simulation.remedy else ""
    lines.append(f"simulate  {'callgrind' if simulation.status == OK else simulation.detail + remedy}")
    there = [f"{f.what} {f.detail}" for f in findings if f.area == "frameworks" and f.status == OK]
    lines.append(f"run       {', '.join(there)}    (all of it: hwprof doctor)")
    return lines
