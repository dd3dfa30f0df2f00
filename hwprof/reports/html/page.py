"""The sections of the page in their order. Each has a line on every part that is missing, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from hwprof.analysis import energy
from hwprof.analysis.answer import wording
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.correlation.analyse import ENERGY, FPS
from hwprof.analysis.correlation.findings import Analysis
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.estimator import Estimator, choose
from hwprof.analysis.speeds import PLACE, groups, places, speed_of, with_energy
from hwprof.analysis.topdown import bars
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.records import Kind
from hwprof.reports.html import answer as first
from hwprof.reports.html import association, configurations, dendrogram, factors, hardware, over_time, speed, tables
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Figure, Page, Scatter, Section
from hwprof.reports.page import associations, content, detail
from hwprof.reports.page import words as page_words
from hwprof.reports.page.speeds import speed_table
from hwprof.reports.tables import Table
from hwprof.reports.terminal.command import COUNTS
from hwprof.reports.terminal.run import simulations

METHOD = (
    "FPS = batch / median latency after one 3-sigma pass; throughput = frames / elapsed. Intervals are between rounds, "
    "each round a fresh process.",
    "Correlations: logs, one value per framework and network (means over rounds, then batches); given log MACs and, "
    "where counted, log instructions per frame; Fisher's z. Below 4 networks no coefficient, 4 to 6 exploratory, "
    "q-values from 7.",
    "Machines, threads, affinities, precisions and input sizes are never pooled. EMULATED: an emulator's time and "
    "counts. SIMULATED: a model's counts, in columns of their own. SUSPECT: failed validation here, saw a part of "
    "the run only, or contradicts another reading. SCALED: shared a counter.",
)
# Quantities of a timeline -> the gauges that measure them.
GAUGES = {
    "power": (Name.POWER, Name.ENERGY),
    "frequency": (Name.CPU_FREQUENCY,),
    "temperature": (Name.TEMPERATURE,),
}

ADDED = 3  # added-variable plots per framework
CLICK = "Click a cell, or press Enter on it, for the scatter behind it."


def build(material: Material) -> Page:
    """The page of a results file."""
    report = material.report
    scatters: list[Scatter] = []
    sections = [*configurations.need_sections(material), _speed(material), *configurations.best_sections(material)]
    sections += [*_associations(material, scatters)]
    if len(report.fps):
        sections += [section(material) for section in (_factors, _hardware, _energy, _over_time, _timelines, _layers)]
    sections += [_machine(material), _doubts(material)]
    if len(material.frame):
        sections.append(Section("runs", "Runs", tables=(tables.runs_table(material.frame),)))
    return Page(first.first_screen(material, sections), tuple(sections), tuple(scatters))


def _speed(material: Material) -> Section:
    fps, variants = material.report.fps, material.variants
    if not len(fps):
        return Section("speed", "Speed", absent=("No network has a usable FPS.",))
    figures: list[Figure] = []
    absent = []
    parts_of_place = [(page_words.place(values), part) for values, part in places(fps)]
    for number, (where, part) in enumerate(parts_of_place):
        figures.append(speed.dot_plot(part, variants, f"fps-{number}", where))
    batches = [(f"batch {b}", part) for b, part in fps.groupby("batch", sort=True)]
    for column, advice, parts in (
        ("batch", "-b, or batch = [1, 4]", parts_of_place),
        ("threads", "-t, or threads = [1, 2]", batches),
    ):
        drawn = [speed.scaling_chart(p, column, variants, f"fps-{column}-{i}", w) for i, (w, p) in enumerate(parts)]
        figures += [f for f in drawn if f is not None]
        if not any(drawn):
            why = f"every case has one {column} value ({advice} measures more)"
            absent.append(f"No chart of FPS against {column}: {why}.")
    sizes = speed.size_chart(fps, variants, "fps-macs")
    figures += [sizes] if sizes else []
    words = (content.scope_line(fps), *content.output_lines(fps, material.runs))
    return Section("speed", "Speed", words, tuple(figures), tables=(speed_table(fps),), absent=tuple(absent))


def _where(material: Material, analysis: Analysis) -> str:
    """The values by which this stratum differs from the others, in words."""
    strata = [a.stratum for a in (*material.report.analyses, *material.report.energy)]
    differing = [c for c in (*PLACE, "size") if len({getattr(s, c) for s in strata}) > 1]
    return "".join(f" · {page_words.word(c, getattr(analysis.stratum, c))}" for c in differing)


def _associations(material: Material, scatters: list[Scatter]) -> list[Section]:
    """Correlations with FPS, then with energy per frame: the map and pooled slopes, then each framework."""
    report = material.report
    analyses = report.analyses
    out: list[Section] = []
    for stratum, analysis in enumerate((*analyses, *report.energy)):
        where = _where(material, analysis)
        scatters += association.scatters(analysis, stratum)
        shown_map = association.heat_map(analysis, stratum, where)
        if shown_map:
            shown_map = replace(shown_map, note=f"{shown_map.note} {CLICK}")
        figures = [shown_map, association.slopes(analysis.pooled, stratum, where)]
        figures += dendrogram.figures(analysis, stratum, where)
        found = [detail.pooled_table(analysis), detail.groups_table(analysis), detail.influence_table(analysis)]
        found_words = () if analysis.refusal else associations.sentences(analysis)
        sentences = (f"{analysis.stratum.title}.", *found_words, *detail.gates(analysis))
        absent = [f"No {t.title.lower()}: nothing to say here." for t in found if not t.rows and not analysis.refusal]
        shown = tuple(t for t in found if t.rows)
        title = f"Correlation with {analysis.target}{where}"
        pictures = tuple(f for f in figures if f)
        out.append(
            Section(
                f"{'with-energy' if stratum >= len(analyses) else 'with-fps'}-{stratum}",
                title,
                sentences,
                pictures,
                shown,
                tuple(absent),
                scatter=bool(pictures),
            )
        )
        if not analysis.refusal:
            out += [_framework(material, analysis, stratum, name) for name in analysis.frameworks]
    if report.energy_why:
        out.append(Section("with-energy", f"Correlation with {ENERGY}", absent=(f"{report.energy_why}.",)))
    flips = detail.flips_table(analyses)
    if flips.rows:
        out.append(Section("flips", "Signs that differ", tables=(flips,)))
    elif analyses:
        why = (
            "No metric correlates with FPS positively in one framework or stratum and negatively in another (both "
            "intervals without 0)."
        )
        out.append(Section("flips", "Signs that differ", absent=(why,)))
    return out


def _framework(material: Material, analysis: Analysis, stratum: int, framework: str) -> Section:
    found = [c for c in analysis.correlations if c.framework == framework]
    figures = tuple(
        association.added_variable(c, f"added-{stratum}-{framework}-{i}")
        for i, c in enumerate(association.select(found, ADDED))
    )
    warnings = [f"Warning: {w}" for w in detail.warnings(analysis, framework, _shares(material, framework))]
    absent = () if figures else ("No added-variable plot: no metric has a coefficient (see the reasons in the table).",)
    of = "" if analysis.target == FPS else f" · {analysis.target}"
    title = f"{framework}{_where(material, analysis)}{of}"
    table = detail.framework_table(analysis, framework)
    lines = (*associations.mediation(analysis, framework), *warnings)
    return Section(f"framework-{stratum}-{framework}", title, lines, figures, (table,), absent, level=3)


def _shares(material: Material, variant: str) -> pd.Series:
    """Doubt -> share of the variant's runs that have it."""
    own = set(material.frame.loc[material.frame[VARIANT] == variant, "run"])
    runs = [r for r in material.runs if r.uid in own and r.failure is None]
    codes = pd.Series([code for r in runs for code in {d.code for d in r.doubts}], dtype=object)
    return codes.value_counts() / max(1, len(runs))


