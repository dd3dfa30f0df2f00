"""The experiments that can be measured: built-in ones, and the files of a folder."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hwprof.errors import HwprofError
from hwprof.plan.experiment import built_in_names, parse


@dataclass(frozen=True, slots=True)
class ExperimentFile:
    """One experiment. `name`: as `hwprof sweep` takes it; `error`: why it can't be measured, "" where it can."""

    name: str
    about: str
    built_in: bool
    cases: int
    rounds: int
    error: str = ""


def listing(folder: Path) -> list[ExperimentFile]:
    """The built-in experiments, then those of the folder's .toml files that have a [matrix], by name."""
    packaged = resources.files("hwprof.configs") / "experiments"
    found = [_read(name, (packaged / f"{name}.toml").read_text(), None) for name in built_in_names()]
    for path in sorted(folder.glob("*.toml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if _has_matrix(text):
            found.append(_read(str(path), text, path.parent))
    return found


def about(text: str) -> str:
    """The first sentence of the comment at the head of a file, on one line; "" where there is none."""
    lines = []
    for line in text.lstrip().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return re.split(r"(?<=\.)\s", " ".join(lines), maxsplit=1)[0].strip()


def _read(name: str, text: str, base: Path | None) -> ExperimentFile:
    try:
        spec = parse(text, name, base)
    except HwprofError as error:
        return ExperimentFile(name, about(text), base is None, 0, 0, str(error))
    return ExperimentFile(name, about(text), base is None, len(spec.choices), spec.rounds)


def _has_matrix(text: str) -> bool:
    """Whether a file is an experiment, also one with a mistake; other programs have .toml files too."""
    try:
        return "matrix" in tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return re.search(r"^\s*\[matrix\]", text, re.MULTILINE) is not None
