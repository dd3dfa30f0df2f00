"""Two cases that differ in nothing but the shape of their input are never pooled, ranked or compared as one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnx import helper

from hwprof.analysis import models, placement, topdown
from hwprof.analysis.bottlenecks.diagnosis import diagnose
from hwprof.analysis.comparison.calibration import calibrate
from hwprof.analysis.comparison.compare import compare
from hwprof.analysis.comparison.measured import RunSummary, summarise_run
from hwprof.analysis.correlation import collapse, strata
from hwprof.analysis.explain import every_pair, pairs
from hwprof.analysis.explain.pairs import Source
from hwprof.analysis.roofline import Roof
from hwprof.analysis.speeds import median_runs, ratios, speeds, with_energy
from hwprof.errors import ResultsError, UsageError
from hwprof.records import Fidelity, Run
from hwprof.store import Results
from tests.analysis.planted import planted
from tests.factories import make_case, make_run
from tests.onnx_models import write_model

NARROW, WIDE = "3x48x320", "3x48x640"
SHAPES = {NARROW: 40.0, WIDE: 20.0}  # -> FPS
WRONG = Fidelity(1.0, 0.5, None, 8, 1e-3)


def run_of(shape: str, framework: str = "onnxruntime", round: int = 0, times: float = 1.0, **fields: object) -> Run:
    case = make_case(framework, "crnn", shape=shape)
    return make_run(case=case, round=round, fps=SHAPES[shape] * times, **fields)  # type: ignore[arg-type]


def frame_of(path: Path, runs: list[Run]) -> pd.DataFrame:
    with Results.create(path) as results:
        results.add_all(runs)
        return results.frame()


def both(path: Path) -> pd.DataFrame:
    """Two frameworks in three rounds at two shapes; opencv is half as fast."""
    every = [(shape, n) for shape in SHAPES for n in range(3)]
    runs = [
        run_of(shape, f, n, t, metrics={}) for shape, n in every for f, t in (("onnxruntime", 1.0), ("opencv", 0.5))
    ]
    return frame_of(path, runs)


def test_each_shape_has_a_speed_of_its_own(tmp_path: Path) -> None:
    table = speeds(both(tmp_path / "r.db"))
    assert sorted(zip(table["shape"], table["variant"], strict=True)) == [
        (shape, name) for shape in sorted(SHAPES) for name in ("onnxruntime", "opencv")
    ]
    assert (table["rounds"] == 3).all()
    own = table[table["variant"] == "onnxruntime"].set_index("shape")["fps"]
    assert own.to_dict() == pytest.approx(SHAPES, rel=0.01)


def test_a_ratio_is_of_equal_shapes(tmp_path: Path) -> None:
    (one,) = ratios(speeds(both(tmp_path / "r.db")), ["onnxruntime", "opencv"])
    assert one.ratio.value == pytest.approx(2.0, rel=0.01)
    assert (one.cases, one.networks) == (2, 1)
    apart = [run_of(NARROW, metrics={}), run_of(WIDE, "opencv", metrics={})]
    assert ratios(speeds(frame_of(tmp_path / "apart.db", apart)), ["onnxruntime", "opencv"]) == []


def test_a_network_of_two_shapes_is_two_strata_and_others_are_one(tmp_path: Path) -> None:
    frame = both(tmp_path / "r.db")
    found = strata.split(strata.label(frame))
    assert sorted(stratum.size for stratum, _ in found) == [NARROW, WIDE]
    assert {tuple(part["shape"].unique()) for _, part in found} == {(NARROW,), (WIDE,)}
    one_each = [run_of(NARROW, metrics={}), make_run(metrics={}), make_run(network="alexnet", metrics={})]
    ((stratum, part),) = strata.split(strata.label(frame_of(tmp_path / "each.db", one_each)))
    assert (stratum.size, len(part)) == ("one size per network, 224 px, 1 other shape", 3)
    ((alone, _),) = strata.split(strata.label(frame_of(tmp_path / "one.db", one_each[:1])))
    assert alone.size == NARROW


def test_an_unfaithful_shape_takes_out_no_other_shape(tmp_path: Path) -> None:
    runs = [run_of(NARROW, metrics={}, fidelity=WRONG), run_of(WIDE, metrics={})]
    frame = frame_of(tmp_path / "r.db", runs)
    assert strata.usable_rows(strata.label(frame))["shape"].tolist() == [WIDE]


def test_the_median_round_is_of_one_shape(tmp_path: Path) -> None:
    runs = [run_of(WIDE, round=n, times=1 + n / 100, metrics={}) for n in range(3)]
    runs += [run_of(NARROW, round=n, metrics={}) for n in range(5)]
    runs = [dataclasses.replace(run, macs=20 if run.case.shape == WIDE else 10) for run in runs]
    frame = strata.label(frame_of(tmp_path / "r.db", runs))
    assert median_runs(frame) == [runs[1].uid]


def test_energy_belongs_to_its_shape(tmp_path: Path) -> None:
    runs = [run_of(shape, metrics={"energy[meter]": joules}) for shape, joules in ((NARROW, 2.0), (WIDE, 3.0))]
    frame = frame_of(tmp_path / "r.db", runs)
    frame.attrs["metrics"]["energy[meter]"]["unit"] = "J"
    found = with_energy(speeds(frame), strata.label(frame))
    assert found is not None
    assert found.set_index("shape")["energy"].to_dict() == {NARROW: 2.0, WIDE: 3.0}


def test_bars_of_slots_are_named_by_shape(tmp_path: Path) -> None:
    slots = {"topdown-retiring": 4e6, "topdown-bad-spec": 1e6, "topdown-fe-bound": 2e6, "topdown-be-bound": 3e6}
    other = {**slots, "topdown-retiring": 14e6}
    runs = [run_of(NARROW, metrics=slots), run_of(WIDE, metrics=other)]
    found = topdown.bars(strata.label(frame_of(tmp_path / "r.db", runs)), {})
    assert [(NARROW in bar.name, WIDE in bar.name, bar.shares[0]) for bar in found] == [
        (True, False, 0.4),
        (False, True, 0.7),
    ]


def test_facts_of_the_graph_at_its_own_input_are_not_those_of_a_shape(tmp_path: Path) -> None:
    networks = ("mobilenet_v2", "resnet18", "alexnet", "densenet121")
    square = [make_run(network=network, metrics={}) for network in networks]
    extra = {(network, size, ""): {"layers": 9.0} for network in (*networks, "crnn") for size in (0, 224)}
    known = strata.label(frame_of(tmp_path / "s.db", square))
    assert "layers" in models.table(known, [], extra).names
    mixed = strata.label(frame_of(tmp_path / "m.db", [*square, run_of(NARROW, metrics={})]))
    assert "layers" not in models.table(mixed, [], extra).names
    assert "layers" in models.table(mixed, [], {**extra, ("crnn", 0, NARROW): {"layers": 5.0}}).names


def test_a_shape_is_not_placed_by_the_traffic_of_a_square_image(tmp_path: Path) -> None:
    case = make_case(network="tiny_cnn", shape="3x32x64")
    frame = frame_of(tmp_path / "r.db", [make_run(case=case, metrics={}), make_run(network="tiny_cnn", size=32)])
    roof = Roof("board", (), {"fp32": 1e12}, {"fp32": "avx2"}, {"DRAM": 1e10}, {})
    good, out = placement.place_cases(frame, {machine: [roof] for machine in frame["machine_id"]})
    assert [one.point.title for one, _ in good] == ["onnxruntime tiny_cnn 32px b1 t1"]
    assert [(one.title, one.why) for one in out] == [
        (
            "onnxruntime tiny_cnn 3x32x64 b1 t1",
            "MACs or traffic are unknown: the network's graph is not here, or has not this shape",
        )
    ]


def test_a_users_network_is_placed_by_the_traffic_of_its_shape(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "convolution.onnx",
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        {"x": ("n", 3, "h", "w")},
        {"y": ("n", 8, "h", "w")},
        {"w": np.zeros((8, 3, 3, 3))},
    )
    shapes = ("3x32x64", "3x64x64 uint8", "3x16x16, mask 4")
    runs = [make_run(case=make_case(network=str(path), shape=shape), metrics={}) for shape in shapes]
    roof = Roof("board", (), {"fp32": 1e12}, {"fp32": "avx2"}, {"DRAM": 1e10}, {})
    frame = frame_of(tmp_path / "r.db", runs)
    good, out = placement.place_cases(frame, {machine: [roof] for machine in frame["machine_id"]})
    assert [one.point.bytes for one, _ in good] == [4 * (8 * 27 + 11 * 32 * 64)]
    assert len(out) == 2


def summaries(*runs: Run) -> list[RunSummary]:
    return [one for run in runs if (one := summarise_run(run)) is not None]


def test_a_comparison_matches_equal_shapes_alone() -> None:
    old, new = (
        summaries(
            *(run_of(shape, round=n, uid=f"{side}{i}{n:06x}") for i, shape in enumerate(SHAPES) for n in range(3))
        )
        for side in "ab"
    )
    found = compare(old, new)
    assert [(c.case.shape, round(c.ratio, 2)) for c in found.changes] == [(NARROW, 1.0), (WIDE, 1.0)]
    half = compare([one for one in old if one.case.shape == NARROW], new)
    assert [c.case.shape for c in half.changes] == [NARROW]
    assert [case.shape for case in half.only_new] == [WIDE]


def test_the_only_cases_of_two_sides_differ_in_their_shape_and_it_is_named() -> None:
    found = compare(summaries(run_of(NARROW)), summaries(run_of(WIDE)))
    assert "one case on each side, and not the same one: see what differs" in found.notes
    assert [(d.name, d.old, d.new) for d in found.differences if d.part == "case"] == [("shape", NARROW, WIDE)]


def test_session_noise_is_not_taken_from_two_shapes() -> None:
    runs = [
        dataclasses.replace(run_of(shape, uid=f"{hour:08x}"), started_utc=f"2000-01-01T{hour:02d}:00:00Z")
        for hour, shape in enumerate((NARROW, WIDE))
    ]
    with pytest.raises(ResultsError, match="No program was measured in two sessions"):
        calibrate(summaries(*runs), "2000-01-02T00:00:00Z")


def counted(path: Path) -> Source:
    """Two frameworks at two shapes, with counters."""
    results = Results.create(path)
    for shape in SHAPES:
        for framework, work in (("onnxruntime", 1e8), ("opencv", 2e8)):
            case = make_case(framework, "crnn", shape=shape)
            results.add_all([planted(case=case, work=work, round=n, framework=framework) for n in range(3)])
    return Source(results)


def test_frameworks_are_explained_shape_by_shape(tmp_path: Path) -> None:
    source = counted(tmp_path / "r.db")
    found = pairs.find("onnxruntime", "opencv", source)
    assert [(pair.a.case.shape, pair.b.case.shape) for pair in found] == [(NARROW, NARROW), (WIDE, WIDE)]
    assert all(shape in pairs.context(pair) for pair, shape in zip(found, SHAPES, strict=True))
    explained, _ = pairs.explanations(found, source)
    assert [e.a.evidence.rounds for e in explained] == [3, 3]
    assert [e.a.evidence.case.shape for e in explained] == [NARROW, WIDE]


def test_a_selector_names_a_shape_with_or_without_its_field(tmp_path: Path) -> None:
    source = counted(tmp_path / "r.db")
    (pair,) = pairs.find(f"onnxruntime,{WIDE}", "opencv", source)
    assert (pair.a.case.shape, pair.b.case.shape) == (WIDE, WIDE)
    (across, _) = pairs.find(f"shape={NARROW}", f"shape={WIDE}", source)
    assert across.differs == ("shape",)
    assert pairs.labels(across) == (f"shape={NARROW}", f"shape={WIDE}")
    with pytest.raises(UsageError, match="is no framework, network, shape"):
        pairs.find("3x1x1", "opencv", source)


def test_a_shape_of_several_inputs_is_one_word_of_a_selector(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        for shape in ("ids 128, mask 128", "ids 64, mask 64"):
            for framework in ("onnxruntime", "opencv"):
                results.add(planted(case=make_case(framework, "bert", shape=shape), framework=framework))
        source = Source(results)
        (pair,) = pairs.find("shape=ids 64, mask 64,onnxruntime", "opencv", source)
        assert pair.a.case.shape == pair.b.case.shape == "ids 64, mask 64"
        assert pairs.find("ids 128, mask 128,onnxruntime", "opencv", source)[0].b.case.shape == "ids 128, mask 128"


def test_every_pair_is_of_one_shape_and_says_which(tmp_path: Path) -> None:
    source = counted(tmp_path / "r.db")
    names = {entry.uid: entry.case.framework for entry in source.entries}
    found = every_pair.decompose_pairs(source, names, {})
    assert [one.case for one in found] == [f"crnn {shape} b1 t1 fp32" for shape in SHAPES]
    assert all(one.pair.a.case.shape == one.pair.b.case.shape for one in found)


def test_other_thread_counts_of_a_side_have_its_shape(tmp_path: Path) -> None:
    results = Results.create(tmp_path / "r.db")
    for shape in SHAPES:
        for threads in (1, 2):
            results.add(planted(case=make_case(network="crnn", shape=shape, threads=threads)))
    source = Source(results)
    (pair, _) = pairs.find("threads=1", "threads=2", source)
    side = source.side_runs(pair.a, "a", pair.same_experiment)
    assert {run.case.shape for run in (*side.runs, *side.threads)} == {pair.a.case.shape}
    assert len(side.threads) == 1


def test_a_diagnosis_compares_with_batches_threads_and_frameworks_of_its_shape(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        for shape in SHAPES:
            for framework, batch in (("onnxruntime", 1), ("onnxruntime", 4), ("opencv", 1)):
                case = make_case(framework, "crnn", shape=shape, batch=batch)
                results.add(planted(case=case, framework=framework, work=1e8 if shape == NARROW else 2e8))
        found, _ = diagnose(results, f"onnxruntime,{WIDE}")
    assert {one.case.shape for one in found} == {WIDE}
    for one in found:
        assert sorted(one.context.batches) == [1, 4]
        assert {peer.case.shape for peer in one.context.peers.values()} == ({WIDE} if one.case.batch == 1 else set())
        (seconds,) = one.context.batches[1]
        assert seconds == pytest.approx(2e8 / (0.9 * 2e9 * 1.5), rel=0.2)


def test_cells_of_a_correlation_are_of_one_shape(tmp_path: Path) -> None:
    frame = strata.label(both(tmp_path / "r.db"))
    for stratum, part in strata.split(frame):
        found = collapse.Logs(part, "onnxruntime")
        assert len(found.mean("fps")) == 1
        assert float(found.part["fps"].mean()) == pytest.approx(SHAPES[stratum.size], rel=0.01)
