"""Frameworks, collectors and gauges by entry point: the built-in ones come through the same door as anyone's."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnknownFramework

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter

# What pyproject.toml declares, for a source tree that was never installed (then there are no entry points to read). A
# framework of hwprof's own is a folder with an adapter.
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "hwprof.frameworks": {
        path.parent.name: f"hwprof.frameworks.{path.parent.name}:ADAPTER"
        for path in sorted(Path(__file__).parent.glob("frameworks/*/adapter.py"))
    },
    "hwprof.collectors": {
        "cpu": "hwprof.collectors.cpu:CpuCollector",
        "migrations": "hwprof.collectors.cpu:MigrationsCollector",
        "perf": "hwprof.collectors.perf:PerfCollector",
    },
    "hwprof.gauges": {
        "cpu": "hwprof.collectors.cpu:gauges",
        "memory": "hwprof.collectors.memory:gauges",
        "power": "hwprof.collectors.power:gauges",
        "thermal": "hwprof.collectors.thermal:gauges",
    },
}


@lru_cache(maxsize=8)
def paths(group: str) -> Mapping[str, str]:
    """Name -> "module:attribute" of everything registered in a group, sorted by name; nothing is imported."""
    import importlib.metadata  # not in a worker: it takes as long as all else that a worker begins with

    found = dict(BUILT_IN.get(group, {}))
    found |= {entry.name: entry.value for entry in importlib.metadata.entry_points(group=group)}
    return dict(sorted(found.items()))


def load(path: str) -> Any:
    """The object at "module:attribute"."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def framework_names() -> tuple[str, ...]:
    """Every framework with an adapter."""
    return tuple(paths("hwprof.frameworks"))


def adapter_path(name: str) -> str:
    """Where a framework's adapter is. Raises UnknownFramework with the nearest names."""
    known = paths("hwprof.frameworks")
    if name not in known:
        raise UnknownFramework(name, known)
    return known[name]


def adapter(name: str) -> Adapter:
    """A framework's adapter; imports the adapter's module, not the framework. Raises UnknownFramework."""
    found: Adapter = load(adapter_path(name))
    return found


def find_adapter(name: str) -> Adapter | None:
    """As `adapter`; None: nobody registers the framework here, or its package can't be imported any more."""
    try:
        return adapter(name) if name in paths("hwprof.frameworks") else None
    except (ImportError, AttributeError):
        return None


def declarations(attribute: str) -> Mapping[str, Any]:
    """Framework -> what its adapter has under `attribute`, of those that have it and in which it is not empty."""
    found = {name: getattr(find_adapter(name), attribute, None) for name in framework_names()}
    return {name: value for name, value in found.items() if value}


def gauge_factories() -> Mapping[str, Any]:
    """Name -> factory of gauges, imported when it is called: one that can't be must not stop the others."""
    return {name: partial(_gauges, path) for name, path in paths("hwprof.gauges").items()}


def _gauges(path: str, *arguments: Any, **named: Any) -> Any:
    return load(path)(*arguments, **named)
