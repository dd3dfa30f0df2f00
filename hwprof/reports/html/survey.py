"""The page of a survey: what the board is, which events count, its ceilings, FPS, and what is missing and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hwprof import __version__
from hwprof.analysis.answer.model import NextCommand
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.speeds import speeds
from hwprof.machine import facts
from hwprof.printable import advice, plural, sentence
from hwprof.reports.html.model import FirstScreen, Page, Section, Tile
from hwprof.reports.html.render import render
from hwprof.reports.page.roofline import quantity
from hwprof.reports.page.speeds import speed_table
from hwprof.reports.page.words import number
from hwprof.reports.tables import Table

if TYPE_CHECKING:
    import pandas as pd

    from hwprof.records import Ceiling
    from hwprof.store import Results
    from hwprof.studies.survey.record import SurveyRecord

TITLES = {"doctor": "What it can measure", "events": "Events", "ceilings": "Ceilings", "speed": "Speed"}
VERDICTS = (
    "right: it counted what arithmetic says of small programs. unproven: it opens, and no program has an answer for "
    "it. missing: it can't be opened here. Every other verdict: its counts are not usable."
)
DONE = "done"
STATES = {"": "not begun", "part": "interrupted", "missing": "not possible here", "failed": "failed"}


def survey_page(record: SurveyRecord, results: Results, name: str) -> str:
    """The page as HTML. `results`: of the masked file; `name`: that file's, for the commands."""
    frame = results.frame()
    fps = speeds(frame) if len(frame) else frame
    ceilings = [c for c in results.ceilings() if c.value is not None]
    failures: dict[str, str] = {}
    for run in results.runs(status="failed"):
        if run.failure is not None:
            failures[run.case.title] = sentence(run.failure.message, run.failure.remedy)
    sections = (
        _board(record),
        _events(record),
        _ceilings(record, ceilings),
        _speed(record, fps),
        _missing(record, failures),
    )
    return render(Page(_first(record, fps, ceilings, name), sections))


def _first(record: SurveyRecord, fps: pd.DataFrame, ceilings: list[Ceiling], name: str) -> FirstScreen:
    verdicts = Counter(event["verdict"] for event in record.events.values())
    opened = sum(verdicts.values()) - verdicts["missing"]
    tiles = [Tile(f"{verdicts['right']} of {opened}", "events that open were verified")] if record.events else []
    peak = max((c for c in ceilings if c.what == "fp32" and c.value), key=lambda c: c.value or 0.0, default=None)
    if peak is not None and peak.value is not None:
        tiles.append(Tile(quantity(peak.value, peak.unit), f"peak FP32 ({peak.of}, {plural(len(peak.cpus), 'CPU')})"))
    memory = next((c for c in ceilings if c.what == "bandwidth" and c.of == "DRAM"), None)
    if memory is not None and memory.value is not None:
        tiles.append(Tile(quantity(memory.value, memory.unit), "bandwidth of memory"))
    if len(fps):
        tiles.append(Tile(f"{fps[NETWORK].nunique()} x {fps[VARIANT].nunique()}", "networks x frameworks with a speed"))
    board = facts.label(record.machine) or "this machine"
    state = record.host_state
    rest = [f"kernel {state['kernel']}" if state.get("kernel") else "", str(state.get("virtualisation") or "")]
    begun = {name: step.status for name, step in record.steps.items()}
    left = [f"{TITLES[step].lower()} {STATES[begun.get(step, '')]}" for step in TITLES if begun.get(step) != DONE]
    detail = ", ".join(left) or "all steps are done"
    commands = (
        NextCommand(f"hwprof import {name}", "takes its runs into the results of another machine"),
        NextCommand(f"hwprof report --results {name}", "what correlates with FPS here, and all tables"),
    )
    return FirstScreen(
        machine=(facts.description(record.machine), " · ".join(filter(None, rest))),
        made=f"hwprof {__version__}",
        title=f"Survey of {board}",
        detail=detail,
        why=(),
        why_head="",
        tiles=tuple(tiles),
        chart=None,
        trust="",
        reasons="",
        bounds="",
        commands=commands,
        missing=(),
    )


