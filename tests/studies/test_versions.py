"""One case in two environments: measured in the same sets, each side saved as what it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hwprof.analysis.comparison.compare import Judgement, compare
from hwprof.analysis.comparison.pairing import Pairing
from hwprof.analysis.comparison.sides import side
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.errors import UsageError
from hwprof.plan.experiment import Choice, Experiment
from hwprof.store import Results
from hwprof.studies.versions import EnvironmentComparison
from hwprof.worker.protocol import LoopSettings
from tests.conftest import AddFramework

PLAN = LoopSettings(window_s=0.02, alone_s=0.02, min_iterations=3, warmup_iterations=1, events=("task-clock",))


@pytest.fixture(autouse=True)
def _versioned(add_framework: AddFramework, cache: Path) -> None:
    add_framework("versioned", Path(__file__).with_name("versioned.py"))


def environment(folder: Path, version: str) -> Path:
    """An environment whose framework has this version: its interpreter is this one, told so."""
    python = folder / version / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nHWPROF_TEST_VERSION={version} exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return folder / version


def comparison(results: Results, old: Path, new: Path, rounds: int = 2) -> EnvironmentComparison:
    choices = (Choice("versioned", "tiny_cnn", 32), Choice("versioned", "tiny_cnn", 64))
    spec = Experiment("two", choices, rounds=rounds, plan=PLAN, gauge_hz=50, idle_baseline_s=0.0)
    return EnvironmentComparison(spec, (str(old), str(new)), results)


def test_both_environments_are_in_every_set_and_are_compared_by_sets(results: Results, tmp_path: Path) -> None:
    study = comparison(results, environment(tmp_path, "one"), environment(tmp_path, "two"))
    steps = list(study.run())
    assert [step.run.failure for step in steps] == [None] * 8  # two cases, two sides, two rounds
    assert (steps[-1].done, steps[-1].total) == (8, 8)
    sides = [list(results.runs(experiment=one.identity)) for one in study.sides]
    assert [{run.facts["version"] for run in runs} for runs in sides] == [{"one"}, {"two"}]
    assert {run.case.key for run in sides[0]} == {run.case.key for run in sides[1]}
    of_old, of_new = ({run.facts["set"]["id"] for run in runs} for runs in sides)
    assert of_old == of_new
    assert len(of_old) == 4
    assert len({run.facts["session"]["id"] for runs in sides for run in runs}) == 1
    old, new = (side(f"{results.path}:#{one.identity}") for one in study.sides)
    found = compare(old.runs, new.runs)
    assert [(change.pairing, change.pairs) for change in found.changes] == [(Pairing.SETS, 2)] * 2
    assert all(change.verdict is not Judgement.UNTESTED for change in found.changes)


def test_a_version_that_fails_costs_its_own_side(results: Results, tmp_path: Path) -> None:
    study = comparison(results, environment(tmp_path, "one"), environment(tmp_path, "broken"), rounds=1)
    runs = [step.run for step in study.run()]
    assert {run.facts["environment"].split()[0] for run in runs if run.failure is not None} == {"new"}
    assert {run.facts["environment"].split()[0] for run in runs if run.failure is None} == {"old"}


def test_an_environment_is_named_by_a_path_a_name_or_as_hwprofs_own(tmp_path: Path) -> None:
    folder = environment(tmp_path, "one")
    assert interpreters.named_python(str(folder)) == str(folder / "bin" / "python")
    assert interpreters.named_python(str(folder / "bin" / "python")) == str(folder / "bin" / "python")
    assert interpreters.named_python("hwprof") == sys.executable
    record = interpreters.home() / "older" / "environment.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"python": "/opt/older/bin/python"}')
    assert interpreters.named_python("older") == "/opt/older/bin/python"
    for word in ("nothing", str(tmp_path)):
        with pytest.raises(UsageError, match="There is no environment"):
            interpreters.named_python(word)


def test_the_command_measures_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = environment(tmp_path, "one"), environment(tmp_path, "two")
    words = ["compare", "--run", str(one), str(two), "-f", "versioned", "-n", "tiny_cnn", "-s", "32"]
    code = main([*words, "-r", "2", "--window", "0.02", "--results", str(tmp_path / "r.db"), "--strict"])
    captured = capsys.readouterr()
    assert code in (0, 1, 5)  # two sets have an interval; what it holds is the machine's affair
    assert "hwprof: [4/4]" in captured.err
    assert "paired t over sets" in " ".join(captured.out.split())
