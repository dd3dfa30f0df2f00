"""The hardware as the kernel describes it: what stays the same until somebody changes a part.

Nothing in it moves by itself (clock, load, temperature) and nothing in it names one specimen (serial number, MAC,
host name), so that its hash is the same for equal machines and for one machine over time. CPUs that are switched
off are not described: with cores offline, it is another machine to a benchmark.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwprof.machine import names, tree

# Product names that firmware vendors leave in place of one
PLACEHOLDERS = frozenset({"", "to be filled by o.e.m.", "system product name", "default string", "not specified", "none"})


def hardware(root: Path = Path("/")) -> dict[str, Any]:
    """Architecture, processors by kind, topology, caches (KiB), memory (GiB, to a quarter), ISA, board.

    Unknown values are None or empty. Raises nothing: a field that the kernel does not offer is left unknown.
    """
    info = tree.cpuinfo(root)
    cpus = tree.online(root)
    architecture = _architecture(root, info)
    kinds = _kinds(root, architecture, info, cpus)
    topology = _topology(root, cpus)
    return {
        "architecture": architecture,
        "model": kinds[0]["name"] if len(kinds) == 1 else " + ".join(kind["name"] for kind in kinds),
        "board": _board(root),
        "kinds": kinds,
        **topology,
        "caches": _caches(root, cpus),
        "memory_gib": _memory_gib(root),
        "numa_nodes": _numa_nodes(root),
        "isa": sorted({extension for kind in kinds for extension in kind["isa"]}),
    }


def machine_id(facts: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the canonical JSON form of `hardware()`."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def label(facts: Mapping[str, Any]) -> str:
    """For people: `SpacemiT X60 x8, Banana Pi BPI-F3`; kinds of core, number of cores, sockets, board."""
    kinds = facts.get("kinds") or []
    if len(kinds) == 1:
        text = f"{kinds[0]['name']} x{facts['cores']}"
    else:
        text = " + ".join(f"{kind['name']} x{kind['cores']}" for kind in kinds)
    if (facts.get("threads_per_core") or 1) > 1:
        text += f" ({facts['threads']} threads)"
    if (facts.get("sockets") or 1) > 1:
        text += f", {facts['sockets']} sockets"
    return f"{text}, {facts['board']}" if facts.get("board") else text


def _architecture(root: Path, info: Mapping[int, Mapping[str, str]]) -> str:
    told = tree.text(root, "proc/sys/kernel/arch")  # since Linux 6.1
    if told:
        return told
    if root == Path("/"):
        return os.uname().machine
    first = next(iter(info.values()), {})
    if "vendor_id" in first:
        return "x86_64"
    if "isa" in first:
        return "riscv64" if first["isa"].startswith("rv64") else "riscv32"
    return "aarch64" if "CPU implementer" in first else "unknown"


def _identify(entry: Mapping[str, str]) -> dict[str, Any]:
    """Ids, name and extensions of one processor from its block of cpuinfo."""
    if "vendor_id" in entry:
        vendor, family, model = entry["vendor_id"], entry.get("cpu family", ""), entry.get("model", "")
        stepping = entry.get("stepping", "")
        return {
            "id": "-".join((vendor, family, model, stepping)),
            "ids": {"vendor": vendor, "family": family, "model": model, "stepping": stepping},
            "name": names.tidy(entry.get("model name", vendor)),
            "isa": names.x86_isa(entry.get("flags", "")),
        }
    if "CPU implementer" in entry:
        implementer, variant, part, revision = (
            _int(entry.get(key, "0"))
            for key in ("CPU implementer", "CPU variant", "CPU part", "CPU revision")
        )
        midr = implementer << 24 | variant << 20 | 0xF << 16 | part << 4 | revision
        return {
            "id": f"{midr:#018x}",
            "ids": {
                "implementer": f"{implementer:#04x}",
                "variant": f"{variant:#x}",
                "part": f"{part:#05x}",
                "revision": str(revision),
            },
            "name": names.arm_core(implementer, part),
            "isa": names.arm_isa(entry.get("Features", "")),
        }
    vendor, arch, impl = (entry.get(key, "") for key in ("mvendorid", "marchid", "mimpid"))
    if "isa" in entry:
        return {
            "id": "-".join((vendor, arch, impl)),
            "ids": {"mvendorid": vendor, "marchid": arch, "mimpid": impl, "uarch": entry.get("uarch", "")},
            "name": names.riscv_core(vendor, arch, entry.get("uarch", "")),
            "isa": names.riscv_isa(entry["isa"], vendor, arch),
        }
    return {"id": "unknown", "ids": {}, "name": names.tidy(entry.get("model name", "unknown CPU")), "isa": []}


def _kinds(
    root: Path, architecture: str, info: Mapping[int, Mapping[str, str]], cpus: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Kinds of core, the fastest first. x86 hybrids share their ids: the kernel's PMUs tell them apart."""
    atoms = set(tree.cpu_list(root, "sys/devices/cpu_atom/cpus"))
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for cpu in cpus:
        entry = info.get(cpu) or next(iter(info.values()), {})
        kind = _identify(entry)
        if atoms:
            kind["name"] += " (E-core)" if cpu in atoms else " (P-core)"
        known = found.setdefault((kind["id"], cpu in atoms), kind | {"members": []})
        known["members"].append(cpu)
    kinds = sorted(found.values(), key=lambda kind: (-speed(root, kind["members"]), kind["members"]))
    for kind in kinds:
        members = kind.pop("members")
        kind["cpus"] = tree.format_cpu_list(members)
        kind["cores"] = len({siblings(root, cpu) for cpu in members})
    return kinds or [_identify({}) | {"cpus": "", "cores": 0}]


