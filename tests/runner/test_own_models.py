"""A user's file with several inputs, from the options to the run: states, samples of one's own, sizes by a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.errors import UsageError
from hwprof.plan.experiment import Choice, single
from hwprof.plan.inputs import parse_inputs
from hwprof.records import Agreement, Run
from hwprof.runner.rounds import Runner
from hwprof.worker.protocol import LoopSettings

PLAN = LoopSettings(window_s=0.02, iterations=3, min_iterations=1, warmup_iterations=1, events=("page-faults",))


def recurrent(path: Path, grows: bool = False) -> Path:
    """hn = tanh(h0 + rows of ids), y its sum; with `grows`, hn is longer than h0."""
    table = numpy_helper.from_array(np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4), "table")
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("Add", ["e", "h0"], ["s"]),
        helper.make_node("Tanh", ["s"], ["t"]),
        helper.make_node("Concat", ["t", "h0"], ["hn"], axis=1)
        if grows
        else helper.make_node("Identity", ["t"], ["hn"]),
        helper.make_node("ReduceSum", ["t"], ["y"], keepdims=1),
    ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("h0", TensorProto.FLOAT, ["N", 4]),
    ]
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1]),
        helper.make_tensor_value_info("hn", TensorProto.FLOAT, ["N", 8 if grows else 4]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [table])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def measured(path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, **said: object) -> Run:
    """The first run of a case in ONNX Runtime."""
    monkeypatch.setenv("HWPROF_CACHE", str(cache))
    choice = Choice("onnxruntime", str(path), inputs=parse_inputs(**said))  # type: ignore[arg-type]
    return next(Runner(single(choice, PLAN, rounds=1, cooldown_s=0.0)).run()).run


def frames_in(cache: Path) -> list[dict[str, np.ndarray]]:
    found = []
    for path in cache.glob("frames/*/frames.npz"):
        with np.load(path) as kept:
            found.append(dict(kept))
    return found


def test_states_go_on_from_frame_to_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = measured(recurrent(tmp_path / "net.onnx"), tmp_path / "cache", monkeypatch)
    assert run.failure is None
    assert run.fidelity is not None
    assert run.fidelity.faithful
    assert (run.case.shape, run.case.size) == ("ids scalar int64, h0 4", 0)
    assert run.facts["inputs"] == [
        {"name": "ids", "shape": [1], "dtype": "int64"},
        {"name": "h0", "shape": [1, 4], "dtype": "float32"},
    ]
    (kept,) = frames_in(tmp_path / "cache")
    ids, states = kept["input0"], kept["input1"]
    assert ids.min() >= 0
    assert ids.max() < 6
    table = np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4)
    assert not states[0].any()
    np.testing.assert_allclose(states[1], np.tanh(table[ids[0]] + states[0]), rtol=1e-6)
    np.testing.assert_allclose(states[5], np.tanh(table[ids[4]] + states[4]), rtol=1e-6)


def test_a_state_that_grows_is_none_unless_it_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recurrent(tmp_path / "net.onnx", grows=True)
    assert measured(path, tmp_path / "cache", monkeypatch).failure is None
    assert frames_in(tmp_path / "cache") == []
    run = measured(path, tmp_path / "cache", monkeypatch, states=["hn:h0"])
    assert run.failure is not None
    assert "h0 goes in as float32 1x4, and hn comes out as float32 1x8" in run.failure.message


def test_samples_of_ones_own_go_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recurrent(tmp_path / "net.onnx")
    np.savez(tmp_path / "mine.npz", ids=np.array([[3], [1]]), h0=np.full((1, 4), 0.5, np.float32))
    run = measured(path, tmp_path / "cache", monkeypatch, samples=str(tmp_path / "mine.npz"))
    assert run.failure is None
    assert run.fidelity is not None
    assert run.fidelity.agreement is Agreement.FAITHFUL
    (kept,) = frames_in(tmp_path / "cache")
    assert kept["input0"].tolist() == [[3], [1]]
    assert (kept["input1"][0] == 0.5).all()


def test_a_file_of_no_samples_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recurrent(tmp_path / "net.onnx")
    (tmp_path / "mine.npz").write_text("nothing")
    with pytest.raises(UsageError, match="can't be read as NumPy data"):
        measured(path, tmp_path / "cache", monkeypatch, samples=str(tmp_path / "mine.npz"))


def test_ids_beyond_the_table_cost_the_reference_and_the_run_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recurrent(tmp_path / "net.onnx")
    np.savez(tmp_path / "mine.npz", ids=np.array([99]))
    run = measured(path, tmp_path / "cache", monkeypatch, samples=str(tmp_path / "mine.npz"))
    assert run.failure is not None
    assert "out of" in run.failure.message or "bounds" in run.failure.message


def test_macs_come_from_a_run_where_the_graph_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = numpy_helper.from_array(np.ones((4, 2), np.float32), "w")
    nodes = [
        helper.make_node("NonZero", ["x"], ["at"]),
        helper.make_node("Transpose", ["at"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["f"], to=1),
        helper.make_node("Concat", ["f", "f"], ["four"], axis=1),
        helper.make_node("MatMul", ["four", "w"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", 1, ["k", 2])], [weight])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    run = measured(path, tmp_path / "cache", monkeypatch)
    assert run.failure is None
    assert run.macs == 6 * 4 * 2, "six values of a normal distribution, none of them 0"
    assert run.facts["macs_by"] == "shapes of one run"
    assert "macs_unknown" not in run.facts
