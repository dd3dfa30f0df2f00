"""Interventions: the same pair of cases measured again with one thing changed, interleaved with the unchanged pair.

Only such a rerun permits words of cause. What is changed is always the framework's own switch (an option of its
adapter, or a variable of its environment: frameworks/switches.py) or the cores it runs on.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.errors import NotAvailable, UsageError
from hwprof.frameworks.switches import KINDS, change_of
from hwprof.networks import find
from hwprof.plan.experiment import Choice, Experiment
from hwprof.records import Case
from hwprof.worker.protocol import LoopSettings


@dataclass(frozen=True, slots=True)
class Rerun:
    """One intervention on one pair: the experiment, and for which sides there is no switch, with the reason."""

    kind: str
    experiment: Experiment
    impossible: Mapping[str, str]


def other_cpus(case: Case, allowed: Sequence[int]) -> tuple[int, ...] | str:
    """Cores to move a case to: as many others as it has, else all that are allowed; text: why it can't move."""
    others = tuple(c for c in allowed if c not in case.cpus)
    wanted = len(case.cpus) or case.threads
    if len(others) >= wanted:
        return others[-wanted:]
    if tuple(sorted(case.cpus)) != tuple(sorted(allowed)):
        return tuple(sorted(allowed))
    return "it has all cores already"


def plan(
    kind: str, a: Case, b: Case, allowed: Sequence[int], architecture: str, rounds: int = 4, window_s: float = 1.0
) -> Rerun:
    """The experiment: A, B and their changed forms, in interleaved rounds. NotAvailable where neither can change."""
    if kind not in KINDS:
        raise UsageError(f"no intervention '{kind}'", f"one of: {', '.join(KINDS)}")
    choices: list[Choice] = []
    impossible: dict[str, str] = {}
    for case in dict.fromkeys((a, b)):
        choices.append(choice_of(case))
        change = other_cpus(case, allowed) if kind == "affinity" else change_of(kind, case, architecture)
        if isinstance(change, str):
            impossible[case.title] = change
        elif isinstance(change, tuple):
            choices.append(choice_of(case, cpus=",".join(map(str, change))))
        else:
            choices.append(choice_of(case, options={**dict(case.options), **change}))
    if len(impossible) == len({a, b}):
        raise NotAvailable(
            f"--test {kind} can change neither side: "
            + "; ".join(f"{title}: {why}" for title, why in impossible.items()),
            f"another test ({', '.join(k for k in KINDS if k != kind)}), or more threads",
        )
    experiment = Experiment(
        name=f"intervene {kind} {secrets.token_hex(4)}",  # of this name alone: never resumed
        choices=tuple(dict.fromkeys(choices)),
        seed=seed_of(a),
        rounds=rounds,
        plan=LoopSettings(window_s=window_s, min_iterations=10),
        timeout_s=600.0,
        idle_baseline_s=0.0,
        text=f"# hwprof explain --test {kind}",
        one_set=True,  # the changed form may have other cores
    )
    return Rerun(kind, experiment, impossible)


def choice_of(case: Case, options: Mapping[str, Any] | None = None, cpus: str | None = None) -> Choice:
    """The choice that plans a stored case. UsageError for a user's file, whose path isn't in the results."""
    if case.recipe.startswith("builtin"):
        network = case.network
    elif case.recipe == "torchvision-default":
        network = f"{case.network}:pretrained"
    else:
        raise UsageError(
            f"{case.network} was measured from a file, and results don't hold its path",
            "measure both variants yourself: `hwprof run -n FILE.onnx --option ...`, then `hwprof explain`",
        )
    pairs = tuple(sorted((dict(case.options) if options is None else options).items()))
    cores = ",".join(map(str, case.cpus)) if cpus is None else cpus
    if case.shape:
        known, size = find.resolve(network), case.size or None
        _, own = known.place(size, known.input_spec(size, case.batch))
        if own != case.shape:
            raise UsageError(
                f"{case.network} was measured with {case.shape}, and its own input is {own or 'a square image'}",
                "measure both variants yourself: `hwprof run --shape ...` or `--dim ...`, then `hwprof explain`",
            )
    return Choice(case.framework, network, case.size, case.batch, case.threads, case.precision, pairs, cores)


def seed_of(case: Case) -> int:
    """The seed of the weights, from the recipe ("builtin-3 seed 7")."""
    _, found, number = case.recipe.partition(" seed ")
    return int(number) if found and number.isdigit() else 0
