"""The switches of frameworks (spinning threads, vector instructions, the graph), as their adapters declare them, and
those that the C library has for every framework.

Standard library only at import: the measured worker loads this with every adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter

KINDS = ("spin", "affinity", "simd", "graph", "pages", "allocator")
# kind -> what a framework's switch of this kind turns off
SWITCHED: Mapping[str, str] = {"spin": "spin-waiting", "simd": "vector instructions", "graph": "graph optimisation"}
# How experiments begin that measure a pair again with one thing changed; the second is of former versions.
TESTS = ("explain --test ", "intervene ")
TUNABLES = "env.GLIBC_TUNABLES"
X86 = ("x86_64", "AMD64", "i686")


@dataclass(frozen=True, slots=True)
class Switch:
    """Options of a case that turn something off; `limit`: what they leave as it is, reported with the result."""

    options: Mapping[str, Any]
    limit: str = ""


# What glibc's allocator obeys in every framework that has none of its own: memory in huge pages (glibc 2.35, where the
# kernel gives them to those who ask), or memory that is kept instead of given back and taken anew.
COMMON: Mapping[str, Switch] = {
    "pages": Switch({TUNABLES: "glibc.malloc.hugetlb=1"}),
    "allocator": Switch({TUNABLES: "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1073741824"}),
}

# What libraries obey that several frameworks use.
OPENMP: Mapping[str, Any] = {"env.OMP_WAIT_POLICY": "passive", "env.GOMP_SPINCOUNT": "0", "env.KMP_BLOCKTIME": "0"}
ONEDNN: Mapping[str, Any] = {"env.ONEDNN_MAX_CPU_ISA": "SSE41", "env.DNNL_MAX_CPU_ISA": "SSE41"}


def is_test(experiment: str) -> bool:
    """Whether an experiment of this name measured cases again with one thing changed."""
    return experiment.startswith(TESTS)


def switch_of(kind: str, framework: str) -> Switch | None:
    """The switch of a kind. None without one, or without the framework's adapter: results come from elsewhere too."""
    if kind in COMMON:
        return COMMON[kind]
    found: Switch | None = getattr(_adapter(framework), "switches", {}).get(kind)
    return found


def _adapter(framework: str) -> Adapter | None:
    from hwprof import plugins  # not at import: it loads importlib.metadata

    return plugins.find_adapter(framework)


def change_of(kind: str, case: Case, architecture: str = "x86_64") -> Mapping[str, Any] | str:
    """Options of the changed case; text: why there is no such change for it."""
    if kind == "simd" and architecture not in X86:
        return f"hwprof knows no switch for vectors on {architecture}"
    switch = switch_of(kind, case.framework)
    if switch is None:
        return f"{case.framework} has no switch for {SWITCHED[kind]} that hwprof knows"
    if kind == "spin" and case.threads < 2:
        return "one thread waits for nobody"
    values = getattr(_adapter(case.framework), "options", {})
    defaults = {name: values[name][0] for name in switch.options if name in values}
    if kind in COMMON and case.option(TUNABLES) not in (None, switch.options[TUNABLES]):
        return f"it sets {TUNABLES.removeprefix('env.')} itself"
    if all(case.option(name, defaults.get(name)) == value for name, value in switch.options.items()):
        return (
            "it doesn't spin unless asked to" if kind == "spin" and defaults == switch.options else "it is so already"
        )
    return switch.options


def kind_of(base: Case, other: Case) -> str:
    """Which intervention makes `other` of `base`; "": none that hwprof knows."""
    if base.options == other.options:
        return "affinity" if base.cpus != other.cpus else ""
    if base.cpus != other.cpus:
        return ""
    for kind in (*SWITCHED, *COMMON):
        switch = switch_of(kind, base.framework)
        if switch and dict(other.options) == {**dict(base.options), **switch.options}:
            return kind
    return ""


def limit_of(kind: str, framework: str) -> str:
    """What the framework's switch of a kind leaves as it is; "": nothing that hwprof knows."""
    switch = switch_of(kind, framework)
    return switch.limit if switch else ""
