"""OpenVINO's profiling information: one entry per node of the executed graph, with the nodes it was fused from.

The CPU plugin reports each node's mean time over all inferences since the model was compiled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.openvino.adapter import OpenVino, OpenVinoModel


class ProfiledRequest(ModelProxy):
    """Requests whose profile is read before and after the window. It is the profile of the model, not of a request."""

    def __init__(self, model: OpenVinoModel) -> None:
        super().__init__(model)
        self._request: Any = None
        self._warm_up: dict[tuple[str, str], float] = {}
        self._made_of = {
            op.get_friendly_name(): tuple(str(op.get_rt_info()["originalLayersNames"].astype(str)).split(","))
            for op in model._compiled.get_runtime_model().get_ops()
            if "originalLayersNames" in op.get_rt_info()
        }

    def infer(self, bound: Any) -> Any:
        """One inference. Any request that has run reports the profile of all."""
        self._request = bound[0]
        return super().infer(bound)

    def begin(self) -> None:
        """The requests so far were warm-up."""
        super().begin()
        self._warm_up = self._totals()

    def steps(self) -> Sequence[Step]:
        """The executed nodes, without the warm-up's share."""
        counted = self.inferences - self.before
        return [
            Step(name, op, max(0.0, total - self._warm_up.get((name, op), 0.0)) / counted, self._tells(name))
            for (name, op), total in self._totals().items()
        ]

    def _totals(self) -> dict[tuple[str, str], float]:
        """Nanoseconds of each node since the model was compiled; the plugin reports the mean of all inferences."""
        found: dict[tuple[str, str], float] = defaultdict(float)
        for info in self._request.get_profiling_info() if self._request is not None else ():
            if str(info.status).rsplit(".", 1)[-1] == "EXECUTED":
                key = info.node_name, f"{info.node_type} ({info.exec_type})"
                found[key] += info.real_time.total_seconds() * 1e9 * self.inferences
        return found

    def _tells(self, name: str) -> tuple[str, ...]:
        return (*self._made_of.get(name, ()), name)


@contextmanager
def profile(adapter: OpenVino, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ProfiledRequest]:
    """The adapter's model, compiled with PERF_COUNT."""
    profiling = type(adapter)()
    profiling.asks = {"PERF_COUNT": True}
    with profiling.load(artifact, case, spec) as model:
        yield ProfiledRequest(model)