def speed(root: Path, cpus: list[int]) -> int:
    """A figure to rank kinds of core by: the scheduler's capacity, else the highest frequency; 0 where unknown."""
    capacities = [tree.number(root, f"{tree.CPU_ROOT}/cpu{cpu}/cpu_capacity") or 0 for cpu in cpus]
    if max(capacities, default=0) > 0:
        return max(capacities)
    return max((tree.number(root, f"{tree.CPU_ROOT}/cpu{c}/cpufreq/cpuinfo_max_freq") or 0 for c in cpus), default=0)


def siblings(root: Path, cpu: int) -> tuple[int, ...]:
    """Hardware threads of the core that `cpu` belongs to."""
    base = f"{tree.CPU_ROOT}/cpu{cpu}/topology"
    return (
        tree.cpu_list(root, f"{base}/core_cpus_list") or tree.cpu_list(root, f"{base}/thread_siblings_list") or (cpu,)
    )


def _topology(root: Path, cpus: tuple[int, ...]) -> dict[str, Any]:
    base = tree.CPU_ROOT
    cores = {siblings(root, cpu) for cpu in cpus}
    packages = {tree.number(root, f"{base}/cpu{cpu}/topology/physical_package_id") for cpu in cpus}
    # -1 and absent: a board whose devicetree says nothing about packages has one
    sockets = len({package for package in packages if package is not None and package >= 0}) or 1
    clusters = {
        (tree.number(root, f"{base}/cpu{cpu}/topology/physical_package_id"), cluster)
        for cpu in cpus
        if (cluster := tree.number(root, f"{base}/cpu{cpu}/topology/cluster_id")) is not None and 0 <= cluster < 65535
    }
    return {
        "threads": len(cpus),
        "cores": len(cores),
        "sockets": sockets,
        "clusters": len(clusters) or None,
        "threads_per_core": max((len(core) for core in cores), default=1),
    }


def _caches(root: Path, cpus: tuple[int, ...]) -> list[dict[str, Any]]:
    """One entry per level, type and size: how many there are and how many CPUs share one."""
    instances: dict[tuple[int, str, int, int | None, int], set[tuple[int, ...]]] = {}
    for cpu in cpus:
        base = f"{tree.CPU_ROOT}/cpu{cpu}/cache"
        for index in tree.names(root, base):
            level, size = tree.number(root, f"{base}/{index}/level"), tree.text(root, f"{base}/{index}/size")
            if level is None or not size:
                continue
            shared = tree.cpu_list(root, f"{base}/{index}/shared_cpu_list") or (cpu,)
            kind = tree.text(root, f"{base}/{index}/type") or ""
            line = tree.number(root, f"{base}/{index}/coherency_line_size")
            instances.setdefault((level, kind, _kib(size), line, len(shared)), set()).add(shared)
    return [
        {"level": level, "type": kind, "size_kib": kib, "line_bytes": line, "shared_by": shared, "instances": len(sets)}
        for (level, kind, kib, line, shared), sets in sorted(instances.items(), key=lambda item: str(item[0]))
    ]


def _kib(size: str) -> int:
    factor = {"K": 1, "M": 1024, "G": 1024 * 1024}.get(size[-1].upper())
    return int(size[:-1]) * factor if factor else int(size) // 1024


def _int(value: str) -> int:
    return int(value, 0)


def _memory_gib(root: Path) -> float | None:
    # MemTotal leaves out what firmware and kernel reserve, some MiB more or less from one kernel to the next
    total = tree.meminfo_kib(root).get("MemTotal")
    return None if total is None else round(total / 1024 / 1024 * 4) / 4


def _numa_nodes(root: Path) -> int:
    found = [n for n in tree.names(root, "sys/devices/system/node") if n.startswith("node") and n[4:].isdigit()]
    return len(found) or 1


def _board(root: Path) -> str | None:
    """The devicetree's model, else the firmware's product; None where neither says anything."""
    for path in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        model = tree.text(root, path)
        if model:
            return model.splitlines()[0]
    dmi = "sys/class/dmi/id"
    for vendor, product in (("sys_vendor", "product_name"), ("board_vendor", "board_name")):
        name = tree.text(root, f"{dmi}/{product}") or ""
        maker = tree.text(root, f"{dmi}/{vendor}") or ""
        if name.lower() not in PLACEHOLDERS:
            return name if maker.lower() in PLACEHOLDERS or name.startswith(maker) else f"{maker} {name}"
    return None
