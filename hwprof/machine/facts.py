"""The machine: what it is (hardware), how it is set (host state), what runs on it (software); and which cores to use.

Readers take `root`, so that recorded machines serve the tests. A file that isn't there gives no entry; never a guess.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwprof import __version__
from hwprof.machine import ids as machine_ids
from hwprof.machine import virtual
from hwprof.machine.cpus import online_cpus, parse_cpus, speed
from hwprof.machine.files import ROOT, read
from hwprof.machine.limits import cpu_limit
from hwprof.printable import plural

# What firmware says where its maker said nothing
NO_NAME = frozenset({"", "to be filled by o.e.m.", "system manufacturer", "system product name", "default string"})
SYSCTLS = {
    "perf_event_paranoid": "kernel/perf_event_paranoid",
    "nmi_watchdog": "kernel/nmi_watchdog",
    "perf_user_access": "kernel/perf_user_access",
    "randomize_va_space": "kernel/randomize_va_space",
    "swappiness": "vm/swappiness",
}


def cpu_blocks(root: Path = ROOT) -> list[dict[str, str]]:
    """/proc/cpuinfo, one mapping per processor (and what stands before or after them, as a block of its own)."""
    return machine_ids.blocks(read(root / "proc/cpuinfo") or "")


def hardware(root: Path = ROOT, architecture: str | None = None) -> dict[str, Any]:
    """What doesn't change while the machine is the same: no clock, no serial number, no name of the host.

    `cpus` counts those that are on. Cores of several kinds are in `kinds`, the fastest first, with their CPUs.
    """
    blocks = cpu_blocks(root)
    processors = [b for b in blocks if b.get("processor", "").isdigit()]
    kinds = core_kinds(processors, root)
    facts: dict[str, Any] = {
        "architecture": architecture or _architecture(processors, root),
        "model": " + ".join(kind["model"] for kind in kinds) or next(filter(None, map(machine_ids.name, blocks)), None),
        "ids": sorted({machine_ids.identity(b) for b in processors} - {""}),
        "kinds": kinds if len(kinds) > 1 else [],
        "board": board(root),
        "cpus": len(processors) or len(online_cpus(root)),
        "cores": cores(root),
        "caches": caches(root),
        "extensions": list(dict.fromkeys(word for b in processors for word in machine_ids.extensions(b))),
        "memory_gib": memory_gib(root),
        "numa_nodes": len(list((root / "sys/devices/system/node").glob("node[0-9]*"))) or None,
    }
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def _architecture(processors: Sequence[Mapping[str, str]], root: Path) -> str:
    if root == ROOT:
        return platform.machine()
    first = processors[0] if processors else {}
    if "isa" in first:
        return "riscv64" if first["isa"].startswith("rv64") else "riscv32"
    return "x86_64" if "vendor_id" in first else "aarch64" if "CPU implementer" in first else "unknown"


def core_kinds(processors: Sequence[Mapping[str, str]], root: Path) -> list[dict[str, Any]]:
    """Kinds of core with model, ids and CPUs, the fastest first. Only the kernel's PMUs tell x86 hybrids apart."""
    small = read(root / "sys/devices/cpu_atom/cpus")
    atoms = set(parse_cpus(small)) if small else set()
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for block in processors:
        cpu, ids = int(block["processor"]), machine_ids.identity(block)
        model = machine_ids.name(block) or "unknown CPU"
        if atoms:
            model += " (E-core)" if cpu in atoms else " (P-core)"
        found.setdefault((ids, cpu in atoms), {"model": model, "ids": ids, "cpus": []})["cpus"].append(cpu)
    return sorted(found.values(), key=lambda kind: (-max(speed(root, cpu) for cpu in kind["cpus"]), kind["cpus"]))


