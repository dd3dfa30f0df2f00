"""What this machine can measure, and for each thing it can't: why, and the command that changes it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof import machine
from hwprof.collectors import power
from hwprof.collectors.perf.abi import Rights, read_rights
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
    moment: Mapping[str, Any]
    rights: Rights
    events: States
    power: States
    simulator: Available | Unavailable
    compiler: str | None
    frameworks: Mapping[str, tuple[str | None, str]]  # name -> (version, how to install)


def probe(root: Path = ROOT) -> Probe:
    """Read the machine; events are probed by opening them, frameworks by importing them in a child."""
    from hwprof.collectors.perf import PerfCollector
    from hwprof.frameworks.interpreters import probe as imports
    from hwprof.plugins import adapter, framework_names

    environments = {name: adapter(name).environment for name in framework_names()}
    return Probe(
        root,
        machine.hardware(root),
        machine.host_state(root),
        machine.volatile(root),
        read_rights(root),
        PerfCollector(root).probe(["auto"]),
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
    yield Finding("CPU", "machine", OK, f"{machine.label(found.hardware)} [{machine.machine_id(found.hardware)}]")
    table = catalog.table
    if table is None:
        ids = ", ".join(catalog.ids) or "no ids in /proc/cpuinfo"
        yield Finding(
            "CPU",
            "event table",
            LIMITED,
            f"none for {ids}: generic names only",
            "add hwprof/configs/cpus/NAME.toml with these ids (docs/adding-a-collector.md)",
        )
        return
    said = f"{table.name} ({table.verified}): canonical names such as l1d-misses can be used"
    yield Finding("CPU", "event table", OK, said)
    if table.counters:
        watched = str(found.host.get("nmi_watchdog", "0")) == "1"
        free = f"{table.counters} programmable{', one of them taken by the NMI watchdog' if watched else ''}"
        yield Finding("CPU", "counters", OK, f"{free}; more events are counted in several passes")
    for quirk in table.quirks:
        yield Finding("CPU", "quirk", OK, quirk)


def _events(found: Probe) -> Iterator[Finding]:
    there = {name: state for name, state in found.events.items() if isinstance(state, Available)}
    absent = {name: state for name, state in found.events.items() if isinstance(state, Unavailable)}
    kernel = [name for name in there if _is_software(name)]
    hardware = [name for name in there if name not in kernel]
    if hardware:
        yield Finding("counters", "hardware events", OK if not absent else LIMITED, f"{len(hardware)} can be counted")
    elif not Catalog(found.root).core_pmus:
        yield _no_pmu(found)
        absent = {name: state for name, state in absent.items() if _is_software(name)}
    for reason, remedy in dict.fromkeys((s.reason, s.remedy) for s in absent.values()):
        names = [name for name, s in absent.items() if s.reason == reason]
        yield Finding("counters", "not available", MISSING, f"{', '.join(names)}: {reason}", remedy)
    if kernel:
        yield Finding("counters", "kernel events", OK, f"{len(kernel)} can be counted: {', '.join(kernel)}")
    user = [name for name in hardware if "user only" in there[name].meaning]
    if user:
        yield Finding(
            "counters",
            "user code only",
            LIMITED,
            f"{', '.join(user)}: what the kernel does for the process is not in the counts",
            _on_host(found, "sysctl kernel.perf_event_paranoid=1"),
        )
    yield from _permission(found)
    if str(found.host.get("nmi_watchdog", "0")) == "1":
        remedy = _on_host(found, "sysctl kernel.nmi_watchdog=0")
        yield Finding("counters", "NMI watchdog", LIMITED, "occupies one hardware counter", remedy)
    access = found.host.get("perf_user_access")
    if access is not None:
        said = f"is {access}: for reading counters without a system call, which hwprof does not need"
        yield Finding("counters", "kernel.perf_user_access", OK, said)


def _no_pmu(found: Probe) -> Finding:
    works = "still there: time, FPS, CPU time, page faults, context switches, memory; cycles, IPC and misses are not"
    simulate = "or simulate: hwprof run --simulate"
    if not isinstance(found.simulator, Available):
        simulate += f" ({found.simulator.remedy})"
    virtual = found.host.get("virtualisation")
    if virtual:
        return Finding(
            "counters",
            "hardware events",
            MISSING,
            f"no hardware counters in this VM ({virtual}); {works}",
            f"give the guest a vPMU (QEMU: -cpu host,pmu=on); in a cloud: a bare-metal instance; {simulate}",
        )
    return Finding(
        "counters",
        "hardware events",
        MISSING,
        f"the kernel shows no PMU (no node for it in the device tree, or no driver); {works}",
        f"the board vendor's kernel, or a device tree with a PMU node; {simulate}",
    )


def _permission(found: Probe) -> Iterator[Finding]:
    name, level = "kernel.perf_event_paranoid", found.rights.paranoid
    if level is None:
        yield Finding("counters", name, MISSING, "is not there: this kernel has no perf events", "another kernel")
    elif found.rights.kernel and any(isinstance(state, Available) for state in found.events.values()):
        why = "root or CAP_PERFMON: it does not bind this process" if level > 1 else "user and kernel may be counted"
        yield Finding("counters", name, OK, f"is {level}; {why}")
    else:
        allowed = "nothing may be counted" if level > 2 else "only user code may be counted"
        yield Finding(
            "counters",
            name,
            MISSING if level > 2 else LIMITED,
            f"is {level}: {allowed}; a PMU that can't tell user from kernel counts nothing then",
            _on_host(found, "sysctl kernel.perf_event_paranoid=1")
            + (", or CAP_PERFMON" if level <= 2 else ", or root")
            + "; for good: a line in /etc/sysctl.d/",
        )


def _on_host(found: Probe, command: str) -> str:
    return f"on the container's host: {command}" if found.host.get("container") else f"sudo {command}"


def _is_software(name: str) -> bool:
    from hwprof.collectors.perf.names import SOFTWARE

    return name in SOFTWARE


def _clock(found: Probe) -> Iterator[Finding]:
    host = found.host
    governors = host.get("governors")
    if not governors:
        yield Finding("clock", "cpufreq", LIMITED, "the kernel shows no clock here: drift can't be seen")
    elif governors != ["performance"]:
        said = f"{', '.join(governors)} lets the clock move"
        yield Finding("clock", "governor", LIMITED, said, "sudo cpupower frequency-set -g performance")
    else:
        yield Finding("clock", "governor", OK, "performance")
    if host.get("max_khz"):
        low, high = min(map(int, host["min_khz"])), max(map(int, host["max_khz"]))
        able = max(map(int, host.get("hardware_max_khz", host["max_khz"])))
        said = f"{low / 1e6:g} to {high / 1e6:g} GHz"
        if high < able:
            remedy = f"sudo cpupower frequency-set -u {able}kHz"
            yield Finding("clock", "limits", LIMITED, f"{said}, though the CPU can do {able / 1e6:g}", remedy)
        else:
            yield Finding("clock", "limits", OK, said)
    if host.get("boost") == "1" or host.get("no_turbo") == "0":
        yield Finding("clock", "boost", LIMITED, "the clock depends on heat and on the other cores", _boost_off(found))


def _boost_off(found: Probe) -> str:
    if "no_turbo" in found.host:
        return "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
    return "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"


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
    host = found.host
    if host.get("virtualisation"):
        said = f"{host['virtualisation']}: other guests share the caches and the clock"
        yield Finding("system", "virtual machine", LIMITED, said, "compare within one session, with more rounds (-r 6)")
    if host.get("container"):
        yield Finding("system", "container", OK, f"{host['container']}: sysctls and clocks are its host's")
    limit = host.get("cgroup_cpu_max")
    if limit:
        quota, period = (int(word) for word in limit.split())
        said = f"the process gets {quota / period:g} CPUs and is held back beyond that"
        yield Finding("system", "control group", LIMITED, said, "raise the limit (docker --cpus, systemd CPUQuota=)")
    if host.get("swap_mib"):
        used = found.moment.get("swap_used_mib", 0)
        said = f"is on, {used} of {host['swap_mib']} MiB used: a run that swaps measures the disk"
        yield Finding("system", "swap", LIMITED, said, "sudo swapoff -a")
    cpus, load = found.hardware.get("cpus", 1), found.moment.get("load")
    if load is not None and load > 0.5 * cpus:
        said = f"{load:g} on {cpus} CPUs: other programs are running and will be measured too"
        yield Finding("system", "load", LIMITED, said, "stop them, or wait")
    if str(host.get("randomize_va_space", "0")) != "0":
        said = "is on: counts differ a little between rounds"
        yield Finding("system", "ASLR", OK, said, "setarch -R COMMAND, to repeat them exactly")
    isolated = host.get("isolated")
    if isolated:
        yield Finding("system", "isolated cores", OK, f"{isolated}: use them with --cpus {isolated}")
    else:
        said = "none: other programs may run on the measured cores"
        yield Finding("system", "isolated cores", OK, said, "kernel parameter isolcpus=CORES, for the last per cent")


def _tools(found: Probe) -> Iterator[Finding]:
    if isinstance(found.simulator, Available):
        yield Finding("tools", "simulation", OK, "valgrind: --simulate counts instructions and misses of a model CPU")
    else:
        yield Finding("tools", "simulation", MISSING, found.simulator.reason, found.simulator.remedy)
    yield Finding("tools", "Python", OK, f"{platform.python_implementation()} {platform.python_version()}")
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
    lines += [f"counters  {f.what}: {f.detail.split(':')[0]}" for f in counters if f.status != MISSING]
    none = next((f for f in counters if f.status == MISSING), None)
    absent = next((f for f in findings if f.what == "not available"), None)
    if none:
        lines.append(f"          {none.detail.split(';')[0]}")
    elif absent and not any(f.what == "hardware events" for f in counters):
        lines.append(f"          no hardware events: {absent.detail.split(': ', 1)[1]}")
    sensors = [f for f in findings if f.area == "sensors" and f.status == OK]
    lines.append(f"sensors   {', '.join(f.what for f in sensors) or 'none for power or temperature'}")
    simulation = next(f for f in findings if f.what == "simulation")
    remedy = f" ({simulation.remedy})" if simulation.remedy else ""
    lines.append(f"simulate  {'callgrind' if simulation.status == OK else simulation.detail + remedy}")
    there = [f"{f.what} {f.detail}" for f in findings if f.area == "frameworks" and f.status == OK]
    lines.append(f"run       {', '.join(there)}    (all of it: hwprof doctor)")
    return lines
