"""What `hwprof run` prints of rounds that failed."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from hwprof.records import Doubt, Failure, Fidelity, Run, not_comparable
from hwprof.reports.terminal.run import result_line, text
from hwprof.reports.terminal.style import Palette
from tests.factories import make_case, make_latencies, make_run, make_sliced_run

MEMORY = Failure("memory", "out of memory: 64 TiB", "a smaller batch or size needs less", "load", "Traceback ...")
KILLED = Failure("killed", "the worker died of SIGSEGV", "its output says more", "load", "terminate called")


def test_a_failure_of_every_round_is_said_once_without_the_workers_traceback() -> None:
    runs = [dataclasses.replace(make_run(round=i), windows=(), failure=MEMORY) for i in range(3)]
    shown = text(runs)
    assert shown.count("64 TiB") == 1
    assert "3 of 3 attempts failed: memory" in shown
    assert "Traceback" not in shown


def test_a_crash_shows_what_the_worker_said_last() -> None:
    good = make_run()
    shown = text([good, dataclasses.replace(good, round=1, windows=(), failure=KILLED)])
    assert "1 of 2 attempts failed: killed" in shown
    assert "| terminate called" in shown


def test_an_emulated_machines_speed_is_marked_even_where_its_pmu_counted_nothing() -> None:
    run = dataclasses.replace(make_run(metrics={"page-faults": 3.0}), host_state={"emulated": True})
    assert "EMULATED: FPS" in text([run])
    assert "EMULATED" not in text([make_run()])


def test_numpys_version_is_not_the_frameworks() -> None:
    software = {"distributions": {"onnxruntime": None, "numpy": "2.2.4"}}
    assert "2.2.4" not in text([dataclasses.replace(make_run(), software=software)])
    told = dataclasses.replace(make_run(), software=software, facts={"version": "1.21.0"})
    assert "onnxruntime 1.21.0" in text([told])


def test_the_heading_counts_pairs_of_slices() -> None:
    run = make_sliced_run([1.0] * 9, passes=2)
    assert "1 round x (18 pairs of slices, 1 bare window)" in text([run])
    alone = dataclasses.replace(run, windows=(run.windows[0], run.windows[-1]))
    assert "1 round x (9 bare slices, 1 bare window)" in text([alone])
    assert "1 round x (1 bare, 1 counted window)" in text([make_run()])


def test_what_is_within_a_run_is_of_its_bare_stretch_and_never_the_cases_precision() -> None:
    run = make_sliced_run([1.0] * 9, fps=50.0)
    bare = dataclasses.replace(
        run.windows[-1], latencies_ns=make_latencies(20_000_000, 55), t1_ns=run.windows[-1].t0_ns + 1_100_000_000
    )
    run = dataclasses.replace(run, windows=(*run.windows[:-1], bare))
    shown = text([run])
    assert "of this stretch of time (1.1 s of one round), not the precision of the case" in " ".join(shown.split())
    (line,) = (line for line in shown.splitlines() if line.startswith("  FPS"))
    low, high = (float(word.strip("[],")) for word in line.split()[2:4])
    assert 48.5 <= low <= 50.0 <= high <= 51.5, "the slices take 10 ms"


def heading_of(run: Run) -> list[str]:
    return text([run]).splitlines()[:4]


def shaped(shape: str, batch: int, inputs: list[dict[str, Any]] | None = None, **fields: Any) -> Run:
    case = make_case(network="mine", shape=shape, batch=batch)
    return make_run(case=case, facts={"inputs": inputs} if inputs else {}, **fields)


@pytest.mark.parametrize(
    ("shape", "batch", "title"),
    [("3x48x320", 4, "4x3x48x320"), ("1x28x28", 1, "1x1x28x28"), ("64x64x3", 1, "1x64x64x3")],
)
def test_the_heading_has_the_true_shape_with_the_batch(shape: str, batch: int, title: str) -> None:
    assert heading_of(shaped(shape, batch))[0].startswith(f"mine {title} fp32")


def test_a_batch_that_is_not_the_first_axis_stands_where_it_is() -> None:
    run = shaped("64x8", 4, [{"name": "x", "shape": [64, 4, 8], "dtype": "float32"}])
    assert heading_of(run)[0].startswith("mine 64x4x8 fp32")


def test_several_inputs_are_named_with_their_shapes_and_types() -> None:
    inputs: list[dict[str, Any]] = [
        {"name": "ids", "shape": [4, 128], "dtype": "int64"},
        {"name": "mask", "shape": [4, 128], "dtype": "float32"},
        {"name": "past", "shape": [], "dtype": "float32"},
    ]
    first, second, *_ = heading_of(shaped("ids 128, mask 128, past scalar", 4, inputs))
    assert first.startswith("mine batch 4, ids 128, mask 128, past scalar fp32")
    assert second == "3 inputs: ids 4x128 int64, mask 4x128, past scalar"
    many = [{"name": f"past.{i}", "shape": [1, 2], "dtype": "float32"} for i in range(9)]
    assert heading_of(shaped("many", 1, many))[1].endswith("past.5 1x2 and 3 more")


def test_the_heading_says_why_macs_are_unknown() -> None:
    known = shaped("8", 1)
    run = dataclasses.replace(known, macs=None, facts={"macs_unknown": "LSTM has no rule"})
    assert "MACs unknown: LSTM has no rule" in heading_of(run)
    assert "MACs unknown" not in text([dataclasses.replace(run, macs=5)])
    assert "MACs unknown" not in text([dataclasses.replace(run, facts={})])


def test_one_unfaithful_round_is_what_is_said_of_the_outputs() -> None:
    rounds = [make_run(), make_run(round=1, fidelity=Fidelity(1.0, 0.5, None, 8, 1e-3))]
    assert "outputs     UNFAITHFUL, max error 5.0e-01" in text(rounds)
    assert "outputs     not comparable: never repeats" in text(
        [make_run(), make_run(round=1, fidelity=not_comparable("never repeats", 1e-3))]
    )


def test_the_result_is_one_line_with_all_three_speeds() -> None:
    (line,) = result_line([make_run(fps=40.0 + n, round=n) for n in range(3)]).splitlines()
    assert line.startswith("onnxruntime mobilenet_v2 224px b1 t1 fp32: 41.0 [")
    assert " FPS, " in line
    assert " frames/s, - ms of CPU time per frame" in line
    assert "stretch" not in line
    assert result_line([make_run(fps=40.0)]).endswith("(one round: intervals of this stretch of time)")
    failed = result_line([dataclasses.replace(make_run(), windows=(), failure=KILLED)])
    assert failed.startswith("onnxruntime mobilenet_v2 224px b1 t1 fp32: no speed: ")


def test_without_colour_there_is_no_code_and_with_it_the_text_is_the_same() -> None:
    runs = [make_run(metrics={"cycles": 5.0}, doubts=[Doubt("noisy", {"ratio": 1.9})])]
    plain, coloured = text(runs), text(runs, palette=Palette(True))
    assert "\033" not in plain
    assert re.sub("\033\\[[0-9]*m", "", coloured) == plain
    assert coloured.startswith("\033[1m")
