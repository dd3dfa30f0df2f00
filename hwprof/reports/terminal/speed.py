"""The lines of `hwprof run` on speed, memory, measurement overhead and outputs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from hwprof import speed as figures
from hwprof.analysis import estimator, overhead
from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.omissions import why_no_speed
from hwprof.analysis.units import WITHIN
from hwprof.networks import stored_precision
from hwprof.printable import capital, plural
from hwprof.records import Fidelity, Role, Run, Window
from hwprof.records.agreement import agreement_text, worst
from hwprof.reports import over_time
from hwprof.reports.terminal.session_noise import describe
from hwprof.reports.terminal.style import FULL, PLAIN, Palette, wrap
from hwprof.speed import (
    Interval,
    Speed,
    bare_latencies,
    between_rounds,
    latency_ns,
    of_run,
    outliers,
    percentile,
    stretch_interval,
)

HANGING = " " * 14  # below the label of a line
NOT_CALIBRATED = (
    "Another session may differ by more than these intervals: by how much sessions of this machine differ is not "
    "calibrated (hwprof compare --calibrate)."
)


def lines(
    runs: Sequence[Run], noise: MachineNoise | None = None, width: int = FULL, palette: Palette = PLAIN
) -> list[str]:
    """FPS, throughput and CPU time with their intervals and what these are of; latency, memory, overhead, fidelity.

    `noise`: what is known of how sessions of this machine differ.
    """
    timed = [r for r in runs if of_run(r).fps is not None]
    if not timed:
        return wrap(f"no speed: {why_no_speed(runs)}", width, "  ", "    ")
    pooled = np.concatenate([bare_latencies(r) for r in timed])
    speeds = [of_run(r) for r in timed]
    choice = estimator.choose([(r.case.threads, s) for r, s in zip(timed, speeds, strict=True)])
    p90, p99 = (percentile(pooled, q) / 1e6 for q in (90, 99))
    shown = (
        f"FPS         {bounded(fps_of(timed), 1)}  batch / median latency",
        f"throughput  {bounded(throughput_of(timed), 1)}  frames/s, all frames / elapsed",
        f"CPU time    {bounded(cpu_ms_of(timed), 3)}  ms per frame, all threads",
    )
    found = [part for line in shown for part in wrap(line, width, "  ", HANGING)]
    if taken := waiting_text(speeds):
        found += [palette.doubt(line) for line in wrap(f"of the time {taken}", width, HANGING)]
    if choice.why:
        found += [palette.doubt(line) for line in wrap(f"to be ranked {choice.words}", width, HANGING)]
    found += wrap(
        f"latency     {latency_ns(pooled) / 1e6:>10.3f} ms  p90 {p90:.3f}  p99 {p99:.3f}  "
        f"({outliers(pooled)} of {len(pooled):,} beyond 3 sigma)",
        width,
        "  ",
        HANGING,
    )
    found += [palette.secondary(line) for line in interval_lines(timed, noise, width)]
    loads = [r.load_ns for r in runs if r.load_ns is not None]
    peaks = [r.facts["peak_rss_bytes"] for r in runs if "peak_rss_bytes" in r.facts]
    if loads and peaks:
        found.append(
            f"  load        {statistics.median(loads) / 1e6:>10.0f} ms   peak RSS {max(peaks) / 2**20:,.0f} MiB"
        )
    for line in over_time.lines(runs):
        found += wrap(line.strip(), width, "  ", HANGING)
    fidelity = worst([r.fidelity for r in runs])
    if fidelity is None:
        outputs = "not compared"
    elif fidelity.is_reference and fidelity.max_rel is not None:
        outputs = "is the reference"
    else:
        outputs = agreement_text(fidelity)
    found += wrap(f"counting    {overhead.estimate(runs)}", width, "  ", HANGING)
    words = wrap(f"outputs     {outputs}", width, "  ", HANGING)
    found += [palette.doubt(line) for line in words] if is_doubtful(fidelity) else words
    for line in precision_lines(runs[0], fidelity):
        found += wrap(line.strip(), width, "  ", HANGING)
    return found


def is_doubtful(fidelity: Fidelity | None) -> bool:
    """Whether the outputs are wrong, or could not be compared."""
    return fidelity is not None and (fidelity.unfaithful or fidelity.max_rel is None)


def fps_of(timed: Sequence[Run]) -> Interval:
    """FPS of a case, with 95 % between rounds; of one round with that of its stretch of time."""
    if len(timed) > 1:
        return between_rounds([of_run(r).fps or 0.0 for r in timed])
    (run,) = timed
    fps, parts = of_run(run).fps or 0.0, [w.latencies_ns for w in bare_windows(run)]
    middle, low, high = stretch_interval(parts) if parts else (fps, None, None)
    if low is None or high is None:
        return Interval(fps, None, None)
    # around the published figure: the blocks' median is that of all durations, which differs by the trimming alone
    return Interval(fps, fps * middle / high, fps * middle / low)


def throughput_of(timed: Sequence[Run]) -> Interval | None:
    """Throughput of a case, with 95 % between rounds; of one round with that over the blocks of its stretch of time."""
    known = [s.throughput for s in map(of_run, timed) if s.throughput]
    if not known or len(timed) > 1:
        return between_rounds(known) if known else None
    rates: list[float] = []
    for run in timed:
        for window in bare_windows(run):
            cut = figures.bins(window.latencies_ns, 1e9 * window.elapsed_s, figures.BLOCK_NS)
            pairs = zip(cut.iterations, cut.length_ns, strict=True)
            rates += [figures.throughput(int(n) * run.case.batch, t) for n, t in pairs]
    if len(rates) < figures.MIN_BLOCKS:
        return Interval(known[0], None, None)
    middle, low, high = between_rounds(rates)
    if low is None or high is None:
        return Interval(known[0], None, None)
    return Interval(known[0], known[0] * low / middle, known[0] * high / middle)


def cpu_ms_of(timed: Sequence[Run]) -> Interval | None:
    """CPU time per frame in ms, with 95 % between rounds; the CPU clock is read once in a stretch of time."""
    known = [1e3 * s.cpu_s for s in map(of_run, timed) if s.cpu_s]
    return between_rounds(known) if known else None


def bare_windows(run: Run) -> list[Window]:
    """The bare windows with latencies."""
    return [w for w in run.windows if w.role is Role.BARE and w.latencies_ns]


def interval_lines(timed: Sequence[Run], noise: MachineNoise | None, width: int = FULL) -> list[str]:
    """What the intervals are of, and what is known of other sessions."""
    if len(timed) > 1:
        text = f"Intervals: 95 % between {plural(len(timed), 'round')}, {WITHIN}."
    else:
        seconds = sum(w.elapsed_s for w in bare_windows(timed[0]))
        text = (
            f"Intervals: 95 %, of this stretch of time ({seconds:.1f} s of one round), not the precision of the case. "
            "Rounds (-r 3) give that of this session."
        )
    known = {} if noise is None else noise.noises
    by = next((e.value for e in Estimator if e.value in known), None)
    text += f" {NOT_CALIBRATED}" if by is None else f" {capital(describe(known[by], by))}."
    return wrap(text, width, HANGING)


def bounded(value: Interval | None, digits: int) -> str:
    """`     607.8  [601.2, 614.5]`; without bounds where there are none, a dash where there is nothing."""
    if value is None:
        return f"{'-':>10}"
    bounds = "" if value.low is None or value.high is None else f"  [{value.low:,.{digits}f}, {value.high:,.{digits}f}]"
    return f"{value.value:>10,.{digits}f}{bounds}"


def waiting_text(speeds: Sequence[Speed]) -> str:
    """Shares of the time that was waited for a CPU, and that the hypervisor took, where they are 1 % or more."""
    parts = []
    for name, words in (("waiting", "in the run queue"), ("stolen", "stolen by the hypervisor")):
        known = [v for s in speeds if (v := getattr(s, name)) is not None]
        if known and statistics.fmean(known) >= 0.01:
            parts.append(f"{100 * statistics.fmean(known):.0f} % {words}")
    return ", ".join(parts)


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
