"""What is said of a run over time: only what there is evidence for, and nothing of runs without slices."""

from __future__ import annotations

import dataclasses
import json

from hwprof.reports import over_time
from hwprof.reports.terminal.run import document, text
from tests.analysis.test_over_time import leak, sliced, stretch
from tests.factories import make_run

WARMUP = {"first_ns": 5_000_000, "seconds": 0.3, "iterations": 200, "medians_ns": [1.1e6] * 9, "steady": True}


def test_a_run_of_before_says_nothing_over_time() -> None:
    assert over_time.lines([make_run()]) == []
    assert over_time.sentences([make_run()]) == []
    found = over_time.document([make_run()])
    assert found["memory_growth_bytes_per_1000"] is None
    assert "without slices" in found["disturbed_why"]


def test_first_inference_and_warm_up_are_one_line_and_blocks_are_cut() -> None:
    run = dataclasses.replace(sliced([1.0] * 10, noise=0.0), facts={"warmup": WARMUP})
    (line,) = over_time.lines([run])
    assert "5.000 ms, 5.0x the steady latency; warm-up 0.3 s, 200 inferences" in line
    assert line.endswith("1.1 1.1 1.1 1.1 1.1 ... 1.1 ms")


def test_a_leak_a_change_and_an_input_have_their_sentence() -> None:
    leaking = sliced([1.0] * 25 + [1.5] * 25, resident=leak(8.0, 0, 50))
    said = over_time.sentences([leaking])
    assert any("Memory grows by" in s and "per 1,000 inferences" in s for s in said)
    assert any("Latency rises at" in s for s in said)
    slow = stretch([1e6 + 1000 * (i % 7) + 2e5 * (i % 32 == 5) for i in range(32 * 40)], ring=32)
    assert any("Latency depends on the input: sample 5" in s for s in over_time.sentences([slow]))
    assert any("lost the CPU" in s for s in over_time.lines([stretch([1e6] * 20)]))


def test_the_round_that_changed_is_named() -> None:
    rounds = [sliced([1.0] * 25), dataclasses.replace(sliced([1.0] * 25 + [1.5] * 25), round=1)]
    (line,) = over_time.lines(rounds)
    assert line.startswith("  drift       round 2: latency rises at ")


def test_the_terminal_and_its_json_have_them() -> None:
    run = make_run(facts={"warmup": WARMUP})
    assert "  first       5.000 ms" in text([run])
    (found,) = json.loads(json.dumps(document([run])))["runs"]
    assert found["facts"]["over_time"]["first_inference"]["first_ns"] == 5_000_000
