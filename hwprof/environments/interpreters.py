"""Which Python interpreter runs a framework, and what it must have installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from hwprof import __version__
from hwprof.environments.environment import Environment
from hwprof.errors import NotAvailable, NotInstalled, UsageError
from hwprof.machine import facts

# What a foreign interpreter needs for hwprof's worker: a language version and an array library.
OLDEST_PYTHON = (3, 11)
_VERSIONS = """
import importlib, json, platform, sys
from importlib.metadata import PackageNotFoundError, version
def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
"""
# The last line of its output; frameworks print what they like before it.
PROGRAM = (
    _VERSIONS
    + """
answer = {"python": list(sys.version_info[:3]), "implementation": platform.python_implementation(), "error": None}
answer["distributions"] = {name: of(name) for name in sys.argv[2:]}
try:
    module = importlib.import_module(sys.argv[1])
    import numpy
    answer["version"] = str(getattr(module, "__version__", "?"))
except Exception as error:
    answer["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
print()
print(json.dumps(answer))
sys.stdout.flush()
import os
os._exit(0)  # some frameworks' exit handlers crash
"""
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that a framework runs in. `error`: why the framework can't be imported there; None: it can."""

    python: str
    version: str = ""  # the framework's, as its module tells
    python_version: str = ""
    distributions: Mapping[str, str | None] = field(default_factory=dict)
    error: str | None = None

    @property
    def own(self) -> bool:
        """It is hwprof's own."""
        return self.python == sys.executable


def home() -> Path:
    """Where environments are.

    HWPROF_ENVIRONMENTS, else XDG_DATA_HOME/hwprof/environments, else below ~/.local/share.
    """
    given = os.environ.get("HWPROF_ENVIRONMENTS")
    return Path(given) if given else user_data_path("hwprof") / "environments"


def registered_python(name: str) -> str | None:
    """The interpreter of the environment of this name; None: there is none."""
    path = home() / name / "environment.json"
    try:
        return str(json.loads(path.read_text())["python"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise NotAvailable(f"{path} can't be read: {error}", f"`hwprof env create {name}` makes it anew") from error


def environment_pythons() -> list[str]:
    """The interpreters of all environments, by the environments' names; one whose record can't be read is left out."""
    found = []
    for path in sorted(home().glob("[!.]*/environment.json")):
        with contextlib.suppress(NotAvailable):
            found.append(registered_python(path.parent.name))
    return [python for python in found if python]


def named_python(word: str) -> str:
    """The interpreter that a word names: hwprof (its own), an environment, its folder, or a python3.

    Raises UsageError where there is none.
    """
    if word == "hwprof":
        return sys.executable
    if "/" not in word and (registered := registered_python(word)):
        return registered
    path = Path(word) / "bin" / "python"
    found = str(path) if path.exists() else shutil.which(word)
    if found is None or Path(found).is_dir():
        remedy = "a name of `hwprof env list`, the path of an environment or a python3, or `hwprof` (its own)"
        raise UsageError(f"there is no environment {word}", remedy)
    return str(Path(found).absolute())


# ONNX Runtime from 1.29 on starts a thread for it when it is imported, which would be measured too, and keeps an id of
# this device.
NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}


def clean_environ(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a child run by `python`: no telemetry, and a foreign interpreter is not led to our packages."""
    ours = () if python == sys.executable else ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {**NO_TELEMETRY, **{name: value for name, value in environ.items() if name not in ours}}


@lru_cache(maxsize=128)
def inspect(module: str, python: str = sys.executable, distributions: Sequence[str] = ()) -> Interpreter:
    """Import `module` in `python` and read versions there. Never raises: `error` tells."""
    command = [python, "-P", "-c", PROGRAM, module, *distributions]
    environ = clean_environ(python, os.environ)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environ)
    except OSError as error:
        return Interpreter(python, error=f"{python} can't be run: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Interpreter(python, error=f"importing {module} took longer than 5 minutes")
    try:
        told = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines()
        how = f"died of signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        return Interpreter(python, error=f"importing {module}: {how}{': ' + said[-1][:200] if said else ''}")
    wrong = told["error"]
    if tuple(told["python"]) < OLDEST_PYTHON:
        wrong = f"Python {'.'.join(map(str, told['python']))}, a worker needs 3.11 or later"
    number = ".".join(map(str, told["python"]))
    version = told.get("version", "")
    if version == "?":  # a module without __version__
        version = next((v for v in told["distributions"].values() if v), "?")
    return Interpreter(python, version, number, told["distributions"], wrong)


# Without importing the framework: asked before every round's record is made.
SOFTWARE = (
    _VERSIONS
    + """
print(json.dumps({
    "python": platform.python_version(), "implementation": platform.python_implementation(),
    "compiler": platform.python_compiler(), "libc": " ".join(platform.libc_ver()).strip(),
    "distributions": {name: of(name) for name in sys.argv[1:]},
}))
"""
)


@lru_cache(maxsize=128)
def software(python: str, distributions: Sequence[str]) -> Mapping[str, Any]:
    """Interpreter, C library, hwprof, and versions of the distributions there (None: not installed).

    An interpreter that can't be run says so under `error`: its worker will fail, and cost its own case only.
    """
    if python == sys.executable:
        return facts.software(distributions)
    try:
        done = subprocess.run(
            [python, "-P", "-c", SOFTWARE, *distributions],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=clean_environ(python, os.environ),
        )
        return {"hwprof": __version__, **json.loads(done.stdout)}
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        absent = dict.fromkeys(distributions)
        return {"hwprof": __version__, "distributions": absent, "error": f"{python} can't be run: {error}"}


def find(name: str, environment: Environment) -> Interpreter:
    """The interpreter of a framework, with `error` set where it can't be imported there."""
    return inspect_framework(environment, registered_python(name) or sys.executable)


def inspect_framework(environment: Environment, python: str) -> Interpreter:
    """What of a framework `python` has; a version that the adapter can't drive is an error."""
    found = inspect(environment.module, python, environment.distributions)
    number = re.match(r"\d+(\.\d+)*", found.version)  # a pre-release or build ("5.0.0-dev") counts as its release
    if found.error is None and environment.versions and number and not admits(environment.versions, number[0]):
        return replace(found, error=f"version {found.version} is there, {environment.versions} is wanted")
    return found


def version(name: str, environment: Environment) -> str | None:
    """A framework's version where it would run; None: it can't be imported there."""
    found = find(name, environment)
    return None if found.error else found.version


def require(name: str, environment: Environment) -> Interpreter:
    """As `find`. Raises NotInstalled with the command that installs the framework."""
    found = find(name, environment)
    if found.error is None:
        return found
    if found.own:
        raise NotInstalled(name, environment.install)
    raise NotInstalled(f"{name} ({found.python}: {found.error})", f"`hwprof env create {name}` makes it anew")


def admits(wanted: str, version: str) -> bool:
    """`version` ("3.12") lies within `wanted` (">=3.11,<3.13"). Raises ValueError for what is no range of versions."""
    from packaging.specifiers import SpecifierSet  # here: slow to load, and asked for few frameworks

    return SpecifierSet(wanted).contains(version)
