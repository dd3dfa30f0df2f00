"""Runners: the frameworks' own benchmark programs, each declared in a TOML file (docs/commands.md).

A runner belongs to a framework: its adapter converts the network, its environment has the program.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import string
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.interpreters import clean_environ
from hwprof.errors import BadExperiment, NotInstalled, UnknownNameError, UsageError
from hwprof.networks.stored_precision import asked
from hwprof.plan import bounds
from hwprof.plan.options import check_keys, check_option
from hwprof.printable import sentence
from hwprof.programs.figures import compile_figure

if TYPE_CHECKING:
    from hwprof.networks.inputs import InputSpec
    from hwprof.records import Case
    from hwprof.worker.protocol import LoopSettings

# The framework's name of all cases that a runner measures.
FRAMEWORK = "command"
FORMAT = 1
UNITS_NS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
STATISTICS = ("median", "mean", "minimum", "first")
SPEEDS = ("latency", "throughput", "total")  # FPS needs one of these
FIGURES = (*SPEEDS, "minimum")  # the least latency, for comparisons on a busy machine
PLACES = ("model", "folder", "stem", "threads", "batch", "size", "shape", "input", "precision", "python")
LENGTHS = ("seconds", "iterations", "warmup")
# key -> type; what is not here is a mistake
KEYS: Mapping[str, type] = {
    "format": int,
    "name": str,
    "about": str,
    "framework": str,
    "command": list,
    "version": list,
    "iterations": int,
    "warmup": int,
    "batch": list,
    "precision": dict,
    "length": dict,
    "options": dict,
    "environment": dict,
    "figures": dict,
}
NEEDED = ("name", "framework", "command", "figures")


class UnknownRunner(UnknownNameError):
    """No runner of that name is declared."""

    kind = "runner"
    listing = "`hwprof list frameworks` lists them; the path of a declaration (.toml) will do too"


@dataclass(frozen=True, slots=True)
class DeclaredRunner:
    """A runner as declared. `digest`: of the file, so that another template is another case."""

    name: str
    framework: str
    command: tuple[str, ...]
    figures: Mapping[str, str]  # latency | throughput | total | minimum -> expression with one group
    about: str = ""
    unit: str = "ms"
    statistic: str = "median"
    version: tuple[str, ...] = ()
    iterations: int = 200
    warmup: int = 10
    batch: tuple[int, ...] = ()  # the batches it can do; empty: any
    precision: Mapping[str, str] = field(default_factory=lambda: {"fp32": "fp32"})
    length: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def check_options(self, asked: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
        """The case's options: those asked for, the runner, its declaration. Raises UsageError."""
        for name, value in asked:
            if name != "runner":
                check_option(self.name, name, value, self.options, none="none besides runner")
        return tuple(sorted({**dict(asked), "runner": self.name, "declared": self.digest}.items()))

    def argv(self, case: Case, spec: InputSpec, plan: LoopSettings, model: Path, python: str) -> tuple[str, ...]:
        """The command with everything filled in, its program found. Raises NotInstalled."""
        places: dict[str, Any] = {
            "model": model,
            "folder": model.parent,
            "stem": model.stem,
            "threads": case.threads,
            "batch": case.batch,
            "size": spec.shape[-1],
            "shape": ",".join(map(str, spec.shape)),
            "input": spec.name,
            "precision": self.precision[asked(case.precision)],
            "python": python,
            "seconds": f"{plan.window_s:g}",
            "iterations": self.repeats(plan),
            "warmup": self.warmup if plan.warmup_iterations is None else plan.warmup_iterations,
        }
        places |= {name: case.option(name, values[0]) for name, values in self.options.items()}
        words = (*self.command, *self.length.get(self.length_key(plan), ()))
        filled = [word.format_map(places) for word in words]
        return (program(filled[0], python, self.name), *filled[1:])

    def length_key(self, plan: LoopSettings) -> str:
        """What bounds an execution: iterations where they were asked for or nothing else is offered."""
        if "seconds" in self.length and (plan.iterations is None or "iterations" not in self.length):
            return "seconds"
        return "iterations"

    def repeats(self, plan: LoopSettings) -> int:
        """Iterations of one execution that iterations bound."""
        return self.iterations if plan.iterations is None else plan.iterations

    def speed(self, figures: Mapping[str, float | None], case: Case, plan: LoopSettings) -> dict[str, Any]:
        """FPS, throughput and latency from the figures that the program printed, and where FPS comes from.

        FPS = batch / latency, as everywhere; the printed throughput where it prints no latency.
        """
        latency, throughput = figures.get("latency"), figures.get("throughput")
        source = f"{self.statistic} latency"
        if latency is None and (total := figures.get("total")) is not None:
            latency, source = total / self.repeats(plan), "total time / iterations"
        found: dict[str, Any] = {"latency_ns": None, "fps": throughput, "throughput": throughput}
        found["fps_source"] = f"throughput as {self.name} reported it"
        if latency is not None:
            ns = latency * UNITS_NS[self.unit]
            found |= {"latency_ns": ns, "fps": case.batch * 1e9 / ns}
            found["fps_source"] = f"batch / {source} as {self.name} reported it"
        return found


def program(word: str, python: str, runner: str) -> str:
    """The file of a program: beside the framework's interpreter, on PATH, or at its path. Raises NotInstalled."""
    if "/" in word:
        found = word if os.access(word, os.X_OK) else None
    else:
        beside = Path(python).parent / word
        found = str(beside) if os.access(beside, os.X_OK) else shutil.which(word)
    if found is None:
        raise NotInstalled(
            f"{runner}'s program '{word}'", f"put it on PATH, or beside {python}; docs/commands.md says where from"
        )
    return found


