"""Environments of their own for frameworks that can't share an interpreter, or that a user wants apart.

Each is a folder below `interpreters.home()` with a virtual environment, or only with the path of an interpreter of the
user's, and `environment.json`, which is written last: one without it was never finished.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof.errors import CaseFailed, NotAvailable, NotInstalled, UnknownNameError, UsageError
from hwprof.frameworks import interpreters
from hwprof.frameworks.interpreters import Interpreter, admits
from hwprof.frameworks.protocol import Adapter

ATTEMPTS = 3
RECORD = "environment.json"
# PyTorch's builds without CUDA; used only where it answers.
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


class UnknownEnvironment(UnknownNameError):
    """No environment of that name."""

    kind = "environment"
    listing = "`hwprof env list` lists them"


@dataclass(frozen=True, slots=True)
class Made:
    """One environment: `foreign`: a user's interpreter, taken as it is."""

    name: str
    interpreter: Interpreter
    foreign: bool
    size: int  # bytes on disk


def create(adapter: Adapter, python: str = "", base: str = "", say: Callable[[str], None] = print) -> Made:
    """Make the environment of a framework, check that the framework can be imported there, and register it.

    `python`: an interpreter that has the framework already, taken as it is; `base`: the interpreter to make a virtual
    environment from. Raises NotInstalled (no fit Python), CaseFailed (the installer's last words) and UsageError.
    """
    home = interpreters.home()
    home.mkdir(parents=True, exist_ok=True)
    place, aside = home / adapter.name, home / f".before-{adapter.name}"
    if python:
        path = shutil.which(python)
        if path is None:
            raise UsageError(f"there is no interpreter {python}", "--python takes the path of a python3")
        python = str(Path(path).absolute())
        found = _checked(adapter, python)
        half = Path(tempfile.mkdtemp(prefix=".half-", dir=home))
    else:
        if not adapter.environment.requirements:
            raise UsageError(
                f"{adapter.name} declares nothing to install", f"{adapter.environment.install}; or name --python PATH"
            )
        base = base or fit_python(adapter.environment.pythons)
        # A virtual environment works in its own place only: it is made there, and its record says when it is whole.
        # What was there before is put aside, and back where the new one fails.
        remove_tree(aside)
        if place.exists():
            place.rename(aside)
        place.mkdir()
        half = place
    try:
        if not python:
            say(f"making {place} with {base}")
            python = install(half, base, adapter.environment.requirements, adapter.environment.alone, say)
            found = _checked(adapter, python)
        record = {"python": python, "framework": adapter.name, "version": found.version, "foreign": half != place}
        (half / RECORD).write_text(json.dumps(record, indent=1))
        if half != place:
            remove_tree(place)
            half.rename(place)
    except BaseException:
        remove_tree(half)
        if half == place and aside.exists():
            aside.rename(place)
        raise
    remove_tree(aside)
    interpreters.look.cache_clear()
    interpreters.software.cache_clear()
    return next(made for made in everything() if made.name == adapter.name)


def _checked(adapter: Adapter, python: str) -> Interpreter:
    found = interpreters.within(adapter.environment, python)
    if found.error is not None:
        raise NotInstalled(f"{adapter.name} for {python}", found.error)
    return found


def install(
    folder: Path,
    base: str,
    requirements: Sequence[str],
    alone: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> str:
    """A virtual environment in `folder` with the requirements, by uv where there is one, else venv and pip.

    `alone`: further ones, without their dependencies.

    The path of its interpreter. A download that fails is tried three times.
    """
    python = str(folder / "bin/python")
    uv = shutil.which("uv")
    if uv:
        _call([uv, "venv", "--quiet", "--python", base, "--allow-existing", str(folder)])
        words = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        _call([base, "-m", "venv", str(folder)])
        words = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if any(re.match(r"torch\b", r) for r in requirements) and answers(CPU_WHEELS):
        words += ["--extra-index-url", CPU_WHEELS]
    for wanted in ([*requirements], ["--no-deps", *alone]):
        if wanted[-1] == "--no-deps":
            continue
        say(f"installing {' '.join(wanted)}")
        for number in range(1, ATTEMPTS + 1):
            try:
                _call([*words, *wanted], environ=uv_environ() if uv else None)
                break
            except CaseFailed:
                if number == ATTEMPTS:
                    raise
    return python


def uv_environ() -> dict[str, str]:
    """uv doesn't read pip's setting of further places to look in."""
    links = os.environ.get("PIP_FIND_LINKS")
    return {**os.environ, **({"UV_FIND_LINKS": links} if links and "UV_FIND_LINKS" not in os.environ else {})}


def answers(url: str) -> bool:
    """The index can be reached from here."""
    from urllib import request

    try:
        with request.urlopen(f"{url}/", timeout=5):
            return True
    except OSError:
        return False


def _call(words: Sequence[str], environ: dict[str, str] | None = None) -> None:
    environ = environ or interpreters.clean_environ(words[0], os.environ)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environ)
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        wrong = next((line for line in said if line.lower().startswith("error")), said[-1] if said else "no word")
        raise CaseFailed(f"{Path(words[0]).name} failed: {wrong[:300]}", "is the package index reachable, the disk full?")


def fit_python(wanted: str) -> str:
    """An interpreter of the versions wanted (as ">=3.11,<3.12"): hwprof's own if it is fit. Raises NotInstalled."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if admits(wanted, own):
        return sys.executable
    for minor in range(30, 10, -1):
        if admits(wanted, f"3.{minor}") and (path := shutil.which(f"python3.{minor}")):
            return path
    raise NotInstalled(f"a Python {wanted}", "install one, or name it with --base PATH")


def everything() -> Iterator[Made]:
    """The environments, by name. An unfinished one is none."""
    from hwprof import plugins

    for path in sorted(interpreters.home().glob(f"[!.]*/{RECORD}")):
        record: dict[str, Any] = json.loads(path.read_text())
        adapter = plugins.adapter(record["framework"])
        found = interpreters.within(adapter.environment, record["python"])
        size = sum(p.lstat().st_size for p in path.parent.rglob("*") if p.is_file() and not p.is_symlink())
        yield Made(path.parent.name, found, bool(record["foreign"]), size)


def remove(name: str) -> None:
    """Delete an environment; a user's own interpreter is only forgotten. Raises UnknownEnvironment."""
    home = interpreters.home()
    names = [path.parent.name for path in home.glob(f"[!.]*/{RECORD}")]
    if name not in names:
        raise UnknownEnvironment(name, names)
    (home / name / RECORD).unlink()
    remove_tree(home / name)


def remove_tree(path: Path) -> None:
    """Delete a folder if it is there. Raises NotAvailable where it can't be."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise NotAvailable(f"can't delete {path}: {error.strerror}") from error
