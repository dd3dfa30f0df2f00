"""Steps counted in an emulated process: by a counter file that the steps of a planted framework write to."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hwprof.collectors.riscv import counters
from hwprof.errors import NotAvailable
from hwprof.frameworks.profiles.proxy import ModelProxy
from hwprof.frameworks.profiles.timed import Timed
from hwprof.frameworks.protocol import Step
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case
from hwprof.worker.protocol import Job, Task
from hwprof.worker.simulated_steps import count_steps
from tests.collectors.riscv.test_counters import NAMES, write

# What each step of the planted network executes, and what every look at the clock or the counters does
STEPS = ({"instructions": 500, "vector-arith": 300, "vector-load": 50}, {"instructions": 90, "fp-arith": 60})
READING = {"instructions": 40, "other": 40}
WARMUP = 3


class PlantedCounters:
    """The counter file at a path, going up as a program would make it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = 2 * 64 + 64 * -(-len(NAMES) * 24 // 64) + 8

    def execute(self, counts: dict[str, int]) -> None:
        data = bytearray(self.path.read_bytes())
        for name, count in counts.items():
            place = self.at + 8 * NAMES.index(name)
            struct.pack_into("<Q", data, place, struct.unpack_from("<Q", data, place)[0] + count)
        with self.path.open("r+b") as file:  # in place: it is mapped
            file.write(data)


class PlantedSteps(Timed):
    """Two steps; every inference is one pass over them."""

    def __init__(self, model: Any, counting: PlantedCounters) -> None:
        super().__init__(model)
        self.counting = counting

    def start(self) -> None:
        super().start()
        self.counting.execute(READING)

    def infer(self, bound: Any) -> Any:
        self.inferences += 1
        for number, counts in enumerate(STEPS):
            self.start()
            self.counting.execute(counts)
            self.stop(number)

    def steps(self) -> Sequence[Step]:
        return [Step(f"s{i}", "Planted", self.ns(i), counts=self.counts(i)) for i in range(len(STEPS))]


@contextmanager
def profile(artifact: Path, case: Case, spec: InputSpec) -> Iterator[ModelProxy]:
    model: Any = SimpleNamespace(bind=lambda *batch: batch)
    yield PlantedSteps(model, PlantedCounters(artifact)) if case.network == "stepped" else ModelProxy(model)


ADAPTER = SimpleNamespace(name="planted", profile=profile)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    path = tmp_path / "counters"
    write(path, [dict.fromkeys(NAMES, 7)])
    monkeypatch.setenv(counters.VARIABLE, str(path))
    spec, case = InputSpec("in", (1, 3, 4, 4)), Case("planted", "stepped", "own", 4)
    return Job(Task.SIMULATE, case, "", 0, spec, adapter=f"{__name__}:ADAPTER", artifact=str(path))


def test_a_step_has_what_it_executed_in_one_inference_without_the_cost_of_reading(job: Job) -> None:
    found = count_steps(job, WARMUP)
    values = [{r.metric: r.value for r in readings} for readings in found["readings"]]
    assert [v["instructions"] for v in values] == [500, 90]
    assert [v["vector-instructions"] for v in values] == [350, 0]
    assert [v["fp-instructions"] for v in values] == [0, 60]


def test_no_time_of_an_emulator_is_kept(job: Job) -> None:
    assert [step.ns for step in count_steps(job, WARMUP)["steps"]] == [None, None]


def test_a_framework_that_tells_times_and_is_not_stepped_is_refused(job: Job) -> None:
    whole = dataclasses.replace(job, case=dataclasses.replace(job.case, network="whole"))
    with pytest.raises(NotAvailable, match="planted is not stepped"):
        count_steps(whole, WARMUP)