def machine_id(facts: Mapping[str, Any]) -> str:
    """Short hash of the hardware facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def label(facts: Mapping[str, Any]) -> str:
    """What the machine is called: the label it was given, else its board, else the model of its CPU; "" if unknown."""
    names = (facts.get(key) for key in ("label", "board", "model"))
    return next((name.strip() for name in names if isinstance(name, str) and name.strip()), "")


def description(facts: Mapping[str, Any]) -> str:
    """For people: the label it was given, model (each kind of core where there are several), CPUs, sockets, board."""
    kinds = [f"{kind['model']} x{len(kind['cpus'])}" for kind in facts.get("kinds", ())]
    model = " + ".join(kinds) or str(facts.get("model") or facts.get("architecture", "unknown CPU"))
    sockets = facts.get("cores", {}).get("sockets", 1)
    several = f"{sockets} sockets" if sockets > 1 else ""
    parts = (facts.get("label"), model, plural(facts.get("cpus", "?"), "CPU"), several, facts.get("board"))
    return ", ".join(str(part).strip() for part in parts if part)


def board(root: Path) -> str | None:
    """The board: device tree, else DMI."""
    tree = read(root / "proc/device-tree/model") or read(root / "sys/firmware/devicetree/base/model")
    if tree:
        return tree
    dmi = [read(root / f"sys/class/dmi/id/{name}") or "" for name in ("sys_vendor", "product_name")]
    return " ".join(text for text in dmi if text.lower() not in NO_NAME) or None


def cores(root: Path) -> dict[str, int]:
    """Sockets, physical cores and threads per core from the topology, where it is told."""
    seen = set()
    for cpu in online_cpus(root):
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        package, core = read(topology / "physical_package_id"), read(topology / "core_id")
        if package is None or core is None:
            return {}
        cluster = read(topology / "cluster_id") or ""
        seen.add((package, cluster, core))
    if not seen:
        return {}
    return {
        "sockets": len({package for package, _, _ in seen}),
        "physical": len(seen),
        "threads_per_core": max(1, len(online_cpus(root)) // len(seen)),
    }


def caches(root: Path) -> list[dict[str, Any]]:
    """Caches by level, type and size: how many CPUs share one, and how many of them there are."""
    found: dict[tuple[int, str, int, int], set[str]] = {}
    for cpu in online_cpus(root):
        for index in (root / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index*"):
            size = read(index / "size") or ""
            if not re.fullmatch(r"\d+[KM]", size):
                continue
            kib = int(size[:-1]) * (1024 if size.endswith("M") else 1)
            shared = read(index / "shared_cpu_list") or str(cpu)
            key = (int(read(index / "level") or 0), read(index / "type") or "", kib, len(parse_cpus(shared)))
            found.setdefault(key, set()).add(shared)
    return [
        {"level": level, "type": kind, "kib": kib, "shared_by": sharers, "count": len(shared)}
        for (level, kind, kib, sharers), shared in sorted(found.items())
    ]


def memory_gib(root: Path) -> float | None:
    """Memory, rounded to a quarter GiB (the kernel's own share differs from boot to boot)."""
    total = _meminfo(root).get("MemTotal")
    return None if total is None else round(total / 2**20 * 4) / 4


def host_state(root: Path = ROOT) -> dict[str, Any]:
    """How the machine is set now: kernel, clock policy, virtualisation, sysctls, sensors. No load, no clock."""
    cpu = root / "sys/devices/system/cpu"
    sensors = root / "sys/class"
    state: dict[str, Any] = {
        "kernel": read(root / "proc/sys/kernel/osrelease"),
        "kernel_build": read(root / "proc/sys/kernel/version"),
        "microcode": next((b["microcode"] for b in cpu_blocks(root) if "microcode" in b), None),
        "virtualisation": virtual.virtual_machine(root),
        "container": virtual.container(root),
        "emulated": virtual.is_emulated(root),
        "emulator_counts": os.environ.get(virtual.BOARD_COUNTS) if root == ROOT else None,
        "cpufreq_drivers": _each(cpu.glob("cpufreq/policy*/scaling_driver")),
        "governors": _each(cpu.glob("cpufreq/policy*/scaling_governor")),
        "min_khz": _each(cpu.glob("cpufreq/policy*/scaling_min_freq")),
        "max_khz": _each(cpu.glob("cpufreq/policy*/scaling_max_freq")),
        "hardware_max_khz": _each(cpu.glob("cpufreq/policy*/cpuinfo_max_freq")),
        "boost": read(cpu / "cpufreq/boost"),
        "no_turbo": read(cpu / "intel_pstate/no_turbo"),
        "smt": read(cpu / "smt/control"),
        "isolated": read(cpu / "isolated"),
        "clocksource": read(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "transparent_hugepage": _chosen(read(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        "swap_mib": (_meminfo(root).get("SwapTotal", 0) // 1024) or None,
        "cgroup_cpu_max": cpu_limit(root),
        "sensors": _each(sensors.glob("hwmon/hwmon*/name")),
        "powercap": _each(sensors.glob("powercap/*/name")),
        "power_supplies": sorted(path.parent.name for path in sensors.glob("power_supply/*/type")),
        "thermal_zones": _each(sensors.glob("thermal/thermal_zone*/type")),
        "pmus": sorted(path.parent.name for path in root.glob("sys/bus/event_source/devices/*/type")),
        "mitigations": {path.name: read(path) for path in sorted(cpu.glob("vulnerabilities/*"))},
        **{name: read(root / "proc/sys" / path) for name, path in SYSCTLS.items()},
    }
    return {key: value for key, value in state.items() if value not in (None, "", [], {})}


def volatile(root: Path = ROOT) -> dict[str, Any]:
    """What is different a moment later, and so belongs to a run and not to the host's state.

    `load`: runnable tasks, mean of the last minute; `swap_used_mib`; `available_mib` of memory; `khz` per CPU.
    """
    memory = _meminfo(root)
    clocks = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    load = (read(root / "proc/loadavg") or "").split()
    moment: dict[str, Any] = {
        "load": float(load[0]) if load else None,
        "swap_used_mib": (memory["SwapTotal"] - memory["SwapFree"]) // 1024 if "SwapFree" in memory else None,
        "available_mib": memory["MemAvailable"] // 1024 if "MemAvailable" in memory else None,
        "khz": {path.parents[1].name: int(text) for path in sorted(clocks) if (text := read(path))},
    }
    return {key: value for key, value in moment.items() if value not in (None, {})}


def _meminfo(root: Path) -> dict[str, int]:
    return {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+)", read(root / "proc/meminfo") or "", re.MULTILINE)}


def _chosen(text: str | None) -> str | None:
    found = re.search(r"\[(\w+)\]", text or "")
    return found[1] if found else text


def _each(paths: Any) -> list[str]:
    return sorted({text for text in (read(p) for p in paths) if text})


def software(distributions: Sequence[str] = ()) -> dict[str, Any]:
    """Interpreter, C library, hwprof, and versions of the given distributions (None: not installed)."""
    versions: dict[str, str | None] = {}
    for name in distributions:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "hwprof": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "distributions": versions,
    }


def machine_facts() -> dict[str, Mapping[str, Any]]:
    """What is the same for every run of a session."""
    return {"hardware": hardware(), "host_state": host_state()}
