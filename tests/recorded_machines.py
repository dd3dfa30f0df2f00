"""Recorded machines: what hwprof reads of a machine's /proc and /sys, one text file for each in tests/machines.

A section is a file, `== PATH ==` with its content below, or a link, `== PATH -> TARGET ==`. A file whose last line has
no newline is `== PATH (no newline at end) ==`. A file with nothing below its heading is empty.

    python -m tests.recorded_machines NAME FOLDER    writes tests/machines/NAME.txt; FOLDER has SOURCE, proc/ and sys/
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEXTS = Path(__file__).parent / "machines"
NAMES = sorted(path.stem for path in TEXTS.glob("*.txt"))
OPEN_END = "no newline at end"
HEADING = re.compile(rf"^== (?P<path>\S+)(?: -> (?P<target>\S+)| \((?P<end>{OPEN_END})\))? ==\n", re.MULTILINE)


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="hwprof-machines-"))


@functools.cache
def root(name: str) -> Path:
    """A recorded machine as a folder with proc/ and sys/, unpacked once per process. Only to be read: copy it first."""
    unpack((TEXTS / f"{name}.txt").read_bytes().decode(), _folder() / name)
    return _folder() / name


def remove() -> None:
    """Remove what was unpacked, when the session ends."""
    if _folder.cache_info().currsize:
        shutil.rmtree(_folder())


def unpack(text: str, folder: Path) -> None:
    """Make the files and links of a recorded machine in `folder`. Raises ValueError for a text before any heading."""
    headings = list(HEADING.finditer(text))
    if not headings or headings[0].start():
        raise ValueError("a recorded machine begins with a heading, == PATH ==")
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        path = folder / heading["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if heading["target"]:
            path.symlink_to(heading["target"])
        else:
            content = text[heading.end() : end]
            path.write_bytes((content.removesuffix("\n") if heading["end"] else content).encode())


def pack(folder: Path) -> str:
    """The text of a machine whose files lie in `folder`. Raises ValueError for what such a text can't hold."""
    return "".join(_sections(folder))


def _sections(folder: Path) -> Iterator[str]:
    found = [Path(parent) / name for parent, folders, files in os.walk(folder) for name in (*folders, *files)]
    for path in sorted(found, key=lambda p: (p.name != "SOURCE", p)):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield _section(f"{name} -> {path.readlink()}", "")
        elif path.is_file():
            content = path.read_bytes().decode()
            closed = not content or content.endswith("\n")
            yield _section(name if closed else f"{name} ({OPEN_END})", content if closed else content + "\n")


def _section(words: str, content: str) -> str:
    heading = f"== {words} ==\n"
    if not HEADING.fullmatch(heading) or HEADING.search(content):
        raise ValueError(f"{words}: a path with spaces, or a line that looks like a heading")
    return heading + content


if __name__ == "__main__":
    (TEXTS / f"{sys.argv[1]}.txt").write_bytes(pack(Path(sys.argv[2])).encode())
