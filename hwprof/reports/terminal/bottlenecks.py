"""Bottleneck verdicts as text and as plain JSON."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis, frequent
from hwprof.analysis.bottlenecks.verdicts import Context, Verdict
from hwprof.analysis.estimator import Estimator, is_disturbed
from hwprof.analysis.roofline import mean_rate
from hwprof.printable import plural
from hwprof.records import agreement, to_json


def text(found: Sequence[Diagnosis], everything: bool = False, width: int | None = None) -> str:
    """Every case: bottlenecks, undecided rules and why; `everything`: also those ruled out."""
    columns = width or max(70, min(120, shutil.get_terminal_size((100, 24)).columns))
    blocks = []
    if len(found) > 1:
        lines = [plural(len(found), "case")]
        for code, hits, judged in frequent(found):
            if hits:
                lines.append(f"  {code:<24} in {hits} of {judged} that could be judged")
        blocks.append("\n".join(lines))
    machines = len({d.machine for d in found}) > 1
    blocks += [case(d, columns, everything, machines) for d in found]
    reasons = _reasons(found)
    if reasons:
        lines = ["Why it was not measured"]
        for why, names in reasons.items():
            lines += _wrap(f"{', '.join(names)}: {why}", columns, "  ")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def document(found: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """The cases with their verdicts, as plain JSON."""
    return [
        {
            "case": to_json(d.case),
            "machine": d.machine,
            "version": d.version,
            "fps": d.context.evidence.fps.value,
            "throughput": mean_rate(d.context.speeds, Estimator.THROUGHPUT),
            "cpu_s": cpu_s(d.context),
            "waiting": None if d.context.taken is None else d.context.taken.waiting,
            "rates_by": d.context.estimator.value,
            "verdicts": [
                {
                    "code": v.code,
                    "state": v.state.value,
                    "sure": v.sure.value,
                    "because": v.because,
                    "numbers": [
                        {"name": n.name, "value": n.value, "text": n.text, "caution": n.caution} for n in v.numbers
                    ],
                    "advice": v.advice,
                    "missing": list(v.missing),
                }
                for v in d.verdicts
            ],
        }
        for d in found
    ]


def _reasons(found: Sequence[Diagnosis]) -> dict[str, list[str]]:
    """Reason -> metrics that rules need and that are missing for it, each once for all cases."""
    reasons: dict[str, list[str]] = {}
    for d in found:
        for name in (m for v in d.verdicts for m in v.missing):
            why = d.context.evidence.why(name)
            if why and name not in reasons.setdefault(why, []):
                reasons[why].append(name)
    return reasons


def case(d: Diagnosis, columns: int = 100, everything: bool = False, machine: bool = False) -> str:
    """One case."""
    fps = d.context.evidence.fps
    bounds = f" [{fps.low:.4g} ... {fps.high:.4g}]" if fps.low is not None and fps.high is not None else ""
    off = " (off)" if any(is_disturbed(s) for s in d.context.speeds) else ""
    head = [d.case.title, f"{fps.value:.4g} FPS{off}{bounds}", *other_speeds(d.context), *([d.machine] * machine)]
    lines = _wrap(" · ".join(head), columns, "")
    if d.context.evidence.emulated:
        lines.append("  EMULATED: times are the emulator's, no machine's")
    if outputs := agreement.mark(d.context.evidence.fidelity):
        lines += _wrap(f"outputs {outputs}", columns, "  ")
    hits = [v for v in d.verdicts if v.state in (State.YES, State.PARTLY)]
    if not hits:
        lines.append("  nothing found among the rules that could be judged")
    for v in hits:
        lines += verdict(v, columns)
    ruled_out = [v for v in d.verdicts if v.state is State.NO]
    if everything:
        for v in ruled_out:
            lines += verdict(v, columns)
    elif ruled_out:
        lines += _wrap("ruled out: " + ", ".join(v.code for v in ruled_out), columns, "  ")
    silent = [v for v in d.verdicts if v.state is State.UNKNOWN]
    if silent:
        lines.append("  can't tell (this is no 'no'):")
        for v in silent:
            numbers = "; ".join(n.text for n in v.numbers)
            lines += _wrap(f"{v.code}: {v.because}" + (f" ({numbers})" if numbers else ""), columns, "    ")
    return "\n".join(lines)


def other_speeds(context: Context) -> list[str]:
    """Throughput and CPU time per frame, where known."""
    throughput, cpu = mean_rate(context.speeds, Estimator.THROUGHPUT), cpu_s(context)
    words = [] if throughput is None else [f"{throughput:.4g} frames/s"]
    return words if cpu is None else [*words, f"{1e3 * cpu:.4g} ms of CPU time per frame"]


def cpu_s(context: Context) -> float | None:
    """CPU time per frame, s."""
    rate = mean_rate(context.speeds, Estimator.CPU_TIME)
    return None if rate is None else 1 / rate


def verdict(v: Verdict, columns: int) -> list[str]:
    """State, certainty, numbers, advice."""
    mark = {State.YES: "!", State.PARTLY: "~", State.NO: " ", State.UNKNOWN: "?"}[v.state]
    lines = _wrap(f"{mark} {v.code}: {v.state.value}, certainty {v.sure.value}: {v.because}", columns, "  ")
    for n in v.numbers:
        lines += _wrap(n.text, columns, "      ")
    for caution in v.cautions:
        lines += _wrap(f"weaker for it: {caution}", columns, "      ")
    if v.missing and v.state is not State.NO:
        lines += _wrap(f"would settle it: {'; '.join(v.missing)}", columns, "      ")
    if v.advice and v.state is not State.NO:
        lines += _wrap(f"try: {v.advice}", columns, "      ")
    return lines


def _wrap(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=indent + "  ")
