"""Explanations of several pairs in one: geometric means over networks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwprof.analysis import ratio
from hwprof.analysis.decomposition import Factor
from hwprof.analysis.explain import Explanation


@dataclass(frozen=True, slots=True)
class Summary:
    """Factors over networks: geometric mean of one value per network, with a t interval over networks."""

    networks: int
    pairs: int
    fps: Factor
    factors: tuple[Factor, ...] = field(default=())
    note: str = ""


def summarise(explanations: Sequence[Explanation]) -> Summary | None:
    """Geometric means over networks (batches and threads of one network averaged first); None below two networks."""
    networks: dict[str, list[Explanation]] = defaultdict(list)
    for e in explanations:
        networks[e.a.evidence.case.network].append(e)
    if len(networks) < 2:
        return None

    def over(name: str, value: Mapping[int, float]) -> Factor:
        means = [math.exp(sum(math.log(value[id(e)]) for e in several) / len(several)) for several in networks.values()]
        return ratio.geometric(name, means)

    fps = over("fps", {id(e): e.decomposition.fps.ratio for e in explanations})
    names = [tuple(f.name for f in e.decomposition.terms) for e in explanations]
    if len(set(names)) > 1:
        return Summary(len(networks), len(explanations), fps, (), "the pairs can't all be split into the same factors")
    factors = tuple(
        over(name, {id(e): e.decomposition.terms[i].ratio for e in explanations}) for i, name in enumerate(names[0])
    )
    return Summary(len(networks), len(explanations), fps, factors)
