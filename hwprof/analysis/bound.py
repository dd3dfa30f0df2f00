"""What bounds the case that was just measured: the rules of `bottlenecks` on its own runs alone. Pure.

Other thread counts, batches and frameworks of a results file are not looked at, so that it takes no time however large
that file is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwprof.analysis import roofline
from hwprof.analysis.bottlenecks.diagnosis import verdicts
from hwprof.analysis.bottlenecks.verdicts import Context, Verdict
from hwprof.analysis.factors import clues
from hwprof.analysis.factors.evidence import collect
from hwprof.analysis.roofline import Roof
from hwprof.records import Kind, Run
from hwprof.speed import of_run


def judge_runs(runs: Sequence[Run], roofs: Sequence[Roof] = ()) -> tuple[Verdict, ...]:
    """Verdicts on the one case of these runs, found ones first; none where no round has a speed.

    `roofs`: the measured ceilings of its machine.
    """
    evidence = collect(runs)
    native = [r for r in runs if r.kind is Kind.NATIVE and r.failure is None]
    speeds = [s for s in map(of_run, native) if s.fps is not None]
    if evidence is None or not speeds:
        return ()
    case = evidence.case
    roof, doubt = roofline.nearest_roof(roofs, case.cpus, case.threads)
    latencies: Mapping[str, float] = roofline.latencies(roofs, case.cpus, clues.hertz(evidence))
    known = {case.threads: tuple(s.throughput for s in speeds if s.throughput)}
    return verdicts(Context(evidence, speeds, roof, doubt, known, latencies=latencies))
