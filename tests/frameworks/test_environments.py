"""Frameworks in interpreters that are not hwprof's own: found, made, taken as they are, and said no to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hwprof import plugins
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.environments.environment import Environment
from hwprof.environments.interpreters import admits, home, inspect_framework
from hwprof.errors import CaseFailed, NotInstalled, UsageError
from hwprof.frameworks import environments, installer
from tests.scripts import write_script

ONNXRUNTIME = plugins.adapter("onnxruntime")
RUN = ["run", "-n", "tiny_cnn", "--iterations", "3", "-w", "1", "-r", "1", "--no-save", "--json"]


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """An interpreter that is not ours, which writes down that it was started; it has this one's packages."""
    text = f'echo started >>{tmp_path / "starts"}\nexec {sys.executable} "$@"'
    return write_script(tmp_path / "vendor-python", text)


@pytest.mark.parametrize(
    ("wanted", "version", "fits"),
    [
        (">=3.11,<3.14", "3.13", True),
        (">=3.11,<3.12", "3.12", False),
        ("==3.12", "3.12", True),
        (">3.11", "3.11", False),
        (">=3.0", "3", True),
        ("==3.12", "3.12.0", True),
    ],
)
def test_python_versions_are_compared_as_numbers(wanted: str, version: str, fits: bool) -> None:
    assert admits(wanted, version) is fits
    assert admits(">=3.9", "3.11")


def test_a_version_is_compared_in_all_its_parts() -> None:
    import numpy

    wanted = Environment(("numpy",), "pip install numpy", "numpy", versions=f">={numpy.__version__}")
    assert inspect_framework(wanted, sys.executable).error is None
    later = replace(wanted, versions=f">{numpy.__version__}")
    assert f">{numpy.__version__} is wanted" in str(inspect_framework(later, sys.executable).error)


def test_what_is_no_range_of_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="about 3"):
        admits("about 3", "3.11")


@pytest.mark.parametrize(("variable", "expected"), [("/data", "/data/hwprof/environments"), ("", "{home}")])
def test_environments_are_where_the_desktop_keeps_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, expected: str
) -> None:
    monkeypatch.delenv("HWPROF_ENVIRONMENTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", variable)
    assert home() == Path(expected.format(home=tmp_path / ".local/share/hwprof/environments"))


