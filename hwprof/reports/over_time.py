"""What slices and the bare stretch show over time, in words and as JSON: for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwprof.analysis.over_time import disturbed, findings, tail
from hwprof.analysis.over_time.disturbed import Disturbance
from hwprof.analysis.over_time.drift import Drift
from hwprof.analysis.over_time.findings import Findings, FirstInference
from hwprof.analysis.over_time.growth import Growth
from hwprof.analysis.over_time.inputs import InputEffect
from hwprof.printable import capital, plural
from hwprof.records import Run, to_json
from hwprof.reports import within_runs

SLOW_FIRST = 2.0  # times the steady latency from which on a report names the first inference
DISTURBED = 0.01  # share of inferences from which on it is said
BLOCKS_SHOWN = 6


def lines(runs: Sequence[Run]) -> list[str]:
    """Lines for the terminal: first inference and warm-up; the others only where there is something to say."""
    found = findings.of_case(runs)
    out = [] if found.first is None else [f"  first       {first_line(found.first)}"]
    out += [f"  drift       {_round(runs, number)}{drift_words(drift)}" for number, drift in found.drifts]
    if found.growth is not None and found.growth.is_evident:
        out.append(f"  memory      {growth_words(found.growth)}")
    if found.input is not None and found.input.is_evident:
        out.append(f"  input       {input_words(found.input)}")
    if found.disturbance is not None and found.disturbance.share > DISTURBED:
        out.append(f"  disturbed   {disturbance_words(found.disturbance)}")
    if (slowest := tail.estimate(runs)) is not None:
        out.append(f"  slowest 1 % {within_runs.reason_words(slowest)}")
    return out


def sentences(runs: Sequence[Run]) -> list[str]:
    """Sentences on one case, only where there is evidence."""
    found = findings.of_case(runs)
    out = []
    if found.first is not None and (found.first.ratio or 0.0) >= SLOW_FIRST:
        out.append(f"The first inference takes {first_line(found.first)}.")
    out += [f"{capital(_round(runs, number) + drift_words(drift))}." for number, drift in found.drifts]
    if found.growth is not None and found.growth.is_evident:
        out.append(f"{capital(growth_words(found.growth))}.")
    if found.input is not None and found.input.is_evident:
        out.append(f"{capital(input_words(found.input))}.")
    return out


def document(runs: Sequence[Run]) -> dict[str, Any]:
    """All findings of one case as plain JSON, those without evidence too (`evident`); null: not known."""
    found = findings.of_case(runs)
    growth, effect, disturbance = found.growth, found.input, found.disturbance
    return {
        "first_inference": None if found.first is None else to_json(found.first),
        "drift": [{"round": number, **to_json(drift)} for number, drift in found.drifts],
        "memory_growth_bytes_per_1000": _with_evidence(growth, growth is not None and growth.is_evident),
        "input": _with_evidence(effect, effect is not None and effect.is_evident),
        "disturbed": None if disturbance is None else {**to_json(disturbance), "share": disturbance.share},
        "disturbed_why": _why_unwatched(found, runs),
    }


def first_line(first: FirstInference) -> str:
    """`8.883 ms, 6.1x the steady latency; warm-up 0.5 s, 193 inferences, ...`."""
    ratio = "" if first.ratio is None else f", {first.ratio:.1f}x the steady latency"
    shown = [f"{t / 1e6:.3g}" for t in first.medians_ns]
    if len(shown) > BLOCKS_SHOWN:
        shown = [*shown[: BLOCKS_SHOWN - 1], "...", shown[-1]]
    blocks = f", medians of its blocks {' '.join(shown)} ms" if shown else ""
    warmup = f"warm-up {first.seconds:.1f} s, {plural(round(first.iterations), 'inference')}{blocks}"
    return f"{first.first_ns / 1e6:,.3f} ms{ratio}; {warmup}"


def drift_words(drift: Drift) -> str:
    """How the speed changed while it was measured."""
    direction = "rises" if drift.percent > 0 else "falls"
    where = " of the bare stretch" if drift.alone else ""
    size = f"{drift.percent:+.0f} % [{drift.low:+.0f}, {drift.high:+.0f}]"
    if drift.at_s is None:
        return f"{drift.quantity}{where} {direction} steadily, {size} over {drift.seconds:.1f} s"
    return f"{drift.quantity}{where} {direction} at {drift.at_s:.1f} s, {size}, and stays there (p {drift.p:.4f})"


def growth_words(growth: Growth) -> str:
    """`memory grows by 12.3 kB [11.0, 13.1] per 1,000 inferences`."""
    value, low, high = (v / 1000 for v in (growth.value, growth.low, growth.high))
    return f"memory grows by {value:,.1f} kB [{low:,.1f}, {high:,.1f}] per 1,000 inferences"


def input_words(effect: InputEffect) -> str:
    """How much the latency depends on the input."""
    size = f"{effect.ratio:.2f}x [{effect.low:.2f}, {effect.high:.2f}]"
    return (
        f"latency depends on the input: sample {effect.slowest} takes {size} the time of sample {effect.fastest} "
        f"({effect.cycles} cycles of the inputs, p {effect.p:.0e})"
    )


def disturbance_words(found: Disturbance) -> str:
    """How many inferences lost the CPU, and the latency of the others."""
    of = f"{found.count:,} of {plural(found.inferences, 'inference', form=',')} lost the CPU ({found.share:.1%})"
    others = "" if found.latency_ns is None else f"; median of the others {found.latency_ns / 1e6:.3f} ms"
    stolen = f"; steal of {found.steal_s:.2f} s, on which of them is not known" if found.steal_s else ""
    return f"{of}{others}{stolen}"


def _with_evidence(found: Growth | InputEffect | None, evident: bool) -> dict[str, Any] | None:
    return None if found is None else {**to_json(found), "evident": evident}


def _why_unwatched(found: Findings, runs: Sequence[Run]) -> str:
    """Why it is not known which inferences were disturbed; empty where it is."""
    if found.disturbance is not None:
        return ""
    sliced = any(w.slices is not None for r in runs for w in r.windows)
    return disturbed.UNWATCHED if sliced else "not watched: a run without slices"


def _round(runs: Sequence[Run], number: int) -> str:
    return f"round {number + 1}: " if len({r.round for r in runs}) > 1 else ""
