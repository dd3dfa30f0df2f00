"""Separate environments for frameworks that can't share an interpreter, or that a user wants to isolate.

Each is a folder below `interpreters.home()` with `environment.json`, which is written last: one without it was never
finished. It names the interpreter: the user's own, or that of a virtual environment in a folder beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof import plugins
from hwprof.environments import interpreters
from hwprof.environments.interpreters import Interpreter
from hwprof.errors import NotAvailable, NotInstalled, UnknownFramework, UnknownNameError, UsageError
from hwprof.frameworks.installer import find_python, install
from hwprof.frameworks.protocol import Adapter

RECORD = "environment.json"
LOCK = ".lock"


class UnknownEnvironment(UnknownNameError):
    """No environment of that name."""

    kind = "environment"
    listing = "`hwprof env list` lists them"


@dataclass(frozen=True, slots=True)
class OwnEnvironment:
    """One environment: `foreign`: a user's interpreter, taken as it is."""

    name: str
    interpreter: Interpreter
    foreign: bool
    bytes: int  # on disk


def create(adapter: Adapter, python: str = "", base: str = "", say: Callable[[str], None] = print) -> OwnEnvironment:
    """Make the environment of a framework, check that the framework can be imported there, and register it.

    `python`: an interpreter that has the framework already, taken as it is; `base`: the interpreter to make a virtual
    environment from. Raises NotInstalled (no fit Python), CaseFailed (the installer's last words), NotAvailable
    (another hwprof is at it) and UsageError.
    """
    if python:
        path = shutil.which(python)
        if path is None:
            raise UsageError(f"there is no interpreter {python}", "--python takes the path of a python3")
        python = str(Path(path).absolute())
    elif not adapter.environment.requirements:
        raise UsageError(
            f"{adapter.name} declares nothing to install", f"{adapter.environment.install}; or name --python PATH"
        )
    else:
        base = base or find_python(adapter.environment.pythons)
    with claim(interpreters.home() / adapter.name) as place:
        folder = ""
        if not python:
            # A virtual environment works in its own place only, so that it is made there; it counts as soon as the
            # record names it, and until then the one before does.
            half = Path(tempfile.mkdtemp(prefix="venv-", dir=place))
            folder = half.name
            say(f"creating {half} with {base}")
            python = install(half, base, adapter.environment.requirements, adapter.environment.alone, say)
        found = interpreters.inspect_framework(adapter.environment, python)
        if found.error is not None:
            raise NotInstalled(f"{adapter.name} for {python}", found.error)
        record = {"python": python, "framework": adapter.name, "version": found.version, "foreign": not folder}
        written = place / f"{RECORD}.new"
        written.write_text(json.dumps({**record, "folder": folder}, indent=1))
        written.replace(place / RECORD)
    interpreters.inspect.cache_clear()
    interpreters.software.cache_clear()
    return OwnEnvironment(adapter.name, found, not folder, size(interpreters.home() / adapter.name))


@contextmanager
def claim(place: Path) -> Iterator[Path]:
    """Lock an environment's folder. What its record does not name is deleted before and after.

    So what a creation leaves that was killed is never taken for an environment, and goes with the next one.
    """
    place.mkdir(parents=True, exist_ok=True)
    with (place / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotAvailable(f"another hwprof is creating {place}", "let it end, or end it") from None
        if os.fstat(lock.fileno()).st_nlink == 0:
            raise NotAvailable(f"another hwprof has just deleted {place}", "once more")
        try:
            tidy(place)
            yield place
        finally:
            tidy(place)
            if not (place / RECORD).exists():
                remove_tree(place)


def tidy(place: Path) -> None:
    """Delete in an environment's folder what its record doesn't name."""
    try:
        record = json.loads((place / RECORD).read_text())
    except FileNotFoundError:
        record = {"folder": ""}
    except ValueError:  # can't be read: nothing is deleted, and `hwprof env list` reports it
        record = {}
    for path in place.iterdir():
        # a record without a folder is an old one, whose environment lies beside it
        if path.name not in (RECORD, LOCK, record.get("folder")) and ("folder" in record or path.match("venv-*")):
            remove_tree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def find_missing(names: Iterable[str]) -> list[Adapter]:
    """Those of the frameworks (and of those that convert for them) which run nowhere yet, but can be installed."""
    wanted: dict[str, Adapter] = {}
    for name in names:
        wanted[name] = adapter = plugins.adapter(name)
        if adapter.environment.converter not in ("", "hwprof"):
            wanted[adapter.environment.converter] = plugins.adapter(adapter.environment.converter)
    return [
        adapter
        for name, adapter in wanted.items()
        if adapter.environment.requirements and interpreters.find(name, adapter.environment).error is not None
    ]


def read_environments() -> Iterator[OwnEnvironment]:
    """The complete environments, by name. One that can't be used has the reason in its interpreter's `error`."""
    for path in sorted(interpreters.home().glob(f"[!.]*/{RECORD}")):
        try:
            record: dict[str, Any] = json.loads(path.read_text())
            python, foreign = str(record["python"]), bool(record["foreign"])
            adapter = plugins.adapter(record["framework"])
            found = interpreters.inspect_framework(adapter.environment, python)
        except (ValueError, KeyError) as error:
            found, foreign = Interpreter("", error=f"{RECORD} can't be read: {error}"), False
        except UnknownFramework as error:  # a plug-in's, which is gone
            found = Interpreter(python, str(record.get("version", "")), error=error.message)
        yield OwnEnvironment(path.parent.name, found, foreign, size(path.parent))


def size(folder: Path) -> int:
    """Bytes of the files below it."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def unfinished_folders() -> list[str]:
    """Names of folders that are no environment: one is being made, or its making was killed."""
    return sorted(p.name for p in interpreters.home().glob("[!.]*") if p.is_dir() and not (p / RECORD).exists())


def remove(name: str) -> None:
    """Delete an environment, whole or not; a user's own interpreter is only forgotten. Raises UnknownEnvironment."""
    home = interpreters.home()
    names = [path.name for path in home.glob("[!.]*") if path.is_dir()]
    if name not in names:
        raise UnknownEnvironment(name, names)
    with claim(home / name) as place:
        (place / RECORD).unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Delete a folder if it is there. Raises NotAvailable where it can't be."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise NotAvailable(f"can't delete {path}: {error.strerror}") from error
