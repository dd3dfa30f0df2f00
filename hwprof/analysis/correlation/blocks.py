"""Correlations over blocks (layers as networks): error between parent networks, a stratum for each kind of layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.covariates import SIZE
from hwprof.analysis.correlation.findings import RANKED, Correlation, LeftOut
from hwprof.analysis.correlation.strata import BEYOND, NETWORK, Stratum
from hwprof.analysis.statistics import clusters
from hwprof.analysis.statistics.partial import MIN_TESTED
from hwprof.networks.blocks import parents_of, parse_name
from hwprof.printable import plural


def by_kind(found: Sequence[tuple[Stratum, pd.DataFrame]]) -> list[tuple[Stratum, pd.DataFrame]]:
    """The strata, and after one of blocks those of its kinds of layer with enough blocks and parents for a test.

    The few blocks that no cache holds come after the others.
    """
    out: list[tuple[Stratum, pd.DataFrame]] = []
    for stratum, part in sorted(found, key=lambda one: BEYOND in one[0].size):
        out.append((stratum, part))
        names = part["network"].map(lambda name: parse_name(str(name)))
        if part.empty or names.isna().any():
            continue
        kinds = names.map(lambda name: name.kind)
        for kind in sorted(kinds.unique()) if kinds.nunique() > 1 else ():
            own = names[kinds == kind]
            if own.nunique() >= MIN_TESTED and own.map(lambda name: name.parent).nunique() >= clusters.MIN_PARENTS:
                rows = part[kinds == kind].copy()
                rows.attrs = dict(part.attrs)
                out.append((stratum.of_kind(kind), rows))
    return out


def between_parents(found: Sequence[Correlation], logs: Mapping[str, Logs]) -> list[Correlation]:
    """Coefficients over blocks with intervals, p and leave-one-out range over parents; others as they are."""
    cut = {variant for variant, own in logs.items() if parents_of(_networks(own))}
    return [_one(c, logs[c.framework]) if c.framework in cut else c for c in found]


def _networks(logs: Logs) -> list[str]:
    return [str(name) for name in logs.part[NETWORK].unique()]


def _one(c: Correlation, logs: Logs) -> Correlation:
    column = logs.ranks(c.metric.name) if c.method == RANKED else c.metric.name
    networks = logs.collapse(["fps", column, *c.covariates]).networks
    raw, sized = _over(logs, [column], networks)[0], c.sized
    if c.sized.r is not None:
        sized = clusters.between_parents(c.sized, list(_over(logs, [column, SIZE], networks)[0].values()))
    c = replace(c, raw=clusters.between_parents(c.raw, list(raw.values())), sized=sized)
    own, parents = _over(logs, [column, *c.covariates], networks)
    if c.partial.r is None or c.partial.p is None:
        partial = replace(c.partial, clusters=parents)
    else:
        partial = clusters.between_parents(c.partial, list(own.values()))
    leave_out = _leave_out(c, own)
    notes = c.notes
    if leave_out is not None and leave_out.low < 0 < leave_out.high:
        notes = (*notes, f"the sign changes when the blocks of {leave_out.network} are left out")
    return replace(c, partial=partial, leave_out=leave_out, notes=notes)


def _over(logs: Logs, columns: Sequence[str], networks: Sequence[str]) -> tuple[dict[str, float], int]:
    """r of FPS and the first of `columns`, controlling for the others, over `networks` without each parent."""
    both = logs.collapse(["fps", *columns])
    keep = np.array([not networks or name in networks for name in both.networks], dtype=bool)
    parents = parents_of([name for name, kept in zip(both.networks, keep, strict=True) if kept])
    values = both.values[keep]
    return clusters.without_each(values[:, 1], values[:, 0], values[:, 2:], parents), len(set(parents))


def _leave_out(c: Correlation, without: Mapping[str, float]) -> LeftOut | None:
    """What becomes of a coefficient as the blocks of each parent are left out."""
    r, known = c.partial.r, {name: value for name, value in without.items() if np.isfinite(value)}
    if r is None or not known:
        return None
    most = max(known, key=lambda name: abs(known[name] - r))
    return LeftOut(min(known.values()), max(known.values()), most, clusters.weakest_p(r, list(without.values())))


def remarks(stratum: Stratum, logs: Mapping[str, Logs]) -> tuple[str, ...]:
    """What limits a stratum of blocks; nothing where it is of whole networks."""
    names = sorted({name for own in logs.values() for name in _networks(own)})
    parents = set(parents_of(names))
    if not parents:
        return ()
    count = (
        f"{plural(len(names), 'block')} (layers as networks of their own) of "
        f"{plural(len(parents), 'network')}. Intervals and tests are "
        "between the parent networks, whose number bounds what can be found."
    )
    if stratum.kind:  # the stratum of all blocks has said the rest
        return (count,)
    if BEYOND in stratum.size:
        return (count, "Their weights are larger than the last-level cache: they are read from memory every time.")
    return (
        count,
        "Weights are hot in caches in a block that fits, unlike in its network: what the memory of whole networks "
        "costs is not seen here.",
    )
