"""Explanations as text for the terminal, and as plain data for --json."""

from __future__ import annotations

import math
import shutil
import statistics
import textwrap
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.answer import model
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explanation import Explanation, Intervention
from hwprof.analysis.explain.wording import CAUSES, Summary, name_of, reach
from hwprof.analysis.factors import clues as factors_clues
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.factors.ratio import Decomposition, Weight, excludes_one
from hwprof.analysis.units import ROUNDS, WITHIN
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.records import to_json
from hwprof.reports.tables import answer_lines
from hwprof.speed import Speed

SHOWN = 0.01  # of the time: a smaller share of waiting is not worth a word
ORDER = ("parallelism", "clock", "ipc", "work")


def text(
    explanations: Sequence[Explanation],
    summary: Summary | None,
    width: int | None = None,
    answer: Answer | None = None,
) -> str:
    """Every pair; before them the answer and the summary, where there are some."""
    columns = width or max(70, min(120, shutil.get_terminal_size((100, 24)).columns))
    blocks = ["\n".join(answer_lines(answer, columns)).rstrip()] if answer is not None else []
    blocks += [summary_text(summary, explanations)] if summary is not None else []
    blocks += [pair_text(e, columns) for e in explanations]
    return "\n\n".join(blocks)


def summary_text(s: Summary, explanations: Sequence[Explanation]) -> str:
    """Geometric means over networks."""
    a, b = explanations[0].a.label, explanations[0].b.label
    counts = f"{plural(s.networks, 'network')}, {plural(s.pairs, 'pair')}"
    lines = [f"{a} over {b}: {counts}; geometric means, 95 % over networks"]
    lines += [f"  {_bar(f)}  {name_of(f.name)}" for f in s.factors]
    lines.append(f"  {_bar(s.whole)}  = {_whole(s.choice.estimator)}" + (f" ({s.choice.why})" if s.choice.why else ""))
    return "\n".join([*lines, *(f"  {note}" for note in s.notes)])


def _whole(by: Estimator) -> str:
    """What the ratio is of."""
    return "speed by CPU time per frame" if by is Estimator.CPU_TIME else by.value


def pair_text(e: Explanation, columns: int = 100) -> str:
    """One pair: headline, factors, the evidence on them, interventions, notes."""
    d = e.decomposition
    lines = [e.context, *textwrap.wrap(e.headline, columns), ""]
    lines.append(f"  {e.a.label} over {e.b.label}; above 1: {e.a.label} is faster by it")
    lines += [f"  {_bar(f)}  {name_of(f.name)}{_values(f.name, e)}{shown(d, f)}" for f in d.factors]
    if len(d.factors) > 1 and d.throughput is not None:
        lines.append(f"  {_bar(d.throughput)}  = throughput while counting")
    lines += [f"  {_bar(f)}  {name_of(f.name)}{shown(d, f)}" for f in (d.observer, d.tail) if f is not None]
    lines.append(f"  {_bar(d.whole)}  = {_whole(d.choice.estimator)}")
    lines += [f"  {side.label}: {_speeds(members)}" for side, members in zip((e.a, e.b), d.speeds, strict=True)]
    lines += _wrap(how(d) + (f"; not separable: {d.merged}" if d.merged else "") + ".", columns, "  ")
    clues = sorted(e.clues, key=lambda c: ORDER.index(c.factor))
    for factor in dict.fromkeys(c.factor for c in clues):
        lines += ["", f"  Evidence on {name_of(factor)} (association, not causation)"]
        for clue in (c for c in clues if c.factor == factor):
            lines += _wrap(clue.text, columns, "    - ")
    for done in e.interventions:
        lines += ["", *intervention(done, e, columns)]
    if e.notes:
        lines += ["", "  Notes"]
        for note in e.notes:
            lines += _wrap(note, columns, "    - ")
    return "\n".join(lines)


def how(d: Decomposition) -> str:
    """What the intervals are made of."""
    if min(d.units) < 2:
        text = "no intervals"
    else:
        by = "paired t" if d.paired else "Welch's t"
        text = f"95 % (of all factors together) by {by} over {d.over}, {d.units[0]} and {d.units[1]}"
        text += f", {WITHIN}" if d.over == ROUNDS else ""
    return text + ("; measured side by side" if d.sets else "; not measured side by side")


def shown(d: Decomposition, factor: Factor) -> str:
    """What the rounds show of a factor; "" without an interval, and where nothing varies or it is the whole ratio."""
    part = d.parts[factor.name]
    hidden = part.weight is Weight.HIDDEN
    if part.least is None or len(d.terms) < 2 or (hidden and part.least <= 1):
        return ""
    below = f" below {reach(part.least)}" if hidden else ""
    return f": {part.weight}{below}"


def intervention(done: Intervention, e: Explanation, columns: int) -> list[str]:
    """The result of a rerun: the only text that names a cause."""
    lines = [f"  Rerun with {CAUSES[done.kind]} changed"]
    for text in effects(done):
        lines += _wrap(text, columns, "    - ")
    lines.append(f"    {e.a.label} over {e.b.label} as a product with it:")
    lines += [f"    {_bar(f)}  {name_of(f.name)}" for f in done.chain]
    lines.append(f"    {_bar(done.before.whole)}  = {_whole(done.before.choice.estimator)}")
    if done.rerun.merged:
        lines += _wrap(f"not separable: {done.rerun.merged}.", columns, "    ")
    return lines


def effects(done: Intervention) -> list[str]:
    """The effect of a rerun on each side, a sentence each."""
    sentences = []
    estimator = done.before.choice.estimator
    by = "" if estimator is Estimator.FPS else f" by {estimator}"
    for effect in done.effects:
        bounds = _interval(effect.speed)
        if excludes_one(effect.speed):
            verb = f"{effect.label} x{effect.speed.ratio:.2f}{bounds} as fast{by}"
        else:
            verb = f"no difference to {effect.label} that these rounds can show{by}: x{effect.speed.ratio:.2f}{bounds}"
        text = f"{_cause(done.kind)} {verb}"
        if effect.cpu is not None and estimator is not Estimator.CPU_TIME:
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


def _speeds(members: Sequence[tuple[int, Speed]]) -> str:
    """FPS, throughput and CPU time of one side: geometric means over rounds, with what disturbed it."""
    found = speeds(members)
    parts = [f"FPS {_number(found['fps'])}"] if found["fps"] else []
    parts += [f"throughput {_number(found['throughput'])} frames/s"] if found["throughput"] else []
    parts += [f"CPU time {found['cpu_ms']:.4g} ms per frame"] if found["cpu_ms"] else []
    for name, words in (("waiting", "in the run queue"), ("stolen", "stolen by the hypervisor")):
        share = found[name]
        parts += [f"{share:.0%} of the time {words}"] if share is not None and share >= SHOWN else []
    return ", ".join(parts)


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


def _wrap(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=" " * len(indent))


def document(
    explanations: Sequence[Explanation], summary: Summary | None, answer: Answer | None = None
) -> dict[str, Any]:
    """For --json: the answer, factors with intervals and logs, clues, interventions, notes."""
    return {
        "answer": None if answer is None else model.document(answer),
        "explanations": [_plain(e) for e in explanations],
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
