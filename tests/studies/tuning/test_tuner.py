"""Tuning for real, with ONNX Runtime on a tiny network: kept, gone on with, used by `policy = "tuned"`, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.errors import BadExperiment, NotAvailable, UsageError
from hwprof.machine.facts import hardware
from hwprof.plan import policy
from hwprof.plan.experiment import Choice, parse
from hwprof.records import Kind, Role, Run, Slices, Window
from hwprof.reports import tables
from hwprof.reports.page import content
from hwprof.reports.terminal import tuning as shown
from hwprof.runner.rounds import Runner
from hwprof.store import Results
from hwprof.studies.tuning.space import Request
from hwprof.studies.tuning.tuner import Measurement, Tuner, TuningResult, speed_ratio
from hwprof.worker.protocol import LoopSettings
from tests.factories import make_case

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cache")]

PLAN = LoopSettings(iterations=3, min_iterations=3, warmup_iterations=1, events=(), closed_window=False)
EXPERIMENT = """
name = "tuned"
rounds = 1
[matrix]
frameworks = ["onnxruntime"]
networks = ["tiny_cnn"]
[launch]
policy = "tuned"
[measure]
iterations = 3
warmup_iterations = 1
[counters]
events = ["task-clock"]
[gauges]
idle_baseline_s = 0.0
"""


def request(**fields: Any) -> Request:
    choice = Choice("onnxruntime", "tiny_cnn", 0, 1, fields.pop("threads", 0), "fp32", fields.pop("options", ()))
    vary = {"threads": (1,), "cpus": ("chosen",), "graph": ("all", "basic"), "spin": (True,), "xnnpack": (False,)}
    fields = {"vary": vary, "budget_s": 0.1, "timeout_s": 600.0, **fields}
    return Request(choice, plan=PLAN, **fields)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuningResult, list[Measurement]]:
    """One search that was broken off after its first set and gone on with; results file, outcome, steps."""
    path = tmp_path_factory.mktemp("tuned") / "r.db"
    steps: list[Measurement] = []

    def stop(step: Measurement) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, Results.open(path, create=True) as results:
        patch.setenv("HWPROF_CACHE", str(tmp_path_factory.getbasetemp() / "hwprof-cache"))
        with pytest.raises(KeyboardInterrupt):
            Tuner(request(), results, watch=stop).run()
        outcome = Tuner(request(), results, watch=steps.append).run()
    return path, outcome, steps


def test_a_search_goes_on_where_it_was_stopped(tuned: tuple[Path, TuningResult, list[Measurement]]) -> None:
    path, outcome, steps = tuned
    first = [s.round for s in steps].count(0)
    assert first == 2  # the default and its one change
    assert [s.from_results for s in steps] == [True] * first + [False] * (len(steps) - first)
    assert outcome.measured == len(steps) - first
    with Results.open(path) as results:
        runs = list(results.runs())
        assert len(runs) == len(steps)
        assert {r.kind for r in runs} == {Kind.TUNING}
        assert all(r.facts["tuning"]["search"] == outcome.kept.evidence["experiment"] for r in runs)


def test_a_finished_search_is_not_measured_again_and_ends_the_same(
    tuned: tuple[Path, TuningResult, list[Measurement]],
) -> None:
    path, outcome, _ = tuned
    with Results.open(path) as results:
        again = Tuner(request(), results).run()
    assert again.measured == 0
    assert (again.kept.parameters(), again.found) == (outcome.kept.parameters(), outcome.found)


def test_the_winner_is_kept_with_its_evidence(tuned: tuple[Path, TuningResult, list[Measurement]]) -> None:
    path, outcome, _ = tuned
    with Results.open(path) as results:
        (kept,) = results.tunings(hardware())
        assert results.tunings({"another": "machine"}) == []
    assert kept.key == outcome.subject.key
    assert kept.winner == outcome.kept.parameters()
    assert kept.evidence["subject"]["network"] == "tiny_cnn"
    assert kept.evidence["distributions"]["onnxruntime"]
    assert {c["changes"] for c in kept.evidence["candidates"]} <= {"default", "graph=basic"}
    assert "default" in shown.text(outcome)


def test_a_tuned_experiment_takes_the_winner_and_its_runs_say_so(
    tuned: tuple[Path, TuningResult, list[Measurement]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, outcome, _ = tuned
    # another winner than the default, so that taking it shows; the evidence is not looked into
    winner = {"threads": 1, "cpus": outcome.kept.parameters()["cpus"], "options": {"graph": "basic"}}
    told = {**outcome.kept.evidence, "ratio": 1.2, "low": 1.1, "high": 1.3, "rounds": 5, "changes": {"graph": "basic"}}
    told["distributions"] = {**told["distributions"], "numpy": "0.1"}
    with Results.open(path) as results:
        results.add_tuning(hardware(), outcome.subject.key, winner, told)
        (step,) = Runner(parse(EXPERIMENT, "t.toml"), results).run()
        run = results.find(step.run.uid)
        report = content.build(results.frame(), results.runs())
        results.add_tuning(hardware(), outcome.subject.key, outcome.kept.parameters(), outcome.kept.evidence)
    assert run.failure is None
    assert run.kind is Kind.NATIVE
    assert run.case.options == (("graph", "basic"),)
    assert run.facts["graph_level"] == "basic"
    assert run.facts["tuned"]["experiment"] == outcome.kept.evidence["experiment"]
    assert [d.code for d in run.doubts if d.code == "tuned-before"] == ["tuned-before"]
    said = tables.terminal(report, 400)
    assert "1.200x [1.100, 1.300]" in said
    assert outcome.kept.evidence["experiment"] in said
    # the candidates of the search are no results of their own
    assert list(report.fps["variant"]) == ["onnxruntime tuned"]


def test_a_winner_of_another_version_or_machine_is_not_used(
    tuned: tuple[Path, TuningResult, list[Measurement]],
) -> None:
    path, outcome, _ = tuned
    spec = parse(EXPERIMENT, "t.toml")
    told = outcome.kept.evidence
    older = {**told, "distributions": {**told["distributions"], "onnxruntime": "0.1"}}
    with Results.open(path) as results:
        results.add_tuning(hardware(), outcome.subject.key, outcome.kept.parameters(), older)
        try:
            with pytest.raises(NotAvailable, match=r"for 1 of 1 case \(onnxruntime 0\.1 -> .* since\)"):
                list(Runner(spec, results).run())
            assert list(policy.missing_tunings(spec, policy.winners(results, hardware()))) == [outcome.subject.key]
            with pytest.raises(NotAvailable, match=r"for 1 of 1 case\. "):
                policy.cases(spec, results, {"another": "machine"})
        finally:
            results.add_tuning(hardware(), outcome.subject.key, outcome.kept.parameters(), told)
        assert policy.missing_tunings(spec, policy.winners(results, hardware())) == {}


def test_without_a_tuning_the_error_names_the_command(tmp_path: Path) -> None:
    spec = parse(EXPERIMENT.replace('["tiny_cnn"]', '["tiny_cnn", "squeezenet1_1"]\nbatch = [2]'), "t.toml")
    with (
        Results.open(tmp_path / "r.db", create=True) as results,
        pytest.raises(
            NotAvailable, match=r"for 2 of 2 cases. hwprof tune -f onnxruntime -n tiny_cnn -b 2 -s 32 .*1 more"
        ),
    ):
        list(Runner(spec, results).run())


def test_threads_that_are_given_are_part_of_what_is_tuned() -> None:
    free, given = parse(EXPERIMENT, "t"), parse(EXPERIMENT.replace("[launch]", "threads = [2]\n[launch]"), "t")
    assert [c.threads for c in free.choices] == [0]
    (subject,) = (s for _, _, s in policy.subjects(given))
    assert subject.threads == 2
    assert subject.command("tiny_cnn").endswith("-s 32 -t 2")
    assert set(policy.missing_tunings(given, {})) != set(policy.missing_tunings(free, {}))


def test_a_policy_belongs_to_the_plan_and_an_unknown_one_is_refused() -> None:
    tuned = parse(EXPERIMENT, "t")
    plain = parse(EXPERIMENT.replace('policy = "tuned"', 'policy = "default"'), "t")
    assert tuned.plan_hash != plain.plan_hash
    with pytest.raises(BadExperiment, match=r"launch\.policy = 'best'\. 'default', or 'tuned'"):
        parse(EXPERIMENT.replace('"tuned"\n[measure]', '"best"\n[measure]'), "t")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"vary": {"warp": (1,)}}, "nothing called 'warp' to vary"),
        ({"vary": {"graph": ("some",)}}, "knows no graph = 'some'"),
        ({"vary": {"threads": (0,)}}, "Whole numbers of at least 1"),
        ({"vary": {"threads": (1, 2)}, "threads": 1}, "both set and varied"),
        ({"options": (("warp", 1),), "vary": {}}, "no option 'warp'"),
    ],
)
def test_what_cannot_be_searched_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Tuner(request(**fields)).run()


def test_the_command_prints_its_evidence_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tune", "-n", "tiny_cnn", "--budget", "0.1s", "--window", "0.01", "--timeout", "600"]
    words += [
        "--vary",
        "cpus=chosen",
        "--vary",
        "graph=all",
        "--vary",
        "spin=true",
        "--vary",
        "xnnpack=false",
        "-t",
        "1",
    ]
    assert main([*words, "--json", "--results", str(tmp_path / "r.db")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    (told,) = document["tunings"]
    assert told["winner"]["threads"] == 1
    assert told["evidence"]["measurements"] >= 1
    assert main(["tune", "--list", "--results", str(tmp_path / "r.db")]) == 0
    assert "onnxruntime tiny_cnn 32px b1 fp32" in capsys.readouterr().out


@pytest.mark.parametrize("budget", ["soon", "0s", "-5s", "5d"])
def test_a_budget_is_a_time(budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", f"--budget={budget}", "--no-save"]) == 2
    assert "as 120s, 5m or 1h" in capsys.readouterr().err


def test_the_candidates_of_a_round_are_measured_side_by_side_and_their_ratio_is_of_slices(
    tuned: tuple[Path, TuningResult, list[Measurement]],
) -> None:
    path, outcome, _ = tuned
    with Results.open(path) as results:
        runs = list(results.runs(kind=Kind.TUNING))  # other tests measure with the winner
    for number in {run.round for run in runs}:
        one = [run for run in runs if run.round == number]
        # one whose turns depend on others even when they are long goes alone, which is recorded
        together = [run for run in one if not run.facts["set"]["alone"]]
        assert len({run.facts["set"]["id"] for run in together}) <= 1
        assert {len(run.facts["set"]["members"]) for run in together} <= {len(together)}
    trials = {(trial.candidate, trial.round): trial.measured.ratio for trial in outcome.found.trials}
    assert {ratio for (candidate, _), ratio in trials.items() if candidate == outcome.found.default} == {1.0}


def test_a_ratio_is_the_median_over_common_turns() -> None:
    def run(*latencies: int) -> Run:
        count = len(latencies)
        slices = Slices(tuple(range(count)), tuple(range(1, count + 1)), (1,) * count, tuple(range(count)))
        window = Window(0, Role.PAIRED, -1, 0, count, latencies, slices=slices)
        return Run("1", make_case(), windows=(window,), facts={"set": {"id": "a"}})

    # the machine slows down by a factor of ten, for both: a ratio of medians would say something else
    found = speed_ratio(run(5, 50, 500), run(10, 100, 1000, 7))
    assert found is not None
    assert found[0] == pytest.approx(2.0)
    assert speed_ratio(run(10), run(0)) is None
