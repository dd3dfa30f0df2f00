"""Explanations as text for the terminal, and as plain data for --json."""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.explain.explanation import Explanation, Intervention
from hwprof.analysis.explain.wording import CAUSES, Summary, name_of
from hwprof.analysis.factors import clues as factors_clues
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.factors.ratio import excludes_one
from hwprof.collectors.vocabulary import Name
from hwprof.records import to_json

ORDER = ("parallelism", "clock", "ipc", "work")


def text(explanations: Sequence[Explanation], summary: Summary | None, width: int | None = None) -> str:
    """Every pair, the summary first where there is one."""
    columns = width or max(70, min(120, shutil.get_terminal_size((100, 24)).columns))
    blocks = [summary_text(summary, explanations)] if summary is not None else []
    blocks += [pair_text(e, columns) for e in explanations]
    return "\n\n".join(blocks)


def summary_text(s: Summary, explanations: Sequence[Explanation]) -> str:
    """Geometric means over networks."""
    a, b = explanations[0].a.label, explanations[0].b.label
    lines = [f"{a} over {b}: {s.networks} networks, {s.pairs} pairs; geometric means, 95 % over networks"]
    lines += [f"  {_bar(f)}  {name_of(f.name)}" for f in s.factors]
    lines += [f"  {_bar(s.fps)}  = FPS"]
    return "\n".join([*lines, *([f"  {s.note}"] if s.note else [])])


def pair_text(e: Explanation, columns: int = 100) -> str:
    """One pair: headline, factors, the evidence on them, interventions, notes."""
    d = e.decomposition
    lines = [e.context, *textwrap.wrap(e.headline, columns), ""]
    lines.append(f"  {e.a.label} over {e.b.label}; above 1: {e.a.label} is faster by it")
    shares = d.shares or {}
    for f in d.factors:
        share = f"  {shares[f.name]:.0f} % of it" if f.name in shares else ""
        lines.append(f"  {_bar(f)}  {name_of(f.name)}{_values(f.name, e)}{share}")
    if len(d.factors) > 1:
        lines.append(f"  {_bar(d.throughput)}  = throughput while counting")
    lines += [f"  {_bar(f)}  {name_of(f.name)}" for f in (d.observer, d.tail)]
    x, y = e.a.evidence, e.b.evidence
    lines.append(f"  {_bar(d.fps)}  = FPS ({_number(x.fps.value)} against {_number(y.fps.value)})")
    how = "paired t over rounds" if d.paired else "Welch's t over rounds"
    interval = f"95 % by {how}, {d.rounds[0]} and {d.rounds[1]}" if min(d.rounds) > 1 else "no intervals"
    lines += _wrap(interval + (f"; not told apart: {d.merged}" if d.merged else "") + ".", columns, "  ")
    clues = sorted(e.clues, key=lambda c: ORDER.index(c.factor))
    for factor in dict.fromkeys(c.factor for c in clues):
        lines += ["", f"  Behind {name_of(factor)} (observed, not shown to be the cause)"]
        for clue in (c for c in clues if c.factor == factor):
            lines += _wrap(clue.text, columns, "    - ")
    for done in e.interventions:
        lines += ["", *intervention(done, e, columns)]
    if e.notes:
        lines += ["", "  Notes"]
        for note in e.notes:
            lines += _wrap(note, columns, "    - ")
    return "\n".join(lines)


def intervention(done: Intervention, e: Explanation, columns: int) -> list[str]:
    """The result of a rerun: the only text that names a cause."""
    lines = [f"  Rerun with {CAUSES[done.kind]} changed"]
    for text in effects(done):
        lines += _wrap(text, columns, "    - ")
    lines.append(f"    {e.a.label} over {e.b.label} as a product with it:")
    lines += [f"    {_bar(f)}  {name_of(f.name)}" for f in done.chain]
    lines.append(f"    {_bar(e.decomposition.fps)}  = FPS")
    if done.rerun.merged:
        lines += _wrap(f"not told apart: {done.rerun.merged}.", columns, "    ")
    return lines