@lru_cache(maxsize=32)
def version(command: Sequence[str], python: str, runner: str) -> str | None:
    """First line of what the version command prints; None: none is declared, or it printed nothing."""
    if not command:
        return None
    words = [word.format_map({"python": python}) for word in command]
    try:
        interpreted = words[0] == python
        words[0] = program(words[0], python, runner)
        if interpreted:  # a module of that name in the working directory is not asked
            words.insert(1, "-P")
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, check=False, env=clean_environ(python, os.environ)
        )
    except (NotInstalled, OSError, subprocess.TimeoutExpired) as error:
        print(f"hwprof: {sentence(f'{runner} does not report its version: {error}')}", file=sys.stderr)
        return None
    lines = [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
    return lines[0][:200] if lines and done.returncode == 0 else None


def find(name: object) -> DeclaredRunner:
    """The runner of this name, or of the declaration at this path. Raises UnknownRunner, BadExperiment."""
    text = str(name or "")
    if not text:
        raise UsageError(
            "command needs a runner", f"as in --option runner=benchmark_app; there are {', '.join(names())}"
        )
    if text.endswith(".toml"):
        return load(text)
    known = names()
    if text not in known:
        raise UnknownRunner(text, known)
    return load(known[text])


def names() -> dict[str, str]:
    """Name -> file: those that come with hwprof, then those in the folders of HWPROF_RUNNERS, which win."""
    folders = [
        str(resources.files("hwprof.configs") / "runners"),
        *os.environ.get("HWPROF_RUNNERS", "").split(os.pathsep),
    ]
    return {path.stem: str(path) for folder in filter(None, folders) for path in sorted(Path(folder).glob("*.toml"))}


def load(path: str) -> DeclaredRunner:
    """Read and check a declaration. Raises BadExperiment naming file and key."""
    try:
        data = Path(path).read_bytes()
        table = tomllib.loads(data.decode())
    except FileNotFoundError:
        raise BadExperiment(f"no declaration of a runner at {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadExperiment(f"{path}: {error}", "a runner is declared in a text file in TOML") from error
    _check(table, path)
    figures = dict(table["figures"])
    unit, statistic = figures.pop("unit", "ms"), figures.pop("statistic", "median")
    lists: dict[str, Any] = {key: tuple(table.get(key, ())) for key in ("command", "version", "batch")}
    plain = {key: table[key] for key in ("iterations", "warmup", "precision", "environment", "about") if key in table}
    length = {name: tuple(words) for name, words in table.get("length", {}).items()}
    options = {name: tuple(values) for name, values in table.get("options", {}).items()}
    declared = DeclaredRunner(
        name=table["name"],
        framework=table["framework"],
        figures=figures,
        unit=unit,
        statistic=statistic,
        length=length,
        options=options,
        digest=hashlib.sha256(data).hexdigest()[:8],
        **lists,
        **plain,
    )
    _check_words(declared, path)
    return declared


def _check(table: Mapping[str, Any], path: str) -> None:
    """Raise BadExperiment for keys, types and figures that are wrong."""
    check_keys(table, tuple(KEYS), path)
    for key in NEEDED:
        if not table.get(key):
            raise BadExperiment(f"{path}: '{key}' is missing")
    for key, value in table.items():
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            raise BadExperiment(f"{path}: {key} is not of the type {KEYS[key].__name__}")
    for key, what in (("iterations", "iterations"), ("warmup", "warmup_iterations")):
        if key in table:
            bounds.check(what, table[key], f"{path}: {key}", BadExperiment)
    for batch in table.get("batch", ()):
        bounds.check("batch", batch, f"{path}: batch", BadExperiment)
    if table.get("format", FORMAT) != FORMAT:
        raise BadExperiment(f"{path}: format {table['format']} is unknown", f"this hwprof reads format {FORMAT}")
    figures = table["figures"]
    check_keys(figures, (*FIGURES, "unit", "statistic"), path, "figures")
    check_keys(table.get("length", {}), ("seconds", "iterations"), path, "length")
    if not set(figures) & set(SPEEDS):
        raise BadExperiment(f"{path}: [figures] names no speed", f"one of {', '.join(SPEEDS)}")
    for key, allowed in (("unit", UNITS_NS), ("statistic", STATISTICS)):
        if figures.get(key, next(iter(allowed))) not in allowed:
            raise BadExperiment(f"{path}: figures.{key} = {figures[key]!r}", f"one of {', '.join(allowed)}")
    for name in set(figures) & set(FIGURES):
        try:
            compile_figure(str(figures[name]))
        except UsageError as error:
            what = error.message.replace("--fps-from", f"figures.{name}")
            raise BadExperiment(f"{path}: {what}", error.remedy.replace("--fps-from ", "")) from error


def _check_words(declared: DeclaredRunner, path: str) -> None:
    """Raise BadExperiment where a word is no text or has an unknown place."""
    known = {*PLACES, *LENGTHS, *declared.options}
    words = [*declared.command, *(w for words in declared.length.values() for w in words)]
    for word in [*words, *declared.version]:
        if not isinstance(word, str):
            raise BadExperiment(f"{path}: {word!r} in a command is no text", "quote numbers")
        try:
            places = [place for _, place, _, _ in string.Formatter().parse(word) if place is not None]
        except ValueError as error:
            raise BadExperiment(f"{path}: '{word}': {error}", "a brace that is meant is written twice") from error
        for place in places:
            if place not in known:
                raise BadExperiment(f"{path}: '{word}' has an unknown place", f"known: {', '.join(sorted(known))}")
    if any(not values for values in declared.options.values()):
        raise BadExperiment(f"{path}: an option without values", "the first one is the default")
