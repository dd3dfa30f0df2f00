"""`hwprof survey` on modelled machines: resumed after an interrupt, masked, imported elsewhere, with a page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import calibrate, main, survey_steps
from hwprof.cli.survey_steps import SurveySteps, planned
from hwprof.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from hwprof.machine import private
from hwprof.store import Results
from hwprof.studies.survey.files import SurveyFiles
from hwprof.studies.survey.record import SurveyRecord, read_record
from hwprof.studies.survey.steps import NotPossible, StepProgress, SurveyStep
from tests import recorded_machines
from tests.factories import make_run

HOST, USER = "annas-planted-board", "annaplanted"
FILE, PAGE = "hwprof-survey.db", "hwprof-survey.html"
NETWORKS = ("mobilenet_v2", "resnet18", "squeezenet1_1")


class ModelledSteps(SurveySteps):
    """Doctor reads a modelled machine; no C compiler is there; speed has runs with private text in them."""

    interrupt_after = 99
    measured = 0

    def all(self) -> list[SurveyStep]:
        """The same steps on a modelled machine."""
        self.root = type(self).root_of_machine
        return [
            SurveyStep("doctor", self.doctor),
            SurveyStep("events", self.no_compiler),
            SurveyStep("speed", self.modelled_speed),
        ]

    root_of_machine = Path("/")

    def no_compiler(self) -> Iterator[StepProgress]:
        yield from ()
        raise NotPossible("no C compiler is here", "apt-get install gcc")

    def modelled_speed(self) -> Iterator[StepProgress]:
        experiment = self.results.begin_experiment("quick", "", "0" * 16, 7)
        done = {key for key, _, _ in self.results.done(experiment)}
        runs = [
            make_run(f, n, round=r, fps=40.0 + r, facts={"host": HOST, "log": f"/home/{USER}/models by {USER}"})
            for n in NETWORKS
            for f in ("onnxruntime", "opencv")
            for r in range(3)
        ]
        left = [run for run in runs if run.case.key not in done]
        for number, run in enumerate(left, 1):
            self.results.add(run, experiment)
            type(self).measured += 1
            yield StepProgress(number, len(left), run.case.title)
            if number % 3 == 0 and number >= self.interrupt_after:
                raise KeyboardInterrupt


@pytest.fixture(params=["bpi-f3", "vm"])
def modelled(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[ModelledSteps]:
    """A modelled machine whose host and user have names of their own, in a working directory of its own."""
    root = tmp_path / "machine"
    shutil.copytree(recorded_machines.root(request.param), root, symlinks=True)
    (root / "proc/sys/kernel").mkdir(parents=True, exist_ok=True)
    (root / "proc/sys/kernel/hostname").write_text(f"{HOST}\n")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    words = private.private_words(root, {"USER": USER, "HOME": f"/home/{USER}"})
    monkeypatch.setattr(private, "private_words", lambda: words)
    steps = type("ModelledStepsHere", (ModelledSteps,), {"root_of_machine": root, "measured": 0})
    monkeypatch.setattr(survey_steps, "SurveySteps", steps)
    return steps


def names() -> list[str]:
    return sorted(path.name for path in Path.cwd().iterdir())


def record_of(file: Path) -> Any:
    with Results.open(file) as results:
        return read_record(results)


def test_one_file_and_one_page_are_left_and_hold_no_private_name(modelled: type[ModelledSteps]) -> None:
    assert main(["survey"]) == EXIT_OK
    assert names() == [FILE, PAGE]
    for name in (FILE, PAGE):
        content = Path(name).read_bytes()
        assert HOST.encode() not in content
        assert USER.encode() not in content


def test_a_step_that_is_not_possible_is_named_with_what_to_do(
    modelled: type[ModelledSteps], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["survey"]) == EXIT_OK
    assert "events    missing: No C compiler is here." in capsys.readouterr().out
    page = Path(PAGE).read_text()
    assert "No C compiler is here." in page
    assert "apt-get install gcc" in page
    assert "FPS per network and framework" in page
    assert record_of(Path(FILE)).steps["speed"].status == "done"


def test_an_interrupt_keeps_what_is_finished_and_the_next_call_goes_on(
    modelled: type[ModelledSteps], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(modelled, "interrupt_after", 6)
    assert main(["survey"]) == EXIT_INTERRUPTED
    assert "The same command goes on from there." in capsys.readouterr().err
    assert names() == [FILE, f"{FILE}.unmasked", PAGE]
    assert HOST.encode() not in Path(FILE).read_bytes(), "what is there may be sent at any time"
    assert record_of(Path(FILE)).steps["speed"].status == "part"
    assert "interrupted" in Path(PAGE).read_text()
    with Results.open(FILE) as results:
        assert len(list(results.runs())) == 6
    monkeypatch.setattr(modelled, "interrupt_after", 99)
    assert main(["survey"]) == EXIT_OK
    assert modelled.measured == 18, "nothing was measured twice"
    assert names() == [FILE, PAGE]


def test_a_finished_survey_goes_on_from_the_file_that_was_sent(modelled: type[ModelledSteps]) -> None:
    assert main(["survey"]) == EXIT_OK
    assert main(["survey"]) == EXIT_OK
    assert modelled.measured == 18
    with Results.open(FILE) as results:
        assert len(list(results.runs())) == 18


def test_the_file_is_imported_into_a_fresh_store_and_explained_there(
    modelled: type[ModelledSteps], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["survey", "-o", "board.db"]) == EXIT_OK
    home = tmp_path / "home.db"
    assert main(["import", "board.db", "--results", str(home)]) == EXIT_OK
    assert main(["report", "--results", str(home), "-o", str(tmp_path / "report"), "--format", "json"]) == EXIT_OK
    assert main(["explain", "onnxruntime", "opencv", "--results", str(home)]) == EXIT_OK
    assert main(["compare", str(home), "board.db"]) == EXIT_OK
    assert HOST not in capsys.readouterr().out


def test_the_survey_of_another_machine_is_not_added_to(
    modelled: type[ModelledSteps], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hwprof.machine import facts

    assert main(["survey"]) == EXIT_OK
    before = Path(FILE).read_bytes()
    monkeypatch.setattr(facts, "machine_id", lambda hardware: "another")
    assert main(["survey"]) == EXIT_USAGE
    assert "is the survey of another machine. Name another file with -o." in capsys.readouterr().err
    assert Path(FILE).read_bytes() == before
    assert names() == [FILE, PAGE]


def test_results_that_are_no_survey_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Results.open("mine.db", create=True) as results:
        results.add(make_run())
    assert main(["survey", "-o", "mine.db"]) == EXIT_USAGE
    assert "holds other results" in capsys.readouterr().err
    assert names() == ["mine.db"]


@pytest.mark.parametrize("name", ["survey.txt", "nowhere/survey.db"])
def test_a_file_that_cant_be_written_is_refused_before_anything_is_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["survey", "-o", name]) == EXIT_USAGE
    assert not names()


def test_a_second_survey_in_the_same_folder_is_refused(
    modelled: type[ModelledSteps], capsys: pytest.CaptureFixture[str]
) -> None:
    with SurveyFiles(Path("other.db"), {}).alone():
        assert main(["survey"]) == EXIT_USAGE
    assert "Another survey writes into the folder of hwprof-survey.db." in capsys.readouterr().err
    assert not names()
    assert main(["survey"]) == EXIT_OK


def test_json_has_what_each_step_came_to(modelled: type[ModelledSteps], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["survey", "--json"]) == EXIT_OK
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["file"], found["page"], found["interrupted"]) == (1, FILE, PAGE, False)
    assert {name: step["status"] for name, step in found["steps"].items()} == {
        "doctor": "done",
        "events": "missing",
        "speed": "done",
    }


def test_the_experiment_is_quick_in_the_frameworks_that_are_installed() -> None:
    spec = planned(("ncnn",))
    assert spec.name == "quick"
    assert {choice.framework for choice in spec.choices} == {"ncnn"}
    assert len({choice.network for choice in spec.choices}) == 7


@pytest.mark.cc
@pytest.mark.counting
def test_events_and_ceilings_of_this_machine_are_kept_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "SECONDS", 0.001)
    monkeypatch.setattr(calibrate, "REPETITIONS", 1)
    with Results.open(tmp_path / "work.db", create=True) as results:
        first = SurveySteps(results, SurveyRecord("m"), lambda text: None)
        parts = first.events()
        total = [next(parts) for _ in range(5)][-1].total
        del parts  # as an interrupt does
        record = read_record(results)
        assert record is not None
        assert len(record.events) == 5
        again = SurveySteps(results, record, lambda text: None)
        assert [part.done for part in again.events()] == list(range(6, total + 1))
        assert record.events["page-faults"]["verdict"] == "right"
        steps = list(again.ceilings())
        assert [step.done for step in steps] == list(range(1, steps[-1].total + 1))
        assert len(results.ceilings()) + len(record.absent) == len(steps)


def test_without_a_c_compiler_the_events_step_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "no-compiler"))
    with Results.open(tmp_path / "work.db", create=True) as results:
        steps = SurveySteps(results, SurveyRecord("m"), lambda text: None)
        with pytest.raises(NotPossible) as found:
            list(steps.events())
    assert "no-compiler" in found.value.message
    assert found.value.remedy


def test_without_a_framework_the_speed_step_says_what_to_do(tmp_path: Path) -> None:
    with Results.open(tmp_path / "work.db", create=True) as results:
        steps = SurveySteps(results, SurveyRecord("m"), lambda text: None)
        with pytest.raises(NotPossible, match="No framework is installed"):
            list(steps.speed())
