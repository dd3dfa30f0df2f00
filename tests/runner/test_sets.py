"""Real sets: cases side by side, one of which dies, hangs, spins, eats too much; interrupted, and gone on with."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hwprof.collectors.cooldown import CoolDown
from hwprof.collectors.thermal import Heat
from hwprof.plan.experiment import parse
from hwprof.records import Role, Run
from hwprof.runner import members, stopping
from hwprof.runner.grouping import SPARE_ROUND
from hwprof.runner.rounds import Runner
from hwprof.runner.worker_process import MEMORY_RESERVE
from hwprof.store import Results
from tests.conftest import AddFramework

TEXT = """
name = "side by side"
rounds = 1
[matrix]
frameworks = [FRAMEWORKS]
networks = ["tiny_cnn"]
size = 32
[measure]
window_s = 0.02
alone_s = 0.02
min_iterations = 3
warmup_iterations = 1
timeout_s = 300
[counters]
events = ["task-clock"]
[gauges]
hz = 50
idle_baseline_s = 0
"""


@pytest.fixture(autouse=True)
def marks(add_framework: AddFramework, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> Path:
    """The folder in which those that hang leave a mark; the framework is registered as any other."""
    add_framework("misbehaving", Path(__file__).with_name("misbehaving.py"))
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("HWPROF_TEST_MARKS", str(folder))
    return folder


def misbehaving(*troubles: str, at: str = "infer") -> str:
    names = ", ".join(f'"{trouble}"' for trouble in troubles)
    return f'{{name = "misbehaving", trouble = [{names}], at = "{at}"}}'


def runner(frameworks: str, results: Results | None = None, rounds: int = 1, retry_failed: bool = False) -> Runner:
    text = TEXT.replace("FRAMEWORKS", frameworks).replace("rounds = 1", f"rounds = {rounds}")
    return Runner(parse(text, "s.toml"), results, retry_failed=retry_failed)


def measure(frameworks: str) -> list[Run]:
    return [step.run for step in runner(frameworks).run()]


def of(runs: list[Run], trouble: str) -> list[Run]:
    return [run for run in runs if run.case.option("trouble") == trouble]


def stretches(run: Run) -> Iterator[tuple[int, int]]:
    """When it was measured: each slice, each window."""
    for window in run.windows:
        if window.slices is None:
            yield window.t0_ns, window.t1_ns
        else:
            yield from zip(window.slices.t0_ns, window.slices.t1_ns, strict=True)


def workers() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True) if "-P" in child.cmdline()]


def test_members_take_turns_and_nothing_is_measured_while_another_is() -> None:
    runs = measure(f'"onnxruntime", {misbehaving("none", "chatter")}')
    assert [run.failure for run in runs] == [None] * 3
    facts = [run.facts["set"] for run in runs]
    assert len({told["id"] for told in facts}) == 1
    assert all(sorted(told["members"]) == sorted(run.case.title for run in runs) for told in facts)
    everything = sorted(stretch for run in runs for stretch in stretches(run))
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(everything))
    turns = sorted(
        (t0, turn)
        for run in runs
        for window in run.windows
        if window.role is Role.PAIRED and window.slices is not None
        for t0, turn in zip(window.slices.t0_ns, window.slices.turns, strict=True)
    )
    numbers = [turn for _, turn in turns]
    assert numbers == sorted(numbers)
    assert numbers.count(0) == 3
    assert all(bare.t0_ns > turns[-1][0] for run in runs for bare in run.windows if bare.role is Role.BARE)


def test_one_case_is_a_set_of_one() -> None:
    (run,) = measure('"onnxruntime"')
    assert run.facts["set"]["members"] == [run.case.title]
    assert run.facts["set"]["alone"] is False


@pytest.mark.parametrize("trouble", ["killed", "exits"])
def test_one_that_dies_in_its_turn_leaves_the_others_running(trouble: str) -> None:
    runs = measure(f"{misbehaving('none')}, {misbehaving(trouble, at='turn')}")
    assert [(run.failure and run.failure.code, run.attempt) for run in of(runs, trouble)] == [
        ("killed", 1),
        ("killed", 2),
    ]
    (other,) = of(runs, "none")
    assert other.failure is None
    assert other.windows
    assert len(other.facts["set"]["members"]) == 2  # it was there until it died
    assert workers() == []


def test_one_that_fails_before_its_first_turn_is_tried_again_at_once() -> None:
    runs = measure(misbehaving("none", "raises"))
    assert [run.attempt for run in of(runs, "raises")] == [1, 2]
    (other,) = of(runs, "none")
    assert other.facts["set"]["members"] == [other.case.title]


def test_one_that_hangs_in_its_turn_is_ended_and_the_time_of_waiting_does_not_count(marks: Path) -> None:
    measured = runner(f"{misbehaving('none')}, {misbehaving('hang', at='turn')}")
    # A thousand seconds pass when something hangs: more than any member may take, so that those that waited for longer
    # would be late too if waiting counted.
    measured.launcher.clock = lambda: time.monotonic() + 1000 * len(list(marks.iterdir()))
    runs = [step.run for step in measured.run()]
    assert {run.failure.code for run in of(runs, "hang") if run.failure} == {"timeout"}
    assert [run.failure for run in of(runs, "none")] == [None]


def test_a_stopped_spinner_uses_no_cpu_and_one_that_is_not_stopped_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    frameworks = misbehaving("none", "spins")
    for run in measure(frameworks):
        assert run.failure is None
        assert run.facts["set"]["cpu_moved_ns"] < 1_000_000
        assert "ran-while-stopped" not in {doubt.code for doubt in run.doubts}
    monkeypatch.setattr(stopping, "stop", lambda group: stopping.processes(group))
    runs = measure(frameworks)
    assert of(runs, "spins")[0].facts["set"]["cpu_moved_ns"] > 1_000_000
    for run in runs:
        assert [d.detail["case"] for d in run.doubts if d.code == "ran-while-stopped"] == [
            of(runs, "spins")[0].case.title
        ]


def test_one_that_cannot_be_stopped_fails_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = stopping.stop
    refused: list[int] = []

    def refuse_first(group: int) -> tuple[int, ...] | None:
        if not refused or group in refused:
            refused.append(group)
            return None
        return stop(group)

    monkeypatch.setattr(stopping, "stop", refuse_first)
    runs = measure(misbehaving("none", "chatter"))
    failed = [run for run in runs if run.failure is not None]
    assert ["could not be stopped" in run.failure.message for run in failed if run.failure] == [True]
    assert len([run for run in runs if run.failure is None]) == 2


def test_an_interrupted_set_leaves_nothing_of_its_round_and_is_repeated_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frameworks = misbehaving("none", "chatter")
    take_turn, taken = members.Member.take_turn, itertools.count()

    def interrupted(member: members.Member, stop: bool) -> None:
        if next(taken) == 15:  # in the second round: the first has two members with six turns each
            raise KeyboardInterrupt
        take_turn(member, stop)

    with Results.open(tmp_path / "r.db", create=True) as results:
        with monkeypatch.context() as context:
            context.setattr(members.Member, "take_turn", interrupted)
            with pytest.raises(KeyboardInterrupt):
                list(runner(frameworks, results, rounds=2).run())
        assert workers() == []
        before = list(results.runs())
        assert [run.round for run in before] == [0, 0]
        list(runner(frameworks, results, rounds=2).run())
        runs = list(results.runs())
        assert [run.round for run in runs] == [0, 0, 1, 1]
        assert [len({run.facts["set"]["id"] for run in runs if run.round == n}) for n in (0, 1)] == [1, 1]
        assert list(runner(frameworks, results, rounds=2).run()) == []


def test_a_case_that_is_tried_again_comes_in_a_whole_new_set(marks: Path, tmp_path: Path) -> None:
    frameworks = misbehaving("none", "uncured")
    with Results.open(tmp_path / "r.db", create=True) as results:
        first = [step.run for step in runner(frameworks, results).run()]
        assert [run.failure is None for run in of(first, "uncured")] == [False, False]
        assert list(runner(frameworks, results).run()) == []
        # still uncured: nothing but this is measured
        again = [step.run for step in runner(frameworks, results, retry_failed=True).run()]
        assert of(again, "none") == []
        (marks / "cured").touch()
        cured = [step.run for step in runner(frameworks, results, retry_failed=True).run()]
        assert [run.failure for run in cured] == [None, None]
        assert {run.round for run in cured} == {1}
        assert of(cured, "none")[0].facts["set"]["id"] != of(first, "none")[0].facts["set"]["id"]
        assert list(runner(frameworks, results, retry_failed=True).run()) == []


@pytest.mark.parametrize("frameworks", ['"onnxruntime"', '"onnxruntime", "opencv"'])
def test_a_set_is_measured_when_the_machine_is_cool_and_rests_meanwhile(frameworks: str) -> None:
    now_s, told, states = 0.0, list[str](), set[str]()
    # at the start, before the turns, before the first stretch, and hot before any other
    celsius = iter([50.0, 80.0, 52.0, 53.0, *itertools.repeat(80.0, 100)])

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        states.update(psutil.Process(pid).status() for pid in workers())

    measured = runner(frameworks)
    measured.cooldown = CoolDown(20.0, told.append, lambda: Heat(next(celsius), "soc"), lambda: now_s, sleep)
    runs = [step.run for step in measured.run()]
    assert [run.failure for run in runs] == [None] * len(runs)
    assert states == {psutil.STATUS_STOPPED}
    assert {run.facts["cooldown"]["before_turns"]["waited_s"] for run in runs} == {0.5}
    ends = sorted(run.facts["cooldown"]["before_stretch"]["ended"] for run in runs)
    assert ends == ["cool", "settled"][: len(runs)]
    hot = [run for run in runs if run.facts["cooldown"]["before_stretch"]["ended"] == "settled"]
    assert [run for run in runs if "hot" in {doubt.code for doubt in run.doubts}] == hot
    assert len(told) == len(runs)


def limited(frameworks: str, monkeypatch: pytest.MonkeyPatch, fitting: float) -> list[Run]:
    """A sweep of cases of equal size where so many fit into memory together."""
    free = MEMORY_RESERVE + 1
    monkeypatch.setattr(members, "peak_bytes", lambda pid: int(0.8 * free / fitting))
    measured = runner(frameworks)
    measured.launcher.headroom = lambda: free
    return [step.run for step in measured.run()]


def test_what_does_not_fit_into_memory_meets_the_reference_in_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = limited(f'{misbehaving("none", "chatter")}, "onnxruntime"', monkeypatch, 2.5)
    assert [run.failure for run in runs] == [None] * 4
    parts = {run.facts["set"]["group"]: run.facts["set"] for run in runs}
    assert [len(parts[number]["members"]) for number in (0, 1)] == [2, 2]
    assert parts[0]["members"][0] == parts[1]["members"][0]
    assert parts[0]["id"] != parts[1]["id"]
    reference = [run for run in runs if run.case.title == parts[0]["members"][0]]
    assert [run.round for run in reference] == [0, SPARE_ROUND]


def test_what_fits_beside_nothing_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = limited(misbehaving("none", "chatter"), monkeypatch, 1.5)
    assert [run.failure for run in runs] == [None] * 2
    assert [len(run.facts["set"]["members"]) for run in runs] == [1, 1]
    assert [run.facts["set"]["alone"] for run in runs] == [False, True]
