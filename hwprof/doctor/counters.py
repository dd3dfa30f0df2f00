"""What doctor says of the CPU and its counters: what was read from the machine goes in, findings come out."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwprof.collectors.perf.abi import SETCAP, Rights, in_user_namespace
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.kinds import CoreKind
from hwprof.collectors.perf.names import SOFTWARE
from hwprof.collectors.perf.opening import NO_EXCLUSION
from hwprof.collectors.perf.skeleton import file_name, pattern
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.machine import cpus as machine_cpus
from hwprof.machine import facts, limits
from hwprof.machine import kinds as machine_kinds
from hwprof.machine.cpus import cpu_ranges

OK, LIMITED, MISSING = "ok", "limited", "missing"
MOST_CLUSTERS = 8  # of which a line can tell
States = Mapping[str, Available | Unavailable]
PARANOID = "kernel.perf_event_paranoid"
# How each engine lets a container count.
LET_COUNT = {
    "docker": "docker run --cap-add PERFMON (older engines: --security-opt seccomp=unconfined too)",
    "podman": "podman run --cap-add PERFMON --security-opt seccomp=unconfined",
    "kubernetes": "securityContext: capabilities: add: [PERFMON], and a seccompProfile that allows perf_event_open",
    "lxc": "lxc.seccomp.profile without perf_event_open",
    "systemd-nspawn": "systemd-nspawn --system-call-filter=perf_event_open --capability=CAP_PERFMON",
}


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
    simulators: Mapping[str, Available | Unavailable]  # by the name that --simulate takes
    compiler: Available | Unavailable
    frameworks: Mapping[str, tuple[str | None, str]]  # name -> (version, how to install)
    opening: int = 0  # errno of opening the least event there is; 0: it opens
    counters: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # PMU -> (free now, those it has)


def host_command(found: Probe, command: str) -> str:
    """A command that root gives, and where."""
    return f"on the container's host: {command}" if found.host.get("container") else f"sudo {command}"


def cpu(found: Probe) -> Iterator[Finding]:
    """The machine, and for each kind of core its table and counters."""
    catalog = Catalog(found.root)
    yield Finding("CPU", "machine", OK, f"{facts.description(found.hardware)} [{facts.machine_id(found.hardware)}]")
    for kind in catalog.kinds:
        if kind.refused:
            continue
        yield from (_table(found, catalog, each) for each in catalog.sharers or (kind,))
        if kind.table is None or kind.pmu is None:
            continue
        yield from _counters(found, kind, f" of {kind.name}" if catalog.hybrid else "")
        for quirk in kind.table.quirks:
            yield Finding("CPU", "quirk", OK, quirk)
    if catalog.hybrid:
        yield _kinds(found, catalog)
    if catalog.sharers:
        yield _sharers(found, catalog)
    if not catalog.hybrid:
        yield from _clusters(found)
    yield from _door(found)


def _sharers(found: Probe, catalog: Catalog) -> Finding:
    kinds = machine_kinds.read_kinds(found.root)
    said = ", ".join(f"{kind.model} on {cpu_ranges(kind.cpus)}" for kind in kinds)
    now = catalog.kinds[0]
    here = f"this process may use {now.title} alone" if len(now.ids) == 1 else "this process may use all of them"
    name = kinds[0].model.lower().split()[-1]
    return Finding(
        "CPU",
        "kinds of core",
        OK if len(now.ids) == 1 else LIMITED,
        f"{said}: one PMU for all, whose codes differ by kind; {here}",
        f"canonical names need cores of one kind: --cpus kind={name}, or big, little",
    )


def _clusters(found: Probe) -> Iterator[Finding]:
    clusters = machine_kinds.read_clusters(found.root)
    if 1 < len(clusters) <= MOST_CLUSTERS:
        said = ", ".join(f"{name}: {cpu_ranges(cpus)}" for name, cpus in clusters.items())
        yield Finding("CPU", "clusters", OK, f"{said}: keep a run in one of them with --cpus cluster0")


def _door(found: Probe) -> Iterator[Finding]:
    closed = machine_kinds.behind_door(found.root)
    if not closed:
        return
    ours = set(limits.allowed_cores(found.root))
    said = f"cores {cpu_ranges(closed)} are behind /{machine_kinds.DOOR}: a thread gets them only after it asked there"
    if ours & set(closed):
        yield Finding("CPU", "door", OK, f"{said}; this process did")
    else:
        yield Finding("CPU", "door", LIMITED, said, machine_kinds.through_door(closed, found.root))


def _kinds(found: Probe, catalog: Catalog) -> Finding:
    twice = next((kind.refused for kind in catalog.kinds if kind.refused), None)
    if twice:
        return Finding("CPU", "kinds of core", MISSING, f"{twice.reason}; no event of theirs is counted", twice.remedy)
    said = ", ".join(f"{k.name} on {cpu_ranges(k.cpus) or 'CPUs that sysfs does not list'}" for k in catalog.kinds)
    one = max(catalog.kinds, key=lambda kind: max((machine_cpus.speed(found.root, c) for c in kind.cpus), default=0))
    return Finding(
        "CPU",
        "kinds of core",
        LIMITED,
        f"{said}: an event is counted on each kind (cycles@{one.name}) and summed; frameworks mix the kinds",
        f"compare like with like: --cpus {cpu_ranges(one.cpus)} for one kind alone" if one.cpus else "",
    )


def _table(found: Probe, catalog: Catalog, kind: CoreKind) -> Finding:
    if kind.table and not kind.table.events and kind.table.verified == "documents":
        said = f"{kind.table.name}: its maker has published no events; generic names only"
        return Finding("CPU", "event table", LIMITED, said, "hwprof events --validate checks what the kernel maps")
    if kind.table:
        whose = f"{kind.name}: " if catalog.hybrid else ""
        by = "from documents, not yet checked on a machine" if kind.table.verified == "documents" else "checked on "
        by += "" if kind.table.verified == "documents" else kind.table.verified
        said = f"{whose}{kind.table.name} ({by}): canonical names such as l1d-misses can be used"
        return Finding("CPU", "event table", OK, said)
    ids = ", ".join(kind.ids)
    if not ids:
        said = "/proc/cpuinfo gives no vendor ids: generic names only"
        return Finding("CPU", "event table", LIMITED, said, "a newer kernel (RISC-V: 6.1 and later print them)")
    name = file_name(kind, machine_name(found, catalog))
    return Finding(
        "CPU",
        "event table",
        LIMITED,
        f"none for {ids}: generic names only",
        f"hwprof doctor --table > hwprof/configs/cpus/{name} prints one to fill in from the manual, with "
        f'[match] ids = ["{pattern(kind, catalog)}"]; or keep it in a folder of your own, named by HWPROF_CPUS '
        "(docs/adding-a-cpu.md)",
    )


def machine_name(found: Probe, catalog: Catalog) -> str:
    """The model of the CPU where all cores are alike and /proc names it."""
    return "" if catalog.hybrid else str(found.hardware.get("model", ""))


def _counters(found: Probe, kind: CoreKind, whose: str) -> Iterator[Finding]:
    assert kind.table is not None
    count = kind.table.counters
    if not count:
        return
    watched = str(found.host.get("nmi_watchdog", "0")) == "1"
    several = "more events than that are counted in several passes"
    if kind.name not in found.counters:
        taken = ", one of them taken by the NMI watchdog" if watched else ""
        yield Finding("CPU", f"counters{whose}", OK, f"{count} programmable{taken}; {several}")
        return
    free, tried = found.counters[kind.name]
    if free >= tried:
        yield Finding("CPU", f"counters{whose}", OK, f"{free} of {count} programmable ones are free; {several}")
        return
    users = "the NMI watchdog has one" if watched else "other programs have the rest"
    if watched and tried - free > 1:
        users += ", other programs the others"
    remedy = "stop other profilers (perf, a monitoring agent, a BPF program); a hypervisor may keep some for itself"
    remedy = f"{host_command(found, 'sysctl kernel.nmi_watchdog=0')}; {remedy}" if watched else remedy
    yield Finding("CPU", f"counters{whose}", LIMITED, f"{free} of {tried} are free: {users}; {several}", remedy)


def counters(found: Probe) -> Iterator[Finding]:
    """What can be counted, what can't and why, and whose permission that needs."""
    # Of an event on several kinds of core: the sum where there is one, else the kind that lacks it.
    sums = {name.partition("@")[0] for name in found.events if "@" in name}
    there = {n: s for n, s in found.events.items() if isinstance(s, Available) and "@" not in n}
    claims = [kind.refused.reason for kind in Catalog(found.root).kinds if kind.refused]  # shown with the kinds of core
    absent = {
        n: s
        for n, s in found.events.items()
        if isinstance(s, Unavailable) and n not in sums and not s.reason.endswith(tuple(claims))
    }
    kernel = [name for name in there if name in SOFTWARE]
    hardware = [name for name in there if name not in kernel]
    if hardware:
        yield Finding("counters", "hardware events", OK if not absent else LIMITED, f"{len(hardware)} can be counted")
    elif not Catalog(found.root).core_pmus:
        yield _no_pmu(found)
        absent = {name: state for name, state in absent.items() if name in SOFTWARE}
    for state in dict.fromkeys(absent.values()):
        names = [name for name, s in absent.items() if s == state]
        what = "dead end" if state == NO_EXCLUSION else "not available"
        way = _way_out(found, state)
        yield Finding("counters", what, MISSING, f"{', '.join(names)}: {_plainly(state)}", way)
    for pmu in Catalog(found.root).pmus.values():
        if pmu.test_equipment:
            said = f"{pmu.name} answers {', '.join(pmu.events)}: its counts are made up, and marked as such"
            yield Finding("counters", "test equipment", LIMITED, said, "unload its module to measure this machine")
    if kernel:
        yield Finding("counters", "kernel events", OK, f"{len(kernel)} can be counted: {', '.join(kernel)}")
    user = [name for name in hardware if "user only" in there[name].meaning]
    if user:
        yield Finding(
            "counters",
            "user code only",
            LIMITED,
            f"{', '.join(user)}: what the kernel does for the process is not in the counts",
            host_command(found, f"sysctl {PARANOID}=1"),
        )
    yield from _permission(found)
    if str(found.host.get("nmi_watchdog", "0")) == "1":
        remedy = host_command(found, "sysctl kernel.nmi_watchdog=0")
        yield Finding("counters", "NMI watchdog", LIMITED, "occupies one hardware counter", remedy)
    access = found.host.get("perf_user_access")
    if access is not None:
        said = f"is {access}: for reading counters without a system call, which hwprof does not need"
        yield Finding("counters", "kernel.perf_user_access", OK, said)


