"""Explanations as plain data for --json: all that the text says, with the details kept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.answer import model
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.explain import verdicts
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.strength import strongest
from hwprof.analysis.explain.wording import Summary
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.factors.ratio import Decomposition
from hwprof.analysis.omissions import Omission
from hwprof.records import to_json
from hwprof.reports.terminal import causes
from hwprof.speed import Speed

FORMAT = 1  # of `document`: raised whenever a field changes its meaning


def speeds(members: Sequence[tuple[int, Speed]]) -> dict[str, float | None]:
    """FPS, throughput (frames/s) and CPU time per frame (ms): geometric means over rounds; waiting and stolen shares:
    means. None: not known of every round.
    """
    columns: dict[str, list[float | None]] = {
        "fps": [s.fps for _, s in members],
        "throughput": [s.throughput for _, s in members],
        "cpu_ms": [s.cpu_s and 1e3 * s.cpu_s for _, s in members],
        "waiting": [s.waiting for _, s in members],
        "stolen": [s.stolen for _, s in members],
    }
    out: dict[str, float | None] = {}
    for name, values in columns.items():
        known = [v for v in values if v is not None]
        mean = statistics.fmean if name in ("waiting", "stolen") or 0 in known else statistics.geometric_mean
        out[name] = mean(known) if len(known) == len(values) else None
    return out


def document(
    explanations: Sequence[Explanation],
    summary: Summary | None,
    answer: Answer | None = None,
    omitted: Sequence[Omission] = (),
) -> dict[str, Any]:
    """For --json: the answer, factors with intervals and logs, clues, interventions, notes, what was left out."""
    return {
        "format": FORMAT,
        "answer": None if answer is None else model.document(answer),
        "explanations": [plain(e) for e in explanations],
        "causes": [
            {"a": e.a.label, "b": e.b.label, "network": e.a.evidence.case.network, "verdicts": causes.document(found)}
            for e, found in verdicts.of_pairs(explanations)
        ],
        "summary": None
        if summary is None
        else {
            "networks": summary.networks,
            "pairs": summary.pairs,
            "estimator": summary.choice.estimator.value,
            "why": summary.choice.why,
            "ratio": _factor(summary.whole),
            "factors": [_factor(f) for f in summary.factors],
            "notes": list(summary.notes),
        },
        "left_out": to_json(omitted),
    }


def plain(e: Explanation) -> dict[str, Any]:
    """One explanation."""
    d = e.decomposition
    return {
        "a": {"label": e.a.label, "case": to_json(e.a.evidence.case), "fps": e.a.evidence.fps.value},
        "b": {"label": e.b.label, "case": to_json(e.b.evidence.case), "fps": e.b.evidence.fps.value},
        "context": e.context,
        "differs": list(e.differs),
        "headline": e.headline,
        "additions": list(e.additions),
        "level": d.level,
        "factors": [_term(d, f) for f in d.factors],
        "throughput": None if d.throughput is None else _factor(d.throughput),
        **{n: None if (f := getattr(d, n)) is None else _term(d, f) for n in ("observer", "tail")},
        "estimator": d.choice.estimator.value,
        "why": d.choice.why,
        "ratio": _factor(d.whole),
        "alone": None if d.alone is None else _factor(d.alone),
        "conflict": d.conflict,
        "decided": d.decided,
        "speeds": {name: speeds(members) for name, members in zip("ab", d.speeds, strict=True)},
        "over": d.over,
        "units": list(d.units),
        "merged": d.merged,
        "paired": d.paired,
        "rounds": list(d.rounds),
        "sets": d.sets,
        "omitted": list(d.omitted),
        "clues": [{"factor": c.factor, "code": c.code, "text": c.text, "numbers": dict(c.numbers)} for c in e.clues],
        "strongest": [{"factor": o.factor, "code": o.code, "strength": o.strength} for o in strongest(e)],
        "interventions": [
            {
                "kind": i.kind,
                "effects": [
                    {"side": x.side, "changed": x.change, "speed": _factor(x.speed), "limit": x.limit}
                    | {"cpu": None if x.cpu is None else _factor(x.cpu)}
                    for x in i.effects
                ],
                "estimator": i.before.choice.estimator.value,
                "why": i.before.choice.why,
                "before": _factor(i.before.whole),
                "ratio": _factor(i.rerun.whole),
                "chain": [_factor(f) for f in i.chain],
            }
            for i in e.interventions
        ],
        "notes": list(e.notes),
    }


def _factor(f: Factor) -> dict[str, Any]:
    return {"name": f.name, "ratio": f.ratio, "low": f.low, "high": f.high, "log": math.log(f.ratio)}


def _term(d: Decomposition, f: Factor) -> dict[str, Any]:
    """One factor, with what the rounds show of it: a word, and the smallest ratio that would be found."""
    part = d.parts[f.name]
    return {**_factor(f), "shown": part.weight.value if part.least is not None else None, "least": part.least}
