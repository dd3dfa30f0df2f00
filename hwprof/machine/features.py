"""What the CPU offers to this process, as the kernel reports it."""

from __future__ import annotations

from collections.abc import Mapping


def cpu_features() -> list[str]:
    """Instruction sets that CPUID offers to this process, as numpy finds them: inside valgrind they differ."""
    import numpy

    core = getattr(numpy, "_core", None) or numpy.core
    found: Mapping[str, bool] = core._multiarray_umath.__cpu_features__
    return sorted(name for name, there in found.items() if there)