def _plainly(state: Unavailable) -> str:
    if state == NO_EXCLUSION:
        return (
            "a dead end for this user. The PMU counts user and kernel together or not at all (RISC-V without "
            "Sscofpmf), and this user may not count the kernel: no hardware event can be had, and :u does not help"
        )
    return state.reason


def _way_out(found: Probe, state: Unavailable) -> str:
    if state == NO_EXCLUSION:
        return f"{host_command(found, f'sysctl {PARANOID}=1')}, or run as root, or with CAP_PERFMON; nothing less helps"
    if found.opening in (errno.EPERM, errno.ENOSYS):
        return "see perf_event_open below"
    if state.reason.startswith(PARANOID):
        return f"see {PARANOID} below"
    return state.remedy


def _no_pmu(found: Probe) -> Finding:
    works = "still there: time, FPS, CPU time, page faults, context switches, memory; cycles, IPC and misses are not"
    simulate = "or simulate: hwprof run --simulate"
    callgrind = found.simulators["callgrind"]
    if not isinstance(callgrind, Available):
        simulate += f" ({callgrind.remedy})"
    virtual = found.host.get("virtualisation")
    if virtual:
        said = f"no hardware counters in this VM ({virtual}); {works}"
        way = f"give the guest a vPMU (QEMU: -cpu host,pmu=on); in a cloud: a bare-metal instance; {simulate}"
    else:
        said = f"the kernel shows no PMU (no node for it in the device tree, or no driver); {works}"
        way = f"the board vendor's kernel, or a device tree with a PMU node; {simulate}"
    return Finding("counters", "hardware events", MISSING, said, way)


