"""`hwprof env create` ended half-way: nothing is left that looks finished, and what worked before works on."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.environments.environment import Environment
from hwprof.errors import NotAvailable
from hwprof.frameworks import environments

pytestmark = pytest.mark.slow

# A package whose building says that it has begun, and by whom, and then waits to be let on.
BACKEND = """
import os
def build_wheel(directory, settings=None, metadata=None):
    with open({began!r}, "w") as stream:
        stream.write(str(os.getppid()))
    with open({go!r}) as stream:
        stream.read()
    raise SystemExit("was let on")
"""
PLUGIN = """
from hwprof.frameworks.protocol import Environment
class Slow:
    name = "slow"
    environment = Environment(("slow",), "hwprof env create slow", "json", requirements=({package!r},))
ADAPTER = Slow()
"""


@dataclass
class Creation:
    """A running `hwprof env create slow`, in the middle of its installer's work."""

    process: subprocess.Popen[str]
    installer: int
    environ: dict[str, str]

    def hwprof(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hwprof", *words]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, timeout=300)

    def end(self, number: signal.Signals) -> int:
        """Send it the signal; its exit code, when its installer has ended too."""
        watched = os.pidfd_open(self.installer)
        self.process.send_signal(number)
        code = self.process.wait(120)
        assert select.select([watched], [], [], 120)[0], "the installer outlived hwprof"
        os.close(watched)
        return code


def slow(folder: Path) -> str:
    """The package, as a requirement."""
    package = folder / "slow"
    package.mkdir()
    for name in ("began", "go"):
        os.mkfifo(folder / name)
    (package / "backend.py").write_text(BACKEND.format(began=str(folder / "began"), go=str(folder / "go")))
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    return str(package)


@pytest.fixture
def creation(tmp_path: Path) -> Iterator[Creation]:
    """It, with its adapter from a plug-in that is found by its entry point."""
    (tmp_path / "slow_adapter.py").write_text(PLUGIN.format(package=slow(tmp_path)))
    told = tmp_path / "slow_adapter-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-adapter\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[hwprof.frameworks]\nslow = slow_adapter:ADAPTER\n")
    root = str(Path(environments.__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([root, str(tmp_path)])}
    began = os.open(tmp_path / "began", os.O_RDONLY | os.O_NONBLOCK)
    with (tmp_path / "said").open("w") as said:
        command = [sys.executable, "-m", "hwprof", "env", "create", "slow"]
        process = subprocess.Popen(command, env=environ, stdout=said, stderr=said, text=True)
    try:
        assert select.select([began], [], [], 600)[0], (tmp_path / "said").read_text()
        yield Creation(process, int(os.read(began, 100)), environ)
    finally:
        os.close(began)
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):  # whoever waits sees the end of the file; ENXIO: nobody does
            os.close(os.open(tmp_path / "go", os.O_WRONLY | os.O_NONBLOCK))


def before() -> Path:
    """An environment that works, in place before the creation; its virtual environment."""
    folder = interpreters.home() / "slow/venv-before"
    folder.mkdir(parents=True)
    (folder / "marker").write_text("")
    record = {"python": sys.executable, "framework": "slow", "version": "1", "foreign": False, "folder": folder.name}
    (folder.parent / "environment.json").write_text(json.dumps(record))
    return folder


def test_two_at_once_are_one_too_many_and_nothing_is_left_of_one_that_was_ended(creation: Creation) -> None:
    class Slow:
        name = "slow"
        environment = Environment(("slow",), "", "json")

    with pytest.raises(NotAvailable, match="Another hwprof is creating"):
        environments.create(Slow(), python=sys.executable)  # type: ignore[arg-type]
    assert creation.process.poll() is None
    assert creation.end(signal.SIGINT) == 130
    assert list(interpreters.home().iterdir()) == []


def test_a_killed_creation_is_no_environment_and_can_be_removed(creation: Creation) -> None:
    assert creation.end(signal.SIGKILL) == -signal.SIGKILL
    assert interpreters.registered_python("slow") is None
    assert json.loads(creation.hwprof("env", "list", "--json").stdout)["environments"] == []
    assert "slow           unfinished" in creation.hwprof("env", "list").stdout
    assert creation.hwprof("env", "remove", "slow").returncode == 0
    assert list(interpreters.home().iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_worked_before_works_on(number: signal.Signals, code: int, creation: Creation) -> None:
    # put there while the installer is at work: what is asked of the end is the same
    worked = before()
    assert creation.end(number) == code
    if number == signal.SIGTERM:  # nothing else is left
        assert {path.name for path in worked.parent.iterdir()} == {"environment.json", ".lock", worked.name}
    assert interpreters.registered_python("slow") == sys.executable
    assert (worked / "marker").exists()
    (listed,) = json.loads(creation.hwprof("env", "list", "--json").stdout)["environments"]
    assert listed["error"] is None
    # the next one takes what was left with it
    assert creation.hwprof("env", "create", "slow", "--python", sys.executable).returncode == 0
    assert {path.name for path in worked.parent.iterdir()} == {"environment.json", ".lock"}


def test_a_disk_that_is_full_at_the_very_end_leaves_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        name = "slow"
        environment = Environment(("slow",), "", "json")

    def full(path: Path, text: str) -> int:
        with path.open("w") as stream:
            stream.write(text[:10])
        raise OSError(28, "No space left on device")

    worked = before()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            environments.create(Slow(), python=sys.executable)  # type: ignore[arg-type]
    assert interpreters.registered_python("slow") == sys.executable
    assert {path.name for path in worked.parent.iterdir()} == {"environment.json", ".lock", "venv-before"}


def test_an_environment_of_no_use_is_listed_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    before()  # of a framework that nobody registered
    broken = interpreters.home() / "broken"
    broken.mkdir()
    (broken / "environment.json").write_text("{")
    assert main(["env", "list", "--json"]) == 0
    errors = {row["name"]: row["error"] for row in json.loads(capsys.readouterr().out)["environments"]}
    assert "unknown framework 'slow'" in errors["slow"]
    assert "environment.json can't be read" in errors["broken"]
    assert main(["env", "remove", "broken", "slow"]) == 0
    assert list(interpreters.home().iterdir()) == []
