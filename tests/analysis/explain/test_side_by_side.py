"""What is said of pairs measured side by side, on shared cores, and where measurements contradict each other."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import ChangedRuns, Explanation, SideRuns
from hwprof.analysis.explain.wording import summarise
from hwprof.analysis.factors.ratio import excludes_one
from hwprof.cli import main
from hwprof.records import Run
from hwprof.reports.html import gather, page
from hwprof.reports.terminal import explain as report
from hwprof.store import Results
from tests.analysis.planted import in_slices, preempted, several
from tests.cli.test_report import stored


def sliced(sets: str, alone: float = 1.0, **fields: Any) -> list[Run]:
    """Rounds in slices, one in each of these sets."""
    return [in_slices(run, name, alone) for run, name in zip(several(len(sets), **fields), sets, strict=True)]


def of(a: list[Run], b: list[Run], **fields: Any) -> Explanation:
    return explain(SideRuns("a", a), SideRuns("b", b), **fields)


def text_of(*found: Explanation) -> str:
    return " ".join(report.text(found, summarise(found), 100, full=True).split())


def x39(counters: bool = False) -> tuple[list[Run], list[Run]]:
    """A short and a long inference on one core that three busy loops use as well; x9 apart by what they compute."""
    sides = (("squeezenet1_1", 0.5), ("resnet18", 4.5))
    a, b = ([preempted("onnxruntime", n, ms, r, f"set {r}", counters) for r in range(4)] for n, ms in sides)
    return a, b


def numbers(data: Any) -> list[float]:
    """All ratios in a document, at whatever depth."""
    if isinstance(data, dict):
        own = [data["ratio"]] if isinstance(data.get("ratio"), float) else []
        return own + [v for part in data.values() for v in numbers(part)]
    return [v for part in data for v in numbers(part)] if isinstance(data, list) else []


def ratios_in(text: str) -> list[float]:
    return [float(v) for v in re.findall(r"(\d+\.\d+)x", text)]


@pytest.mark.parametrize("counters", [True, False])
def test_a_shared_core_gives_a_ratio_of_cpu_time_and_its_reason_but_none_of_fps(counters: bool) -> None:
    a, b = x39(counters)
    found = of(a, b)
    first, _, rest = found.headline.partition(" as fast as b ")
    assert ratios_in(first)[0] == pytest.approx(9.0, rel=0.02)
    assert rest.startswith("by CPU time per frame (FPS / throughput is ")
    assert "preempted: " in rest
    assert found.decomposition.decided
    # neither here nor elsewhere is there a ratio of the two speeds by FPS or by time
    by_fps = found.decomposition.ratio_by(Estimator.FPS)
    assert by_fps is not None
    assert by_fps > 20
    assert max(ratios_in(text_of(found))) < 12
    (data,) = report.document([found], None)["explanations"]
    assert not [v for v in numbers(data) if abs(v / by_fps - 1) < 0.05]
    factors = [f["name"] for f in data["factors"]]
    assert factors == (["clock", "ipc", "work"] if counters else ["clock x ipc x work"])
    assert (data["throughput"], data["observer"], data["tail"]) == (None, None, None)


def test_the_three_speeds_of_each_side_stand_together() -> None:
    a, b = x39()
    said = text_of(of(a, b))
    assert re.search(
        r"a: FPS [\d,]+, throughput \d+(\.\d)? frames/s, CPU time 0.5 ms per frame, \d+ % of the time", said
    )
    assert re.search(r"b: FPS [\d.,]+, throughput [\d.]+ frames/s, CPU time 4.5 ms per frame, \d+ % of the time", said)
    assert "= speed by CPU time per frame" in said
    assert "paired t over sets, 4 and 4; measured side by side" in said


def test_a_quiet_pair_in_sets_is_compared_by_fps_as_ever() -> None:
    found = of(sliced("pqrs"), sliced("pqrs", work=2.5e8))
    words = r"a is 2\.50x \[.*\] as fast as b, 95 % interval over sets\. Mainly .* instructions per frame 2\.50x"
    assert re.fullmatch(words, found.headline)
    assert found.notes == ()
    (data,) = report.document([found], None)["explanations"]
    assert (data["estimator"], data["sets"], data["omitted"], data["conflict"]) == ("FPS", 4, [0, 0], False)
    assert data["alone"]["ratio"] == pytest.approx(2.5, rel=1e-6)


def test_slices_and_bare_stretches_that_contradict_each_other_are_both_said_and_rank_nothing() -> None:
    found = of(sliced("pqrs", 0.7, wobble=0.001), sliced("pqrs", work=1.2e8, wobble=0.001))
    assert found.headline.startswith("a and b are not ranked: 1.20x [")
    assert "0.84x [" in found.headline
    (note,) = found.notes
    assert "1.20x [" in note
    assert "0.84x [" in note
    (data,) = report.document([found], None)["explanations"]
    assert data["conflict"]
    assert not data["decided"]
    assert data["alone"]["ratio"] == pytest.approx(0.84, rel=1e-6)
    assert " as fast as " not in text_of(found)


def test_a_switch_whose_effect_slices_and_stretches_contradict_is_no_effect() -> None:
    fast, slow = sliced("pqrs", 0.7, wobble=0.001), sliced("pqrs", work=1.2e8, wobble=0.001)
    assert "the effect of that" in of(fast[:], sliced("pqrs", 0.7, work=1.2e8, wobble=0.001), switch="S").headline
    assert "the effect of that" not in of(fast, slow, switch="S").headline


def test_rounds_without_a_partner_are_left_out_and_said() -> None:
    found = of(sliced("pqrst"), sliced("qrsx", work=2e8))
    assert found.decomposition.rounds == (3, 3)
    assert list(found.notes) == [
        "left out, 2 of the rounds of a: the other was not measured in their sets",
        "left out, 1 of the rounds of b: the other was not measured in their sets",
    ]


@pytest.mark.parametrize("emulated", [True, False])
def test_a_run_beside_members_of_a_set_is_marked_as_not_beside_them(emulated: bool) -> None:
    other = several(work=2e8, host={"emulated": True}) if emulated else several(work=2e8)
    found = of(sliced("pqrs"), other, same_experiment=not emulated)
    assert any(note.startswith("not measured side by side") for note in found.notes)
    assert found.decomposition.sets == 0
    assert any("EMULATED" in note for note in found.notes) is emulated


def test_a_rerun_is_compared_within_the_sets_that_have_all_four() -> None:
    fields: dict[str, Any] = {"wobble": 0.2}  # a drift that all members of a set share
    a, b = sliced("pqrs", **fields), sliced("pqrs", work=3.1e8, **fields)
    capped = ChangedRuns("simd", "CAP=1", sliced("pqrs", work=3e8, **fields))
    found = explain(SideRuns("a", [*a, *sliced("x", work=1e7)], variants=[capped]), SideRuns("b", b))
    (done,) = found.interventions
    (effect,) = done.effects
    assert effect.speed.ratio == pytest.approx(3.0, rel=1e-6)
    assert excludes_one(effect.speed)
    assert done.rerun.sets == done.before.sets == 4
    assert sum(math.log(f.ratio) for f in done.chain) == pytest.approx(math.log(done.before.whole.ratio), abs=1e-9)
    assert "because of wide vector instructions: with CAP=1 the ratio is 1.03x (rerun)" in found.headline


def test_a_rerun_that_others_disturbed_is_no_cause_by_fps() -> None:
    a, b = x39()
    capped = [preempted("onnxruntime", "squeezenet1_1", 4.4, r, f"set {r}") for r in range(4)]
    found = explain(SideRuns("a", a, variants=[ChangedRuns("simd", "CAP=1", capped)]), SideRuns("b", b))
    (done,) = found.interventions
    assert done.before.choice.estimator.value == "CPU time per frame"
    assert done.effects[0].speed.ratio == pytest.approx(8.8, rel=0.02)
    assert sum(math.log(f.ratio) for f in done.chain) == pytest.approx(math.log(done.before.whole.ratio), abs=1e-9)
    assert "because of wide vector instructions" in found.headline
    assert re.search(r"Vectors wider than the cap make a 8\.8\dx \[.*?\] as fast by CPU time per frame", text_of(found))


def test_a_summary_is_by_the_estimator_that_survives_in_every_pair() -> None:
    a, b = x39()
    quiet = [of(sliced("pqrs", network=n), sliced("pqrs", network=n, work=2e8)) for n in ("resnet50", "alexnet")]
    summary = summarise(quiet)
    assert summary is not None
    assert (summary.choice.estimator.value, summary.notes) == ("FPS", ())
    assert [f.name for f in summary.factors][-2:] == ["observer", "tail"]
    mixed = summarise([*quiet, of(a, b)])
    assert mixed is not None
    assert mixed.choice.estimator.value == "CPU time per frame"
    assert mixed.whole.ratio == pytest.approx((2 * 2 * 9) ** (1 / 3), rel=0.02)
    assert mixed.factors == ()


def test_the_page_says_of_a_shared_core_what_the_command_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        preempted(framework, "squeezenet1_1", ms, r, f"set {r}")
        for framework, ms in (("onnxruntime", 0.5), ("opencv", 4.5))
        for r in range(4)
    ]
    runs = [dataclasses.replace(run, macs=349_000_000) for run in runs]
    path = stored(tmp_path / "r.db", runs)
    assert main(["explain", "onnxruntime", "opencv", str(path), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["explanations"]
    assert said["estimator"] == "CPU time per frame"
    with Results.open(path) as results:
        found = gather.gather(results)
    section = next(s for s in page.build(found).sections if s.key == "factors")
    (figure,) = section.figures
    assert re.match(r"onnxruntime is 9\.\d\dx .* as fast as opencv by CPU time per frame, in factors", figure.title)
    assert said["headline"] in figure.note
    assert figure.rows[-1] == tuple(said["ratio"][n] for n in ("name", "ratio", "low", "high"))
    table = next(t for t in section.tables if t.title == "Every pair in its factors")
    assert table.rows[0][4] == "CPU time per frame"
    identity = next(t for t in section.tables if t.title == "Throughput in its factors")
    assert any(row[5].endswith(" (disturbed)") for row in identity.rows)
