"""The two calls of the Python interface: one case, one experiment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.records import Run

if TYPE_CHECKING:
    from hwprof.store import Results


def run(
    framework: str = "onnxruntime",
    network: str = "mobilenet_v2",
    *,
    size: int = 0,
    batch: int = 1,
    threads: int = 1,
    precision: str = "fp32",
    options: Mapping[str, Any] | None = None,
    events: Sequence[str] = ("auto",),
    rounds: int = 3,
    window_s: float = 1.0,
    iterations: int | None = None,
    cpus: str = "",
    seed: int = 0,
    timeout_s: float = 600.0,
    cooldown_s: float | None = None,
    results: str | os.PathLike[str] | None = None,
) -> list[Run]:
    """Measure one case in `rounds` fresh processes; one `Run` per round, a failed one with its `failure`.

    `size` in pixels (0: the network's own), times in seconds, `iterations` per window. `cooldown_s`: at most, before
    each run (None: as of an experiment; 0: no wait). Saved to `results` where a path is given. Raises HwprofError
    (UsageError, UnknownNetwork, ...) before anything is measured.
    """
    from hwprof import store
    from hwprof.plan.experiment import Choice, single
    from hwprof.runner.rounds import Runner
    from hwprof.worker.protocol import LoopSettings

    choice = Choice(framework, network, size, batch, threads, precision, tuple(sorted((options or {}).items())))
    plan = LoopSettings(window_s=window_s, iterations=iterations, min_iterations=10, events=tuple(events))
    heat = {} if cooldown_s is None else {"cooldown_s": cooldown_s}
    spec = single(choice, plan, seed=seed, rounds=rounds, cpus=cpus, timeout_s=timeout_s, text="# hwprof.run", **heat)
    if results is None:
        return [step.run for step in Runner(spec).run()]
    with store.Results.open(Path(results), create=True) as opened:
        return [step.run for step in Runner(spec, opened).run()]


def sweep(experiment: str | os.PathLike[str], results: str | os.PathLike[str] | None = None) -> Results:
    """Measure a built-in experiment or a .toml file, resuming where it stopped; the open results."""
    from hwprof import store
    from hwprof.plan.experiment import load
    from hwprof.runner.rounds import Runner

    spec = load(os.fspath(experiment))
    opened = store.Results.open(store.default_path(None if results is None else os.fspath(results)), create=True)
    try:
        for _ in Runner(spec, opened).run():
            pass
    except BaseException:
        opened.abandon()
        raise
    return opened
