"""The commands, by the question that each answers, and the names and options that some had before.

Light: it is read at every start, before the command's own module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

# question -> command -> its line in the overview
QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "Measure": {
        "run": "one case or any program, as easy as perf stat",
        "record": "where the time goes: hottest functions, flame graph",
        "sweep": "an experiment: frameworks x networks x batches x threads",
        "prepare": "an experiment for another machine, as a bundle to sweep there",
        "tune": "the best launch parameters; --scaling: FPS against threads",
    },
    "Why is it slow, or faster than another": {
        "explain": "what bounds a case; the ratio of two cases in factors",
    },
    "What correlates with FPS, and everything else": {
        "report": "the answer, its evidence and all tables as one HTML page",
    },
    "Faster or slower than before": {
        "compare": "two results, case by case; exit code for CI",
    },
    "How fast would it be": {
        "predict": "FPS of a network that was not measured; --evaluate: how good that is",
    },
    "Limits of this machine": {
        "roofline": "how near each case comes to the ceilings; --measure measures them",
    },
    "What can be measured here": {
        "doctor": "counters, sensors, tools, frameworks; the command that adds each",
        "events": "events that open here; --validate: which of them count right",
        "survey": "all of a new board: one file to send, one page to read",
    },
    "What is there": {
        "list": "networks, frameworks, experiments, cases, runs, boards",
    },
    "Layers, accuracy, environments, boards": {
        "layers": "time per layer, frameworks side by side",
        "accuracy": "top-1 and top-5 over labelled images, between frameworks",
        "env": "environments of frameworks that need their own interpreter",
        "board": "run a command on an emulated riscv64 or arm64 board",
    },
    "Results in and out": {
        "export": "CSV, Parquet, JSON, or JSON of pyperf",
        "import": "another results file, tables of DLI, files of pyperf",
    },
}
COMMANDS = {name: says for group in QUESTIONS.values() for name, says in group.items()}
SHELLS = ("bash", "zsh", "tcsh")


class FormerCommand(NamedTuple):
    """What a command of an earlier release is now.

    `words`: the command and its first options; `options`: spelling of an option before -> now.
    """

    words: tuple[str, ...]
    options: Mapping[str, str] = MappingProxyType({})


# Hidden, for one release.
FORMER: Mapping[str, FormerCommand] = {
    "bottlenecks": FormerCommand(("explain",)),
    "calibrate": FormerCommand(("roofline", "--measure"), {"-r": "--repetitions"}),
    "frameworks": FormerCommand(("list", "frameworks")),
    "merge": FormerCommand(("import",)),
    "models": FormerCommand(("predict", "--evaluate")),
    "networks": FormerCommand(("list", "networks")),
    "scaling": FormerCommand(("tune", "--scaling")),
    "validate": FormerCommand(("events", "--validate"), {"-r": "--repetitions"}),
}


def translate(former: FormerCommand, words: Sequence[str]) -> list[str]:
    """The words behind an old command's name as those of the new command, which come first."""
    found = [*former.words]
    for word in words:
        for old, new in former.options.items():
            if word == old:
                word = new
            elif word.startswith(old) and not word.startswith("--"):  # -r5
                word = f"{new}={word.removeprefix(old).removeprefix('=')}"
        found.append(word)
    return found


def overview() -> str:
    """What `hwprof --help` prints: the commands by their questions, in 80 columns."""
    width = max(map(len, COMMANDS))
    lines = [
        "usage: hwprof COMMAND [OPTION ...]",
        "",
        "Measure inference by hardware counters, power and memory, and explain its speed.",
    ]
    for question, group in QUESTIONS.items():
        lines += ["", f"{question}:", *(f"  {name:<{width}}  {says}" for name, says in group.items())]
    lines += [
        "",
        "hwprof help COMMAND               the options of a command",
        "hwprof --print-include            the folder of hwprof.h, for C and C++",
        "hwprof --print-completion SHELL   completion for " + ", ".join(SHELLS[:-1]) + f" or {SHELLS[-1]}",
        "hwprof --version                  the version",
    ]
    return "\n".join(lines) + "\n"