def test_an_interpreter_of_the_users_own_runs_the_framework_from_then_on(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    assert main(["env", "create", "onnxruntime", "--python", str(foreign)]) == 0
    assert "onnxruntime" in capsys.readouterr().out
    started = (tmp_path / "starts").read_text().count("started")
    assert main(RUN) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["failure"] is None
    assert run["software"]["distributions"]["onnxruntime"]
    assert (tmp_path / "starts").read_text().count("started") > started
    assert main(["env", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["environments"]
    assert (row["name"], row["python"], row["foreign"], row["error"]) == ("onnxruntime", str(foreign), True, None)
    assert main(["env", "remove", "onnxruntime"]) == 0
    assert interpreters.registered_python("onnxruntime") is None
    assert foreign.exists()


def test_an_interpreter_without_the_framework_is_not_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    assert main(["env", "create", "onnxruntime", "--python", str(tmp_path / "bare/bin/python")]) == 3
    assert "No module named 'onnxruntime'" in capsys.readouterr().err
    assert interpreters.registered_python("onnxruntime") is None
    assert list(interpreters.home().iterdir()) == []


def test_an_environment_that_broke_is_said_to_be_broken(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "create", "onnxruntime", "--python", str(foreign)]) == 0
    foreign.write_text("#!/bin/sh\nexit 7\n")
    interpreters.inspect.cache_clear()
    capsys.readouterr()
    assert main(RUN) == 3
    said = capsys.readouterr().err
    assert "exit code 7" in said
    assert "hwprof env create onnxruntime" in said


def test_a_framework_that_crashes_when_imported_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "crashing.py").write_text("import os\nos.abort()\n")
    wrapper = write_script(tmp_path / "python", f'PYTHONPATH={tmp_path} exec {sys.executable} "$@"')
    found = interpreters.inspect("crashing", str(wrapper))
    assert found.error is not None
    assert "signal 6" in found.error


def test_our_packages_are_not_handed_to_a_foreign_interpreter() -> None:
    environ = {"PYTHONPATH": "/ours", "HOME": "/h"}
    assert interpreters.clean_environ("/usr/bin/python3", environ) == {"HOME": "/h", **interpreters.NO_TELEMETRY}
    assert interpreters.clean_environ(sys.executable, environ) == {**environ, **interpreters.NO_TELEMETRY}
    asked = {"ORT_DISABLE_TELEMETRY": "0"}
    assert interpreters.clean_environ(sys.executable, asked) == asked


def test_what_cannot_be_installed_gives_the_installers_reason_and_leaves_nothing(tmp_path: Path) -> None:
    absent = tmp_path / "no-such-distribution-1.0-py3-none-any.whl"
    broken = Environment(("onnxruntime",), "", "onnxruntime", requirements=(str(absent),))

    class Broken:
        name = "broken"
        environment = broken

    with pytest.raises(CaseFailed, match=r"no-such-distribution|No such file"):
        environments.create(Broken(), say=lambda line: None)  # type: ignore[arg-type]
    assert list(interpreters.home().iterdir()) == []


def test_an_environment_that_worked_stays_when_its_successor_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(folder: Path, *_: object) -> str:
        (folder / "bin").mkdir()
        raise CaseFailed("no such distribution")

    place = interpreters.home() / "broken"
    place.mkdir(parents=True)
    (place / "environment.json").write_text(json.dumps({"python": sys.executable}))

    class Broken:
        name = "broken"
        environment = Environment(("x",), "", "x", requirements=("x",))

    monkeypatch.setattr(environments, "install", failing)
    with pytest.raises(CaseFailed):
        environments.create(Broken(), say=lambda line: None)  # type: ignore[arg-type]
    assert interpreters.registered_python("broken") == sys.executable
    assert {path.name for path in place.iterdir()} == {"environment.json", ".lock"}


def test_a_record_that_cannot_be_read_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    place = interpreters.home() / "onnxruntime"
    place.mkdir(parents=True)
    (place / "environment.json").write_text("{")
    assert main(RUN) == 3
    said = capsys.readouterr().err
    assert "environment.json can't be read" in said
    assert "Traceback" not in said


def test_an_interpreter_that_vanished_costs_its_own_cases_only(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    from hwprof.store import Results

    assert main(["env", "create", "opencv", "--python", str(foreign)]) == 0
    foreign.unlink()
    interpreters.inspect.cache_clear()
    interpreters.software.cache_clear()
    (tmp_path / "two.toml").write_text(
        'format = 1\nname = "two"\nrounds = 1\n[matrix]\nframeworks = ["opencv", "onnxruntime"]\n'
        'networks = ["tiny_cnn"]\n[measure]\niterations = 3\nmin_iterations = 3\nwarmup_iterations = 1\n'
        '[gauges]\nidle_baseline_s = 0.0\n[simulate]\nwhen = "never"\n'
    )
    assert main(["sweep", str(tmp_path / "two.toml"), "--results", str(tmp_path / "x.db")]) == 4
    with Results.open(tmp_path / "x.db") as results:
        found = {run.case.framework: run.failure for run in results.runs()}
    assert found["onnxruntime"] is None
    assert found["opencv"] is not None
    assert "can't be started" in found["opencv"].message


def test_a_framework_without_pins_wants_an_interpreter() -> None:
    with pytest.raises(UsageError, match="name --python PATH"):
        environments.create(ONNXRUNTIME)


def test_a_python_that_is_nowhere_is_named() -> None:
    with pytest.raises(NotInstalled, match=r"Python ==3\.99"):
        installer.find_python("==3.99")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["create"], 2, "needs the name of a framework"),
        (["create", "onnxrutime"], 2, "Did you mean onnxruntime"),
        (["remove", "ncnn"], 2, "Unknown environment 'ncnn'"),
        (["create", "onnxruntime", "--python", "/no/python"], 2, "There is no interpreter"),
    ],
)
def test_wrong_words_get_one_line(words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", *words]) == code
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_version_that_an_adapter_cannot_drive_is_not_there() -> None:
    found = interpreters.find("opencv5", plugins.adapter("opencv5").environment)
    assert found.error is not None
    assert ">=5 is wanted" in found.error
    assert interpreters.find("opencv", plugins.adapter("opencv").environment).error is None


def test_every_adapter_says_how_to_get_it() -> None:
    for name in plugins.framework_names():
        environment = plugins.adapter(name).environment
        assert environment.install, name
        if environment.install.startswith("hwprof env create"):
            assert environment.requirements, name


def test_a_conversion_elsewhere_is_made_by_that_environments_interpreter(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    from hwprof.plan.cases import plan
    from hwprof.plan.experiment import Choice, single
    from hwprof.worker.protocol import LoopSettings

    adapter = ONNXRUNTIME
    monkeypatch.setattr(type(adapter), "environment", replace(adapter.environment, converter="opencv"))
    assert main(["env", "create", "opencv", "--python", str(foreign)]) == 0
    (planned,) = plan(single(Choice("onnxruntime", "tiny_cnn", 0, 1, 1, "fp32", ()), LoopSettings()))
    assert (planned.python, planned.converter) == (sys.executable, str(foreign))
    assert os.access(planned.converter, os.X_OK)
