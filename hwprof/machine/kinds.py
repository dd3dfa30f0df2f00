"""CPUs by kind: which cores are alike, which cluster each is in, which are behind a door, and `--cpus` by these names.

A kind has ids of its own in /proc/cpuinfo. A cluster is what sysfs calls one (topology/cluster_id), else what the
device tree's cpu-map says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof.errors import UsageError
from hwprof.machine.cpus import allowed_cpus, cpu_ranges, online_cpus, parse_cpus, speed
from hwprof.machine.facts import core_kinds, cpu_blocks
from hwprof.machine.files import ROOT, read
from hwprof.machine.limits import allowed_cores

CPUS = Path("sys/devices/system/cpu")
CPU_MAP = Path("proc/device-tree/cpus/cpu-map")
# A thread that writes its number (0: its own) into this file may run on the AI cores from then on, and on no others:
# drivers/soc/spacemit of the vendor's Linux 6.18 for the K3 (hmp_set_ai_thread).
DOOR = Path("proc/set_ai_thread")
BEHIND_DOOR = ("SpacemiT A100",)
THROUGH_DOOR = "sh -c 'echo $$ > /proc/set_ai_thread && exec \"$@\"' sh"
# Cores of one kind differ a little in the clock they are allowed; cores this much slower are little ones.
LITTLE = 0.85
NO_CLUSTER = ("-1", "65535")


@dataclass(frozen=True, slots=True)
class CpuKind:
    """Cores that are alike. `names`: what they are called, by model and as the kernel does; `speed`: to rank them."""

    model: str
    names: tuple[str, ...]
    cpus: tuple[int, ...]
    speed: int


def read_kinds(root: Path = ROOT) -> tuple[CpuKind, ...]:
    """The kinds of core that are on, the fastest first."""
    processors = {int(b["processor"]): b for b in cpu_blocks(root) if b.get("processor", "").isdigit()}
    found = []
    for kind in core_kinds(list(processors.values()), root):
        first = processors[kind["cpus"][0]]
        names = (kind["model"], *(first[key] for key in ("uarch", "model name") if key in first))
        cpus = tuple(kind["cpus"])
        found.append(CpuKind(kind["model"], names, cpus, max(speed(root, cpu) for cpu in cpus)))
    return tuple(found)


def read_clusters(root: Path = ROOT) -> Mapping[str, tuple[int, ...]]:
    """`cluster0`, `cluster1`, ... -> their CPUs that are on; empty where neither sysfs nor the device tree has any."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for cpu in online_cpus(root):
        topology = root / CPUS / f"cpu{cpu}/topology"
        cluster, package = read(topology / "cluster_id") or "", read(topology / "physical_package_id") or "0"
        if not cluster.isdigit() or cluster in NO_CLUSTER:
            groups = _cpu_map(root)
            break
        groups.setdefault((int(package) if package.isdigit() else 0, int(cluster)), []).append(cpu)
    return {f"cluster{number}": tuple(groups[key]) for number, key in enumerate(sorted(groups))}


def _cpu_map(root: Path) -> dict[tuple[int, ...], list[int]]:
    """Numbers of a cluster in the device tree (of its socket, of the clusters it is in) -> its CPUs that are on."""
    handles = {}
    for cpu in online_cpus(root):
        handle = _bytes(root / CPUS / f"cpu{cpu}/of_node/phandle")
        if handle:
            handles[handle] = cpu
    groups: dict[tuple[int, ...], list[int]] = {}
    for path in sorted((root / CPU_MAP).glob("**/cpu")):
        cpu_there = handles.get(_bytes(path))
        if cpu_there is not None:
            words = path.relative_to(root / CPU_MAP).parts
            place = tuple(int(found[1]) for word in words if (found := re.fullmatch(r"(?:socket|cluster)(\d+)", word)))
            groups.setdefault(place, []).append(cpu_there)
    return {place: sorted(cpus) for place, cpus in groups.items()}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def select_cpus(text: str, root: Path = ROOT) -> tuple[int, ...]:
    """CPUs by a list (`0,2-3`), by speed (`big`, `little`), by cluster (`cluster1`) or by core (`kind=a100`).

    By a name: those of the kind that this process may use. Raises UsageError where there is no such kind, or none of
    it may be used.
    """
    asked = text.strip().lower()
    if asked in ("big", "little"):
        return _usable(_by_speed(asked, root), asked, root)
    if re.fullmatch(r"cluster\d+", asked):
        clusters = read_clusters(root)
        if asked not in clusters:
            there = ", ".join(f"{name}: {cpu_ranges(cpus)}" for name, cpus in clusters.items())
            raise UsageError(f"there is no {asked} here", there or "this kernel tells no clusters: name the cores")
        return _usable(clusters[asked], asked, root)
    if asked.startswith("kind="):
        return _usable(_by_core(asked.removeprefix("kind="), root), asked, root)
    return parse_cpus(text)


