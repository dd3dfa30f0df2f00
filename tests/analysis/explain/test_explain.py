"""Explanations of planted pairs say the right thing first; only a rerun speaks of causes."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from hwprof.analysis.explain.explain import explain, may_spin
from hwprof.analysis.explain.explanation import ChangedRuns, SideRuns
from hwprof.analysis.explain.wording import summarise
from hwprof.analysis.factors.evidence import collect
from hwprof.errors import ResultsError
from hwprof.records import Doubt, Kind, Origin, Role, Run, Series, Window
from hwprof.reports.terminal import explain as report
from tests.analysis.planted import planted, several
from tests.factories import make_simulated_run

MAINLY = "95 % interval over rounds, within this session. Mainly accounted for by"


def given(label: str, runs: list[Run], **fields: Any) -> SideRuns:
    return SideRuns(label, runs, **fields)


def text_of(*explanations: Any) -> str:
    return " ".join(report.text(explanations, summarise(explanations), 100, full=True).split())


@pytest.mark.parametrize(
    ("planted_fields", "first"),
    [
        ({"work": 2.5e8}, "instructions per frame 2.50x"),
        ({"clock": 1e9}, "clock 2.00x"),
        ({"ipc": 0.5}, "instructions per cycle 3.00x"),
        ({"parallelism": 0.45}, "CPUs used 2.00x"),
        ({"tail": 0.93}, "tail latency (mean / median) 1.08x"),
    ],
)
def test_the_headline_names_the_factor_that_was_planted(planted_fields: dict[str, Any], first: str) -> None:
    found = explain(given("a", several()), given("b", several(**planted_fields)))
    assert found.headline.startswith("a is ")
    assert found.headline.endswith(f"as fast as b, {MAINLY} {first}")


def test_the_slower_one_named_first_turns_the_sentence_round() -> None:
    found = explain(given("a", several(work=2.5e8)), given("b", several()))
    assert found.headline.startswith("b is 2.50x")
    assert found.headline.endswith(f"as fast as a, {MAINLY} instructions per frame 2.50x")


def test_factors_that_oppose_are_both_said() -> None:
    found = explain(given("a", several(work=0.25e8, ipc=1.0)), given("b", several(ipc=2.0)))
    words = "Mainly accounted for by instructions per frame 4.00x, against it instructions per cycle 0.50x"
    assert found.headline.endswith(words)


def test_what_rounds_cannot_tell_is_said_so() -> None:
    found = explain(given("a", several(wobble=0.3)), given("b", several(work=1.05e8, wobble=0.3)))
    assert "are not distinguishable" in found.headline


def test_spin_waiting_is_merged_until_a_rerun_shows_it() -> None:
    # the same speed: spinning doubles CPU time and instructions, and changes nothing else
    spin: dict[str, Any] = {
        "threads": 2,
        "parallelism": 2.0,
        "work": 2e8,
        "doubts": (Doubt("spin-waiting", {"cpus": 2.0, "threads": 2}),),
    }
    calm: dict[str, Any] = {"threads": 2, "parallelism": 1.0, "work": 1e8}
    a, b = several(**spin), several(framework="opencv", threads=2, parallelism=1.0, work=2e8)
    merged = explain(given("a", a), given("b", b))
    assert [f.name for f in merged.decomposition.factors] == ["clock", "parallelism x ipc x work"]
    assert "cause" not in merged.headline
    off = ChangedRuns("spin", "spin=false", several(**calm, options={"spin": False}))
    found = explain(given("a", a, variants=[off]), given("b", b))
    (done,) = found.interventions
    assert [f.name for f in done.rerun.factors] == ["parallelism", "clock", "ipc", "work"]
    assert sum(math.log(f.ratio) for f in done.chain) == pytest.approx(
        math.log(found.decomposition.whole.ratio), abs=1e-9
    )
    (effect,) = done.effects
    assert effect.speed.ratio == pytest.approx(1.0, rel=1e-6)
    assert effect.cpu is not None
    assert effect.cpu.ratio == pytest.approx(2.0, rel=1e-6)
    assert "makes no difference to a that these rounds can show" in text_of(found)


def test_a_rerun_without_vectors_that_levels_the_pair_is_called_the_cause() -> None:
    capped = [ChangedRuns("simd", "CAP=1", several(work=3e8, wobble=0.01))]
    found = explain(given("a", several(work=1e8), variants=capped), given("b", several(work=3.1e8)))
    assert "because of wide vector instructions: with CAP=1" in found.headline
    assert "Vectors wider than the cap make a 3.00x" in text_of(found)


def test_a_rerun_that_changes_nothing_is_no_cause() -> None:
    same = [ChangedRuns("affinity", "cores 2 for 1", several(work=1e8))]
    found = explain(given("a", several(work=1e8), variants=same), given("b", several(work=3e8)))
    assert "because" not in found.headline
    assert found.headline.endswith("Mainly accounted for by instructions per frame 3.00x")


def test_misses_give_an_upper_bound_and_simulated_counts_say_so() -> None:
    a = several(metrics={"llc-misses": 1e4})
    found = explain(given("a", a), given("b", several(framework="opencv", metrics={"llc-misses": 1e5})))
    (clue,) = [c for c in found.clues if c.code == "llc-misses"]
    cycles = 1e8 / 1.5
    assert clue.numbers["a"] == pytest.approx(1e4 * 300 / cycles, rel=0.01)
    assert "consistent with up to" in clue.text
    assert "assumed" in clue.text


def test_counts_of_one_kind_of_core_are_not_called_simulated() -> None:
    hybrid: dict[str, Any] = {"leave": ("cycles", "instructions")}
    a, b = (
        given(n, several(framework=n, metrics={"instructions@cpu_core": w, "L1D-misses@cpu_core": w / 1e4}, **hybrid))
        for n, w in (("onnxruntime", 1e8), ("opencv", 3e8))
    )
    found = explain(a, b)
    assert "SIMULATED" not in found.headline + " ".join(c.text for c in found.clues)
    assert [c.code for c in found.clues if c.factor == "work"] == ["instructions"]
    (clue,) = (c for c in found.clues if c.factor == "work")
    assert clue.text.endswith("(instructions@cpu_core counts cpu_core alone)")


def test_simulated_instructions_split_cpu_time_as_an_estimate() -> None:
    leave = ("cycles", "instructions")
    runs = [
        [*several(framework=f, leave=leave, work=w), make_simulated_run(f, metrics={"instructions": w})]
        for f, w in (("onnxruntime", 1e8), ("opencv", 3e8))
    ]
    found = explain(given("a", runs[0]), given("b", runs[1]))
    (split,) = [c for c in found.clues if c.code == "simulated-split"]
    assert split.numbers == pytest.approx({"work": 3.0, "rate": 1.0}, rel=1e-3)
    said = text_of(found)
    assert "SIMULATED" in said
    assert "an estimate from simulated counts" in said


def test_simulated_counts_of_two_editions_are_never_laid_side_by_side() -> None:
    def side(framework: str, source: str) -> list[Run]:
        run = make_simulated_run(framework, metrics={"instructions": 1e8, "loads": 4e7})
        readings = tuple(dataclasses.replace(r, source=source) for r in run.windows[0].readings)
        windows = (dataclasses.replace(run.windows[0], readings=readings),)
        native = several(framework=framework, leave=("cycles", "instructions"), work=1e8)
        return [*native, dataclasses.replace(run, windows=windows)]

    old, new = "callgrind:Ir", "callgrind:v2:Ir"
    mixed = explain(given("a", side("onnxruntime", old)), given("b", side("opencv", new)))
    codes = {"simulated-split", "instructions", "per-mac", "loads"}
    assert not codes & {c.code for c in mixed.clues}
    alike = explain(given("a", side("onnxruntime", new)), given("b", side("opencv", new)))
    assert codes <= {c.code for c in alike.clues}


def test_emulated_times_and_user_counts_are_said() -> None:
    found = explain(given("a", several(origin=Origin.EMULATED)), given("b", several(origin=Origin.EMULATED, work=2e8)))
    assert any("EMULATED" in n for n in found.notes)
    user = explain(given("a", several(domain="user")), given("b", several(domain="user")))
    assert any("user mode alone" in n for n in user.notes)


def test_serial_part_over_thread_counts_is_amdahls() -> None:
    one = several(threads=1, parallelism=1.0)
    serial = 0.25
    two = several(threads=4, parallelism=1 / (serial + (1 - serial) / 4))
    found = explain(given("a", two, threads=one), given("b", several(framework="opencv", threads=4)))
    (clue,) = [c for c in found.clues if c.code == "serial"]
    assert clue.numbers["serial share"] == pytest.approx(0.25, abs=1e-3)


def test_waiting_and_throttling_stand_behind_parallelism_and_clock() -> None:
    held = {"run-queue-wait": 0.3, "cgroup-throttled-time": 0.1}
    b = several(framework="opencv", system=held, doubts=(Doubt("throttled", {}),))
    codes = {(c.factor, c.code) for c in explain(given("a", several()), given("b", b)).clues}
    assert {("parallelism", "run-queue-wait"), ("parallelism", "cgroup"), ("clock", "throttled")} <= codes


def test_threads_that_wait_for_each_other_are_no_evidence_of_other_load() -> None:
    crowded = several(framework="opencv", threads=2, cpus=(1,), parallelism=1.0, system={"run-queue-wait": 1.0})
    found = explain(given("a", several(threads=2, cpus=(1,))), given("b", crowded))
    assert "run-queue-wait" not in {c.code for c in found.clues}


def test_the_calling_thread_and_its_helpers_are_told_apart() -> None:
    ran = {"run-time": 3.7, "helper-run-time": 2.85}
    busy = several(framework="opencv", threads=4, system=ran)
    found = explain(given("a", several(threads=4)), given("b", busy))
    (clue,) = [c for c in found.clues if c.code == "helpers"]
    assert clue.numbers == pytest.approx({"calling thread": 0.85, "each helper": 0.95})
    assert "b: the calling thread ran 85 % of the time, its helpers 95 % each" in clue.text


def test_a_summary_counts_networks_not_cases() -> None:
    found = [
        explain(
            given("a", several(network=n, batch=b)), given("b", several(framework="opencv", network=n, batch=b, work=w))
        )
        for n, w in (("resnet18", 2e8), ("resnet50", 4e8))
        for b in (1, 4)
    ]
    summary = summarise(found)
    assert summary is not None
    assert (summary.networks, summary.pairs) == (2, 4)
    assert summary.whole.ratio == pytest.approx(math.sqrt(8), rel=1e-6)
    assert {f.name: f.ratio for f in summary.factors}["work"] == pytest.approx(math.sqrt(8), rel=1e-6)
    assert summarise(found[:2]) is None


def test_a_side_without_a_speed_is_an_error() -> None:
    run = dataclasses.replace(planted(), windows=())
    with pytest.raises(ResultsError, match="no round"):
        explain(given("a", [run]), given("b", several()))


def test_only_threads_that_fill_their_cpus_may_spin() -> None:
    for fields, expected in (
        ({"threads": 2, "parallelism": 1.99}, True),
        ({"threads": 2, "parallelism": 1.5}, False),
        ({"threads": 1, "parallelism": 1.0}, False),
        ({"threads": 2, "parallelism": 1.99, "facts": {"spin": False}}, False),
    ):
        evidence = collect(several(**fields))
        assert evidence is not None
        assert may_spin(evidence) is expected, fields


def test_a_rerun_that_saves_cpu_time_merges_what_spinning_moves() -> None:
    # too little CPU to look busy, yet the rerun needs half of the CPU time
    a = several(threads=2, parallelism=0.8, work=2e8)
    plain = explain(given("a", a), given("b", several(threads=2)))
    assert "parallelism" in [f.name for f in plain.decomposition.factors]
    off = [ChangedRuns("spin", "spin=false", several(threads=2, parallelism=0.4, work=1e8))]
    found = explain(given("a", a, variants=off), given("b", several(threads=2)))
    assert [f.name for f in found.decomposition.factors] == ["clock", "parallelism x ipc x work"]


def test_a_command_or_simulated_window_has_no_factors() -> None:
    window = Window(0, Role.SIMULATED, -1, 0, 10, (10,))
    run = dataclasses.replace(planted(), kind=Kind.SIMULATED, windows=(window,))
    assert collect([run]) is None


LESS = ("cycles", "instructions")


def test_a_switch_whose_effect_only_cpu_time_shows_is_named_first() -> None:
    spin = several(threads=2, parallelism=2.0, work=2e8, leave=LESS)
    calm = several(threads=2, parallelism=1.0, work=1e8, leave=LESS, options={"spin": False})
    found = explain(given("a", spin), given("b", calm), switch="spin-waiting")
    assert "are not distinguishable" in found.headline
    assert "a takes 2.00x [" in found.headline
    assert "Nothing but spin-waiting differs" in found.headline
    assert "CPU time" not in explain(given("a", spin), given("b", calm)).headline
    off = ChangedRuns("spin", "spin=false", calm)
    rerun = explain(given("a", spin, variants=[off]), given("b", several(threads=2, work=1.01e8, leave=LESS)))
    assert "Spin-waiting makes a take 2.00x the CPU time per frame (rerun)" in rerun.headline


def test_simulated_work_is_named_first_only_where_it_carries_the_cpu_time() -> None:
    def side(work: float, simulated: float) -> list[Run]:
        return [*several(leave=LESS, work=work), make_simulated_run(metrics={"instructions": simulated})]

    carried = explain(given("a", side(1e8, 1e8)), given("b", side(3e8, 2.8e8))).headline
    assert carried.endswith(
        "By SIMULATED instructions most of that CPU time is work, 2.80x (an estimate from simulated counts)"
    )
    other = explain(given("a", side(1e8, 1e8)), given("b", side(3e8, 1.1e8))).headline
    assert "SIMULATED" not in other


def test_a_capped_frequency_is_named_by_cycles_and_stands_behind_cpu_time_without_them() -> None:
    def side(hertz: float, **fields: Any) -> list[Run]:
        seen = Series("cpu-frequency", "Hz", "cpu0", "sys", Origin.KERNEL, False, 0, (0, 1, 2), (hertz,) * 3)
        return several(clock=hertz, series=[seen], **fields)

    counted = explain(given("free", side(2e9)), given("capped", side(1e9)))
    assert counted.headline.endswith(f"as fast as capped, {MAINLY} clock 2.00x")
    blind = explain(given("free", side(2e9, leave=LESS)), given("capped", side(1e9, leave=LESS)))
    assert "Mainly accounted for by CPU time per frame (clock, IPC and work, not separable) 2.00x" in blind.headline
    said = [c.text for c in blind.clues if c.code == "frequency"]
    assert said == ["free: cores ran at 2.00 to 2.00 GHz", "capped: cores ran at 1.00 to 1.00 GHz"]


def test_a_factor_that_is_equal_is_not_named_and_its_line_says_what_would_be_seen() -> None:
    found = explain(given("a", several(wobble=0.02, clock=2.6e9)), given("b", several(wobble=0.02)))
    assert found.headline.endswith(f"as fast as b, {MAINLY} clock 1.30x")
    said = text_of(found)
    assert re.search(r"instructions per frame \(100 M against 100 M\): not distinguishable below 1\.0\dx", said)
    assert "clock: mainly" in said
    (data,) = report.document([found], None)["explanations"]
    shown = {f["name"]: f["shown"] for f in data["factors"]}
    assert (shown["clock"], shown["work"]) == ("mainly", "not distinguishable")


def test_two_equal_parts_are_each_partly() -> None:
    found = explain(given("a", several(clock=2.2e9, ipc=1.65)), given("b", several()))
    assert re.search(r"\. Partly accounted for by (.*) 1\.10x and (.*) 1\.10x$", found.headline)


def test_one_round_names_no_factor() -> None:
    found = explain(given("a", [planted(work=0.5e8)]), given("b", [planted()]))
    assert found.headline.endswith("as fast as b. One round has no interval, so that no factor is named")


def test_a_ratio_that_no_factor_shows_says_what_would_have_been_found() -> None:
    """The work wobbles on one side and the IPC on the other by as much, so that only their product is steady."""
    offsets = (-0.15, -0.05, 0.05, 0.15)
    a = [planted(round=i, work=1e8 * math.exp(o), ipc=1.5 * math.exp(o)) for i, o in enumerate(offsets)]
    b = [planted(round=i, work=1.05e8 * math.exp(o), ipc=1.5 * math.exp(o)) for i, o in enumerate(offsets)]
    found = explain(given("a", a), given("b", b))
    assert found.headline.startswith("a is 1.05x [")
    assert "No factor is distinguishable (found would be " in found.headline
    assert re.search(r"instructions per frame 1\.\d\dx", found.headline)
