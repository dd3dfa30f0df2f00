"""What this machine can measure, and for each thing it can't: why, and the command that changes it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

from hwprof.collectors import power
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import read_rights
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.skeleton import skeleton
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.collectors.simulators import probe as simulators
from hwprof.doctor import counters as doctor_counters
from hwprof.doctor.counters import LIMITED, MISSING, OK, Finding, Probe
from hwprof.environments import interpreters
from hwprof.errors import NotAvailable
from hwprof.machine import compiler, facts, limits
from hwprof.machine import cpus as machine_cpus
from hwprof.machine.files import ROOT
from hwprof.plugins import adapter, framework_names
from hwprof.printable import plural

# What each simulator is good for.
SIMULATES = {
    "callgrind": "valgrind: --simulate counts instructions and misses of a model CPU",
    "riscv64": "QEMU: --simulate riscv64 counts the vector and other instructions of Debian's riscv64 build",
}


def probe(root: Path = ROOT) -> Probe:
    """Read the machine; events are probed by opening them, frameworks by importing them in a child."""
    collector = PerfCollector(root)
    environments = {name: adapter(name).environment for name in framework_names()}
    return Probe(
        root,
        facts.hardware(root),
        facts.host_state(root),
        facts.volatile(root),
        read_rights(root),
        collector.probe(["auto"]),
        power.probe(root),
        simulators(),
        c_compiler(),
        {name: (interpreters.version(name, e), e.install) for name, e in environments.items()},
        collector.permission(),
        collector.free_counters(),
    )


def c_compiler() -> Available | Unavailable:
    """The host's C compiler, or why there is none that runs."""
    try:
        found = compiler.find()
    except NotAvailable as error:
        return Unavailable(error.message, error.remedy)
    if found.fault:
        return Unavailable(f"{found.title} does not run: {found.fault}", compiler.REMEDY)
    return Available(found.title)


def table_skeletons(root: Path = ROOT) -> str:
    """A table to fill in for each kind of core that has none; else for each there is."""
    catalog = Catalog(root)
    model = "" if catalog.hybrid else str(facts.hardware(root).get("model", ""))
    kinds = [kind for kind in catalog.kinds if kind.table is None] or list(catalog.kinds)
    return "\n".join(skeleton(kind, catalog, model) for kind in kinds)


def examine(found: Probe) -> list[Finding]:
    """Every finding, in the order in which they matter."""
    return [
        *doctor_counters.cpu(found),
        *doctor_counters.counters(found),
        *_clock(found),
        *_sensors(found),
        *_system(found),
        *_tools(found),
    ]


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
        said = f"the process gets {plural(quota / period, 'CPU', form='g')} and is held back beyond that"
        yield Finding("system", "control group", LIMITED, said, "raise the limit (docker --cpus, systemd CPUQuota=)")
    memory = limits.memory_limit(found.root)
    if memory:
        said = f"memory is limited to {memory / 2**20:,.0f} MiB: beyond that the process is killed, or swaps"
        yield Finding("system", "memory limit", LIMITED, said, "raise it (docker --memory, systemd MemoryMax=)")
    ours, every = limits.allowed_cores(found.root), machine_cpus.online_cpus(found.root)
    if ours and every and len(ours) < len(every):
        said = f"this process may use {len(ours)} of {len(every)} cores: {','.join(map(str, ours))}"
        yield Finding("system", "cores allowed", LIMITED, said, "taskset, docker --cpuset-cpus or systemd AllowedCPUs=")
    if host.get("swap_mib"):
        used = found.moment.get("swap_used_mib", 0)
        said = f"is on, {used} of {host['swap_mib']} MiB used: a run that swaps measures the disk"
        yield Finding("system", "swap", LIMITED, said, "sudo swapoff -a")
    cpus, load = found.hardware.get("cpus", 1), found.moment.get("load")
    if load is not None and load > 0.5 * cpus:
        said = f"{load:g} on {plural(cpus, 'CPU')}: other programs are running and will be measured too"
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
    for name, simulator in found.simulators.items():
        what = f"simulation: {name}"
        if isinstance(simulator, Available):
            yield Finding("tools", what, OK, SIMULATES[name])
        else:
            yield Finding("tools", what, MISSING, simulator.reason, simulator.remedy)
    yield Finding("tools", "Python", OK, f"{platform.python_implementation()} {platform.python_version()}")
    if isinstance(found.compiler, Available):
        yield Finding("tools", "C compiler", OK, found.compiler.source)
    else:
        yield Finding("tools", "C compiler", MISSING, found.compiler.reason, found.compiler.remedy)
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
    simulators = {f.what.removeprefix("simulation: "): f for f in findings if f.what.startswith("simulation: ")}
    ready = [name for name, finding in simulators.items() if finding.status == OK]
    first = next(iter(simulators.values()))
    lines.append(f"simulate  {', '.join(ready) or f'{first.detail} ({first.remedy})'}")
    there = [f"{f.what} {f.detail}" for f in findings if f.area == "frameworks" and f.status == OK]
    lines.append(f"run       {', '.join(there)}    (all of it: hwprof doctor)")
    return lines
