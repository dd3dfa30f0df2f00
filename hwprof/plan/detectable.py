"""What a planned experiment could find: its strata, their networks, and the smallest correlation that they can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hwprof.analysis.correlation import blocks, strata
from hwprof.analysis.statistics import power
from hwprof.analysis.statistics.clusters import MIN_PARENTS
from hwprof.analysis.statistics.partial import MIN_TESTED
from hwprof.networks.blocks import parents_of
from hwprof.plan.cases import PlannedCase

COVARIATES = 2  # MACs and instructions
TOGETHER = "over all frameworks"
ALIKE = 0.5  # of blocks of one network: the share of the variance of metric and speed that is the network's
FAMILY = 20  # metrics, where there are several


@dataclass(frozen=True, slots=True)
class Reach:
    """One stratum of one framework, or of all of them. `alone`, `first`: the smallest |partial r| that is found with
    power .8, of one metric and of the first of FAMILY metrics; of blocks from no likeness within a network to ALIKE.
    Empty: no test.
    """

    stratum: str
    variant: str
    networks: int
    parents: int  # 0: whole networks
    alone: tuple[float, ...] = ()
    first: tuple[float, ...] = ()
    why: str = ""


def reaches(cases: Sequence[PlannedCase], networks: Sequence[str] = ()) -> list[Reach]:
    """What all frameworks together, and each of them, could show in each stratum.

    Instructions are counted on `networks` (empty: on all). Networks of unknown MACs, and blocks without any, don't
    count: size can't be controlled for there.
    """
    rows = [
        {
            "framework": p.case.framework,
            "network": p.case.network,
            "recipe": p.case.recipe,
            "size": p.case.size,
            "shape": p.case.shape,
            "batch": p.case.batch,
            "threads": p.case.threads,
            "cpus": p.case.cpus,
            "precision": p.case.precision,
            "round": 0,
            "status": "ok",
            "fps": 1.0,
            **{f"option.{name}": value for name, value in p.case.options},
        }
        for p in cases
        if p.macs and (not networks or p.case.network in networks)
    ]
    if not rows:
        return []
    found = []
    for stratum, part in blocks.by_kind(strata.split(strata.label(pd.DataFrame(rows)))):
        counts = {str(v): sorted(own[strata.NETWORK].unique()) for v, own in part.groupby(strata.VARIANT, sort=True)}
        if (together := _together(stratum.title, list(counts.values()))) is not None:
            found.append(together)
        found += [_reach(stratum.title, variant, own) for variant, own in counts.items()]
    return found


def _together(stratum: str, networks: Sequence[Sequence[str]]) -> Reach | None:
    """Of slopes over all frameworks, from the networks that at least two have; None: one framework, or blocks."""
    every = [name for own in networks for name in own]
    shared = sorted({name for name in every if every.count(name) > 1})
    if not shared or parents_of(every):
        return None
    if len(shared) < MIN_TESTED:
        return Reach(stratum, TOGETHER, len(shared), 0, why=f"at least {MIN_TESTED} networks are needed")
    # cells less network and framework means, and the instructions
    df = sum(every.count(name) for name in shared) - len(shared) - len(networks) - 1
    alone, first = (power.of_size(df + 2, 0, tests) for tests in (1, FAMILY))
    if alone is None or first is None:
        return Reach(stratum, TOGETHER, len(shared), 0, why="two frameworks leave too few degrees of freedom")
    return Reach(stratum, TOGETHER, len(shared), 0, (alone,), (first,))


def _reach(stratum: str, variant: str, networks: Sequence[str]) -> Reach:
    count, parents = len(networks), len(set(parents_of(networks)))
    if count < MIN_TESTED:
        return Reach(stratum, variant, count, parents, why=f"at least {MIN_TESTED} networks are needed")
    if parents and parents < MIN_PARENTS:
        return Reach(stratum, variant, count, parents, why=f"blocks of at least {MIN_PARENTS} networks are needed")
    alone, first = (_smallest(count, parents, tests) for tests in (1, FAMILY))
    return Reach(stratum, variant, count, parents, alone, first)


def _smallest(count: int, parents: int, tests: int) -> tuple[float, ...]:
    if not parents:
        found = [power.of_size(count, COVARIATES, tests)]
    else:
        errors = [power.planned_se(count, COVARIATES, parents, alike) for alike in (0.0, ALIKE)]
        found = [power.of_clusters(error, parents, tests) for error in errors if error is not None]
    return tuple(value for value in found if value is not None)
