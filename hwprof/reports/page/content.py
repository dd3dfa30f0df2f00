"""The content of a report as tables and sentences; the renderers (HTML, Markdown, LaTeX, terminal) lay it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from hwprof import doubts
from hwprof.analysis import energy as sensors
from hwprof.analysis import overhead
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import Analysis, Correlation
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.factors import identity as factors_identity
from hwprof.analysis.speeds import speeds
from hwprof.printable import advice, plural, sentence
from hwprof.records import Agreement, Kind, Run
from hwprof.reports.page import accuracies, associations, groups, identity, omissions
from hwprof.reports.page.groups import rank
from hwprof.reports.page.speeds import speed_table
from hwprof.reports.tables import Report, Table
from hwprof.reports.terminal import command, tuning
from hwprof.reports.terminal.run import simulations

# Titles of the tables that follow the evidence.
COMMANDS, TUNED, FACTORS = "Commands", "Tuned launch parameters", "Throughput in its factors"
DOUBTS, FAILURES, OMITTED, INVALID = "Doubts", "Without a result", "Omitted", "Events that failed validation"
LAST = (DOUBTS, FAILURES, OMITTED, INVALID, COMMANDS, command.COUNTS, TUNED)


def build(
    frame: pd.DataFrame,
    runs: Iterable[Run],
    against: Sequence[str] = tuple(analyse.TARGETS),
    identities: Mapping[str, factors_identity.Identity] | None = None,
    correlate: Callable[[pd.DataFrame], Iterable[Analysis]] = analyse.analyse,
    answer: Answer | None = None,
) -> Report:
    """The report of a results frame and its runs (the frame for speed, the runs for factors and doubts).

    `against`: what metrics are correlated with, of analyse.TARGETS. `identities`: factors of each run by uid, if known.
    `correlate`: the analysis of FPS, or a function that returns one made before. `answer`: what stands first.
    """
    everything = list(runs)
    commands = Table(COMMANDS, command.HEADER, command.rows(everything))
    if frame.empty and not commands.rows:
        lines = simulations(everything) or ["There is no run in these results: hwprof sweep quick measures some."]
        return Report(tuple(lines), (), answer=answer)
    factors = factors_identity.identities(everything) if identities is None else identities
    fps = speeds(frame)
    analyses = list(correlate(frame)) if len(fps) and "fps" in against else []
    energy = analyse.against_energy(frame) if len(fps) and "energy" in against else []
    both = joint([*analyses, *energy])  # one family of tests for the whole report
    analyses, energy = both[: len(analyses)], both[len(analyses) :]
    tables = [speed_table(fps)] if len(fps) else []
    stated = Table(accuracies.TITLE, accuracies.HEADER, accuracies.rows(everything), accuracies.NOTE)
    tables += [stated] if stated.rows else []
    for analysis in (*analyses, *energy):
        tables += correlation_tables(analysis)
    last = (
        commands,
        Table(command.COUNTS, command.COUNTS_HEADER, command.counts(everything), command.COUNTS_NOTE),
        Table(TUNED, tuning.HEADER, tuning.rows(everything), tuning.NOTE),
        identity_table(frame, everything, factors),
        validation_table(frame),
        Table(OMITTED, omissions.HEADER, omissions.rows(everything, factors)),
        doubt_table(everything),
        failure_table(everything),
    )
    tables += [t for t in last if t.rows]
    lines = summary(fps, (*analyses, *energy), everything)
    why = ""
    if len(fps) and "energy" in against and not energy:
        why = f"No correlation with energy per frame: {sensors.absence_reason(frame)}"
        lines.append(f"{why}.")
    elif energy:
        lines += sensors.sources(frame)
    return Report(tuple(lines), tuple(tables), tuple(analyses), fps, tuple(energy), why, answer)


def correlation_tables(analysis: Analysis) -> list[Table]:
    """One table per framework of a stratum, strongest first; metrics without a coefficient in the note."""
    if analysis.refusal:
        return [Table(f"Correlation with {analysis.target}: {analysis.stratum.title}", ("",), (), analysis.refusal)]
    tables = []
    for framework in analysis.frameworks:
        found = [c for c in analysis.correlations if c.framework == framework]
        known = sorted((c for c in found if c.partial.r is not None), key=rank)
        rows = groups.coefficients(known)
        silent: dict[str, list[str]] = {}
        for c in found:
            if c.status in ("missing", "descriptive"):
                silent.setdefault(c.why, []).append(c.metric.name)
        notes = [groups.NOTE] if any(others for _, others in rows) else []
        notes += [f"{', '.join(names)}: {why}." for why, names in silent.items()]
        notes += [f"{d.metric} {d.why}: never ranked." for d in analysis.disguises]
        family = next((c.family for c in known if c.family), 0)
        over = f" over the {plural(family, 'test')} of the report" if family else ""
        head = (
            f"Correlation of log {analysis.target} with the log of the metric per frame, 95 % intervals: raw (mostly "
            "network size), controlling for MACs, and controlling for the covariates of the last but one column; q: "
            f"Benjamini-Hochberg{over}, from 7 networks on."
        )
        tables.append(
            Table(
                f"Correlation with {analysis.target} in {framework} ({analysis.stratum.title})",
                (
                    *("metric", "origin", "N", "r raw", "r controlling for MACs", "r controlling for all", "q"),
                    *("+10 % of it with", "controlling for", "note"),
                ),
                tuple(_row(c, others) for c, others in rows),
                " ".join([head, *notes]),
            )
        )
    return tables


def _row(c: Correlation, others: Sequence[str]) -> tuple[str, ...]:
    origin = "/".join(c.metric.origins) or "-"
    name = c.metric.name if c.status == "tested" else f"{c.metric.name} ({c.status})"
    elasticity = "-" if c.elasticity is None else f"{c.elasticity:+.1f} % {c.target}"
    return (
        groups.named(name, others),
        origin,
        str(c.partial.n),
        associations.with_interval(c.raw),
        associations.with_interval(c.sized),
        associations.with_interval(c.partial),
        associations.q_text(c),
        elasticity,
        ", ".join(c.covariates) or "-",
        "; ".join(c.notes),
    )


def identity_table(
    frame: pd.DataFrame, runs: Sequence[Run], identities: Mapping[str, factors_identity.Identity]
) -> Table:
    """Throughput of each case on each machine in its factors. `identities`: by uid."""
    rows, note = identity.rows(frame, runs, identities)
    return Table(FACTORS, identity.HEADER, rows, note)


def doubt_table(runs: Sequence[Run]) -> Table:
    """Each doubt once: in how many runs, an example, its case."""
    seen: dict[str, list[tuple[Run, str]]] = {}
    native = [run for run in runs if run.kind is Kind.NATIVE and run.failure is None]
    for run in native:
        for doubt in run.doubts:
            seen.setdefault(doubt.code, []).append((run, doubts.text(doubt)))
    for run, doubt in overhead.doubts_by_run(native):
        seen.setdefault(doubt.code, []).append((run, doubts.text(doubt)))
    rows = [
        (code, f"{len({r.uid for r, _ in found})} of {len(native)}", found[0][1], found[0][0].case.title)
        for code, found in sorted(seen.items(), key=lambda item: -len(item[1]))
    ]
    return Table(DOUBTS, ("doubt", "runs", "for example", "in"), tuple(rows))


def failure_table(runs: Sequence[Run]) -> Table:
    """Cases without a result, and why; a case that succeeded on a later attempt has one."""
    done = {(r.case, r.kind, r.round) for r in runs if r.failure is None}
    rows = {
        (r.case.title, r.kind.value, f"{r.failure.code}: {sentence(r.failure.message)}", advice(r.failure.remedy))
        for r in runs
        if r.failure is not None and r.kind is not Kind.TUNING and (r.case, r.kind, r.round) not in done
    }
    return Table(FAILURES, ("case", "kind", "reason", "what to do"), tuple(sorted(rows)))


def summary(fps: pd.DataFrame, analyses: Sequence[Analysis], runs: Sequence[Run]) -> list[str]:
    """The findings in sentences, as the terminal and the Markdown list them below the answer."""
    failed = len(failure_table(runs).rows)
    if fps.empty:
        observed = len({run.case.key for run in runs if run.kind is Kind.COMMAND})
        commands = plural(observed, "command or process was", "commands or processes were")
        others = f"{commands} observed. " if observed else ""
        without = f"{plural(failed, 'case has', 'cases have')} no result at all (see below)" if failed else ""
        lacking = f"{others}{'; '.join(filter(None, ('No network has a usable FPS', without)))}."
        return [*filter(None, (accuracies.summary(runs),)), lacking]
    lines = [scope_line(fps), *filter(None, (accuracies.summary(runs),))]
    for analysis in analyses:
        several = len({a.stratum for a in analyses}) > 1 and not analysis.refusal
        lines += [f"{analysis.stratum.title}: {line}" if several else line for line in associations.sentences(analysis)]
    return [*lines, *simulations(runs), *output_lines(fps, runs), *failure_lines(runs)]


def scope_line(fps: pd.DataFrame) -> str:
    """How many cases, networks and frameworks there are, and rounds of them."""
    networks, variants = fps[NETWORK].nunique(), sorted(fps[VARIANT].unique())
    cases, rounds = plural(len(fps), "case", "cases"), plural(int(fps["rounds"].max()), "round", "rounds")
    if (sessions := int(fps["sessions"].max())) > 1:
        rounds += f" in {sessions} sessions or experiments"
    return (
        f"{cases}: {plural(networks, 'network')}, {plural(len(variants), 'framework')} ({', '.join(variants)}), "
        f"up to {rounds}."
    )


def output_lines(fps: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """How many cases have outputs that are not those of the reference, or were not comparable."""
    lines = []
    unfaithful = fps[~fps["faithful"]]
    if len(unfaithful):
        cases = plural(len(unfaithful), "case is", "cases are")
        lines.append(f"{cases} unfaithful to the reference: out of the correlations.")
    return lines + incomparable_lines(runs)


def failure_lines(runs: Sequence[Run]) -> list[str]:
    """How many cases have no result."""
    failed = len(failure_table(runs).rows)
    return [f"{plural(failed, 'case has', 'cases have')} no result: see 'Without a result'."] if failed else []


def incomparable_lines(runs: Sequence[Run]) -> list[str]:
    """How many cases have outputs that were not comparable with the reference, for each reason."""
    reasons: dict[str, set[str]] = {}
    for run in runs:
        if run.fidelity is not None and run.fidelity.agreement is Agreement.INCOMPARABLE:
            reasons.setdefault(run.fidelity.why, set()).add(run.case.key)
    found = [(plural(len(keys), "case is", "cases are"), why) for why, keys in reasons.items()]
    return [f"{cases} not comparable with the reference: {why}." for cases, why in found]


def validation_table(frame: pd.DataFrame) -> Table:
    """A row for each event that failed on a machine, as the frame's `attrs["validation"]` has them."""
    found = frame.attrs.get("validation", ())
    failed = {(v["machine"], v["event"], v["verdict"], v["why"]) for v in found if v["failed"]}
    note = (
        "Programs of known counts were counted with these events (hwprof events --validate). Wherever they stand "
        "above, they are suspect."
    )
    return Table(INVALID, ("machine", "event", "verdict", "why"), tuple(sorted(failed)), note)
