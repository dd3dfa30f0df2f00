"""Scenarios: many draws of planted data, and the promises that they keep or break together.

Each draw has a seed of its own, of the seed of all, the name of the scenario and the number of the draw. So results
depend neither on the number of processes nor on which scenarios are asked for.
"""

from __future__ import annotations

import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from promises import Row

CHUNK = 5  # draws that a process is handed at a time
Build = Callable[[], Mapping[str, "Scenario"]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`draws` draws: `one` is what a draw shows (it can be pickled), `rows` the promises of all of them in order."""

    one: Callable[[np.random.Generator], Any]
    rows: Callable[[list[Any]], list[Row]]
    draws: int

    def show(self, seed: Sequence[int], numbers: range) -> list[Any]:
        """What the draws of these numbers show."""
        return [self.one(np.random.default_rng([*seed, number])) for number in numbers]

    def judge(self, seed: Sequence[int]) -> list[Row]:
        """The promises, drawn in this process."""
        return self.rows(self.show(seed, range(self.draws)))


def at_once(check: Callable[[np.random.Generator], list[Row]]) -> Scenario:
    """A check that makes all draws by itself, in one process."""
    return Scenario(check, lambda found: list(found[0]), 1)


def judge(build: Build, seed: int, only: str = "", jobs: int = 1) -> Iterator[tuple[str, list[Row]]]:
    """(name, promises) of each scenario with `only` in its name, as soon as it is drawn; by `jobs` processes.

    `build` makes the scenarios, in each process anew: a function of a module, or `functools.partial` of one.
    """
    chosen = {name: scenario for name, scenario in build().items() if only in name}
    tasks = [
        (name, range(first, min(first + CHUNK, scenario.draws)))
        for name, scenario in chosen.items()
        for first in range(0, scenario.draws, CHUNK)
    ]
    if jobs == 1:
        yield from _gathered(chosen, tasks, map(partial(_show, chosen, seed), tasks))
        return
    # The matrices are small: more threads than processes only wait for each other. Libraries read this as they load.
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    os.environ.update({name: os.environ.get(name, "1") for name in names})
    with multiprocessing.get_context("spawn").Pool(jobs, _begin, (build, seed)) as pool:
        yield from _gathered(chosen, tasks, pool.imap(_task, tasks))


Task = tuple[str, range]
_OWN: dict[str, Any] = {}  # of a process of the pool: its scenarios, and the seed


def _begin(build: Build, seed: int) -> None:
    _OWN.update(scenarios=build(), seed=seed)


def _task(task: Task) -> list[Any]:
    return _show(_OWN["scenarios"], _OWN["seed"], task)


def _show(scenarios: Mapping[str, Scenario], seed: int, task: Task) -> list[Any]:
    name, numbers = task
    return scenarios[name].show([seed, zlib.crc32(name.encode())], numbers)


def _gathered(
    scenarios: Mapping[str, Scenario], tasks: Sequence[Task], found: Iterator[list[Any]]
) -> Iterator[tuple[str, list[Row]]]:
    shown: dict[str, list[Any]] = {name: [] for name in scenarios}
    for (name, _), part in zip(tasks, found, strict=True):
        shown[name] += part
        if len(shown[name]) == scenarios[name].draws:
            yield name, scenarios[name].rows(shown.pop(name))
