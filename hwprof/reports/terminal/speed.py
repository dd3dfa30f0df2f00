"""The lines of `hwprof run` on speed, memory, measurement overhead and outputs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from hwprof.analysis import estimator, overhead
from hwprof.analysis.omissions import why_no_speed
from hwprof.networks import stored_precision
from hwprof.printable import plural
from hwprof.records import Fidelity, Role, Run
from hwprof.records.agreement import agreement_text, worst
from hwprof.reports import over_time
from hwprof.speed import (
    Speed,
    bare_latencies,
    between_rounds,
    latency_ns,
    of_run,
    outliers,
    percentile,
    stretch_interval,
)


def lines(runs: Sequence[Run]) -> list[str]:
    """FPS, throughput, latency, load, memory, measurement overhead, fidelity."""
    timed = [r for r in runs if of_run(r).fps is not None]
    if not timed:
        return [f"  no speed: {why_no_speed(runs)}"]
    mean, low, high = between_rounds([of_run(r).fps or 0.0 for r in timed])
    interval = f"[{low:.1f} ... {high:.1f}]" if low is not None and high is not None else "(one round: no interval)"
    pooled = np.concatenate([bare_latencies(r) for r in timed])
    speeds = [of_run(r) for r in timed]
    choice = estimator.choose([(r.case.threads, s) for r, s in zip(timed, speeds, strict=True)])
    p90, p99 = (percentile(pooled, q) / 1e6 for q in (90, 99))
    found = [
        f"  FPS         {mean:>10,.1f}  {interval}    batch / median latency, 95 % between rounds",
        f"  throughput  {between([s.throughput for s in speeds], 1)} frames/s    all frames / elapsed",
        f"  CPU time    {between([s.cpu_s and 1e3 * s.cpu_s for s in speeds], 3)} ms per frame"
        f"    all threads{waiting_text(speeds)}",
        *([f"              to be ranked {choice.words}"] if choice.why else []),
        f"  latency     {latency_ns(pooled) / 1e6:>10.3f} ms   p90 {p90:.3f}   p99 {p99:.3f}   "
        f"({outliers(pooled)} of {len(pooled):,} beyond 3 sigma)",
    ]
    first = [w for w in timed[0].windows if w.role is Role.BARE and w.latencies_ns]
    _, low_ns, high_ns = stretch_interval([w.latencies_ns for w in first])
    if low_ns is not None and high_ns is not None:
        of = f"of this stretch of time ({sum(w.elapsed_s for w in first):.1f} s of the first round)"
        found.append(f"{'':>14}[{low_ns / 1e6:.3f} ... {high_ns / 1e6:.3f}] ms {of}, not the precision of the case")
    loads = [r.load_ns for r in runs if r.load_ns is not None]
    peaks = [r.facts["peak_rss_bytes"] for r in runs if "peak_rss_bytes" in r.facts]
    if loads and peaks:
        found.append(
            f"  load        {statistics.median(loads) / 1e6:>10.0f} ms   peak RSS {max(peaks) / 2**20:,.0f} MiB"
        )
    found += over_time.lines(runs)
    fidelity = worst([r.fidelity for r in runs])
    if fidelity is None:
        outputs = "not compared"
    elif fidelity.is_reference and fidelity.max_rel is not None:
        outputs = "is the reference"
    else:
        outputs = agreement_text(fidelity)
    found.append(f"  counting    {overhead.estimate(runs)}    outputs: {outputs}")
    found += precision_lines(runs[0], fidelity)
    return found


def between(values: Sequence[float | None], digits: int) -> str:
    """Geometric mean over rounds with its 95 % interval."""
    known = [v for v in values if v]
    if not known:
        return f"{'-':>10}"
    mean, low, high = between_rounds(known)
    bounds = f"  [{low:.{digits}f} ... {high:.{digits}f}]" if low is not None and high is not None else ""
    return f"{mean:>10,.{digits}f}{bounds}"


def waiting_text(speeds: Sequence[Speed]) -> str:
    """Shares of the time that was waited for a CPU, and that the hypervisor took, where they are 1 % or more."""
    parts = []
    for name, words in (("waiting", "in the run queue"), ("stolen", "stolen")):
        known = [v for s in speeds if (v := getattr(s, name)) is not None]
        if known and statistics.fmean(known) >= 0.01:
            parts.append(f"{100 * statistics.fmean(known):.0f} % of the time {words}")
    return f"; {', '.join(parts)}" if parts else ""


def precision_lines(run: Run, fidelity: Fidelity | None) -> list[str]:
    """The precision that was really computed in, where the file or the case asked for another one than FP32."""
    is_stored = stored_precision.is_stored(run.case.precision)
    computed = run.facts.get("computed")
    if not isinstance(computed, dict):
        return [f"  computed    {run.case.framework} does not report in which precision"] if is_stored else []
    counts = ", ".join(f"{count} in {precision}" for precision, count in computed.items() if count)
    lines = [f"  computed    convolutions and matrix products: {counts or 'none'}"]
    if fidelity is None or fidelity.simulated_rel is None:
        return lines
    other = f"{'other roundings' if is_stored else 'quantisation simulated in FP32'}:"
    error = f"max error {fidelity.simulated_rel:.1e}"
    if is_stored:
        error += f", {fidelity.tolerance:.1e} allowed"
    if fidelity.top1 is None or fidelity.simulated_top1 is None:
        lines.append(f"  agreement   {other} {error}")
    else:
        lines.append(
            f"  agreement   top-1 on {plural(fidelity.inputs, 'image')} {fidelity.top1:.0%}; {other} "
            f"{fidelity.simulated_top1:.0%}, {error}"
        )
    return lines
