"""Planted configurations of one network: what is known of them is invented, and so is which one is best."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from hwprof.analysis.configurations.best import rank
from hwprof.analysis.configurations.model import ConfigurationGroup
from hwprof.analysis.correlation import strata
from hwprof.analysis.speeds import speeds
from hwprof.records import Fidelity, Run
from hwprof.store import Results
from tests.factories import make_run
from tests.planted_sets import with_slices

WRONG = Fidelity(0.5, 0.1, 0.2, inputs=8, tolerance=1e-3)


class Way(NamedTuple):
    """A configuration, and ms per inference in each round."""

    precision: str
    threads: int
    batch: int
    cost_ms: Sequence[float]


def side_by_side(ways: Sequence[Way], framework: str = "onnxruntime", **fields: Any) -> list[Run]:
    """Each round is a set in which all were measured in turns, with a drift of up to 20 % that they share."""
    runs = []
    for number in range(len(ways[0].cost_ms)):
        shared = [1 + 0.2 * random.Random(f"{number} {turn}").random() for turn in range(12)]
        for way in ways:
            base = configured(framework, way.precision, way.threads, way.batch, round=number, **fields)
            runs.append(with_slices(base, way.cost_ms[number], f"set{number:05d}", shared=shared))
    return runs


def rounds(fps: Sequence[float], precision: str = "fp32", threads: int = 1, batch: int = 1, **fields: Any) -> list[Run]:
    """One configuration, a round for each FPS."""
    framework = fields.pop("framework", "onnxruntime")
    return [
        configured(framework, precision, threads, batch, fps=value, round=number, **fields)
        for number, value in enumerate(fps)
    ]


def configured(framework: str, precision: str, threads: int, batch: int, **fields: Any) -> Run:
    fields = {"network": "squeezenet1_1", "metrics": {}, **fields}
    return make_run(framework, precision=precision, threads=threads, batch=batch, **fields)


def frames(folder: Path, runs: Sequence[Run]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The labelled frame of the runs, and its speeds."""
    with Results.create(folder / "planted.db") as results:
        for run in runs:
            results.add(run)
        frame = results.frame()
    return strata.label(frame), speeds(frame)


def groups(folder: Path, runs: Sequence[Run]) -> tuple[ConfigurationGroup, ...]:
    return rank(*frames(folder, runs))


def ranks(group: ConfigurationGroup) -> Mapping[str, str]:
    """Label -> rank."""
    return {one.configuration.label: one.rank.name for one in group.ranked}
