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

from hwprof._version import __version__
from hwprof.errors import UsageError

ROOT = Path("/")
# Extensions that decide which kernels a framework takes.
X86_EXTENSIONS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
)
ARM_EXTENSIONS = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme")
SYSCTLS = {
    "perf_event_paranoid": "kernel/perf_event_paranoid",
    "nmi_watchdog": "kernel/nmi_watchdog",
    "perf_user_access": "kernel/perf_user_access",
    "randomize_va_space": "kernel/randomize_va_space",
    "swappiness": "vm/swappiness",
}


def read(path: Path) -> str | None:
    """A file's text without the white space around it; None where it can't be read."""
    try:
        return path.read_text(errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def cpu_blocks(root: Path = ROOT) -> list[dict[str, str]]:
    """/proc/cpuinfo, one mapping per processor (and what stands before or after them, as a block of its own)."""
    text = read(root / "proc/cpuinfo") or ""
    blocks = []
    for part in re.split(r"\n\s*\n", text):
        block = dict(re.findall(r"^([^:\n]+?)\s*: ?(.*)$", part, re.MULTILINE))
        if block:
            blocks.append({key.strip(): value.strip() for key, value in block.items()})
    return blocks


def hardware(root: Path = ROOT, architecture: str | None = None) -> dict[str, Any]:
    """What doesn't change while the machine is the same: no clock, no serial number, no name of the host."""
    blocks = cpu_blocks(root)
    processors = [b for b in blocks if "processor" in b]
    facts: dict[str, Any] = {
        "architecture": architecture or platform.machine(),
        "model": model_name(blocks, root),
        "ids": sorted({identity(b) for b in processors} - {""}),
        "board": board(root),
        "cpus": len(processors) or len(online(root)),
        "cores": cores(root),
        "caches": caches(root),
        "extensions": extensions(processors),
        "memory_gib": memory_gib(root),
        "numa_nodes": len(list((root / "sys/devices/system/node").glob("node[0-9]*"))) or None,
    }
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def machine_id(facts: Mapping[str, Any]) -> str:
    """Short hash of the hardware facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def label(facts: Mapping[str, Any]) -> str:
    """For people: model, CPUs, board."""
    parts = [str(facts.get("model") or facts.get("architecture", "unknown CPU")), f"{facts.get('cpus', '?')} CPUs"]
    if facts.get("board"):
        parts.append(str(facts["board"]))
    return ", ".join(parts)


def identity(block: Mapping[str, str]) -> str:
    """Vendor ids of one processor: family-model-stepping, MIDR's parts, or mvendorid-marchid-mimpid."""
    if "mvendorid" in block:
        return "-".join(block.get(key, "?") for key in ("mvendorid", "marchid", "mimpid"))
    if "CPU implementer" in block:
        keys = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
        return "-".join(block.get(key, "?") for key in keys)
    if "cpu family" in block:
        return "-".join(block.get(key, "?") for key in ("vendor_id", "cpu family", "model", "stepping"))
    return ""


def model_name(blocks: Sequence[Mapping[str, str]], root: Path) -> str | None:
    """Name of the CPU: from /proc/cpuinfo, else from the table that its ids match."""
    for block in blocks:
        for key in ("model name", "uarch", "Model"):
            if key in block:
                return block[key]
    from hwprof.collectors.perf.catalog import Catalog

    table = Catalog(root).table
    return table.name if table else None


def board(root: Path) -> str | None:
    """The board: device tree, else DMI."""
    tree = read(root / "proc/device-tree/model") or read(root / "sys/firmware/devicetree/base/model")
    if tree:
        return tree
    vendor, product = (read(root / f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    return " ".join(filter(None, (vendor, product))) or None


def cores(root: Path) -> dict[str, int]:
    """Sockets, physical cores and threads per core from the topology, where it is told."""
    seen = set()
    for cpu in online(root):
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
        "threads_per_core": max(1, len(online(root)) // len(seen)),
    }


def caches(root: Path) -> list[dict[str, Any]]:
    """Caches of the first CPU of each kind: level, type, KiB, how many CPUs share it."""
    found = []
    for index in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        size = read(index / "size") or ""
        if not size.endswith(("K", "M")):
            continue
        kib = int(size[:-1]) * (1024 if size.endswith("M") else 1)
        shared = read(index / "shared_cpu_list")
        found.append(
            {
                "level": int(read(index / "level") or 0),
                "type": read(index / "type"),
                "kib": kib,
                "shared_by": len(parse_cpus(shared)) if shared else None,
            }
        )
    return found


def extensions(processors: Sequence[Mapping[str, str]]) -> list[str]:
    """Instruction sets that matter for inference; on RISC-V the isa string."""
    if not processors:
        return []
    first = processors[0]
    if "isa" in first:
        return sorted({p["isa"] for p in processors if "isa" in p})
    flags = set(first.get("flags", first.get("Features", "")).split())
    return [name for name in (*X86_EXTENSIONS, *ARM_EXTENSIONS) if name in flags]


def memory_gib(root: Path) -> float | None:
    """Memory, rounded to a quarter GiB (the kernel's own share differs from boot to boot)."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", read(root / "proc/meminfo") or "", re.MULTILINE)
    return round(int(found[1]) / 2**20 * 4) / 4 if found else None


def online(root: Path = ROOT) -> tuple[int, ...]:
    """CPUs that are on."""
    text = read(root / "sys/devices/system/cpu/online")
    return parse_cpus(text) if text else ()


def host_state(root: Path = ROOT) -> dict[str, Any]:
    """How the machine is set now: kernel, clock policy, virtualisation, sysctls, sensors. No load, no clock."""
    cpu = root / "sys/devices/system/cpu"
    state: dict[str, Any] = {
        "kernel": read(root / "proc/sys/kernel/osrelease"),
        "virtualisation": virtualisation(root),
        "governors": _each(cpu.glob("cpufreq/policy*/scaling_governor")),
        "min_khz": _each(cpu.glob("cpufreq/policy*/scaling_min_freq")),
        "max_khz": _each(cpu.glob("cpufreq/policy*/scaling_max_freq")),
        "boost": read(cpu / "cpufreq/boost"),
        "no_turbo": read(cpu / "intel_pstate/no_turbo"),
        "smt": read(cpu / "smt/control"),
        "isolated": read(cpu / "isolated"),
        "clocksource": read(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "transparent_hugepage": read(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        "cgroup_cpu_max": read(root / "sys/fs/cgroup/cpu.max"),
        "sensors": sorted(filter(None, (read(p) for p in (root / "sys/class/hwmon").glob("hwmon*/name")))),
        "thermal_zones": sorted(filter(None, (read(p) for p in (root / "sys/class/thermal").glob("*/type")))),
        **{name: read(root / "proc/sys" / path) for name, path in SYSCTLS.items()},
    }
    return {key: value for key, value in state.items() if value not in (None, "", [], {})}


def _each(paths: Any) -> list[str]:
    return sorted({text for text in (read(p) for p in paths) if text})


def virtualisation(root: Path = ROOT) -> str | None:
    """Hypervisor or emulator as far as files tell; None: none seen."""
    vendor = f"{read(root / 'sys/class/dmi/id/sys_vendor')} {read(root / 'sys/class/dmi/id/product_name')}"
    known = {"QEMU": "qemu", "KVM": "kvm", "VMware": "vmware", "innotek": "virtualbox", "Microsoft": "hyper-v"}
    known |= {"Xen": "xen", "Amazon EC2": "amazon"}
    for word, name in known.items():
        if word in vendor:
            return name
    tree = read(root / "proc/device-tree/compatible") or read(root / "sys/firmware/devicetree/base/compatible") or ""
    if "dummy-virt" in tree or "riscv-virtio" in tree:
        return "qemu"
    if any("hypervisor" in b.get("flags", "").split() for b in cpu_blocks(root)[:1]):
        return "hypervisor"
    return None


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


def parse_cpus(text: str) -> tuple[int, ...]:
    """`0,2-3` -> (0, 2, 3). Raises UsageError."""
    cpus: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise UsageError(f"cpus '{text}'", "as in --cpus 2 or --cpus 0,2-3")
        cpus |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(cpus))


def allowed_cpus() -> tuple[int, ...]:
    """Cores this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))


def check_cpus(cpus: Sequence[int], allowed: Sequence[int] | None = None) -> None:
    """Raise UsageError for a core that doesn't exist or isn't ours."""
    ours = allowed_cpus() if allowed is None else allowed
    wrong = [cpu for cpu in cpus if cpu not in ours]
    if wrong:
        raise UsageError(f"core {wrong[0]} doesn't exist or isn't allowed here", f"cores: {','.join(map(str, ours))}")


def default_cpus(threads: int, root: Path = ROOT, allowed: Sequence[int] | None = None) -> tuple[int, ...]:
    """Cores for a case: one per thread, no SMT siblings while there are cores, the fastest kind first, the highest
    numbers (interrupts prefer the low ones), and one left over for the sampler where there is one to spare.
    """
    ours = list(allowed_cpus() if allowed is None else allowed)
    if threads >= len(ours):
        return tuple(ours)
    groups: dict[str, list[int]] = {}
    for cpu in ours:
        siblings = read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        groups.setdefault(siblings, []).append(cpu)
    firsts = {members[0] for members in groups.values()}

    def order(cpu: int) -> tuple[bool, int, int]:
        base = root / f"sys/devices/system/cpu/cpu{cpu}"
        speed = read(base / "cpu_capacity") or read(base / "cpufreq/cpuinfo_max_freq") or "0"
        return cpu not in firsts, -int(speed), -cpu

    return tuple(sorted(sorted(ours, key=order)[:threads]))
