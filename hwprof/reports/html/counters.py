"""The sections on correlations: of each stratum the map, pooled slopes and trees, then each framework."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from hwprof.analysis.correlation.analyse import ENERGY, FPS
from hwprof.analysis.correlation.findings import Analysis
from hwprof.analysis.correlation.strata import VARIANT
from hwprof.analysis.speeds import PLACE
from hwprof.reports.html import association, dendrogram
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Figure, Scatter, Section
from hwprof.reports.page import associations, detail
from hwprof.reports.page import words as page_words

ADDED = 3  # added-variable plots per framework
CLICK = "Click a cell, or press Enter on it, for the scatter behind it."
CELL = re.compile(r'data-scatter="([^"]+)"')


def of_speed(material: Material) -> list[Section]:
    """Counters against FPS, or the speed that ranks; none where nobody asked for them."""
    analyses = material.report.analyses
    if not analyses:
        return []
    flips = detail.flips_table(analyses)
    why = (
        "No metric correlates with FPS positively in one framework or stratum and negatively in another (both "
        "intervals without 0).",
    )
    shown, absent = ((flips,), ()) if flips.rows else ((), why)
    last = Section("flips", "Signs that differ", tables=shown, absent=absent, level=3)
    if len(analyses) == 1:
        return [*_stratum(material, analyses[0], 0, 2), last]
    head = Section("counters", "Counters against speed", heads=True)
    return [head, *(s for i, one in enumerate(analyses) for s in _stratum(material, one, i, 3)), last]


def of_energy(material: Material) -> list[Section]:
    """Counters against energy per frame, as parts of the section on energy."""
    report = material.report
    if report.energy_why:
        return [Section("with-energy", f"Counters against {ENERGY}", absent=(f"{report.energy_why}.",), level=3)]
    first = len(report.analyses)
    return [s for i, one in enumerate(report.energy) for s in _stratum(material, one, first + i, 3)]


def scatters(material: Material, sections: Iterable[Section]) -> list[Scatter]:
    """The points behind the cells that the maps show."""
    shown = {key for s in sections for figure in s.figures for key in CELL.findall(figure.svg)}
    everything = (*material.report.analyses, *material.report.energy)
    return [s for i, one in enumerate(everything) for s in association.scatters(one, i) if s.key in shown]


def _where(material: Material, analysis: Analysis) -> str:
    """The values by which this stratum differs from the others, in words."""
    strata = [a.stratum for a in (*material.report.analyses, *material.report.energy)]
    differing = [c for c in (*PLACE, "size") if len({getattr(s, c) for s in strata}) > 1]
    return "".join(f" · {page_words.word(c, getattr(analysis.stratum, c))}" for c in differing)


def _stratum(material: Material, analysis: Analysis, number: int, level: int) -> list[Section]:
    """One stratum, then each of its frameworks a level below."""
    where = _where(material, analysis)
    key = f"{'with-energy' if number >= len(material.report.analyses) else 'with-fps'}-{number}"
    title = f"Counters against {analysis.target}{where}"
    limits = detail.gates(analysis)
    if analysis.refusal:
        return [Section(key, title, absent=tuple(limits), level=level)]
    figures: list[Figure] = []
    if shown_map := association.heat_map(analysis, number, where):
        figures.append(replace(shown_map, note=f"{shown_map.note} {CLICK}"))
    if shown_slopes := association.slopes(analysis.pooled, number, where):
        figures.append(shown_slopes)
    figures += dendrogram.figures(analysis, number, where)
    found = (detail.pooled_table(analysis), detail.groups_table(analysis), detail.influence_table(analysis))
    sentences = (f"{analysis.stratum.title}.", *associations.sentences(analysis), *limits)
    out = [
        Section(
            key,
            title,
            sentences,
            tuple(figures),
            tuple(t for t in found if t.rows),
            level=level,
            scatter=shown_map is not None,
        )
    ]
    return out + [_framework(material, analysis, number, name, level + 1) for name in analysis.frameworks]


def _framework(material: Material, analysis: Analysis, number: int, framework: str, level: int) -> Section:
    found = [c for c in analysis.correlations if c.framework == framework]
    figures = tuple(
        association.added_variable(c, f"added-{number}-{framework}-{i}")
        for i, c in enumerate(association.select(found, ADDED))
    )
    warnings = [f"Warning: {w}" for w in detail.warnings(analysis, framework, _shares(material, framework))]
    absent = () if figures else ("No added-variable plot: no metric has a coefficient (see the reasons in the table).",)
    of = "" if analysis.target == FPS else f" · {analysis.target}"
    title = f"{framework}{_where(material, analysis)}{of}"
    lines = (*associations.mediation(analysis, framework), *warnings)
    tables = (detail.framework_table(analysis, framework),)
    return Section(f"framework-{number}-{framework}", title, lines, figures, tables, absent, level=level)


def _shares(material: Material, variant: str) -> pd.Series:
    """Doubt -> share of the variant's runs that have it."""
    own = set(material.frame.loc[material.frame[VARIANT] == variant, "run"])
    runs = [r for r in material.runs if r.uid in own and r.failure is None]
    codes: Sequence[str] = [code for r in runs for code in {d.code for d in r.doubts}]
    return pd.Series(codes, dtype=object).value_counts() / max(1, len(runs))
