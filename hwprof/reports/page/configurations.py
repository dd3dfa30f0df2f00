"""The best configuration of each framework and network as tables, sentences and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from hwprof.analysis.configurations import best
from hwprof.analysis.configurations.model import (
    EXCLUDED,
    Configuration,
    ConfigurationGroup,
    Rank,
    RankedConfiguration,
)
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.units import WITHIN
from hwprof.printable import plural
from hwprof.reports.page import speeds
from hwprof.reports.page.words import interval, number
from hwprof.reports.tables import Report, Table
from hwprof.speed import Interval

TITLE, EVERY = "Best configurations", "Every configuration against the best"
ONE = (
    "One configuration of each framework and network was measured. Lists of batches, threads and precisions in an "
    "experiment file measure more (batch = [1, 4], threads = [1, 2]; hwprof sweep FILE.toml)."
)
READ = f"t: threads. b: batch. FPS: geometric mean over rounds, with its 95 % t interval between rounds, {WITHIN}."
TIES = (
    "A configuration is tied with the best where the 95 % interval of the ratio of their speeds includes 1, or one "
    "round gives no interval. UNFAITHFUL and EMULATED ones are never best, nor those of which more than half of the "
    "rounds were disturbed (unless all were, and CPU time per frame ranks them)."
)
SIDES = "Ratios are over sets in which both were measured side by side (~: from rounds one after the other)."


def has_choice(groups: Sequence[ConfigurationGroup]) -> bool:
    """Whether a framework has several configurations of a network, so that there is a best one."""
    return any(len(group.ranked) > 1 for group in groups)


def extend(report: Report, frame: pd.DataFrame) -> Report:
    """The report with its groups of configurations, and their tables behind that of the speeds. `frame`: labelled."""
    groups = best.rank(frame, report.fps) if len(report.fps) else ()
    if not has_choice(groups):
        return replace(report, best=groups)
    place = next((i for i, t in enumerate(report.tables, 1) if t.title == speeds.TITLE), 0)
    tables = (*report.tables[:place], best_table(groups), every_table(groups), *report.tables[place:])
    return replace(report, best=groups, tables=tables)


def _names(group: ConfigurationGroup, groups: Sequence[ConfigurationGroup]) -> tuple[str, str]:
    """Network and framework, with the machine where there are several."""
    several = len({g.machine for g in groups}) > 1
    return group.network + (f" ({group.machine})" if several else ""), group.framework


def best_table(groups: Sequence[ConfigurationGroup]) -> Table:
    """A row for each framework and network with its best configuration; by network, the fastest first."""
    rows = []
    for group in groups:
        one = group.best
        names = _names(group, groups)
        if one is None:
            rows.append((*names, "none", "-", no_best(group)))
        else:
            rows.append((*names, one.label, number(one.interval.value), _bounds(group, one)))
    return Table(TITLE, ("network", "framework", "best", "FPS", "95 % and ties"), tuple(rows), f"{READ} {TIES}")


def no_best(group: ConfigurationGroup) -> str:
    """Why a group has no best configuration."""
    reasons = dict.fromkeys(mark(one.rank) for one in group.ranked)
    quiet = "; measure again on a quiet machine" if set(reasons) == {Rank.DISTURBED.value} else ""
    return f"each is {' or '.join(reasons)}{quiet}"


def mark(rank: Rank) -> str:
    """The mark of an excluded configuration."""
    return rank.value.upper() if rank in (Rank.UNFAITHFUL, Rank.EMULATED) else rank.value


def _bounds(group: ConfigurationGroup, one: Configuration) -> str:
    found = one.interval
    bounds = "one round" if found.low is None else interval(found.low, found.high)
    return "; ".join(filter(None, (bounds, ties(group), ranked_by(group), _outputs(one))))


def ties(group: ConfigurationGroup) -> str:
    """`tied with int8 t2 b2`; "" where the best has no tie."""
    tied = group.of(Rank.TIED)
    named = ", ".join(one.configuration.label for one in tied[:3])
    return f"tied with {named}{f' and {len(tied) - 3} more' if len(tied) > 3 else ''}" if tied else ""


def ranked_by(group: ConfigurationGroup) -> str:
    """What ranks a group, and why; "" for FPS."""
    return "" if group.choice.estimator is Estimator.FPS else f"ranked {group.choice.words}"


def _outputs(one: Configuration) -> str:
    return str(one.speed["incomparable"])


def every_table(groups: Sequence[ConfigurationGroup]) -> Table:
    """A row for each configuration of the frameworks and networks that have several, the best first."""
    rows: list[tuple[str, ...]] = []
    for group in groups:
        if len(group.ranked) + len(group.failures) < 2:
            continue
        names = _names(group, groups)
        rows += [
            (*names, one.configuration.label, number(one.configuration.interval.value), against(one))
            for one in group.ranked
        ]
        rows += [(*names, label, "-", "no result") for label in group.failures]
    return Table(EVERY, ("network", "framework", "configuration", "FPS", "of the best"), tuple(rows), SIDES)


def against(one: RankedConfiguration) -> str:
    """`0.81x [0.79, 0.83]`, or why there is no ratio."""
    if one.rank is Rank.BEST:
        return "best"
    if one.rank in EXCLUDED:
        return mark(one.rank)
    words = "tied" if one.rank is Rank.TIED else ""
    if one.ratio is None:
        return words
    side = "" if one.sets else "~"
    bounds = interval(one.ratio.low, one.ratio.high)
    return " ".join(filter(None, (f"{side}{number(one.ratio.value)}x", "" if bounds == "-" else bounds, words)))


def sentences(groups: Sequence[ConfigurationGroup]) -> list[str]:
    """How many groups have a best configuration alone, with ties, or none."""
    several = [group for group in groups if len(group.ranked) > 1]
    ranked = [group for group in several if group.best is not None]
    tied = sum(bool(group.of(Rank.TIED)) for group in ranked)
    without = len(several) - len(ranked)
    lines = []
    if ranked:
        lines.append(
            f"Pairs of framework and network with one fastest configuration: {len(ranked) - tied}; with several that "
            f"are not distinguishable: {tied}."
        )
    if without:
        lines.append(
            f"Pairs without a best configuration: {without}. Each of theirs is disturbed, UNFAITHFUL or EMULATED; "
            "disturbed ones need a quiet machine."
        )
    excluded = [one for group in several for one in group.of(*EXCLUDED) if one.rank is not Rank.EMULATED]
    if excluded:
        lines.append(f"Never best, but listed: {plural(len(excluded), 'configuration')}, disturbed or UNFAITHFUL.")
    return lines


def configuration_document(one: Configuration) -> dict[str, Any]:
    """What identifies a configuration, and its FPS. `threads` 0: as tuned, -1: not stated."""
    names = ("machine", "framework", "network", "precision", "threads", "batch", "options")
    return {**{name: getattr(one, name) for name in names}, "fps": interval_document(one.interval)}


def group_document(group: ConfigurationGroup) -> dict[str, Any]:
    """A group as plain JSON values: every configuration with its rank and its ratio to the best."""
    return {
        "machine": group.machine,
        "framework": group.framework,
        "network": group.network,
        "ranked_by": group.choice.estimator.value,
        "configurations": [
            {
                **configuration_document(one.configuration),
                "rank": one.rank.value,
                "of_best": interval_document(one.ratio),
                "sets": one.sets,
                "energy_j": interval_document(one.configuration.energy_j),
            }
            for one in group.ranked
        ],
        "failures": list(group.failures),
    }


def interval_document(found: Interval | None) -> Mapping[str, float | None]:
    """An interval as plain JSON values; each null where there is none."""
    return {"value": None, "low": None, "high": None} if found is None else found._asdict()