def _permission(found: Probe) -> Iterator[Finding]:
    level, code = found.rights.paranoid, found.opening
    if code == errno.EPERM:
        yield _forbidden(found)
    elif code == errno.ENOSYS:
        said = "does not exist (ENOSYS): a kernel without CONFIG_PERF_EVENTS, or a sandbox such as gVisor in its place"
        way = "a kernel with CONFIG_PERF_EVENTS; in gVisor: another runtime (docker run --runtime=runc)"
        yield Finding("counters", "perf_event_open", MISSING, said, way)
    if level is None:
        yield Finding("counters", PARANOID, MISSING, "does not exist: this kernel has no perf events", "another kernel")
        return
    can = any(isinstance(state, Available) for state in found.events.values())
    if code in (errno.EPERM, errno.ENOSYS):
        said = f"is {level}, and is not what stops it: the call is refused before it is looked at"
        yield Finding("counters", PARANOID, OK if level <= 1 else LIMITED, said)
    elif found.rights.kernel and code == errno.EACCES:
        said = f"is {level} and does not bind this process, and yet it is refused (EACCES): by a security module"
        way = "SELinux: allow the domain the class perf_event; lockdown: not in its confidentiality mode"
        yield Finding("counters", PARANOID, MISSING, said, way)
    elif found.rights.kernel and can:
        why = "root or CAP_PERFMON: it does not bind this process" if level > 1 else "user and kernel may be counted"
        yield Finding("counters", PARANOID, OK, f"is {level}; {why}")
    else:
        yield _paranoid(found, level)


