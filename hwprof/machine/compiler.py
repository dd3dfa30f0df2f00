"""The host's C compiler, and programs that are compiled at first use and kept in a cache."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwprof.cache import new_entry
from hwprof.errors import HwprofError, NotAvailable, NotInstalled

TIMEOUT_S = 120.0
NAMES = ("cc", "gcc", "clang")
REMEDY = "`sudo apt-get install gcc libc6-dev`, or set CC to another compiler"
ERROR_MARKS = (
    "error",
    "cannot",
    "unrecognized",
    "not found",
    "no such",
    "could not",
)  # of the line that says why


class NotCompiled(HwprofError):
    """A compiler that refused a program; `complaint` is what it printed first."""

    def __init__(self, compiler: Compiler, what: str, complaint: str) -> None:
        self.complaint = complaint
        super().__init__(f"{compiler.title} can't compile {what}: {complaint}", REMEDY)


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler. `words`: how it is called, as `ccache gcc` or `gcc -m64`; `version`: all that it says of itself.

    `fault`: why it does not even say that; "" where it does.
    """

    words: tuple[str, ...]
    version: str
    fault: str = ""

    @property
    def title(self) -> str:
        """The words as a shell takes them."""
        return shlex.join(self.words)

    def build(
        self,
        folder: Path,
        sources: Sequence[Path],
        outputs: Mapping[str, Sequence[str]],
        flags: Sequence[str],
        what: str,
        attempts: Sequence[Sequence[str]] = ((),),
    ) -> Path:
        """The folder below `folder` that holds `outputs` (file -> flags of its own), compiled unless it is there.

        Its name is a hash of the sources (headers among them), the whole command and the compiler's version.
        `attempts`: flags to try in turn until one works. It is whole or not there at all, also where two build at once.
        Raises NotCompiled, and HwprofError where the folder can't be written.
        """
        texts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sources}
        options = {name: list(own) for name, own in outputs.items()}
        made_of = json.dumps([self.words, self.version, list(flags), options, list(attempts), texts], sort_keys=True)
        place = folder / hashlib.sha256(made_of.encode()).hexdigest()[:20]
        if place.is_dir():
            return place
        programs = [str(path) for path in sources if path.suffix == ".c"]
        with new_entry(place) as half:
            for extra in attempts:
                command = (*self.words, *flags, *extra)
                calls = ((*command, *own, "-o", str(half / name), *programs) for name, own in outputs.items())
                complaint = next((fault for call in calls if (fault := _fault(_call(call)))), "")
                if not complaint:
                    break
            else:
                raise NotCompiled(self, what, complaint)
        return place


def find(explicit: str | None = None) -> Compiler:
    """The C compiler of the words `explicit`, else of the variable CC, else cc, gcc or clang.

    Raises NotInstalled where its program is not there, NotAvailable where the words can't be read.
    """
    named = explicit or os.environ.get("CC", "").strip()
    for candidate in (named,) if named else NAMES:
        words = _words(candidate)
        if path := shutil.which(words[0]):
            break
    else:
        raise NotInstalled(f"the C compiler '{named}'" if named else "a C compiler", REMEDY)
    words = (path, *words[1:])
    done = _call((*words, "--version"))
    return Compiler(words, "" if isinstance(done, str) else done.stdout, _fault(done))


def _words(text: str) -> tuple[str, ...]:
    """As a shell splits them; a path with spaces that is a program is one word."""
    if shutil.which(text):
        return (text,)
    try:
        return tuple(shlex.split(text)) or (text,)
    except ValueError as error:
        raise NotAvailable(f"the C compiler CC={text} can't be read: {str(error).lower()}", REMEDY) from error


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str] | str:
    """What came of a command, or why it could not be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S:g} s"
    except OSError as error:
        return error.strerror or str(error)


def _fault(done: subprocess.CompletedProcess[str] | str) -> str:
    """Empty, or the first line that says why a command failed."""
    if isinstance(done, str):
        return done
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if any(mark in line.lower() for mark in ERROR_MARKS)]
    return (errors or lines or [f"exit code {done.returncode}"])[0]
