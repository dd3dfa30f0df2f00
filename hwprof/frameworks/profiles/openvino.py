"""OpenVINO's profiling information: one entry per node of the executed graph, which says what it was made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.protocol import InputSpec, Step
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.openvino import OpenVino, OpenVinoModel
    from hwprof.frameworks.protocol import Array


class ProfiledRequest:
    """Adds up the profile of each request."""

    def __init__(self, model: OpenVinoModel, compiled: Any, request: Any) -> None:
        self._model, self._request = model, request
        self._made_of = {
            op.get_friendly_name(): tuple(str(op.get_rt_info()["originalLayersNames"].astype(str)).split(","))
            for op in compiled.get_runtime_model().get_ops()
            if "originalLayersNames" in op.get_rt_info()
        }
        self._inferences = 0
        self._seconds: dict[tuple[str, str], float] = defaultdict(float)

    def bind(self, batch: Array) -> Any:
        """As without profiling."""
        return self._model.bind(batch)

    def infer(self, bound: Any) -> Any:
        """One request, and its profile."""
        out = self._model.infer(bound)
        for info in self._request.get_profiling_info():
            if str(info.status).endswith("EXECUTED") and not str(info.status).endswith("NOT_RUN"):
                self._seconds[info.node_name, f"{info.node_type} ({info.exec_type})"] += info.real_time.total_seconds()
        self._inferences += 1
        return out

    def numpy(self, out: Any) -> Array:
        """A copy."""
        return self._model.numpy(out)

    def facts(self) -> dict[str, Any]:
        """As without profiling."""
        return dict(self._model.facts())

    def begin(self) -> None:
        """The requests so far were warm-up."""
        self._inferences = 0
        self._seconds.clear()

    def steps(self) -> Sequence[Step]:
        """The executed nodes."""
        return [
            Step(name, op, total * 1e9 / self._inferences, (*self._made_of.get(name, ()), name))
            for (name, op), total in self._seconds.items()
        ]


@contextmanager
def profile(adapter: OpenVino, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ProfiledRequest]:
    """The adapter's model, compiled with PERF_COUNT."""
    import openvino

    plain = openvino.Core

    class Core(plain):  # type: ignore[misc,valid-type]
        """Compiles with profiling."""

        def compile_model(self, model: Any, device: str, asked: dict[str, Any]) -> Any:
            """As the adapter asks, and PERF_COUNT."""
            return super().compile_model(model, device, {**asked, "PERF_COUNT": True})

    openvino.Core = Core
    try:
        with adapter.load(artifact, case, spec) as model:
            yield ProfiledRequest(model, model._compiled, model._request)
    finally:
        openvino.Core = plain
