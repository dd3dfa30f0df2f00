"""The sections of the page: after the first screen the evidence in the order of the answer.

What is absent is a line with the command that would fill it, and no section.
"""

from __future__ import annotations

from collections.abc import Callable

from hwprof.analysis import energy
from hwprof.analysis.answer import wording
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.estimator import Estimator, choose
from hwprof.analysis.speeds import groups, places, speed_of, with_energy
from hwprof.analysis.topdown import bars
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.records import Kind
from hwprof.reports.html import answer as first
from hwprof.reports.html import (
    configurations,
    counters,
    factors,
    glossary,
    hardware,
    over_time,
    speed,
    tables,
    within_runs,
)
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Figure, Page, Section
from hwprof.reports.page import accuracies, bottlenecks, content
from hwprof.reports.page import words as page_words
from hwprof.reports.page.speeds import speed_table
from hwprof.reports.tables import Table
from hwprof.reports.terminal.run import simulations

METHOD = (
    "FPS = batch / median latency after one 3-sigma pass; throughput = frames / elapsed. Intervals are between rounds. "
    "Each round is a fresh process.",
    "Correlations: logs, one value per framework and network (means over rounds, then batches), controlling for log "
    "MACs and, where counted, log instructions per frame; Fisher's z. A coefficient needs 4 networks, a q-value 7. "
    "With 4 to 6 it is exploratory.",
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
Part = Callable[[Material], list[Section]]


def build(material: Material) -> Page:
    """The page of a results file."""
    parts = (
        EVIDENCE if len(material.report.fps) else (configurations.need_sections, _speed, _accuracy, counters.of_speed)
    )
    sections = [section for part in (*parts, *ALWAYS) for section in part(material)]
    return Page(first.first_screen(material), tuple(sections), tuple(counters.scatters(material, sections)))


def _speed(material: Material) -> list[Section]:
    fps, variants = material.report.fps, material.variants
    if not len(fps):
        return [Section("speed", "Speed", absent=("No network has a usable FPS. `hwprof run` measures one.",))]
    figures: list[Figure] = []
    absent = []
    parts_of_place = [(page_words.place(values), part) for values, part in places(fps)]
    for number, (where, part) in enumerate(parts_of_place):
        figures.append(speed.dot_plot(part, variants, f"fps-{number}", where))
    batches = [(f"batch {b}", part) for b, part in fps.groupby("batch", sort=True)]
    for column, command, parts in (
        ("batch", "hwprof run -b 4", parts_of_place),
        ("threads", "hwprof run -t 2", batches),
    ):
        drawn = [speed.scaling_chart(p, column, variants, f"fps-{column}-{i}", w) for i, (w, p) in enumerate(parts)]
        figures += [f for f in drawn if f is not None]
        if not any(drawn):
            why = f"every case has one {column} value"
            absent.append(f"No chart of FPS against {column}: {why}. `{command}` measures another.")
    sizes = speed.size_chart(fps, variants, "fps-macs")
    figures += [sizes] if sizes else []
    words = (content.scope_line(fps), *content.output_lines(fps, material.runs))
    return [Section("speed", "Speed", words, tuple(figures), (speed_table(fps),), tuple(absent))]


def _factors(material: Material) -> list[Section]:
    found, explained = material.pairs, material.explanations
    figures = tuple(factors.waterfall(p, f"factors-{i}", e.headline) for i, (p, e) in enumerate(explained))
    rows = [factors.evidence_table(explained), factors.table(found)] if found else []
    identity = content.identity_table(material.frame, material.runs, material.identities)
    absent = () if found else ("No two frameworks measured the same case. `hwprof sweep quick` measures some.",)
    sentences: tuple[str, ...] = (
        (factors.NOTE, "One waterfall per two frameworks, of the case where they are farthest apart.") if found else ()
    )
    pairs = material.report.answer.pairs if material.report.answer is not None else ()
    sentences = (*map(wording.short, pairs if len(pairs) > 1 else ()), *sentences, *simulations(material.runs))
    shown = tuple(t for t in (*rows, identity) if t.rows)
    return [Section("factors", "Why, pair by pair", sentences, figures, shown, absent)]


def _bottlenecks(material: Material) -> list[Section]:
    figures, absent = [], []
    found = [d for d in material.diagnoses if d.verdicts]
    if not found:
        absent.append(f"No bottlenecks: {material.undiagnosed}.")
    slots = bars(material.frame, material.machines)
    if slots:
        figures.append(hardware.topdown(slots, "topdown"))
    else:
        absent.append(
            "No top-down bars: no run counted the four slots of level 1 (retiring, bad speculation, front end, back "
            "end). `hwprof run -e topdown` counts them where the CPU can."
        )
    roofs = list({id(roof): roof for _, roof in material.placements}.values())
    for number, roof in enumerate(roofs):
        figures.append(hardware.roofline(material.placements, roof, material.variants, f"roofline{number or ''}"))
    if material.unplaced:
        why = "; ".join(dict.fromkeys(one.why for one in material.unplaced))
        absent.append(
            f"No place under the roofline for {plural(len(material.unplaced), 'case')}: {why}. "
            "`hwprof roofline --measure` measures the ceilings."
        )
    words = tuple(bottlenecks.sentences(found)) if found else ()
    shown = (bottlenecks.table(found),) if found else ()
    return [Section("bottlenecks", "Bottlenecks", words, tuple(figures), shown, tuple(absent))]


def _layers(material: Material) -> list[Section]:
    drawn = tuple(tables.layer_bars(t, layers, f"layers-{i}") for i, (t, layers) in enumerate(material.layers.items()))
    absent = () if drawn else ("No time of any layer was recorded. `hwprof layers` records them.",)
    return [Section("layers", "Layers", figures=drawn, absent=absent)]


def _energy(material: Material) -> list[Section]:
    frame = material.frame
    both = with_energy(material.report.fps, frame)
    if both is None:
        why = f"No energy per frame: {energy.absence_reason(frame)}."
        return [Section("energy", "Energy", absent=(why,))]
    title, note = "Energy per frame against FPS", "Up and to the left is better: no point there is beaten in both."
    choice = choose(member for rows in groups(both, [NETWORK]) for row in rows for member in speed_of(row))
    if choice.estimator is not Estimator.FPS:
        note = f"Nothing is ranked by these points: in the worst run {choice.why}."
    figure = speed.cloud(both, "energy", "J per frame", 1.0, material.variants, "energy-fps", title, note)
    whole = Section("energy", "Energy", tuple(energy.sources(frame)), (figure,))
    return [whole, *counters.of_energy(material)]


def _over_time(material: Material) -> list[Section]:
    parts = [_throughput(material), within_runs.section(material.whole), _gauges(material)]
    head = Section("over-time", "Over time", heads=True)
    return parts if all(s.is_absent for s in parts) else [head, *parts]


def _throughput(material: Material) -> Section:
    chosen = over_time.choose(material.frame, material.runs)
    figures = tuple(
        over_time.figure(name, cases, material.variants, f"fps-time-{i}")
        for i, (name, cases) in enumerate(chosen.items())
    )
    title = "FPS over time"
    if not figures:
        why = "No FPS over time: no run holds latencies of single inferences. `hwprof run` records them."
        return Section("fps-time", title, absent=(why,), level=3)
    words = (
        "The median round of each framework at its largest batch, of the largest networks. "
        "hwprof export --over-time has every run.",
        *over_time.sentences(chosen),
    )
    return Section("fps-time", title, words, figures, level=3)


def _gauges(material: Material) -> Section:
    names = dict(zip(material.frame["run"].astype(str), material.frame[VARIANT].astype(str), strict=True))
    drawn = [hardware.timeline(r, names[r.uid], f"time-{i}") for i, r in enumerate(material.timelines)]
    figures = tuple(f for f in drawn if f is not None)
    words = ("One run per framework: the median round of its largest network and batch.",) if figures else ()
    known = {s.metric for r in material.timelines for s in r.series}
    doctor = "`hwprof doctor` says which sensors are here."
    absent = [] if figures else [f"No clock, power or memory over time: no gauge gave three values in a run. {doctor}"]
    lacking = [what for what, metrics in GAUGES.items() if figures and not known.intersection(metrics)]
    absent += [f"No {what}: no sensor of this machine reports it. {doctor}" for what in lacking]
    return Section("timeline", "During a run", words, figures, absent=tuple(absent), level=3)


def _machine(material: Material) -> list[Section]:
    found = tables.machines(material.runs)
    rows = [Table(label, ("fact", "value"), facts) for label, facts in found]
    return [Section("machine", "Machine and method", METHOD, tables=tuple(rows))]


def _accuracy(material: Material) -> list[Section]:
    found = [t for t in material.report.tables if t.title == accuracies.TITLE]
    return [Section("accuracy", "Accuracy", tables=tuple(found))] if found else []


def _trust(answer: Answer | None) -> list[str]:
    """What lowers the trust in the answer, with what would change it."""
    if answer is None or answer.trust is None:
        return []
    return [f"{r.text[:1].upper()}{r.text[1:]} (at most {r.at_most}): {r.change}." for r in answer.trust.reasons]


def _doubts(material: Material) -> list[Section]:
    titles = content.LAST
    found = sorted((t for t in material.report.tables if t.title in titles), key=lambda t: titles.index(t.title))
    natives = sum(r.kind is Kind.NATIVE and r.failure is None for r in material.runs)
    absent = (
        [] if any(t.title == content.DOUBTS for t in found) else [f"None of {plural(natives, 'run')} raised a doubt."]
    )
    words = (*_trust(material.report.answer), *content.failure_lines(material.runs))
    return [Section("doubts", "Doubts", words, tables=tuple(found), absent=tuple(absent))]


def _runs(material: Material) -> list[Section]:
    if not len(material.frame):
        return []
    return [Section("runs", "Runs", tables=(tables.runs_table(material.frame),))]


def _glossary(_: Material) -> list[Section]:
    return [glossary.section()]


# The order of the page. The best configuration of each framework stands between `_speed` and `_factors`.
EVIDENCE: tuple[Part, ...] = (
    configurations.need_sections,
    _speed,
    _accuracy,
    configurations.best_sections,
    _factors,
    counters.of_speed,
    _bottlenecks,
    _layers,
    _energy,
    _over_time,
)
ALWAYS: tuple[Part, ...] = (_machine, _doubts, _runs, _glossary)
