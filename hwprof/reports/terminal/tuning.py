"""The text of `hwprof tune`, and the report's rows of tuned runs. Reads records and evidence only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hwprof.printable import plural
from hwprof.records import Kind, Run
from hwprof.records.agreement import mark

if TYPE_CHECKING:
    from hwprof.plan.winner import Winner
    from hwprof.studies.tuning.tuner import TuningResult

SHOWN = 12
HEADER = ("case", "tuned to", "FPS over default", "rounds", "search", "of")
NOTE = (
    "Launch parameters come from `hwprof tune` on this machine: the ratio is that of the search's final, measured anew "
    "after the winner was chosen."
)


def ratio(final: Mapping[str, Any]) -> str:
    """`1.32x [1.25, 1.40]`; a dash where nothing was compared."""
    if "ratio" not in final:
        return "-"
    bounds = "" if final["low"] is None else f" [{final['low']:.3f}, {final['high']:.3f}]"
    return f"{final['ratio']:.3f}x{bounds}"


def changes(winner: Mapping[str, Any]) -> str:
    """`threads=2 cpus=0,1 spin=False`."""
    options = "".join(f" {name}={value}" for name, value in winner["options"].items())
    return f"threads={winner['threads']} cpus={','.join(map(str, winner['cpus']))}{options}"


def text(tuned: TuningResult) -> str:
    """Text of one tuning: the candidates, failures, the final comparison, the winner."""
    evidence, winner = tuned.kept.evidence, tuned.kept.parameters()
    default = " ".join(f"{k}={v}" for k, v in evidence["default"].items())
    lines = [
        tuned.subject.title,
        f"{plural(evidence['measurements'], 'measurement')}, {evidence['spent_s']:g} s of {evidence['budget_s']:g} s; "
        f"default: {default}",
        "",
        f"  {'search':>9} {'final':>9}  {'rounds':>6}  candidate",
    ]
    good = [c for c in evidence["candidates"] if not c["failure"]]
    lines += [
        f"  {_fps(row['fps_search'])} {_fps(row['fps_final'])}  {row['rounds']:>6}  {row['changes']}"
        for row in good[:SHOWN]
    ]
    if len(good) > SHOWN:
        lines.append(f"  {'...':>9} {'':>9}  {'':>6}  {len(good) - SHOWN} slower ones (--json has all)")
    lines += [
        f"  {'failed':>9} {'':>9}  {r['rounds']:>6}  {r['changes']}: {r['failure']}"
        for r in evidence["candidates"]
        if r["failure"]
    ]
    lines += [f"  left out: {s['factor']}={s['value']}" for s in evidence["struck"] if s["why"].startswith("not tried")]
    if evidence["untried"]:
        reach = f"--budget {evidence['enough_s']}s would be about enough"
        lines.append(
            f"  not tried, the budget did not reach: {plural(len(evidence['untried']), 'combination')} ({reach})"
        )
    lines.append("")
    for c in evidence["comparisons"]:
        share = f"{100 * c['confidence']:.3g} % interval, {c['rounds']} paired rounds"
        lines.append(f"  {c['candidate']} / {c['against']}: {ratio(c)}  {share}")
    verdict = "the default stays" if not evidence["changes"] else "winner"
    lines += [f"  {verdict}: {evidence['why']}", f"  {changes(winner)}"]
    return "\n".join(lines)


def document(kept: Iterable[Winner]) -> dict[str, Any]:
    """Each winner with its evidence."""
    return {"format": 1, "tunings": [{"winner": k.parameters(), "evidence": k.evidence} for k in kept]}


def _fps(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.1f'):>9}"


def rows(runs: Iterable[Run]) -> tuple[tuple[str, ...], ...]:
    """A row per tuned case of a report: its parameters and their evidence."""
    found: dict[tuple[str, ...], None] = {}
    for run in runs:
        facts = run.facts.get("tuned")
        if run.kind is not Kind.NATIVE or not facts:
            continue
        case = run.case
        name = f"{case.framework} {case.network} {case.side} b{case.batch} {case.precision}"
        kept = "" if facts.get("changes") else " (the default stayed)"
        rounds = str(facts.get("rounds", "-"))
        row = (
            name,
            changes(facts["winner"]) + kept,
            " ".join(filter(None, (ratio(facts), mark(run.fidelity)))),
            rounds,
            str(facts["experiment"]),
            str(facts["at_utc"]),
        )
        found[row] = None
    return tuple(sorted(found))
