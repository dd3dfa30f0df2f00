"""The last lines of `hwprof run`: what bounds the case, how certain that is, and the next commands for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from hwprof import plugins
from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.verdicts import Verdict
from hwprof.analysis.units import WITHIN
from hwprof.frameworks.profiles.lookup import has_profile
from hwprof.printable import plural
from hwprof.records import Case, Kind, Origin, Run
from hwprof.reports.terminal.speed import HANGING
from hwprof.reports.terminal.style import FULL, PLAIN, Palette, wrap

# What tells more about a bottleneck, by the code of its rule.
LAYERS = ("compute-bound", "memory-bandwidth-bound", "dispatch-overhead", "conversion")
THREADS = ("poorly-parallel", "spinning")
SYSTEM = ("throttled", "other-load", "paging")
VERDICTS = "hwprof explain"  # the command that shows the numbers behind a verdict


class NextStep(NamedTuple):
    """A command line and what it shows."""

    command: str
    shows: str


def lines(
    verdicts: Sequence[Verdict],
    steps: Sequence[NextStep],
    is_calibrated: bool = False,
    width: int = FULL,
    palette: Palette = PLAIN,
) -> list[str]:
    """One line on the bottleneck, then the commands. `is_calibrated`: how sessions of this machine differ is known."""
    out = [palette.headline(line) for line in wrap(bound_text(verdicts, is_calibrated), width, "  ", HANGING)]
    for step in steps:
        joined = f"  {'next':<12}{step.command}"
        beside = f"{joined}  # {step.shows}"
        # a command is never broken: it is there to be copied
        out += [beside] if len(beside) <= width else [joined, *wrap(f"# {step.shows}", width, HANGING + "  ")]
    return out


def bound_text(verdicts: Sequence[Verdict], is_calibrated: bool = False) -> str:
    """`bound by    bandwidth-bound: ... (certainty medium, within this session)`; what was ruled out where none is."""
    found = next((v for v in verdicts if v.state in (State.YES, State.PARTLY)), None)
    if found is not None:
        partly = " in part" if found.state is State.PARTLY else ""
        where = "" if is_calibrated else f", {WITHIN}"
        return f"{'bottleneck':<12}{found.code}{partly}: {found.because} (certainty {found.sure.value}{where})"
    ruled_out = sum(v.state is State.NO for v in verdicts)
    open_ones = len(verdicts) - ruled_out
    rules = plural(len(verdicts), "rule")
    why = f"{ruled_out} of {rules} ruled out, {open_ones} not decidable with what was measured"
    return f"{'bottleneck':<12}not known: {why}"


def next_steps(
    runs: Sequence[Run], verdicts: Sequence[Verdict], network: Sequence[str] = (), file: str = "", saved: bool = True
) -> list[NextStep]:
    """What to run next about this case, at most two commands.

    `network`: the words that name the network, as -n resnet18 -s 128; none: it has inputs of its own, which no short
    command repeats. `file`: the results file as a command names it, "": the default one; `saved`: whether the runs are
    in it.
    """
    found = [*_about(runs, verdicts, network)]
    if saved:
        words = [*shlex.split(VERDICTS), f"run={runs[0].uid}", *([file] if file else [])]
        found.append(NextStep(shlex.join(words), "the numbers behind it, and what can't be decided"))
    return found[:2]


def _about(runs: Sequence[Run], verdicts: Sequence[Verdict], network: Sequence[str]) -> Iterator[NextStep]:
    case = runs[0].case
    code = next((v.code for v in verdicts if v.state in (State.YES, State.PARTLY)), "")
    words = case_words(case, network)
    if code in SYSTEM:
        yield NextStep("hwprof doctor", "what disturbs measurements here, and what to do")
        return
    if code in THREADS and network:
        words = case_words(replace(case, threads=1), network)
        yield NextStep(shlex.join(["hwprof", "tune", *words]), "the best number of threads and options here")
        return
    if not code and not has_hardware(runs):
        adapter = plugins.find_adapter(case.framework)
        if network and adapter is not None and case.batch == 1 and not any(r.kind is Kind.SIMULATED for r in runs):
            step = shlex.join(["hwprof", "run", *words, "--simulate"])
            yield NextStep(step, "simulated instructions and cache misses, as no PMU counts here")
        else:
            yield NextStep("hwprof doctor", "which counters are missing here, and what would enable them")
        return
    if not network:
        return
    adapter = plugins.find_adapter(case.framework)
    if code in LAYERS and adapter is not None and has_profile(adapter):
        yield NextStep(shlex.join(["hwprof", "layers", *words]), "which layers take the time")
    else:
        yield NextStep(shlex.join(["hwprof", "record", *words]), "which functions take the time")


def has_hardware(runs: Sequence[Run]) -> bool:
    """Whether a PMU of this machine counted anything."""
    readings = (r for run in runs for w in run.windows for r in w.readings)
    return any(r.origin is Origin.HARDWARE and r.value is not None and r.source.startswith("perf") for r in readings)


def case_words(case: Case, network: Sequence[str]) -> list[str]:
    """The options that name the case."""
    words = ["-f", case.framework, *network]
    words += ["-b", str(case.batch)] if case.batch != 1 else []
    words += ["-t", str(case.threads)] if case.threads != 1 else []
    return words
