"""The line of `hwprof run` on the machine's power: how much, of which sensors, and why of these. Reads records only."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.collectors.machine_power import machine_power_of
from hwprof.printable import printable
from hwprof.records import Role, Run, Window
from hwprof.reports.terminal.style import FULL, wrap


def lines(runs: Sequence[Run], per: str, label: int = 12, everything: bool = False, width: int = FULL) -> list[str]:
    """`power  12.3 W, 0.41 J per frame: package-0 + package-0/dram (why these)`; nothing where nothing was recorded.

    `per`: what an iteration is. `label`: columns of the line's label. Without sensors a line only where `everything`.
    """
    choices = [machine_power_of(run.facts) for run in runs]
    sensors, why = next((one for one in choices if one[0]), choices[0])
    if sensors is None or (not sensors and not everything):
        return []
    if not sensors:
        said = f"none: {printable(str(why))}"
    else:
        named = f"{printable(sensors)} ({why})"
        alike = [run for run, one in zip(runs, choices, strict=True) if one[0] == sensors]
        found = [figures for run in alike if (figures := figures_of(run, sensors.split(" + "))) is not None]
        if found:
            watts, joules = (statistics.fmean(values) for values in zip(*found, strict=True))
            said = f"{watts:.4g} W, {joules:.4g} J {per}: {named}"
        else:
            said = f"not measured, of {named}: {printable(_reason(alike, sensors.split(' + ')))}"
    return wrap(f"{'power':{label}}{said}", width, "  ", " " * (label + 2))


def figures_of(run: Run, sensors: Sequence[str]) -> tuple[float, float] | None:
    """Mean power in W and energy per frame in J of a run, of these sensors together; None: one of them has no value.

    Of a network they are of its bare windows, of a command of all.
    """
    sums: list[tuple[float, float, int, float]] = []
    for window in _windows(run):
        values = {r.metric: r.value for r in window.readings}
        watts = [values.get(f"power[{one}]") for one in sensors]
        joules = [values.get(f"energy[{one}]") for one in sensors]
        if None in watts or None in joules:
            return None
        frames = len(window.latencies_ns) * max(1, run.case.batch)
        sums.append((sum(filter(None, watts)), sum(filter(None, joules)), frames, window.elapsed_s))
    elapsed = sum(seconds for *_, seconds in sums)
    if not elapsed or not sum(frames for _, _, frames, _ in sums):
        return None
    power = sum(watts * seconds for watts, _, _, seconds in sums) / elapsed
    return power, sum(joules for _, joules, _, _ in sums) / sum(frames for _, _, frames, _ in sums)


def document(runs: Sequence[Run]) -> Mapping[str, Any] | None:
    """The same as plain JSON, of the first run with sensors; None: no run recorded a choice."""
    choices = [(run, *machine_power_of(run.facts)) for run in runs]
    known = [one for one in choices if one[1] is not None]
    if not known:
        return None
    run, sensors, why = next((one for one in known if one[1]), known[0])
    labels = sensors.split(" + ") if sensors else []
    figures = figures_of(run, labels) if labels else None
    watts, joules = (None, None) if figures is None else figures
    return {"sensors": labels, "why": why, "power_w": watts, "energy_j": joules}


def _windows(run: Run) -> Sequence[Window]:
    whole = [window for window in run.windows if window.slices is None]
    bare = [window for window in whole if window.role is Role.BARE]
    return bare or [window for window in whole if window.role is not Role.CLOSED]


def _reason(runs: Sequence[Run], sensors: Sequence[str]) -> str:
    names = {f"{metric}[{one}]" for one in sensors for metric in ("power", "energy")}
    readings = (r for run in runs for window in _windows(run) for r in window.readings)
    return next((r.why for r in readings if r.metric in names and r.value is None), "no value")
