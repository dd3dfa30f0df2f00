"""What the instructions of one inference, or of one layer, do with vectors. Pure.

The share of vector instructions is no figure of merit: the same work in longer vectors takes fewer of them, so that the
share falls while the code gets better. Elements per access say how much one vector instruction moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hwprof.records import Reading

# What counts of memory accesses add where the simulator has them: metric -> the head of its column.
PER_ACCESS = "elements-per-vector-access"
DATA: Mapping[str, str] = {
    PER_ACCESS: "elements/access",
    "vector-bytes": "bytes by vector",
    "scalar-bytes": "bytes by scalar",
    "l1d-misses": "L1D misses",
    "l2-misses": "L2 misses",
}
SUMS = (
    "instructions",
    "vector-instructions",
    "vector-loads",
    "vector-stores",
    "vset-instructions",
    "fp-instructions",
    "vector-elements",
    "vector-bytes",
    "scalar-bytes",
    "l1d-misses",
    "l2-misses",
)


@dataclass(frozen=True, slots=True)
class VectorWork:
    """Counts by metric; a metric without a count is absent."""

    counts: Mapping[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Vector instructions / instructions, 0 to 1; None where either was not counted or nothing was executed."""
        vector, whole = self.counts.get("vector-instructions"), self.counts.get("instructions")
        return None if vector is None or not whole else vector / whole

    @property
    def arithmetic(self) -> float | None:
        """Vector instructions that are neither loads nor stores; None where they were not counted."""
        parts = [self.counts.get(name) for name in ("vector-instructions", "vector-loads", "vector-stores")]
        if any(part is None for part in parts):
            return None
        whole, loads, stores = (part or 0.0 for part in parts)
        return whole - loads - stores

    @property
    def stays_scalar(self) -> bool:
        """Whether it computes in floating point, and not once with a vector."""
        return self.arithmetic == 0 and bool(self.counts.get("fp-instructions"))

    @classmethod
    def sum_of(cls, parts: Iterable[VectorWork]) -> VectorWork:
        """Several together; a metric that one of them lacks is absent."""
        several = list(parts)
        sums = {
            name: sum(part.counts[name] for part in several)
            for name in SUMS
            if several and all(name in part.counts for part in several)
        }
        return cls(_with_elements(sums))


def vector_work(readings: Iterable[Reading]) -> VectorWork:
    """The counts among the readings of a run's simulated window, or of a layer."""
    return VectorWork(_with_elements({r.metric: r.value for r in readings if r.metric in SUMS and r.value is not None}))


def _with_elements(counts: Mapping[str, float]) -> dict[str, float]:
    """With elements per vector access, where there were accesses."""
    accesses = counts.get("vector-loads", 0.0) + counts.get("vector-stores", 0.0)
    elements = counts.get("vector-elements")
    ratio = {PER_ACCESS: elements / accesses} if elements is not None and accesses else {}
    return {**counts, **ratio}
