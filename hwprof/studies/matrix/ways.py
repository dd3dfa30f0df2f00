"""Each framework's way from ONNX on this machine, and the conversion times in the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.cache import default_cache
from hwprof.environments import interpreters
from hwprof.frameworks import conversions
from hwprof.plan.cases import converter_of
from hwprof.plugins import adapter


def ways(names: Sequence[str]) -> list[dict[str, Any]]:
    """Steps, the interpreter of each, why it is not possible here, and the seconds that each step took before."""
    seen, found = times(), []
    for name in names:
        one = adapter(name)
        where = interpreters.find(name, one.environment)
        converter = one.environment.converter
        wrong = where.error
        if converter not in ("", "hwprof", name):
            wrong = wrong or interpreters.find(converter, adapter(converter).environment).error
        steps = [
            {"source": s.source, "target": s.target, "by": s.by, "seconds": seen.get((name, s.target), [])}
            for s in conversions.way(one) or ()
        ]
        found.append(
            {
                "framework": name,
                "form": conversions.form_of(one),
                "means": conversions.meaning(one),
                "python": converter_of(one, where.python),
                "steps": steps,
                "missing": wrong,
            }
        )
    return found


def times() -> Mapping[tuple[str, str], list[float]]:
    """(framework, form) -> seconds of every conversion in the cache."""
    seen: dict[tuple[str, str], list[float]] = {}
    for path in sorted((default_cache() / "artifacts").glob("*/artifact.json")):
        try:
            artifact = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        for step in artifact.get("steps", ()):
            key = str(artifact.get("framework", "")), str(step["target"])
            seen.setdefault(key, []).append(float(step["seconds"]))
    return seen