def effects(done: Intervention) -> list[str]:
    """The effect of a rerun on each side, a sentence each."""
    sentences = []
    for effect in done.effects:
        bounds = _interval(effect.speed)
        if excludes_one(effect.speed):
            verb = f"{effect.label} x{effect.speed.ratio:.2f}{bounds} as fast"
        else:
            verb = f"no difference to {effect.label} that these rounds can show: x{effect.speed.ratio:.2f}{bounds}"
        text = f"{_cause(done.kind)} {verb}"
        if effect.cpu is not None:
            text += f", at x{effect.cpu.ratio:.2f}{_interval(effect.cpu)} the CPU time per frame"
        sentences.append(text + f" (against {effect.change}" + (f"; {effect.limit}" if effect.limit else "") + ")")
    return sentences


def _cause(kind: str) -> str:
    return {"spin": "Spin-waiting makes", "affinity": "Where it runs makes", "simd": "Vectors wider than the cap make"}[
        kind
    ]


def _bar(f: Factor) -> str:
    """`x1.32 [1.28 ... 1.36]` in columns, with a small bar of the logarithm."""
    cells = round(8 * min(1.0, abs(math.log2(f.ratio)) / 2))
    left = ("<" * cells).rjust(8) if f.ratio < 1 else " " * 8
    right = (">" * cells).ljust(8) if f.ratio >= 1 else " " * 8
    return f"x{f.ratio:<6.3f} {_interval(f).strip():<17} {left}|{right}"


def _interval(f: Factor) -> str:
    return "" if f.low is None or f.high is None else f" [{_bound(f.low)} ... {_bound(f.high)}]"


def _bound(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else "> 1000"


def _values(name: str, e: Explanation) -> str:
    """The factor itself on both sides, where it has a unit."""
    if name == "parallelism":
        found = [factors_clues.cpus_used(s.evidence) for s in (e.a, e.b)]
        form = "{:.2f}"
    elif name.endswith("ipc x work") and name.startswith("clock"):
        found = [None if (t := factors_clues.cpu_per_frame(s.evidence)) is None else 1e3 * t for s in (e.a, e.b)]
        form = "{:.3g} ms"
    elif name == "work":
        found = [
            None if (q := s.evidence.best(Name.INSTRUCTIONS, False)) is None else q.value / 1e6 for s in (e.a, e.b)
        ]
        form = "{:.4g} M"
    else:
        return ""
    return f" ({form.format(found[0])} against {form.format(found[1])})" if None not in found else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _wrap(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=" " * len(indent))


def document(explanations: Sequence[Explanation], summary: Summary | None) -> dict[str, Any]:
    """For --json: factors with intervals and logs, clues, interventions, notes."""
    return {
        "explanations": [_plain(e) for e in explanations],
        "summary": None
        if summary is None
        else {
            "networks": summary.networks,
            "pairs": summary.pairs,
            "fps": _factor(summary.fps),
            "factors": [_factor(f) for f in summary.factors],
            "note": summary.note,
        },
    }


def _plain(e: Explanation) -> dict[str, Any]:
    d = e.decomposition
    return {
        "a": {"label": e.a.label, "case": to_json(e.a.evidence.case), "fps": e.a.evidence.fps.value},
        "b": {"label": e.b.label, "case": to_json(e.b.evidence.case), "fps": e.b.evidence.fps.value},
        "context": e.context,
        "differs": list(e.differs),
        "headline": e.headline,
        "level": d.level,
        "factors": [_factor(f) for f in d.factors],
        **{n: _factor(getattr(d, n)) for n in ("throughput", "observer", "tail", "fps")},
        "shares": None if d.shares is None else dict(d.shares),
        "merged": d.merged,
        "paired": d.paired,
        "rounds": list(d.rounds),
        "clues": [{"factor": c.factor, "code": c.code, "text": c.text, "numbers": dict(c.numbers)} for c in e.clues],
        "interventions": [
            {
                "kind": i.kind,
                "effects": [
                    {"side": x.side, "changed": x.change, "speed": _factor(x.speed), "limit": x.limit}
                    | {"cpu": None if x.cpu is None else _factor(x.cpu)}
                    for x in i.effects
                ],
                "ratio": _factor(i.rerun.fps),
                "chain": [_factor(f) for f in i.chain],
            }
            for i in e.interventions
        ],
        "notes": list(e.notes),
    }


def _factor(f: Factor) -> dict[str, Any]:
    return {"name": f.name, "ratio": f.ratio, "low": f.low, "high": f.high, "log": math.log(f.ratio)}
