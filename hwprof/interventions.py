"""Interventions: the same pair of cases measured again with one thing changed, interleaved with the unchanged pair.

Only such a rerun permits words of cause. What is changed is always the framework's own switch (an option of its
adapter, or a variable of its environment) or the cores it runs on.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.errors import NotAvailable, UsageError
from hwprof.experiment import Choice, Experiment
from hwprof.jobs import Plan
from hwprof.records import Case

KINDS = ("spin", "affinity", "simd")
Switches = Mapping[str, Mapping[str, Any]]

_OPENMP = {"env.OMP_WAIT_POLICY": "passive", "env.GOMP_SPINCOUNT": "0", "env.KMP_BLOCKTIME": "0"}
_OPENCV_POOL = {"env.OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER": "0", "env.OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN": "0"}
_ONEDNN = {"env.ONEDNN_MAX_CPU_ISA": "SSE41", "env.DNNL_MAX_CPU_ISA": "SSE41"}
# Beyond its x86 baseline (SSE3); features that the CPU lacks may be named
_OPENCV_SIMD = {"env.OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FMA3,AVX,FP16,SSE4.2,SSE4.1"}

# framework -> the options that stop its threads from spinning while they wait
SPIN_OFF: Switches = {
    "onnxruntime": {"spin": False},
    "ncnn": {"spin": False},
    "opencv": _OPENCV_POOL,
    "opencv5": _OPENCV_POOL,
    "pytorch": _OPENMP,
    "mxnet": _OPENMP,
    "tvm": {"env.TVM_THREAD_POOL_SPIN_COUNT": "0"},
}
# framework -> the options that keep it from wide vectors; on x86
SIMD_CAPPED: Switches = {
    "opencv": _OPENCV_SIMD,
    "opencv5": _OPENCV_SIMD,
    "pytorch": {"env.ATEN_CPU_CAPABILITY": "default", **_ONEDNN},
    "openvino": _ONEDNN,
    "tensorflow": _ONEDNN,
    "mxnet": _ONEDNN,
}
# What a switch leaves as it is, to be said with the result.
LIMITS: Mapping[tuple[str, str], str] = {
    ("simd", "opencv"): "its baseline (SSE3) stays",
    ("simd", "opencv5"): "its baseline (SSE3) stays",
    ("simd", "pytorch"): "SSE4.1 stays",
    ("simd", "openvino"): "SSE4.1 stays; reorders and its own kernels may not obey",
    ("simd", "tensorflow"): "oneDNN's kernels alone; Eigen's keep what they were compiled for",
    ("simd", "mxnet"): "oneDNN's kernels alone",
    ("spin", "opencv"): "the worker threads of its own pool",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One intervention on one pair: the experiment, and for which sides there is no switch, with the reason."""

    kind: str
    experiment: Experiment
    impossible: Mapping[str, str]


def changed(kind: str, case: Case, architecture: str = "x86_64") -> Mapping[str, Any] | str:
    """Options of the changed case; text: why there is no such change for it."""
    if kind == "simd" and architecture not in ("x86_64", "AMD64", "i686"):
        return f"hwprof knows no switch for vectors on {architecture}"
    table = SPIN_OFF if kind == "spin" else SIMD_CAPPED
    if case.framework not in table:
        what = "spin-waiting" if kind == "spin" else "vector instructions"
        return f"{case.framework} has no switch for {what} that hwprof knows"
    if kind == "spin" and case.threads < 2:
        return "one thread waits for nobody"
    options = table[case.framework]
    if kind == "spin" and case.framework == "ncnn" and not case.option("spin", False):
        return "it doesn't spin unless asked to"
    if all(case.option(name) == value for name, value in options.items()):
        return "it is so already"
    return options


def kind_of(base: Case, other: Case) -> str:
    """Which intervention makes `other` of `base`; "": none that hwprof knows."""
    if base.options == other.options:
        return "affinity" if base.cpus != other.cpus else ""
    if base.cpus != other.cpus:
        return ""
    for kind, table in (("spin", SPIN_OFF), ("simd", SIMD_CAPPED)):
        options = table.get(base.framework)
        if options and dict(other.options) == {**dict(base.options), **options}:
            return kind
    return ""


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
) -> Planned:
    """The experiment: A, B and their changed forms, in interleaved rounds. NotAvailable where neither can change."""
    if kind not in KINDS:
        raise UsageError(f"no intervention '{kind}'", f"one of: {', '.join(KINDS)}")
    choices: list[Choice] = []
    impossible: dict[str, str] = {}
    for case in dict.fromkeys((a, b)):
        base = choice_of(case)
        choices.append(base)
        if kind == "affinity":
            cpus = other_cpus(case, allowed)
            if isinstance(cpus, str):
                impossible[case.title] = cpus
                continue
            choices.append(choice_of(case, cpus=",".join(map(str, cpus))))
            continue
        options = changed(kind, case, architecture)
        if isinstance(options, str):
            impossible[case.title] = options
            continue
        choices.append(choice_of(case, options={**dict(case.options), **options}))
    choices = list(dict.fromkeys(choices))
    if len(impossible) == len({a, b}):
        raise NotAvailable(
            f"--intervene {kind} can change neither side: "
            + "; ".join(f"{title}: {why}" for title, why in impossible.items()),
            f"another intervention ({', '.join(k for k in KINDS if k != kind)}), or more threads",
        )
    experiment = Experiment(
        name=f"intervene {kind} {secrets.token_hex(4)}",  # of this name alone: never resumed
        choices=tuple(choices),
        seed=seed_of(a),
        rounds=rounds,
        plan=Plan(window_s=window_s, min_iterations=10),
        timeout_s=600.0,
        idle_baseline_s=0.0,
        text=f"# hwprof explain --intervene {kind}",
    )
    return Planned(kind, experiment, impossible)


def choice_of(case: Case, options: Mapping[str, Any] | None = None, cpus: str | None = None) -> Choice:
    """The choice that leads to a stored case again. UsageError for a user's file, whose path isn't in the results."""
    if case.recipe.startswith("builtin"):
        network = case.network
    elif case.recipe == "torchvision-default":
        network = f"{case.network}:pretrained"
    else:
        raise UsageError(
            f"{case.network} was measured from a file, and results don't hold its path",
            "measure both variants yourself: hwprof run -n FILE.onnx --option ..., then hwprof explain",
        )
    pairs = tuple(sorted((dict(case.options) if options is None else options).items()))
    cores = ",".join(map(str, case.cpus)) if cpus is None else cpus
    return Choice(case.framework, network, case.size, case.batch, case.threads, case.precision, pairs, cores)


def seed_of(case: Case) -> int:
    """The seed of the weights, from the recipe ("builtin-3 seed 7")."""
    _, found, number = case.recipe.partition(" seed ")
    return int(number) if found and number.isdigit() else 0
