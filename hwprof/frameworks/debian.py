"""What of Debian a board needs for hwprof and for a framework, whose adapter names its packages (`debian`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwprof import plugins
from hwprof.boards.image import PackageSet
from hwprof.errors import UsageError

# What `hwprof run` and `hwprof sweep` need themselves (scipy for the interval of several rounds; ONNX Runtime computes
# the reference): reports are made at home.
SELF = PackageSet(
    ("python3-onnx", "python3-onnxruntime", "python3-scipy", "python3-sqlalchemy"),
    # Apart: where the two share Debian's libonnx, the reference evaluator can't be loaded beside the runtime.
    (
        "numpy, onnxruntime, hwprof.worker, hwprof.worker.untimed",
        "onnx.reference, scipy.special, hwprof.cli, hwprof.runner, hwprof.store",
    ),
)


def sets_of(names: Sequence[str]) -> list[PackageSet]:
    """hwprof's own packages and those of frameworks, each named by its own name or by the module that is imported.

    `base` adds nothing. Raises UsageError for anything else.
    """
    known: Mapping[str, tuple[str, ...]] = plugins.declarations("debian")
    modules = {name: plugins.adapter(name).environment.module for name in known}
    found: list[PackageSet] = []
    for name in names:
        if name == "base":
            continue
        framework = next((n for n in known if name in (n, modules[n])), None)
        if framework is None:
            raise UsageError(f"unknown package set '{name}'", f"there are base, {', '.join(known)}")
        found.append(SELF)
        if not set(known[framework]) <= set(SELF.packages):
            found.append(PackageSet(known[framework], (modules[framework],)))
    return found
