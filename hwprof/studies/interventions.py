"""Interventions: the same pair of cases measured again with one thing changed, interleaved with the unchanged pair.

Only such a rerun permits words of cause. What is changed is a switch of the framework or of the C library (an option of
its adapter, or a variable of its environment: frameworks/switches.py) or the cores it runs on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.errors import NotAvailable, UsageError
from hwprof.frameworks.switches import KINDS, TESTS, change_of
from hwprof.machine.pages import why_no_tunable, why_none_on_request
from hwprof.networks import find
from hwprof.plan.experiment import Choice, Experiment
from hwprof.records import Case
from hwprof.worker.protocol import LoopSettings


@dataclass(frozen=True, slots=True)
class Rerun:
    """Interventions on one pair: the experiment with all of them, and which sides can't be changed how, and why."""

    kinds: tuple[str, ...]
    experiment: Experiment
    impossible: tuple[tuple[str, str, str], ...]  # kind, title of the case, reason


def other_cpus(case: Case, allowed: Sequence[int]) -> tuple[int, ...] | str:
    """Cores to move a case to: as many others as it has, else all that are allowed; text: why it can't move."""
    others = tuple(c for c in allowed if c not in case.cpus)
    wanted = len(case.cpus) or case.threads
    if len(others) >= wanted:
        return others[-wanted:]
    if tuple(sorted(case.cpus)) != tuple(sorted(allowed)):
        return tuple(sorted(allowed))
    return "it has all cores already"


def not_here(kind: str) -> str:
    """Why this machine can't be changed so, whatever the case; "": it can."""
    if kind == "pages":
        return why_none_on_request()
    return why_no_tunable() if kind == "allocator" else ""


def plan(
    kinds: Sequence[str],
    a: Case,
    b: Case,
    allowed: Sequence[int],
    architecture: str,
    rounds: int = 8,
    window_s: float = 1.0,
) -> Rerun:
    """One experiment: A, B and all their changed forms, side by side in every round, so that all share its sets.

    Its name follows from what is measured: asked for again, it goes on with its next round. Raises NotAvailable where
    no kind can change either side.
    """
    choices = [choice_of(case) for case in dict.fromkeys((a, b))]
    impossible: list[tuple[str, str, str]] = []
    able: list[str] = []
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"no intervention '{kind}'", f"one of: {', '.join(KINDS)}")
        why = not_here(kind)
        for case in dict.fromkeys((a, b)):
            change = why or _change(kind, case, allowed, architecture)
            if isinstance(change, str):
                impossible.append((kind, case.title, change))
                continue
            able.append(kind)
            if isinstance(change, tuple):
                choices.append(choice_of(case, cpus=",".join(map(str, change))))
            else:
                choices.append(choice_of(case, options={**dict(case.options), **change}))
    if not able:
        why = "; ".join(dict.fromkeys(f"{kind}: {title}: {reason}" for kind, title, reason in impossible))
        others = ", ".join(k for k in KINDS if k not in kinds)
        raise NotAvailable(f"--test {','.join(kinds)} can change neither side: {why}", f"another test ({others})")
    kinds = tuple(dict.fromkeys(able))
    text = f"# hwprof explain --test {','.join(kinds)}"
    content = json.dumps([text, [dataclasses.astuple(one) for one in choices], window_s, seed_of(a)], default=str)
    experiment = Experiment(
        name=f"{TESTS[0]}{','.join(kinds)} {hashlib.sha256(content.encode()).hexdigest()[:8]}",
        choices=tuple(dict.fromkeys(choices)),
        seed=seed_of(a),
        rounds=rounds,
        plan=LoopSettings(window_s=window_s, min_iterations=10),
        timeout_s=600.0,
        idle_baseline_s=0.0,
        text=text,
        one_set=True,  # the changed form may have other cores
    )
    return Rerun(kinds, experiment, tuple(impossible))


def _change(
    kind: str, case: Case, allowed: Sequence[int], architecture: str
) -> tuple[int, ...] | Mapping[str, Any] | str:
    """Cores or options of the changed case; text: why there is no such change."""
    return other_cpus(case, allowed) if kind == "affinity" else change_of(kind, case, architecture)


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