def _factors(material: Material) -> Section:
    found, explained = material.pairs, material.explanations
    figures = tuple(factors.waterfall(p, f"factors-{i}", e.headline) for i, (p, e) in enumerate(explained))
    rows = [factors.evidence_table(explained), factors.table(found)] if found else []
    identity = content.identity_table(material.frame, material.runs, material.identities)
    absent = () if found else ("No two frameworks measured the same case: nothing to take apart.",)
    sentences: tuple[str, ...] = (
        (factors.NOTE, "One waterfall per two frameworks, of the case where they are farthest apart.") if found else ()
    )
    pairs = material.report.answer.pairs if material.report.answer is not None else ()
    sentences += tuple(map(wording.short, pairs if len(pairs) > 1 else ()))
    sentences += tuple(simulations(material.runs))
    shown = tuple(t for t in (*rows, identity) if t.rows)
    return Section("factors", "The ratio of two frameworks in its factors", sentences, figures, shown, absent)


def _hardware(material: Material) -> Section:
    figures, absent = [], []
    slots = bars(material.frame, material.machines)
    if slots:
        figures.append(hardware.topdown(slots, "topdown"))
    else:
        absent.append(
            "No top-down bars: no run counted the four slots of level 1 (retiring, bad speculation, front end, "
            "back end; -e topdown)."
        )
    roofs = list({id(roof): roof for _, roof in material.placements}.values())
    for number, roof in enumerate(roofs):
        key = f"roofline{number or ''}"
        figures.append(hardware.roofline(material.placements, roof, material.variants, key))
    why = "; ".join(dict.fromkeys(one.why for one in material.unplaced))
    if material.unplaced:
        absent.append(f"Not under a roof: {plural(len(material.unplaced), 'case')} ({why}).")
    return Section("hardware", "Pipeline and ceilings", figures=tuple(figures), absent=tuple(absent))


