"""Members of a set that misbehave on purpose: one spins while it waits, one sweeps the caches in every inference."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.environments.environment import Environment

SWEPT_BYTES = 256 << 20
ROUNDS = 50_000_000  # of a hash: half a minute without the interpreter's lock, in a cache line or two


class PlantedModel:
    """Calls `work`, and returns nothing of interest."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work

    def bind(self, batch: Any) -> Any:
        """As it is."""
        return batch

    def infer(self, bound: Any) -> Any:
        """The work, whatever the input."""
        self._work()
        return bound

    def numpy(self, out: Any) -> Any:
        """The input."""
        return out

    def facts(self) -> Mapping[str, Any]:
        """Of no framework."""
        return {"version": "planted", "threads": 1}


class PlantedAdapter:
    """An adapter whose models do what `start` gives."""

    consumes, precisions = ("onnx",), ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {}
    environment = Environment(("numpy",), "pip install numpy", "numpy")

    def __init__(self, name: str, start: Callable[[], Callable[[], Any]]) -> None:
        self.name, self._start = name, start

    def environ(self, case: Any) -> Mapping[str, str]:
        """One thread of numpy's."""
        return {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def prepare(self, job: Any) -> Path:
        """The source, unread."""
        source: Path = job.source
        return source

    def cache_key(self, case: Any) -> str:
        """Nothing is made."""
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Any, spec: Any) -> Iterator[PlantedModel]:
        """Begin to misbehave."""
        yield PlantedModel(self._start())


def spin() -> Callable[[], Any]:
    """A thread that never waits, beside inferences of a few ms."""

    def forever() -> None:
        while True:
            hashlib.pbkdf2_hmac("sha256", b"", b"", ROUNDS)

    threading.Thread(target=forever, daemon=True).start()
    return lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", 5000)


def sweep() -> Callable[[], Any]:
    """Reads 256 MB."""
    import numpy as np

    return np.ones(SWEPT_BYTES // 8).sum


SPINNER = PlantedAdapter("spinner", spin)
SWEEPER = PlantedAdapter("sweeper", sweep)
