"""Suites that need more than the test environment say so by a marker, and are skipped only where nobody meant them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from hwprof import plugins
from hwprof.collectors import cooldown
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Available
from hwprof.collectors.thermal import Heat
from hwprof.store import Results
from tests import recorded_machines
from tests.fleet import Fleet

# A shell starts what it puts into the background with SIGINT ignored, and every child would inherit that: programs that
# tests interrupt would not notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GUESTS_LOG = pytest.StashKey[list[str]]()
# CI names here what must run: a missing part is then a failure, not a skip.
ABSENT = " is not installed, or not asked for"
MUST_RUN = frozenset(filter(None, os.environ.get("HWPROF_MUST_RUN", "").split(",")))


def skips(reasons: Iterable[str]) -> str:
    """How many tests were skipped, in one line: by marker, then for other reasons; the most frequent first."""
    counts = Counter(reason.removeprefix("Skipped: ") for reason in reasons)
    parts = [f"{reason.removesuffix(ABSENT)} {n}" for reason, n in counts.most_common() if reason.endswith(ABSENT)]
    found = [f"{', '.join(parts)}: not installed or not asked for"] if parts else []
    found += [f"{n} x {reason}" for reason, n in counts.most_common() if not reason.endswith(ABSENT)]
    return f"skipped: {counts.total()} ({'; '.join(found)})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip marked tests whose part is not on this machine, unless HWPROF_MUST_RUN names it."""
    there = {
        "torch": importlib.util.find_spec("torch") is not None,
        "valgrind": shutil.which("valgrind") is not None,
        # Minutes of building and emulating, installed or not: only who names them means them (make test-boards).
        "board": False,
        "board_long": False,
        # Gigabytes of frameworks in environments of their own (make test-environments).
        "environments": False,
        # Full size, tens of minutes (make release).
        "release": False,
        "browser": shutil.which("chromium") is not None and importlib.util.find_spec("playwright") is not None,
        "uv": shutil.which("uv") is not None,
        "perf": shutil.which("perf") is not None,
        "cc": shutil.which("cc") is not None,
        "pdflatex": shutil.which("pdflatex") is not None,
        "pyperf": importlib.util.find_spec("pyperf") is not None,
        "openpyxl": importlib.util.find_spec("openpyxl") is not None,
        "lxml": importlib.util.find_spec("lxml") is not None,
    }
    there |= counting()
    for item in items:
        for name, is_there in there.items():
            if item.get_closest_marker(name) and not is_there and name not in MUST_RUN:
                item.add_marker(pytest.mark.skip(reason=name + ABSENT))


def counting() -> dict[str, bool]:
    """Whether this kernel counts for this user: software events at all, and those that happen inside the kernel."""
    found = PerfCollector().probe(["page-faults", "context-switches"])
    names = {"counting": "page-faults", "counting_kernel": "context-switches"}
    return {marker: isinstance(found[event], Available) for marker, event in names.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_unconfigure() -> None:
    """What tests unpacked of recorded machines goes with the session."""
    recorded_machines.remove()


def pytest_xdist_auto_num_workers() -> int:
    """Processes of `-n auto`; 0: this one alone. Four at most, since many tests measure; emulated boards are shared."""
    cores = min(len(os.sched_getaffinity(0)), 4)
    return 0 if cores == 1 or MUST_RUN & {"board", "board_long"} else cores


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of artifacts shared by the whole test session, and never the user's own."""
    folder = tmp_path_factory.getbasetemp() / "hwprof-cache"
    monkeypatch.setenv("HWPROF_CACHE", str(folder))
    return folder


AddFramework = Callable[[str, Path], None]


@pytest.fixture
def add_framework(monkeypatch: pytest.MonkeyPatch) -> AddFramework:
    """Registers the ADAPTER of a file (name, file) as an installed package would, for this process and its workers."""

    def add(name: str, file: Path) -> None:
        paths = plugins.paths
        known = {**paths("hwprof.frameworks"), name: f"{file.stem}:ADAPTER"}
        monkeypatch.setattr(plugins, "paths", lambda group: known if group == "hwprof.frameworks" else paths(group))
        monkeypatch.setenv("PYTHONPATH", str(file.parent))
        monkeypatch.syspath_prepend(str(file.parent))

    return add


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Results]:
    """An empty results file, open."""
    with Results.create(tmp_path / "x.db") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's results, or has a cache of its own making outside tmp_path."""
    monkeypatch.delenv("HWPROF_RESULTS", raising=False)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # set, it hides what a killed process loses
    monkeypatch.setenv("COLUMNS", "110")  # what is printed has the same lines in every terminal, and without one
    monkeypatch.setenv("HWPROF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", str(tmp_path / "environments"))


@pytest.fixture(scope="session", autouse=True)
def _no_cooling_down() -> Iterator[None]:
    """No test waits for the machine that it runs on to cool down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cooldown, "heat", lambda: Heat())
        yield


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The emulated boards that this session's tests ask for, all of them under way from here on."""
    made = Fleet(request.session.items, tmp_path_factory.mktemp)
    request.config.stash[GUESTS_LOG] = made.log
    yield made
    made.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was skipped and why, in one line; when each emulated board was under way."""
    if skipped := terminalreporter.stats.get("skipped"):
        terminalreporter.write_line(skips([str(report.longrepr[2]) for report in skipped]))
    for line in config.stash.get(GUESTS_LOG, []):
        terminalreporter.write_line(f"guest {line}")
