"""Every report of the terminal at 80 columns, from planted results: no line is wider, whatever there is to say."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hwprof.analysis import models
from hwprof.analysis.accuracy import McNemarPair, Score, Share
from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.comparison.sessions import SessionNoise
from hwprof.analysis.estimator import Estimator, EstimatorChoice
from hwprof.analysis.factors.scaling import ScalingLaw, ScalingPoint
from hwprof.analysis.layers import NetworkNode
from hwprof.cli import main
from hwprof.networks.preprocess import Preprocess
from hwprof.plan.winner import Winner
from hwprof.programs.recording import Recording, Sampling
from hwprof.programs.samples import Frame, Sample
from hwprof.records import (
    Case,
    Counter,
    Doubt,
    Failure,
    Fidelity,
    Kind,
    Layer,
    Origin,
    Reading,
    Role,
    Run,
    Window,
    missing,
)
from hwprof.reports.terminal import (
    accuracy,
    command,
    grid,
    hotspots,
    layers,
    matrix,
    outlook,
    run,
    scaling,
    session_noise,
    tuning,
    validation,
)
from hwprof.reports.terminal import models as models_report
from hwprof.speed import Interval
from hwprof.store import Results
from hwprof.studies.accuracy.measure import AccuracyResult
from hwprof.studies.matrix.matrix import Matrix, MatrixCell, MatrixColumn
from hwprof.studies.tuning.tuner import TuningResult
from hwprof.studies.validation.bench import Result
from hwprof.studies.validation.verdicts import EventAssessment, EventVerdict, ProgramFinding
from tests.analysis.test_models import frame
from tests.factories import make_run, make_simulated_run

WIDTH = 80
LONG = "an explanation that goes on for a good deal longer than any terminal is wide, as explanations of counters do"
FRAMEWORKS = ("onnxruntime", "opencv", "openvino", "tensorflow", "pytorch:mode=inductor", "executorch", "ncnn")
SYMBOL = "void mlas::gemm::Kernel<float, avx512::Traits<16, 32>>::operator()(float const*, float const*, float*, long)"


def case_run(everything: bool) -> str:
    names = ("cycles", "instructions", "llc-misses", "branch-misses", "page-faults", "task-clock")
    runs = []
    for number in range(3):
        one = make_run(fps=1234.5 + number, round=number, metrics=dict.fromkeys(names, 9_876_543_210.0))
        bare, window = one.windows
        readings = (*window.readings, *(missing(f"l{i}-misses", LONG) for i in range(12)))
        windows = (bare, dataclasses.replace(window, readings=readings))
        doubts = (Doubt("noisy", {"ratio": 1.9}), Doubt("hot", {"waited_s": 60.0, "why": LONG}))
        runs.append(dataclasses.replace(one, windows=windows, doubts=doubts, facts={"macs_notes": [LONG]}))
    runs.append(dataclasses.replace(runs[0], round=3, windows=(), failure=Failure("killed", LONG, LONG, "load")))
    simulated = make_simulated_run(metrics={"instructions": 9e9, "l1d-misses": 5e8})
    return run.text([*runs, simulated], everything=everything, width=WIDTH)


def command_run() -> str:
    case = Case("command", "bench", "", 0, options=(("command", f"./bench --with {LONG}"),))
    window = Window(0, Role.COUNTED, 0, 0, 10**9, (10**9,), (Reading("page-faults", 1e9), missing("cycles", LONG)))
    runs = [
        Run(str(n), case, Kind.COMMAND, round=n, windows=(window,), facts={"fps": 40.0 + n, "fps_source": "output"})
        for n in range(2)
    ]
    return command.text(runs, width=WIDTH)


def thread_scaling() -> str:
    one = Interval(12345.678, 12340.123, 12350.456)
    points = [ScalingPoint(t, 5, one, 12345.6, 0.0123, 0.05, one, one, one, 0, one, t == 4) for t in (1, 2, 4, 8, 16)]
    choice = EstimatorChoice(Estimator.THROUGHPUT, LONG)
    laws = [ScalingLaw("universal scalability law", {"sigma": one, "kappa": one})]
    return scaling.text("title", choice, points, laws, {4: f"UNFAITHFUL: {LONG}"}, WIDTH)


def tuned() -> str:
    candidates: list[dict[str, Any]] = [
        {"changes": f"threads={n} graph=all memory=arena", "fps_search": 1e4, "fps_final": None, "rounds": 3}
        for n in range(20)
    ]
    candidates = [{**one, "failure": LONG if number == 3 else ""} for number, one in enumerate(candidates)]
    final = {"ratio": 1.2, "low": 1.1, "high": 1.3, "confidence": 0.98, "rounds": 9}
    evidence = {
        "default": {"threads": 1, "cpus": "0,1,2,3", "options": LONG},
        **{"measurements": 90, "spent_s": 118.5, "budget_s": 120, "candidates": candidates, "struck": ()},
        "untried": ["x"] * 4,
        "enough_s": 300,
        "comparisons": [{"candidate": "threads=2 graph=all", "against": "threads=4 graph=basic memory=arena", **final}],
        **{"changes": {"threads": 2}, "why": LONG},
    }
    found = SimpleNamespace(kept=Winner(2, (0, 1), (), evidence), subject=SimpleNamespace(title="onnxruntime resnet18"))
    return tuning.text(cast(TuningResult, found), width=WIDTH)


def accuracies() -> str:
    share = Share(712, 1000, 0.691, 0.732)
    pairs = [
        McNemarPair(a, b, 123, 456, -0.0123, -0.02, -0.01, 1e-12, 1e-11, 0.97)
        for a, b in itertools.pairwise(FRAMEWORKS)
    ]
    found = AccuracyResult(
        "mobilenet_v2",
        (3, 224, 224),
        f"/data/{'folder/' * 3}val",
        1000,
        1000,
        Preprocess(),
        "Pillow 11.0",
        3,
        tuple((f"/data/{n}.jpeg", LONG) for n in range(5)),
        tuple(Score(name, share, share, 3) for name in FRAMEWORKS),
        tuple(pairs),
        (("tvm", Failure("model", LONG)),),
    )
    return accuracy.text(found, WIDTH)


def hot_code() -> str:
    stack = (Frame(SYMBOL, f"/usr/lib/{'very-long-' * 5}libonnxruntime.so"), Frame("main", "bench"))
    found = Recording(f"./bench --with {LONG}", [Sample("bench", 9, stack)] * 20, 1.5)
    return hotspots.text(found, Sampling("cpu-clock"), 20, Path("flame.svg"), width=WIDTH)


def layer_times() -> str:
    window = Window(0, Role.LAYERS, -1, 0, 10**7, (10**7,))
    nodes = [NetworkNode(f"features.{n}.conv.1.0/block", "Conv", (f"t{n}",), (f"t{n + 1}",), 10**8) for n in range(9)]
    readings = (Reading("cycles", 1e9), Reading("llc-misses", 1e6))
    runs = []
    for name in FRAMEWORKS:
        own = tuple(Layer(n.name, "Conv", 1.2345e6, (n.name,), 10**8, readings) for n in nodes)
        base = make_run(name)
        missed = dataclasses.replace(window, readings=(missing("slots", LONG),))
        runs += [base, dataclasses.replace(base, kind=Kind.LAYERS, windows=(missed,), layers=own)]
    return layers.text(runs, nodes, 20, asked=True, width=WIDTH)


def conversion_matrix() -> str:
    columns = [MatrixColumn(name, name) for name in FRAMEWORKS] + [MatrixColumn("tvm", "tvm", missing=LONG)]
    work = Matrix(columns, [("mobilenet_v3_small", 224), ("squeezenet1_1", 224)])
    good = Fidelity(1e-6, 1e-6, 1.0, 8, 1e-3)
    cells = [
        MatrixCell(network, size, name, True, True, good) for network, size in work.rows for name in FRAMEWORKS[1:]
    ]
    cells.append(MatrixCell("squeezenet1_1", 224, FRAMEWORKS[0], False, None, failure=Failure("model", LONG)))
    return matrix.text(work, cells, WIDTH)


def validated() -> str:
    counter = Counter("x")
    finding = ProgramFinding("pointer-chasing", EventVerdict.FACTOR, 123_456_789.0, 246_913_578.0, ratio=2.0)
    found = [
        Result(
            EventAssessment(f"L1-dcache-load-misses-{n}", EventVerdict.FACTOR, 2.0, LONG, findings=(finding,)),
            counter,
            Origin.HARDWARE,
        )
        for n in range(3)
    ]
    found += [
        Result(EventAssessment(f"event-{n}", EventVerdict.MISSING, why=LONG, remedy=LONG), None, Origin.HARDWARE)
        for n in range(30)
    ]
    return validation.table(found, WIDTH)


def noise() -> str:
    found = MachineNoise("m", LONG, "2000-01-01T00:00:00Z", {"FPS": SessionNoise(0.02, 5, 0.01, 12, 3.0, 6, 4)})
    return session_noise.text([found], WIDTH)


REPORTS: dict[str, Callable[[], str]] = {
    "run": lambda: case_run(everything=False),
    "run -v": lambda: case_run(everything=True),
    "command": command_run,
    "scaling": thread_scaling,
    "tuning": tuned,
    "accuracy": accuracies,
    "hotspots": hot_code,
    "layers": layer_times,
    "matrix": conversion_matrix,
    "validation": validated,
    "session noise": noise,
    "models": lambda: models_report.text(models.assess(frame(gain=0.8)), WIDTH),
    "outlook": lambda: "\n".join(outlook.lines((), [outlook.NextStep("hwprof doctor", LONG)], width=WIDTH)),
}


def too_wide(text: str) -> Sequence[str]:
    return [line for line in text.splitlines() if len(line) > WIDTH]


@pytest.mark.parametrize("name", REPORTS)
def test_80_columns_suffice(name: str) -> None:
    text = REPORTS[name]()
    assert len(text.splitlines()) > 1
    assert too_wide(text) == []


def test_80_columns_suffice_for_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, factor in (("old.db", 1.0), ("new.db", 0.7)):
        with Results.open(tmp_path / name, create=True) as results:
            identity = results.begin_experiment("one", "", name, 0)
            for network in ("mobilenet_v3_small", "shufflenet_v2_x1_0", "resnet18"):
                doubts = (Doubt("noisy", {"ratio": 1.5}), Doubt("other-load", {"percent": 12.0}))
                for number in range(3):
                    fps = 1234.5 * factor * (1 + 0.01 * number)
                    results.add(make_run(network=network, fps=fps, round=number, doubts=doubts), identity)
            if factor == 1.0:
                results.add(make_run(network="alexnet"), identity)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    main(["compare", str(tmp_path / "old.db"), str(tmp_path / "new.db")])
    said = capsys.readouterr().out.replace(str(tmp_path), "/results")
    assert too_wide(said) == []
    assert "--json has them" in said
    monkeypatch.delenv("COLUMNS")
    main(["compare", str(tmp_path / "old.db"), str(tmp_path / "new.db")])
    piped = capsys.readouterr().out
    assert "--json has them" not in piped, "nothing is left out in a pipe"
    assert "onnxruntime mobilenet_v3_small 224px b1 t1 fp32" in piped


def test_a_table_of_unknown_columns_fits_as_well() -> None:
    rows = [("onnxruntime mobilenet_v2 224px b1 t1 fp32", "1.25", LONG), ("b", "2.5", "")]
    lines = grid.lines(grid.plain_columns(("case", "ratio", "why")), rows, WIDTH)
    assert max(map(len, lines)) <= WIDTH