def _by_speed(asked: str, root: Path) -> tuple[int, ...]:
    kinds = read_kinds(root)
    if len(kinds) > 1:
        if kinds[0].speed == kinds[-1].speed:
            raise UsageError(
                f"no core can be called {asked}: sysfs has no capacity and no clock that differs",
                _kinds_there(root),
            )
        return kinds[0].cpus if asked == "big" else kinds[-1].cpus
    speeds = {cpu: speed(root, cpu) for cpu in online_cpus(root)}
    little = tuple(cpu for cpu, its in speeds.items() if its < LITTLE * max(speeds.values()))
    if not little:
        raise UsageError(f"no core here is {asked}: all are alike", _kinds_there(root))
    return little if asked == "little" else tuple(cpu for cpu in speeds if cpu not in little)


def _by_core(name: str, root: Path) -> tuple[int, ...]:
    wanted = _words(name)
    found = [kind for kind in read_kinds(root) if wanted and any(_has(_words(n), wanted) for n in kind.names)]
    if not found:
        raise UsageError(f"no core here is of the kind '{name}'", _kinds_there(root))
    return tuple(sorted(cpu for kind in found for cpu in kind.cpus))


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", name.lower()))


def _has(words: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(tuple(words[i : i + len(wanted)]) == tuple(wanted) for i in range(len(words)))


def _kinds_there(root: Path) -> str:
    kinds = ", ".join(f"{kind.model}: {cpu_ranges(kind.cpus)}" for kind in read_kinds(root))
    clusters = ", ".join(f"{name}: {cpu_ranges(cpus)}" for name, cpus in read_clusters(root).items())
    return "; ".join(filter(None, (kinds, clusters))) or "name the cores, as in --cpus 0,2-3"


def usable_cpus(root: Path = ROOT) -> tuple[int, ...]:
    """CPUs that this process may use; of a recorded machine those of its /proc/self/status, else all that are on."""
    return allowed_cpus() if root == ROOT else allowed_cores(root) or online_cpus(root)


def _usable(cpus: Sequence[int], asked: str, root: Path) -> tuple[int, ...]:
    ours = usable_cpus(root)
    found = tuple(cpu for cpu in cpus if cpu in ours)
    if not found:
        remedy = through_door(cpus, root) or f"cores: {cpu_ranges(ours)}"
        raise UsageError(f"this process may not use {asked} (cores {cpu_ranges(cpus)})", remedy)
    return found


def behind_door(root: Path = ROOT) -> tuple[int, ...]:
    """CPUs that a thread may use only after it asked for them by `/proc/set_ai_thread`; empty without such a file."""
    if not (root / DOOR).exists():
        return ()
    return tuple(sorted(cpu for kind in read_kinds(root) if kind.model in BEHIND_DOOR for cpu in kind.cpus))


def through_door(cpus: Sequence[int], root: Path = ROOT) -> str:
    """How a command is started on these CPUs where they are behind a door; "" where they are not."""
    return f"start it through the door: {THROUGH_DOOR} hwprof ..." if set(cpus) & set(behind_door(root)) else ""


def cpu_facts(cpus: Sequence[int], asked: str = "", root: Path = ROOT) -> dict[str, Any]:
    """What a run says of its cores: `asked` where they were chosen by a name, the kinds they are of, their clusters.

    Empty where there is nothing to say: a list of cores of a machine whose cores are all alike, in one cluster.
    """
    kinds, clusters = read_kinds(root), read_clusters(root)
    named = asked and not re.fullmatch(r"[\d,\s-]+", asked)
    if not cpus or not (named or len(kinds) > 1 or len(clusters) > 1):
        return {}
    facts: dict[str, Any] = {"asked": asked.strip()} if named else {}
    used = set(cpus)
    facts["kinds"] = [kind.model for kind in kinds if used & set(kind.cpus)]
    facts["clusters"] = [name for name, members in clusters.items() if used & set(members)]
    return facts


def cpu_title(cpus: Sequence[int], facts: Mapping[str, Any]) -> str:
    """The cores of a run for people: `8-15`, `8-15 (kind=a100: SpacemiT A100, cluster2)`; `any` where none was set."""
    said = facts.get("cores")
    listed = ",".join(map(str, cpus)) or "any"
    if not isinstance(said, Mapping) or not said.get("asked"):
        return listed
    what = ", ".join([*map(str, said.get("kinds", ())), *map(str, said.get("clusters", ()))])
    return f"{listed} ({said['asked']}: {what})" if what else f"{listed} ({said['asked']})"