def _board(record: SurveyRecord) -> Section:
    rows = tuple((f["area"], f["what"], f["status"], f["detail"]) for f in record.findings if f["status"] != "missing")
    table = Table("What doctor found", ("area", "what", "status", "detail"), rows)
    return Section("board", TITLES["doctor"], tables=(table,), absent=_absence(record, "doctor"))


def _events(record: SurveyRecord) -> Section:
    rows = tuple(
        (name, e["verdict"] + " EMULATED" * (e["origin"] == "emulated"), e["meaning"], e["why"])
        for name, e in sorted(record.events.items())
        if e["verdict"] != "missing"
    )
    tables = (Table("Events that open", ("event", "verdict", "what is counted", "why"), rows, VERDICTS),)
    absent = list(_absence(record, "events"))
    by_reason: dict[tuple[str, str], list[str]] = {}
    for name, e in record.events.items():
        if e["verdict"] == "missing":
            by_reason.setdefault((e["why"], e["remedy"]), []).append(name)
    for (why, remedy), names in by_reason.items():
        absent.append(f"Not counted here: {', '.join(names)}. {sentence(why)} {advice(remedy)}".rstrip())
    return Section("events", TITLES["events"], tables=tables if rows else (), absent=tuple(absent))


def _ceilings(record: SurveyRecord, ceilings: list[Ceiling]) -> Section:
    rows = []
    for c in ceilings:
        e = c.evidence
        spread = f"[{quantity(e['low'], c.unit)}, {quantity(e['high'], c.unit)}]" if "low" in e else ""
        by = f"by {e['by']}: {e['instead']}" if "by" in e else ""
        rows.append((c.what, c.of, quantity(c.value or 0.0, c.unit), spread, ",".join(map(str, c.cpus)), by))
    note = "Median of the repetitions per CPU time, with the least and the greatest."
    table = Table("Measured ceilings", ("what", "of", "value", "range", "CPUs", "remark"), tuple(rows), note)
    by_reason: dict[str, list[str]] = {}
    for one in record.absent:
        by_reason.setdefault(one["why"], []).append(one["name"])
    absent = tuple(f"Not measured: {', '.join(names)}. {sentence(why)}" for why, names in by_reason.items())
    shown = (table,) if rows else ()
    return Section("ceilings", TITLES["ceilings"], tables=shown, absent=(*_absence(record, "ceilings"), *absent))


def _speed(record: SurveyRecord, fps: pd.DataFrame) -> Section:
    if not len(fps):
        absent = _absence(record, "speed") or ("No case has a speed.",)
        return Section("speed", TITLES["speed"], absent=absent)
    variants, networks = sorted(set(fps[VARIANT])), list(dict.fromkeys(fps[NETWORK]))
    found = {(row[NETWORK], row[VARIANT]): row["fps"] for row in fps.to_dict("records")}
    rows = tuple((n, *(number(v) if (v := found.get((n, f))) else "-" for f in variants)) for n in networks)
    note = "Batch 1, one thread, fp32. -: no speed; the reason is below, under what is missing."
    matrix = Table("FPS per network and framework", ("network", *variants), rows, note)
    return Section("speed", TITLES["speed"], tables=(matrix, speed_table(fps)), absent=_absence(record, "speed"))


def _missing(record: SurveyRecord, failures: dict[str, str]) -> Section:
    rows = [
        (f["what"], f["area"], sentence(f["detail"]), advice(f["remedy"]) if f["remedy"] else "")
        for f in record.findings
        if f["status"] == "missing"
    ]
    rows += [
        (TITLES[name], "survey", step.why, advice(step.remedy) if step.remedy else "")
        for name, step in record.steps.items()
        if step.why
    ]
    rows += [(title, "case", why, "") for title, why in failures.items()]
    table = Table("Not to be had here, why, and what to do", ("what", "area", "why", "what to do"), tuple(rows))
    return Section("missing", "What is missing", tables=(table,) if rows else ())


def _absence(record: SurveyRecord, name: str) -> tuple[str, ...]:
    """Why a step is not done, with what to do."""
    step = record.steps.get(name)
    if step is None:
        return (f"{TITLES[name]}: not begun yet. `hwprof survey` goes on.",)
    if step.status == "part":
        return (f"{TITLES[name]}: interrupted, a part is here. `hwprof survey` goes on.",)
    return (f"{step.why} {advice(step.remedy)}".rstrip(),) if step.why else ()
