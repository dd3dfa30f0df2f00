"""The cache of what can be computed again: where it is, and its entries, each complete or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from hwprof.errors import HwprofError


def default_cache() -> Path:
    """HWPROF_CACHE, else XDG_CACHE_HOME/hwprof, else ~/.cache/hwprof."""
    given = os.environ.get("HWPROF_CACHE")
    return Path(given) if given else user_cache_path("hwprof")


def write_error(folder: Path, error: OSError) -> HwprofError:
    """What to say where `folder` takes nothing."""
    return HwprofError(f"cannot write the cache {folder}: {error.strerror}", "set HWPROF_CACHE to a folder with room")


@contextmanager
def new_entry(place: Path) -> Iterator[Path]:
    """A new folder beside `place` to be filled; it becomes `place` at the end, or is gone after an exception.

    Where another process was faster, its entry stays. Raises HwprofError where the cache can't be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=".half-", dir=place.parent))
    except OSError as error:
        raise write_error(place.parent, error) from error
    try:
        yield half
        try:
            half.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
