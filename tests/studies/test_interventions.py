"""Interventions change one thing by the framework's own switch, in the same experiment as the unchanged pair."""

from __future__ import annotations

import dataclasses

import pytest

from hwprof.errors import NotAvailable, UsageError
from hwprof.frameworks import switches
from hwprof.plan.cases import check_options, environ_of, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plugins import adapter
from hwprof.records import Case
from hwprof.studies import interventions
from tests.factories import make_case

RECIPE = "builtin-3 seed 7"


def case(framework: str = "onnxruntime", threads: int = 2, cpus: tuple[int, ...] = (0, 1), **options: object) -> Case:
    return make_case(framework, threads=threads, cpus=cpus, recipe=RECIPE, options=options)  # type: ignore[arg-type]


def planned(kind: str, a: Case, b: Case, allowed: tuple[int, ...] = (0, 1, 2, 3)) -> interventions.Rerun:
    return interventions.plan(kind.split(","), a, b, allowed, "x86_64")


def test_spin_off_measures_both_sides_unchanged_and_changed_in_one_experiment() -> None:
    found = planned("spin", case(), case("opencv"))
    choices = {(c.framework, bool(c.options)) for c in found.experiment.choices}
    assert choices == {("onnxruntime", False), ("onnxruntime", True), ("opencv", False), ("opencv", True)}
    assert found.experiment.seed == 7
    assert dict(next(c for c in found.experiment.choices if c.framework == "onnxruntime" and c.options).options) == {
        "spin": False
    }


def test_a_side_without_a_switch_is_left_as_it_is_and_said() -> None:
    found = planned("simd", case(), case("opencv"))
    assert [c.framework for c in found.experiment.choices] == ["onnxruntime", "opencv", "opencv"]
    [(kind, title, why)] = found.impossible
    assert (kind, title) == ("simd", case().title)
    assert "no switch" in why
    with pytest.raises(NotAvailable, match="neither side"):
        planned("simd", case(), case("mnn"))
    with pytest.raises(NotAvailable, match="nobody"):
        planned("spin", case(threads=1), case("opencv", threads=1))


def test_affinity_moves_to_other_cores_else_to_all() -> None:
    one = case(threads=1, cpus=(1,))
    assert interventions.other_cpus(one, (0, 1)) == (0,)
    assert interventions.other_cpus(case(cpus=(0, 1)), (0, 1, 2)) == (0, 1, 2)
    assert isinstance(interventions.other_cpus(case(cpus=(0, 1)), (0, 1)), str)
    found = planned("affinity", one, case("opencv", threads=1, cpus=(1,)), (0, 1))
    assert [c.cpus for c in found.experiment.choices] == ["1", "1", "0", "0"]


@pytest.mark.parametrize("kind", ["spin", "simd", "graph", "pages", "allocator"])
def test_a_changed_case_is_recognised_again(kind: str) -> None:
    base = case("opencv")
    options = switches.change_of(kind, base)
    assert not isinstance(options, str)
    changed = dataclasses.replace(base, options=tuple(sorted(options.items())))
    assert switches.kind_of(base, changed) == kind
    assert switches.kind_of(base, dataclasses.replace(base, cpus=(3,))) == "affinity"
    assert switches.kind_of(base, dataclasses.replace(changed, cpus=(3,))) == ""
    assert switches.kind_of(base, dataclasses.replace(base, options=(("winograd", False),))) == ""


def test_several_kinds_share_one_experiment_and_what_cannot_be_changed_is_said_of_each() -> None:
    found = planned("simd,graph,spin", case(threads=1), case("opencv", threads=1))
    assert found.kinds == ("simd", "graph")
    assert [c.framework for c in found.experiment.choices] == [
        "onnxruntime",
        "opencv",
        "opencv",
        "onnxruntime",
        "opencv",
    ]
    assert found.experiment.one_set
    assert {(kind, title) for kind, title, _ in found.impossible} == {
        ("simd", case(threads=1).title),
        ("spin", case(threads=1).title),
        ("spin", case("opencv", threads=1).title),
    }


def test_what_this_machine_cannot_do_changes_neither_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interventions, "why_none_on_request", lambda: "huge pages are off")
    with pytest.raises(NotAvailable, match="huge pages are off"):
        planned("pages", case(), case("opencv"))


def test_the_same_test_goes_on_and_another_begins_anew_and_old_plans_keep_their_hash() -> None:
    pair = (case(), case("opencv"))
    assert planned("spin", *pair).experiment.plan_hash == planned("spin", *pair).experiment.plan_hash
    assert planned("spin", *pair).experiment.plan_hash != planned("spin,graph", *pair).experiment.plan_hash
    assert (
        planned("spin", *pair).experiment.plan_hash
        != planned("spin", pair[0], case("opencv", threads=4)).experiment.plan_hash
    )
    choice = Choice("onnxruntime", "tiny_cnn", 0, 1, 1, "fp32", ())
    plain = Experiment("e", (choice,))
    assert plain.plan_hash != Experiment("e", (dataclasses.replace(choice, cpus="0"),)).plan_hash
    assert plain.plan_hash == PLAIN_HASH


# of the same plan before experiments could be one set
PLAIN_HASH = "5d2491bbdd5d8286"


def test_a_case_that_sets_the_allocator_itself_is_left_as_it_is() -> None:
    own = dataclasses.replace(case(), options=((switches.TUNABLES, "glibc.malloc.arena_max=1"),))
    assert switches.change_of("pages", own) == "it sets GLIBC_TUNABLES itself"
    changed = dataclasses.replace(case(), options=tuple(switches.COMMON["pages"].options.items()))
    assert switches.change_of("pages", changed) == "it is so already"


def test_variables_of_a_case_reach_its_worker_and_its_key() -> None:
    options = check_options(adapter("onnxruntime"), [("env.OPENCV_CPU_DISABLE", "AVX2"), ("spin", False)])
    assert environ_of(dataclasses.replace(case(), options=options)) == {"OPENCV_CPU_DISABLE": "AVX2"}
    with pytest.raises(UsageError, match=r"env\.NAME"):
        check_options(adapter("onnxruntime"), [("envOPENCV", "x")])
    choice = Choice("onnxruntime", "tiny_cnn", 0, 1, 1, "fp32", (("env.A_SWITCH", "on"),))
    (found,) = plan(Experiment("e", (choice,), cpus="0"))
    assert found.environ()["A_SWITCH"] == "on"
    assert found.environ()["OMP_NUM_THREADS"] == "1"


def test_an_input_that_is_not_the_networks_own_is_not_measured_again_by_mistake() -> None:
    wide = dataclasses.replace(case(), size=0, shape="3x64x96")
    with pytest.raises(UsageError, match="was measured with 3x64x96, and its own input is a square image"):
        planned("spin", wide, wide)


def test_a_users_network_cannot_be_found_again() -> None:
    mine = dataclasses.replace(case(), recipe="sha256:abc")
    with pytest.raises(UsageError, match="from a file"):
        planned("spin", mine, mine)