def _energy(material: Material) -> Section:
    frame = material.frame
    both = with_energy(material.report.fps, frame)
    if both is None:
        return Section("energy", "Energy", absent=(f"No energy per frame: {energy.absence_reason(frame)}.",))
    title, note = "Energy per frame against FPS", "Up and to the left is better: no point there is beaten in both."
    choice = choose(member for rows in groups(both, [NETWORK]) for row in rows for member in speed_of(row))
    if choice.estimator is not Estimator.FPS:
        note = f"Nothing is ranked by these points: in the worst run {choice.why}."
    figure = speed.cloud(both, "energy", "J per frame", 1.0, material.variants, "energy", title, note)
    return Section("energy", "Energy", tuple(energy.sources(frame)), (figure,))


def _over_time(material: Material) -> Section:
    chosen = over_time.choose(material.frame, material.runs)
    figures = tuple(
        over_time.figure(name, cases, material.variants, f"fps-time-{i}")
        for i, (name, cases) in enumerate(chosen.items())
    )
    title = "FPS over time"
    if not figures:
        return Section("fps-time", title, absent=("No FPS over time: no run holds latencies of single inferences.",))
    words = (
        "The median round of each framework at its largest batch, of the largest networks; "
        "hwprof export --over-time has every run.",
        *over_time.sentences(chosen),
    )
    return Section("fps-time", title, words, figures)


def _timelines(material: Material) -> Section:
    names = dict(zip(material.frame["run"].astype(str), material.frame[VARIANT].astype(str), strict=True))
    drawn = [hardware.timeline(r, names[r.uid], f"time-{i}") for i, r in enumerate(material.timelines)]
    figures = tuple(f for f in drawn if f is not None)
    words = ("One run per framework: the median round of its largest network and batch.",) if figures else ()
    gauges = {s.metric for r in material.timelines for s in r.series}
    absent = [] if figures else ["No timeline: no gauge gave three values in a run."]
    for what, metrics in GAUGES.items():
        if figures and not gauges.intersection(metrics):
            absent.append(f"No {what}: no sensor of this machine says it (hwprof doctor).")
    return Section("timeline", "During a run", words, figures, absent=tuple(absent))


def _layers(material: Material) -> Section:
    drawn = tuple(tables.layer_bars(t, layers, f"layers-{i}") for i, (t, layers) in enumerate(material.layers.items()))
    absent = () if drawn else ("No bars per layer: these results hold no times of layers.",)
    return Section("layers", "Per layer", figures=drawn, absent=absent)


def _machine(material: Material) -> Section:
    found = tables.machines(material.runs)
    rows = [Table(label, ("fact", "value"), facts) for label, facts in found]
    return Section("machine", "Machine and method", METHOD, tables=tuple(rows))


def _trust(answer: Answer | None) -> list[str]:
    """What lowers the trust in the answer, with what would change it."""
    if answer is None or answer.trust is None:
        return []
    return [f"{r.text[:1].upper()}{r.text[1:]} (at most {r.at_most}): {r.change}." for r in answer.trust.reasons]


def _doubts(material: Material) -> Section:
    titles = ("Doubts", "Without a result", "Left out", "Events that failed validation", "Commands", COUNTS)
    found = sorted((t for t in material.report.tables if t.title in titles), key=lambda t: titles.index(t.title))
    natives = sum(r.kind is Kind.NATIVE and r.failure is None for r in material.runs)
    absent = [] if any(t.title == "Doubts" for t in found) else [f"None of {plural(natives, 'run')} raised a doubt."]
    words = (*_trust(material.report.answer), *content.failure_lines(material.runs))
    return Section("doubts", "Warnings and doubts", words, tables=tuple(found), absent=tuple(absent))
