"""A report of synthetic results in headless Chromium: whatever the page asks of the network or complains of is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.records import Doubt, Series
from hwprof.store import Results
from tests.factories import NETWORKS, START_NS, make_run, make_simulated_run
from tests.waiting import LONG_S


@dataclass
class Opened:
    """A page, and what it did that a self-contained, sound page doesn't do."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def write_results(path: Path) -> None:
    """Two frameworks x eight networks x two batches x three rounds of invented values, and a name that is markup."""
    names = [*list(NETWORKS)[:8]]
    with Results.create(path) as results:
        experiment = results.begin_experiment("synthetic", "", "hash", 0)
        for n, network in enumerate(names):
            for f, (framework, speed) in enumerate((("onnxruntime", 2.0), ("opencv", 1.0))):
                for batch in (1, 4):
                    for number in range(3):
                        wobble = 1 + 0.01 * number + 0.1 * ((n * (f + 3)) % 5)
                        faults = 1 + 0.1 * ((2 * n + f) % 7)
                        metrics: dict[str, float | None] = {
                            "instructions": 1e8 * (n + 2),
                            "l1d-misses": 1e5 * (n + 1) ** 1.5 * wobble,
                            "branches": 2e6 * (n + 2) / wobble,
                            "page-faults": 900 * (n + 1) * faults,
                            "minor-faults": 901 * (n + 1) * faults * (1 + 1e-3 * number),
                            "energy": 0.02 * (n + 2) / speed,
                            "task-clock": 2e7 * (n + 2) / speed,
                            "cycles": None,
                        }
                        levels = tuple(3.0 + (i % 4) for i in range(20))
                        at = tuple(START_NS + i * 50_000_000 for i in range(20))
                        power = Series("power", "W", "package", at_ns=at, values=levels)
                        results.add(
                            make_run(
                                framework,
                                network,
                                batch=batch,
                                round=number,
                                fps=(90 - 8 * n) * speed * wobble,
                                metrics=metrics,
                                series=(power,),
                                doubts=(Doubt("noisy", {"ratio": 1.5}),) if number == 0 else (),
                            ),
                            experiment,
                        )
                results.add(make_simulated_run(framework, network, metrics={"loads": 1e6 * (n + 1)}), experiment)
        results.add(make_run("onnxruntime", "<img src=x onerror=alert(1)>", fps=50.0, metrics={}), experiment)


def expect(locator: Any) -> Any:
    """Playwright's assertions of a locator, which wait from outside the page: the page's policy forbids it to evaluate
    text, so `wait_for_function` fails there as soon as its condition isn't true at the first look."""
    from playwright.sync_api import expect as expected

    return expected(locator)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # the sandbox needs user namespaces, which containers seldom have; the page is ours
        chromium = shutil.which("chromium")
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=LONG_S * 1000)
        yield started
        started.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `hwprof report` writes."""
    folder = tmp_path_factory.mktemp("report")
    write_results(folder / "results.db")
    assert main(["report", str(folder / "results.db"), "-o", str(folder), "--format", "html"]) == 0
    return folder / "report.html"


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    """The report, opened at desktop size in light colours; afterwards it must have asked and complained of nothing."""
    still = {"color_scheme": "light", "reduced_motion": "reduce"}  # nothing glides from under the pointer
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, **still)
    context.set_default_timeout(LONG_S * 1000)
    found = Opened(context.new_page())
    found.page.on("console", lambda m: found.complaints.append(m.text) if m.type in ("error", "warning") else None)
    found.page.on("pageerror", lambda e: found.complaints.append(str(e)))
    found.page.on("request", lambda r: found.requests.append(r.url))
    found.page.goto(report.as_uri())
    yield found
    context.close()
    assert found.complaints == []
    assert [u for u in found.requests if not u.startswith(("file:", "data:", "blob:"))] == []
