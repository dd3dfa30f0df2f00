"""Emulated boards for tests: every guest that the chosen tests ask for, started together, a few at a time.

A folder of tests registers its guests when it is collected; the first test that asks for one starts all of them, the
longest first, so that images are built side by side and no core waits while a test looks at a result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hwprof.boards import Image, ensure_image
from hwprof.cache import default_cache

# As it was before any test got a cache of its own.
CACHE = default_cache()
PACKAGES = ("onnxruntime", "opencv")  # one image for all
# An exact guest keeps one core of the host busy; CI has two.
AT_ONCE = 2


def shared_image(arch: str) -> Image:
    """The image that all tests share."""
    return ensure_image(arch, PACKAGES, CACHE)


@dataclass(frozen=True)
class Guest:
    """A guest's job: `run` gets a folder of its own; `asked` tells whether a test needs it; the longest goes first."""

    name: str
    run: Callable[[Path], Any]
    asked: Callable[[pytest.Item], bool]
    minutes: float  # roughly, for the order only


GUESTS: dict[str, Guest] = {}


def register(guests: Iterable[Guest]) -> None:
    """Have these guests started when a test asks for them."""
    for guest in guests:
        GUESTS[guest.name] = guest


class Fleet:
    """The guests of one session."""

    def __init__(self, items: Iterable[pytest.Item], folder: Callable[[str], Path]) -> None:
        running = [item for item in items if item.get_closest_marker("skip") is None]
        wanted = [guest for guest in GUESTS.values() if any(guest.asked(item) for item in running)]
        wanted.sort(key=lambda guest: -guest.minutes)
        self.log: list[str] = []  # which guest was under way when, for whoever waits for all of them
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._results: dict[str, Future[Any]] = {
            guest.name: self._pool.submit(self._timed, guest, folder(guest.name)) for guest in wanted
        }

    def _timed(self, guest: Guest, folder: Path) -> Any:
        start = time.monotonic() - self._began
        try:
            return guest.run(folder)
        finally:
            self.log.append(f"{guest.name}: {start:.0f} s to {time.monotonic() - self._began:.0f} s")

    def result(self, name: str) -> Any:
        """What the guest of this name found, once it is done. Raises what its job raised."""
        return self._results[name].result()

    def close(self) -> None:
        """Start no more; wait for those that run."""
        self._pool.shutdown(cancel_futures=True)
