"""Experiment files: what is expanded, and every mistake named."""

from __future__ import annotations

import pytest

from hwprof.analysis.statistics.partial import MIN_TESTED
from hwprof.collectors.cooldown import LIMIT_S
from hwprof.errors import BadExperiment, UsageError
from hwprof.plan import experiment
from hwprof.plan.experiment import Choice, Experiment, parse, single
from hwprof.worker.protocol import LoopSettings

GOOD = """
format = 1
name = "mine"
seed = 3
rounds = 2
[matrix]
frameworks = ["onnxruntime", {name = "pytorch", mode = ["eager", "inductor"]}]
networks = ["resnet18", "alexnet"]
batch = [1, 4]
exclude = [{framework = "pytorch", batch = 4}]
[launch]
onnxruntime = {spin = false}
"""


def test_a_matrix_is_expanded_with_modes_options_and_exclusions() -> None:
    found = parse(GOOD, "x.toml")
    assert len(found.choices) == 2 * 2 + 2 * 2 * 1
    assert {c.options for c in found.choices if c.framework == "onnxruntime"} == {(("spin", False),)}
    assert {dict(c.options)["mode"] for c in found.choices if c.framework == "pytorch"} == {"eager", "inductor"}
    assert {c.batch for c in found.choices if c.framework == "pytorch"} == {1}


def test_every_round_holds_every_case_in_an_order_of_its_own_that_a_seed_repeats() -> None:
    found = parse(GOOD, "x.toml")
    rounds = [found.order(number) for number in range(2)]
    assert [sorted(r) for r in rounds] == [list(range(8))] * 2
    assert rounds[0] != rounds[1]
    assert rounds == [parse(GOOD, "x.toml").order(number) for number in range(2)]


def test_the_plan_hash_follows_what_is_measured_and_not_the_comments() -> None:
    base = parse(GOOD, "x.toml").plan_hash
    assert parse(GOOD + "# a comment\n", "x.toml").plan_hash == base
    assert parse(GOOD.replace("rounds = 2", "rounds = 3"), "x.toml").plan_hash != base


def test_the_time_to_cool_down_is_part_of_the_plan_unless_it_is_the_default() -> None:
    def spec(seconds: float) -> Experiment:
        return parse(GOOD + f"[measure]\ncooldown_s = {seconds}\n", "x.toml")

    base = parse(GOOD, "x.toml")
    assert base.cooldown_s == LIMIT_S
    assert spec(LIMIT_S).plan_hash == base.plan_hash
    assert spec(0).cooldown_s == 0
    assert spec(0).plan_hash != base.plan_hash


def test_counters_after_every_inference_are_another_plan() -> None:
    base = parse(GOOD, "x.toml")
    recorded = parse(GOOD + "[measure]\nper_iteration = true\n", "x.toml")
    assert (base.plan.per_iteration, recorded.plan.per_iteration) == (False, True)
    assert recorded.plan_hash != base.plan_hash
    assert parse(GOOD + "[measure]\nper_iteration = false\n", "x.toml").plan_hash == base.plan_hash


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rounds = 2", "round = 2", "unknown key 'round'. Did you mean 'rounds'?"),
        ("batch = [1, 4]", "batches = [1, 4]", "unknown key 'batches' in [matrix]. Did you mean 'batch'?"),
        ("batch = [1, 4]", "batch = [0]", "matrix.batch must be a whole number from 1 to 65536, not 0"),
        ("batch = [1, 4]", 'batch = ["one"]', "'one' is not of the type int"),
        ("rounds = 2", "rounds = 0", "rounds must be a whole number from 1 to 100000, not 0"),
        ("format = 1", "format = 9", "format 9 is unknown"),
        ("spin = false}", 'spin = false}\npolicy = "fast"', "launch.policy = 'fast'"),
        ("[launch]\nonnxruntime", "[launch]\ncaffe", "[launch] names 'caffe'"),
        ("exclude = [{framework", "exclude = [{frame", "exclude knows no 'frame'"),
        ('"onnxruntime", {', '"onnxruntime", {nam = "x"}, {', "a framework needs a name"),
        ("rounds = 2", "rounds = ", "not valid TOML"),
        ("[matrix]", "[matriz]", "unknown key 'matriz'. Did you mean 'matrix'?"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(BadExperiment) as caught:
        parse(GOOD.replace(old, new), "x.toml")
    assert says in str(caught.value)


def test_a_missing_experiment_names_those_that_exist() -> None:
    with pytest.raises(BadExperiment, match="Did you mean 'quick'"):
        experiment.load("quik")
    with pytest.raises(BadExperiment, match="No experiment file"):
        experiment.load("nowhere/at/all.toml")


def test_quick_sweeps_as_many_networks_as_a_correlation_needs_in_two_frameworks() -> None:
    quick = experiment.load("quick")
    assert len({c.network for c in quick.choices}) == MIN_TESTED
    assert len({c.framework for c in quick.choices}) == 2
    assert not quick.simulation.networks, "instructions are a covariate of each"
    assert quick.simulation.when == "no-pmu"


@pytest.mark.parametrize(("field", "value"), [("batch", 0), ("threads", -3), ("size", -1)])
def test_a_single_case_with_impossible_numbers_is_refused(field: str, value: int) -> None:
    plain = {"framework": "x", "network": "y", "size": 0, "batch": 1, "threads": 1, "precision": "fp32", "options": ()}
    with pytest.raises(UsageError, match=str(value)):
        single(Choice(**{**plain, field: value}), LoopSettings())  # type: ignore[arg-type]


def test_the_same_single_case_again_is_another_experiment() -> None:
    choice = Choice("onnxruntime", "tiny_cnn", 0, 1, 1, "fp32", ())
    assert single(choice, LoopSettings()).plan_hash != single(choice, LoopSettings()).plan_hash


def test_the_same_run_twice_is_measured_twice() -> None:
    import argparse

    from hwprof.cli import run

    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    args = parser.parse_args(["-n", "tiny_cnn"])
    assert run.experiment_of(args).plan_hash != run.experiment_of(args).plan_hash


def test_counters_after_every_inference_are_read_inside_the_process_alone() -> None:
    import argparse

    from hwprof.cli import run

    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    assert run.experiment_of(parser.parse_args(["-n", "tiny_cnn", "--per-iteration"])).plan.per_iteration
    with pytest.raises(UsageError, match="inside the measured process"):
        run.experiment_of(parser.parse_args(["-n", "tiny_cnn", "--per-iteration", "--backend", "perf"]))
