"""Correlations over blocks (layers as networks): error between parent networks, a stratum for each kind of layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from hwprof.analysis.correlation.findings import Correlation
from hwprof.analysis.correlation.strata import NETWORK, Logs, Stratum
from hwprof.analysis.statistics import clusters
from hwprof.analysis.statistics.partial import MIN_TESTED, without_test
from hwprof.networks.blocks import BLOCKS, parse_name

RANKS = "not tested: ranks of blocks have no error between parent networks"


def parents_of(networks: Sequence[str]) -> tuple[str, ...]:
    """The parent of each block; empty where one of them is no block."""
    names = [parse_name(name) for name in networks]
    return tuple(name.parent for name in names if name is not None) if all(names) else ()


def by_kind(found: Sequence[tuple[Stratum, pd.DataFrame]]) -> list[tuple[Stratum, pd.DataFrame]]:
    """The strata, and after one of blocks those of its kinds of layer with enough blocks and parents for a test."""
    out: list[tuple[Stratum, pd.DataFrame]] = []
    for stratum, part in found:
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
                out.append((replace(stratum, size=stratum.size.replace(BLOCKS, f"blocks of {kind} layers")), rows))
    return out


def between_parents(found: Sequence[Correlation], logs: Mapping[str, Logs]) -> list[Correlation]:
    """Coefficients over blocks with intervals, p and leave-one-out range over parents; others as they are."""
    return [_one(c, logs[c.framework]) if parents_of(_networks(logs[c.framework])) else c for c in found]


def _networks(logs: Logs) -> list[str]:
    return [str(name) for name in logs.part[NETWORK].unique()]


def _one(c: Correlation, logs: Logs) -> Correlation:
    if c.points is None:
        return replace(c, raw=without_test(c.raw, RANKS), partial=without_test(c.partial, RANKS))
    parents = parents_of(c.points.networks)
    nothing = np.empty((len(parents), 0))
    values = logs.collapse(["fps", c.metric.name, *c.covariates]).values
    raw = clusters.without_each(c.points.x, c.points.y, nothing, parents)
    own = clusters.without_each(c.points.x, c.points.y, values[:, 2:], parents)
    partial = replace(c.partial, clusters=len(own))
    if c.partial.p is not None:
        partial = clusters.between_parents(c.partial, list(own.values()))
    known = {name: r for name, r in own.items() if np.isfinite(r)}
    leave_out, notes = None, c.notes
    if known and c.partial.r is not None:
        most = max(known, key=lambda name: abs(known[name] - (c.partial.r or 0.0)))
        leave_out = (min(known.values()), max(known.values()), most)
        if leave_out[0] < 0 < leave_out[1]:
            notes = (*notes, f"sign changes when the blocks of {most} are left out")
    raw_partial = clusters.between_parents(c.raw, list(raw.values()))
    return replace(c, raw=raw_partial, partial=partial, leave_out=leave_out, notes=notes)


def remarks(stratum: Stratum, logs: Mapping[str, Logs]) -> tuple[str, ...]:
    """What limits a stratum of blocks; nothing where it is of whole networks."""
    names = sorted({name for own in logs.values() for name in _networks(own)})
    parents = set(parents_of(names))
    if not parents:
        return ()
    count = (
        f"{len(names)} blocks (layers as networks of their own) of {len(parents)} networks. Intervals and tests are "
        "between the parent networks, whose number bounds what can be found."
    )
    if not stratum.size.startswith(BLOCKS):  # a kind of layer: the stratum of all blocks has said the rest
        return (count,)
    return (
        count,
        "Weights are hot in caches in a block that fits, unlike in its network: what the memory of whole networks "
        "costs is not seen here.",
    )
