"""What bounds each case, and what is the same for all: nothing that differs is said of every case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwprof.analysis.bottlenecks import bounds, diagnosis
from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis
from hwprof.analysis.bottlenecks.needs import COMMANDS, LAYER_TIMES, ONE_THREAD, PEAK, command_for
from hwprof.records import Layer
from hwprof.store import Results
from tests.analysis.bottlenecks.test_diagnosis import context, roof
from tests.analysis.planted import several
from tests.cli.test_report import stored
from tests.factories import make_case


def diagnosed(about: dict[str, Any] | None = None, framework: str = "onnxruntime", **fields: Any) -> Diagnosis:
    found = context(about=about, framework=framework, **fields)
    case = found.evidence.case
    return Diagnosis(case, "board", "1.0", found, diagnosis.verdicts(found))


def test_the_weightiest_finding_bounds_a_case() -> None:
    one = diagnosed(roof(gflops=20), system={"run-queue-wait": 0.0})
    first, *_ = bounds.found_verdicts(one)
    assert (first.code, first.figure) == ("compute-bound", "81 % of peak")
    assert bounds.bound_name(first.code) == "compute"
    assert bounds.found_verdicts(diagnosed(roof(gflops=100))) == ()


def test_every_finding_has_a_figure() -> None:
    frame_s = 1e8 / (0.9 * 2e9 * 1.5)
    layers = {"layers": [Layer("a", "Conv", 700_000), Layer("b", "BatchNormalization", 300_000)]}
    batches = {"batches": {b: (2e-3 + 1e-3 * b,) * 2 for b in (1, 2, 4)}}
    planted = [
        diagnosed({**roof(20, 10), **layers, **batches}, metrics={"llc-misses": 5e6, "branch-misses": 1e6}),
        diagnosed(work=9e8, system={"run-queue-wait": 0.4}, metrics={"page-faults": 0.2 * frame_s / 0.5e-6}),
        diagnosed({"threads": {1: (10.0, 10.1), 4: (15.0, 15.1)}}, threads=4, parallelism=3.6),
        diagnosed(threads=4, parallelism=1.2),
    ]
    hits = [v for d in planted for v in bounds.found_verdicts(d)]
    assert {v.code for v in hits} >= {"compute-bound", "under-vectorised", "poorly-parallel", "paging", "conversion"}
    assert [v.code for v in hits if not v.figure] == []
    assert max(len(v.figure) for v in hits) <= 24


def test_rules_that_could_judge_no_case_are_together_by_the_command_that_would_help() -> None:
    found = [diagnosed(), diagnosed(framework="opencv")]
    gaps = {gap.command: gap for gap in bounds.gaps(found)}
    assert gaps["hwprof roofline --measure"].codes == ("compute-bound", "memory-bandwidth-bound")
    assert "peak FLOP/s" in gaps["hwprof roofline --measure"].needs
    assert {"front-end-bound", "bad-speculation"} <= {*gaps["hwprof doctor"].codes}
    assert gaps["hwprof run -f FRAMEWORK -n NETWORK -b 4"].codes == ("dispatch-overhead",)
    (of_one,) = (gap for gap in bounds.gaps(found[:1]) if "dispatch-overhead" in gap.codes)
    assert of_one.command == "hwprof run -f onnxruntime -n FILE -b 4"  # its recipe is of no built-in network


def test_what_one_case_could_judge_is_not_said_to_be_unknown_of_all() -> None:
    found = [diagnosed(), diagnosed(roof(gflops=100))]
    assert "compute-bound" not in {code for gap in bounds.gaps(found) for code in gap.codes}
    assert bounds.state_counts(found, State.UNKNOWN)["compute-bound"] == 1
    assert "compute-bound" not in bounds.codes_in_every_case(found, State.NO)
    assert "compute-bound" in bounds.codes_in_every_case(found[1:], State.NO)


def test_every_need_of_a_rule_has_its_command_or_is_known_to_have_none() -> None:
    builtin = make_case(recipe="builtin-3 seed 0")
    commands = {need: command_for(need, builtin) for need in COMMANDS}
    assert [need for need, command in commands.items() if not command] == ["MACs of the network"]
    assert all(command.startswith("hwprof ") and "{" not in command for command in commands.values() if command)
    assert command_for("llc-misses") == "hwprof doctor"


def test_a_command_keeps_all_else_of_the_case() -> None:
    small = make_case(network="resnet18", size=64, threads=2, batch=4, recipe="builtin-3 seed 0")
    assert command_for(ONE_THREAD, small) == "hwprof run -f onnxruntime -n resnet18 -t 1 -s 64 -b 4"
    assert command_for(LAYER_TIMES, small) == "hwprof layers -f onnxruntime -n resnet18 -s 64 -b 4 -t 2"
    assert command_for(PEAK, small) == "hwprof roofline --measure"


def test_names_hold_what_differs_and_the_head_what_is_shared() -> None:
    alike = bounds.labels([diagnosed(), diagnosed(framework="opencv")])
    assert alike.names == (("onnxruntime", "mobilenet_v2"), ("opencv", "mobilenet_v2"))
    assert alike.common == "224px, batch 1, 1 thread, not pinned, fp32, board"
    options = bounds.labels([diagnosed(), diagnosed(options={"spin": False}), diagnosed(batch=4)])
    assert options.names == (
        ("onnxruntime", "mobilenet_v2 b1"),
        ("onnxruntime spin=False", "mobilenet_v2 b1"),
        ("onnxruntime", "mobilenet_v2 b4"),
    )
    assert "batch" not in options.common


def test_a_selector_names_one_case_among_others(tmp_path: Path) -> None:
    runs = [r for threads in (1, 2) for batch in (1, 4) for r in several(threads=threads, batch=batch)]
    with Results.open(stored(tmp_path / "r.db", runs)) as results:
        found, _ = diagnosis.diagnose(results)
        cases = [d.case for d in found]
        for case in cases:
            words = bounds.selector_of(case, cases)
            assert [d.case for d in diagnosis.diagnose(results, words)[0]] == [case]
    variants = [make_case(), make_case(options={"spin": False})]
    assert bounds.selector_of(variants[0], variants) == ""
