"""Reads of a results file what a page shows, and analyses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hwprof.analysis import placement, roofline, speeds, topdown
from hwprof.analysis.answer import aggregate, build, misses
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.bottlenecks import diagnosis
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis
from hwprof.analysis.correlation import analyse, strata
from hwprof.analysis.correlation.strata import VARIANT
from hwprof.analysis.explain import every_pair
from hwprof.analysis.explain.every_pair import PairFactors
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.pairs import Source
from hwprof.analysis.factors import identity
from hwprof.analysis.factors.identity import Identity
from hwprof.analysis.roofline import Placement, Roof, UnplacedCase
from hwprof.analysis.speeds import median_runs
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.records import Kind, Layer, Run
from hwprof.reports import tables
from hwprof.reports.background import Background
from hwprof.reports.html import over_time, within_runs
from hwprof.reports.page import configurations, content
from hwprof.store import Results, layers
from hwprof.store.listing import entries

# Metrics that the factors of a ratio, their clues and memory growth need; the frame has all of them.
ANCHORS = (
    Name.TASK_CLOCK,
    Name.CPU_USER_TIME,
    Name.CPU_SYSTEM_TIME,
    Name.CYCLES,
    Name.INSTRUCTIONS,
    Name.CYCLES.user,
    Name.INSTRUCTIONS.user,
    Name.RSS,
    Name.RUN_QUEUE_WAIT,
    *(name for metric in misses.METRICS for name in (metric, metric.user)),
)
TIMELINES = 6
LAYERED = 4
DIAGNOSED = 400  # runs: the rules read every reading of each
DRAWN = 6  # waterfalls: one per two frameworks, the widest apart first


@dataclass(frozen=True, slots=True)
class Material:
    """`frame` is labelled (strata.label). `runs` have the readings of ANCHORS only, commands and `timelines` all."""

    report: tables.Report
    frame: pd.DataFrame
    runs: Sequence[Run]
    source: str
    timelines: Sequence[Run] = ()
    placements: Sequence[tuple[Placement, Roof]] = ()
    unplaced: Sequence[UnplacedCase] = ()
    layers: Mapping[str, Sequence[Layer]] = field(default_factory=dict)  # title of the run -> its layers
    identities: Mapping[str, Identity] = field(default_factory=dict)  # uid of a native run -> its factors
    pairs: Sequence[PairFactors] = ()  # every two frameworks in factors
    explanations: Sequence[tuple[PairFactors, Explanation]] = ()  # of those pairs that are drawn
    machines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # hardware facts by machine_id
    diagnoses: Sequence[Diagnosis] = ()  # bottlenecks of each case
    undiagnosed: str = "no case has a speed to judge"  # why there are none
    whole: Sequence[tuple[str, Sequence[Run]]] = ()  # cases by title, with all that their rounds counted

    @property
    def has_slots(self) -> bool:
        """Whether a run counted the four slots of top-down level 1."""
        return bool(topdown.bars(self.frame, self.machines))

    @property
    def variants(self) -> list[str]:
        """Frameworks with those of their options that vary, in the order of their colours."""
        return sorted(self.report.fps[VARIANT].unique()) if len(self.report.fps) else []


def _read(results: Results) -> list[Run]:
    """All runs: commands whole, since the report has all of their counts, the others with ANCHORS and what says how
    long others had their cores."""
    whole = {run.uid: run for run in results.runs(kind=Kind.COMMAND)}
    cpus = sorted({cpu for entry in entries(results.database) for cpu in entry.case.cpus})
    of_cores = [f"{name}[cpu{cpu}]" for cpu in cpus for name in (Name.CPU_BUSY, Name.CPU_STEAL)]
    return [whole.get(run.uid, run) for run in results.runs(metrics=(*ANCHORS, *of_cores))]


def gather(
    results: Results,
    against: Sequence[str] = tuple(analyse.TARGETS),
    background: Background | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Material:
    """Read and analyse; `against`: what metrics are correlated with, of analyse.TARGETS.

    `background`: another process that reads the frame; `meanwhile`: called while this one would only wait for it.
    """
    if background is None:
        frame = results.frame()  # before the runs: one that is added meanwhile may not be in the frame alone
        runs = _read(results)
        identities = identity.identities(runs)
    else:
        runs = [run for run in _read(results) if run.uid in background.runs]
        identities = identity.identities(runs)
        meanwhile()
        frame = background.frame()
    labelled = strata.label(frame)
    whole = within_runs.read(over_time.choose(labelled, runs), results)
    timelines = [results.find(uid) for uid in median_runs(labelled)[:TIMELINES]]
    machines = results.machines()
    placements, unplaced = placement.place_cases(frame, roofline.roofs(results.ceilings(), machines))
    names = dict(zip(labelled["run"].astype(str), labelled[VARIANT].astype(str), strict=True))
    source = Source(results, loaded={r.uid: r for r in runs})
    pairs = every_pair.decompose_pairs(source, names, identities)
    drawn = every_pair.largest_ratios(pairs, DRAWN)
    source.loaded = {}  # an explanation needs all readings of its runs
    explanations = list(zip(drawn, every_pair.explain_pairs(drawn, source), strict=True))
    correlate = analyse.analyse if background is None else lambda _: background.correlations()
    cases = aggregate.of_pairs(pairs, explanations)
    diagnoses, undiagnosed = diagnose(results, runs)
    found = build.answer_cases(cases, name_of_file(results)) or answer_without_pairs(results, labelled, runs, diagnoses)
    report = content.build(frame, runs, against, identities, correlate, found)
    report = configurations.extend(report, labelled)
    return Material(
        report,
        labelled,
        runs,
        results.path.name,
        timelines,
        placements,
        unplaced,
        profiles(source),
        identities,
        pairs,
        explanations,
        machines,
        diagnoses,
        undiagnosed,
        whole,
    )


def diagnose(results: Results, runs: Sequence[Run]) -> tuple[Sequence[Diagnosis], str]:
    """The bottlenecks of every case, or why there are none."""
    if len(runs) > DIAGNOSED:
        why = f"these are {plural(len(runs), 'run')}, and the page has them for up to {DIAGNOSED}"
        return (), f"{why}. `hwprof explain FRAMEWORK` has them for one framework"
    found, _ = diagnosis.diagnose(results)
    return found, "" if found else "no case has a speed to judge"


def name_of_file(results: Results) -> str:
    """The results as a command has to name them: the file, and the experiment that was asked for; "" by default."""
    return results.name + (results.scope.suffix if results.scope is not None else "")


def answer_without_pairs(
    results: Results, frame: pd.DataFrame, runs: Sequence[Run], diagnoses: Sequence[Diagnosis] = ()
) -> Answer:
    """The answer where no two frameworks have factors of one case. `frame`: labelled; `diagnoses`: if known."""
    fps = speeds.speeds(frame) if len(frame) else pd.DataFrame()
    real = fps[~fps["emulated"]] if len(fps) else fps
    names = sorted(real[VARIANT].unique()) if len(real) else []
    if len(names) == 1 and not diagnoses:
        diagnoses = diagnosis.diagnose(results)[0]
    machines = list(real["machine"].unique()) if len(real) else []
    ratios = speeds.ratios(real, names) if len(names) > 1 else []
    return build.answer_alone(names, runs, ratios, diagnoses, machines, name_of_file(results))


def profiles(source: Source) -> dict[str, list[Layer]]:
    """Layers with a time of the runs whose layers take most time, by the title of the run."""
    entries = {entry.order: entry for entry in source.entries}
    out: dict[str, list[Layer]] = {}
    for order, found in layers.read_longest(source.results.database, LAYERED).items():
        if (run := entries.get(order)) is not None and (timed := [layer for layer in found if layer.ns is not None]):
            c = run.case
            name = f"{c.framework} {c.network} {c.side} b{c.batch} t{c.threads}"
            out[f"{name}, round {run.round + 1} ({run.uid})"] = timed
    return out
