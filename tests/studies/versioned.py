"""A framework whose version is what the interpreter's environment says; the workers of tests load it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.environments.environment import Environment


class Model:
    """Sums its input, and tells the version."""

    def bind(self, batch: Any) -> Any:
        return batch

    def infer(self, bound: Any) -> Any:
        if version() == "broken":
            raise RuntimeError("this version is broken")
        return bound.sum(axis=(1, 2, 3)).reshape(-1, 1)

    def numpy(self, out: Any) -> Any:
        return out.copy()

    def facts(self) -> Mapping[str, Any]:
        return {"threads": 1, "version": version()}


def version() -> str:
    """Of this interpreter."""
    return os.environ.get("HWPROF_TEST_VERSION", "own")


class Adapter:
    """Reads the source as it is."""

    name = "versioned"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {}
    environment = Environment(("numpy",), "no way", "numpy")

    def environ(self, case: Any) -> Mapping[str, str]:
        return {"PYTHONPATH": str(Path(__file__).parent)}

    def prepare(self, job: Any) -> Path:
        return Path(job.source)

    def cache_key(self, case: Any) -> str:
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Any, spec: Any) -> Iterator[Model]:
        yield Model()


ADAPTER = Adapter()
