"""What differs between the machines, their settings and the software of two runs of a case. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.analysis.comparison.measured import RunSummary, options_text
from hwprof.records import Case


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact. `part`: machine | host state | software | case; `cases`: how many cases have this difference."""

    part: str
    name: str
    old: str
    new: str
    cases: int


def differences(pairs: Sequence[tuple[RunSummary, RunSummary]]) -> tuple[Difference, ...]:
    """Every fact that is not the same on both sides of a pair, the most frequent first within machine, host, ..."""
    found: dict[tuple[int, str, str, str, str], int] = defaultdict(int)
    for old, new in pairs:
        sides = (
            ("machine", old.machine, new.machine),
            ("host state", old.host_state, new.host_state),
            ("software", old.software, new.software),
            ("case", facts(old.case), facts(new.case)),
        )
        for order, (part, a, b) in enumerate(sides):
            x, y = flat(a), flat(b)
            for name in sorted({*x, *y}):
                if x.get(name) != y.get(name):
                    found[order, part, name, x.get(name, "absent"), y.get(name, "absent")] += 1
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -item[1], item[0][2]))
    return tuple(Difference(part, name, a, b, n) for (_, part, name, a, b), n in ordered)


def facts(case: Case) -> dict[str, Any]:
    """What a case is, for people."""
    return {
        "framework": case.framework,
        "network": case.network,
        "recipe": case.recipe,
        "size": case.size,
        "shape": case.shape or "of a square image",
        "batch": case.batch,
        "threads": case.threads,
        "cpus": ",".join(map(str, case.cpus)) or "any",
        "precision": case.precision,
        "options": options_text(case.options) or "none",
    }


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as dotted names and texts; lists are one text."""
    out: dict[str, str] = {}
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            out |= flat(entry, f"{prefix}{name}.")
        elif isinstance(entry, list | tuple) and all(not isinstance(e, Mapping) for e in entry):
            out[prefix + name] = ", ".join(map(str, entry))
        else:
            out[prefix + name] = str(entry)
    return out
