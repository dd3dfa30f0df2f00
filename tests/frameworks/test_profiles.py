"""Profiles of real frameworks on a small network, mapped back to its nodes."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

from hwprof.analysis.layers import HEAVY
from hwprof.cli import main
from hwprof.frameworks.onnxruntime.profile import names_in, steps_of
from hwprof.frameworks.profiles.lookup import has_profile
from hwprof.plugins import adapter
from hwprof.records import Kind
from hwprof.store import Results

SMALL = ["-n", "squeezenet1_1", "-s", "32", "-r", "1", "--iterations", "3"]


def heavy(nodes: list[str]) -> set[str]:
    return {name for name in nodes if name.rsplit("/", 1)[-1].split("_")[0] in HEAVY}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The results file of both frameworks' profiles, and what the command said of them as JSON."""
    path = tmp_path_factory.mktemp("measured") / "x.db"
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setenv("HWPROF_CACHE", str(tmp_path_factory.getbasetemp() / "hwprof-cache"))
        assert main(["layers", "-f", "onnxruntime,opencv", *SMALL, "--results", str(path), "--json"]) == 0
    document: dict[str, object] = json.loads(said.getvalue())
    return path, document


def test_every_convolution_has_its_time_in_both_frameworks(measured: tuple[Path, dict[str, object]]) -> None:
    _, document = measured
    parts: list[dict[str, object]] = document["parts"]  # type: ignore[assignment]
    convolutions = [part for part in parts if heavy(part["nodes"])]  # type: ignore[arg-type]
    assert len({name for part in convolutions for name in heavy(part["nodes"])}) == 26  # type: ignore[arg-type]
    for part in convolutions:
        assert part["macs"]
        times: dict[str, float | None] = part["ns"]  # type: ignore[assignment]
        assert all(ns is not None and ns > 0 for ns in times.values()), part


def test_profiled_runs_are_stored_apart_and_never_in_the_speed(measured: tuple[Path, dict[str, object]]) -> None:
    path, document = measured
    with Results.open(path) as results:
        runs = list(results.runs())
        native = results.frame()
    assert sorted(run.kind for run in runs) == [Kind.LAYERS, Kind.LAYERS, Kind.NATIVE, Kind.NATIVE]
    assert len(native) == 2
    for run in runs:
        assert bool(run.layers) == (run.kind is Kind.LAYERS)
    layers: dict[str, list[dict[str, object]]] = document["layers"]  # type: ignore[assignment]
    stored = {run.case.framework: [layer.name for layer in run.layers] for run in runs if run.layers}
    assert stored == {name: [layer["name"] for layer in found] for name, found in layers.items()}


def test_the_table_says_what_profiling_cost(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "-f", "opencv", *SMALL, "--no-save", "--top", "2"]) == 0
    said = capsys.readouterr().out
    assert "profiling costs" in said
    assert "more: --top 0" in said


@pytest.mark.torch
def test_pytorch_is_stepped_with_counters_between_its_steps(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.db"
    words = ["layers", "-f", "pytorch", *SMALL, "-e", "task-clock,page-faults", "--results", str(path), "--json"]
    assert main(words) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]["pytorch"]
    clocks = [r["value"] for layer in layers for r in layer["readings"] if r["metric"] == "task-clock"]
    assert len(clocks) == len(layers)
    assert all(value > 0 for value in clocks)
    # The steps of all inferences lie in the window, and the same clock counts both: not twice, and no running totals.
    with Results.open(path) as results:
        (run,) = results.runs(kind=Kind.LAYERS)
    (window,) = run.windows
    (whole,) = (r.value for r in window.readings if r.metric == "task-clock")
    assert whole is not None
    assert len(window.latencies_ns) * sum(clocks) <= whole
    assert clocks != sorted(clocks)


@pytest.mark.counting
def test_an_event_that_is_not_counted_is_said_with_the_reason(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "-f", "opencv", *SMALL, "-e", "page-faults", "--no-save"]) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "<not available>" in line]
    assert "opencv" in line
    assert "page-faults" in line
    assert "is not stepped" in line


@pytest.mark.torch
def test_a_compiled_graph_is_refused_in_words(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "-f", "pytorch", *SMALL, "--option", "mode=torchscript", "--no-save"]) == 4
    assert "can't be stepped" in capsys.readouterr().out


def test_a_framework_that_tells_nothing_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not has_profile(adapter("tensorflow"))
    assert main(["layers", "-f", "tensorflow", *SMALL]) == 3
    said = capsys.readouterr().err
    assert "reports no time per layer: its profiler traces" in said
    assert said.count("\n") == 1


def test_an_option_that_no_framework_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "-f", "onnxruntime", *SMALL, "--option", "colour=red"]) == 2
    assert "'colour'" in capsys.readouterr().err


def event(name: str, at: float, took: float, cat: str = "Node") -> dict[str, object]:
    return {"cat": cat, "name": name, "ts": at, "dur": took, "args": {"op_name": "Conv"}}


def test_runs_of_the_warm_up_are_left_out_of_onnx_runtimes_profile() -> None:
    events = [
        event("model_run", 0, 50, "Session"),
        event("a_kernel_time", 1, 40),
        event("model_run", 100, 50, "Session"),
        event("a_kernel_time", 101, 10),
        event("b_kernel_time", 111, 4),
        event("model_run", 200, 50, "Session"),
        event("a_kernel_time", 201, 20),
        event("b_kernel_time", 221, 6),
        event("b_fence_before", 221, 600),
    ]
    assert [(step.name, step.ns) for step in steps_of(events, 1)] == [("a", 15_000.0), ("b", 5_000.0)]


def test_names_of_the_optimiser_lead_back_to_the_tensor() -> None:
    assert "/features/Relu_output_0" in names_in("/features/Relu_output_0_nchwc")
