"""A run in the riscv64 simulator as text: a sentence instead of rows of zeros, and the least a core takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hwprof.collectors.riscv.counters import readings
from hwprof.records import Run
from hwprof.reports.terminal.run import core_bounds, simulation_lines
from hwprof.reports.terminal.style import PLAIN
from tests.analysis.test_vector_work import CLASSES
from tests.factories import make_simulated_run


def made(facts: dict[str, Any], **counts: int) -> Run:
    named = {name.replace("_", "-"): count for name, count in counts.items()}
    run = make_simulated_run(metrics={})
    [window] = run.windows
    window = dataclasses.replace(window, readings=tuple(readings({**dict.fromkeys(CLASSES, 0), **named})))
    return dataclasses.replace(run, windows=(window,), facts={"simulator": "riscv64", **facts})


def text(run: Run) -> str:
    return " ".join(" ".join(simulation_lines(run, 100, PLAIN)).split())


def test_a_scalar_build_is_one_sentence_and_no_rows_of_zeros() -> None:
    said = text(made({}, instructions=1000, fp_arith=300))
    assert "1,000 instructions@riscv64" in said
    assert "vector-loads" not in said
    assert "vector-share" not in said
    assert "no vector instruction was executed: the kernels of onnxruntime that ran are scalar" in said


def test_a_cpu_without_vectors_is_the_reason_then() -> None:
    assert "the simulated CPU has none" in text(made({"simulator_cpu": "rv64,v=false"}, instructions=1000))


def test_with_vectors_all_their_rows_are_there() -> None:
    said = text(made({}, instructions=1000, vector_arith=10, vector_load=5))
    assert "15 vector-instructions@riscv64" in said
    assert "no vector instruction" not in said


@pytest.mark.parametrize(("ipc", "cycles"), [(2, "500 cycles"), (None, "")])
def test_a_core_of_known_width_takes_so_many_cycles_at_least(ipc: float | None, cycles: str) -> None:
    lines = core_bounds(made({"modelled_core": {"name": "Example", "max_ipc": ipc}}, instructions=1000))
    assert [line.partition(" per frame")[0] for line in lines] == ([cycles] if cycles else [])
