"""What a page is made from, read from a results file: only as much of it as a page shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from hwprof.analysis import roofline
from hwprof.analysis.correlation import analyse, strata
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.explain import every_pair
from hwprof.analysis.explain.every_pair import Apart
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.pairs import Source
from hwprof.analysis.factors import identity
from hwprof.analysis.factors.identity import Identity
from hwprof.analysis.roofline import Placement, Roof, Unplaced
from hwprof.collectors.vocabulary import Name
from hwprof.records import Layer, Run
from hwprof.reports.background import Background
from hwprof.reports.page import content
from hwprof.store import Results, layers

# What the factors of a ratio and the table of commands need; the frame has all metrics.
ANCHORS = (
    Name.TASK_CLOCK,
    Name.CPU_USER_TIME,
    Name.CPU_SYSTEM_TIME,
    Name.CYCLES,
    Name.INSTRUCTIONS,
    Name.CYCLES.user,
    Name.INSTRUCTIONS.user,
)
TIMELINES = 6
LAYERED = 4
DRAWN = 6  # waterfalls: one per two frameworks, the widest apart first


@dataclass(frozen=True, slots=True)
class Material:
    """`frame` is labelled (strata.label); `runs` have the readings of ANCHORS only, `timelines` are whole."""

    report: content.Report
    frame: pd.DataFrame
    runs: Sequence[Run]
    source: str
    timelines: Sequence[Run] = ()
    placed: Sequence[tuple[Placement, Roof]] = ()
    unplaced: Sequence[Unplaced] = ()
    layers: Mapping[str, Sequence[Layer]] = field(default_factory=dict)  # title of the run -> its layers
    identities: Mapping[str, Identity] = field(default_factory=dict)  # uid of a native run -> its factors
    apart: Sequence[Apart] = ()  # every two frameworks in factors
    explained: Sequence[tuple[Apart, Explanation]] = ()  # those of them that are drawn, with what stands behind

    @property
    def variants(self) -> list[str]:
        """Frameworks with those of their options that vary, in the order of their colours."""
        return sorted(self.report.fps[VARIANT].unique()) if len(self.report.fps) else []


def gather(
    results: Results,
    against: Sequence[str] = tuple(analyse.TARGETS),
    begun: Background | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Material:
    """Read and analyse; `against`: what metrics are correlated with, of targets.TARGETS.

    `begun`: what has begun in another process; `meanwhile`: called when there is nothing to do here but wait for it.
    """
    if begun is None:
        frame = results.frame()  # first: what is added meanwhile may be among the runs only
        runs = list(results.runs(metrics=ANCHORS))
        identities = identity.identities(runs)
    else:
        runs = [run for run in results.runs(metrics=ANCHORS) if run.uid in begun.runs]
        identities = identity.identities(runs)
        meanwhile()
        frame = begun.frame()
    labelled = strata.label(frame)
    timelines = [results.find(uid) for uid in typical(labelled)]
    placed, unplaced = roofline.placed(frame, roofline.roofs(results.ceilings(), results.machines()))
    names = dict(zip(labelled["run"].astype(str), labelled[VARIANT].astype(str), strict=True))
    source = Source(results, held={r.uid: r for r in runs})
    pairs = every_pair.every(source, names, identities)
    drawn = every_pair.widest(pairs, DRAWN)
    source.held = {}  # an explanation needs all readings of its runs
    explained = list(zip(drawn, every_pair.explained(drawn, source), strict=True))
    correlate = analyse.analyse if begun is None else lambda _: begun.correlations()
    report = content.build(frame, runs, against, identities, correlate)
    return Material(
        report,
        labelled,
        runs,
        results.path.name,
        timelines,
        placed,
        unplaced,
        profiles(source),
        identities,
        pairs,
        explained,
    )


def typical(frame: pd.DataFrame) -> list[str]:
    """For each framework's variant the round of median FPS of its largest network at its largest batch: a long run."""
    good = frame[strata.is_ok(frame) & strata.is_native(frame) & frame["fps"].notna()]
    out = []
    for _, group in good.groupby(VARIANT, sort=True):
        heavy = group.assign(_work=group["macs"].fillna(0) * group["batch"]).sort_values(
            ["_work", NETWORK], kind="stable"
        )
        last = heavy.iloc[-1]
        same = heavy[(heavy[NETWORK] == last[NETWORK]) & (heavy["batch"] == last["batch"])]
        same = same[same["threads"] == last["threads"]].sort_values("fps", kind="stable")
        out.append(str(same["run"].iloc[len(same) // 2]))
    return out[:TIMELINES]


def profiles(source: Source) -> dict[str, list[Layer]]:
    """Layers with a time of the runs that have most time in them, by the title of the run."""
    entries = {entry.order: entry for entry in source.entries}
    out: dict[str, list[Layer]] = {}
    for order, found in layers.longest(source.results.database, LAYERED).items():
        if (run := entries.get(order)) is not None and (timed := [layer for layer in found if layer.ns is not None]):
            c = run.case
            out[f"{c.framework} {c.network} b{c.batch} t{c.threads}, round {run.round + 1} ({run.uid})"] = timed
    return out
