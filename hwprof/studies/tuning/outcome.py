"""The evidence for a winner, as plain JSON: stored with it, printed by `hwprof tune`, quoted by reports. Pure."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping
from typing import Any

from hwprof.plan.winner import Subject
from hwprof.records import to_json
from hwprof.studies.tuning.search import FINAL, FinalRatio, SearchResult
from hwprof.studies.tuning.space import Candidate, Request, Space


def evidence(
    found: SearchResult, space: Space, subject: Subject, search: str, request: Request, software: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that was found: the comparison that decided, every candidate, what failed and what wasn't tried."""
    default = space.default
    decided = [c for c in found.comparisons if c.candidate == found.winner and c.against == default]
    return {
        "experiment": search,
        "at_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "subject": to_json(subject),
        "network": request.choice.network,
        "factors": {name: list(values) for name, values in space.factors},
        "default": dict(default.levels),
        "changes": dict(found.winner.changes(default)),
        "why": found.why,
        **(comparison(decided[0], default) if decided else {}),
        "comparisons": [comparison(c, default) for c in found.comparisons],
        "candidates": candidates(found, default),
        "struck": [{"factor": name, "value": value, "why": why} for (name, value), why in found.exclusions.items()],
        "untried": [c.title(default) for c in found.untried],
        "budget_s": request.budget_s,
        "enough_s": round(found.enough_s),
        "spent_s": round(found.spent_s, 1),
        "measurements": len(found.trials),
        "seed": request.seed,
        "distributions": to_json(software.get("distributions", {})),
    }


def comparison(c: FinalRatio, default: Candidate) -> dict[str, Any]:
    """One comparison; bounds None where there are too few rounds."""
    finite = c.rounds > 1
    return {
        "candidate": c.candidate.title(default),
        "against": c.against.title(default),
        "ratio": c.ratio,
        "low": c.low if finite else None,
        "high": c.high if finite else None,
        "rounds": c.rounds,
        "confidence": c.confidence,
    }


def candidates(found: SearchResult, default: Candidate) -> list[dict[str, Any]]:
    """Each candidate that was measured: its last stage, its FPS there (median over rounds), or its failure."""
    rows: dict[Candidate, dict[str, Any]] = {}
    speeds: dict[Candidate, dict[str, list[float]]] = {}
    for trial in found.trials:
        row = rows.setdefault(trial.candidate, {"changes": trial.candidate.title(default), "rounds": 0, "failure": ""})
        row["rounds"] += 1
        row["stage"] = trial.stage
        row["failure"] = trial.measured.failure or row["failure"]
        if trial.measured.fps is not None:
            part = "final" if trial.stage == FINAL else "search"
            speeds.setdefault(trial.candidate, {}).setdefault(part, []).append(trial.measured.fps)
    for candidate, row in rows.items():
        for part in ("search", "final"):
            values = speeds.get(candidate, {}).get(part, [])
            row[f"fps_{part}"] = statistics.median(values) if values else None
    return sorted(rows.values(), key=lambda r: -(r["fps_final"] or r["fps_search"] or 0.0))