def _paranoid(found: Probe, level: int) -> Finding:
    allowed = "nothing may be counted (EACCES)" if level > 2 else "only user code may be counted"
    if in_user_namespace(found.root):
        allowed += "; root of a user namespace (a rootless container) has no more rights than its user outside"
    lower = host_command(found, f"sysctl {PARANOID}=1")
    excludes = limits.can_exclude(found.root)
    if excludes is False:
        allowed += "; this PMU does not separate user code from the kernel (no Sscofpmf): 2 would allow nothing either"
    elif excludes is None and Catalog(found.root).core_pmus and level > 2:
        lower += " (2 is enough for user code alone)"
    # Debian's and Ubuntu's levels 3 and 4 are beyond CAP_PERFMON.
    other = f"or CAP_PERFMON: {SETCAP}" if level <= 2 else "or root"
    remedy = f"{lower}, {other}; for good: echo {PARANOID}=1 | sudo tee /etc/sysctl.d/99-perf.conf"
    return Finding("counters", PARANOID, MISSING if level > 2 else LIMITED, f"is {level}: {allowed}", remedy)


def _forbidden(found: Probe) -> Finding:
    engine = found.host.get("container")
    who = f"{engine}'s seccomp profile" if engine else "a seccomp filter or a security module"
    mark = " (Seccomp: 2 in /proc/self/status)" if limits.has_seccomp_filter(found.root) else ""
    said = f"is forbidden (EPERM) by {who}{mark}, whatever {PARANOID} says"
    ways = "start the container with --cap-add PERFMON --security-opt seccomp=unconfined"
    way = LET_COUNT.get(str(engine), ways if engine else "leave the sandbox, or let its profile allow perf_event_open")
    return Finding("counters", "perf_event_open", MISSING, said, f"{way}; a sysctl does not help")
