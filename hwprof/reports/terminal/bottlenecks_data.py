"""What bounds cases as plain data for --json: all that the text says, with every verdict and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwprof.analysis.bottlenecks import bounds
from hwprof.analysis.bottlenecks.bounds import found_verdicts
from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis, frequent
from hwprof.analysis.bottlenecks.verdicts import Context
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.verdicts import of_case
from hwprof.analysis.omissions import Omission
from hwprof.analysis.over_time.comovement import WithinRuns
from hwprof.analysis.over_time.tail import Tail
from hwprof.analysis.roofline import mean_rate
from hwprof.records import agreement, to_json
from hwprof.reports import within_runs
from hwprof.reports.terminal import causes, explain_data

FORMAT = 1  # of `document`: raised whenever a field changes its meaning


def document(
    found: Sequence[Diagnosis],
    omitted: Sequence[Omission] = (),
    commands: Sequence[tuple[str, str]] = (),
    reruns: Sequence[Explanation] = (),
    within: WithinRuns | None = None,
    slowest: Tail | None = None,
) -> dict[str, Any]:
    """The cases with what bounds them and every verdict; what is the same for all; of the only case its reruns, and
    what varies within its runs."""
    counts = bounds.state_counts(found, State.UNKNOWN)
    return {
        "format": FORMAT,
        "common": bounds.labels(found).common,
        "cases": [_plain(d) for d in found],
        "found": [{"code": c, "cases": n, "judged": judged} for c, n, judged in frequent(found) if n],
        "ruled_out": bounds.codes_in_every_case(found, State.NO),
        "not_known": [to_json(gap) for gap in bounds.gaps(found)],
        "not_known_in_some": {code: n for code, n in counts.items() if n < len(found)},
        "causes": causes.document(of_case(reruns)),
        "reruns": [explain_data.plain(e) for e in reruns],
        "within_runs": within_runs.document(within),
        "slowest": within_runs.tail_document(slowest),
        "next": [{"command": command, "shows": shows} for command, shows in commands],
        "left_out": to_json(omitted),
    }


def _plain(d: Diagnosis) -> dict[str, Any]:
    hits, fps = found_verdicts(d), d.context.evidence.fps
    return {
        "case": to_json(d.case),
        "machine": d.machine,
        "version": d.version,
        "fps": fps.value,
        "fps_low": fps.low,
        "fps_high": fps.high,
        "throughput": mean_rate(d.context.speeds, Estimator.THROUGHPUT),
        "cpu_s": cpu_s(d.context),
        "waiting": None if d.context.taken is None else d.context.taken.waiting,
        "rates_by": d.context.estimator.value,
        "emulated": d.context.evidence.emulated,
        "outputs": agreement.mark(d.context.evidence.fidelity),
        "bounded_by": hits[0].code if hits else None,
        "verdicts": [
            {
                "code": v.code,
                "state": v.state.value,
                "sure": v.sure.value,
                "because": v.because,
                "figure": v.figure,
                "numbers": [
                    {"name": n.name, "value": n.value, "text": n.text, "caution": n.caution} for n in v.numbers
                ],
                "advice": v.advice,
                "missing": list(v.missing),
            }
            for v in d.verdicts
        ],
    }


def cpu_s(context: Context) -> float | None:
    """CPU time per frame, s."""
    rate = mean_rate(context.speeds, Estimator.CPU_TIME)
    return None if rate is None else 1 / rate
